import dataclasses
from pathlib import Path

import pytest

from jaxsoftras import config

FILES = sorted((Path(__file__).parents[1] / "configs").glob("[!_]*.py"))


class TestLoad:
    @pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
    def test_files_of_the_project(self, path):
        assert isinstance(config.load(path), config.Config)

    def test_defaults_are_the_run_of_the_paper(self):
        settings = config.load(next(p for p in FILES if p.stem == "softras"))
        assert settings.optim == config.Optim(
            steps=250_000,
            batch_size=64,
            learning_rate=1e-4,
            beta1=0.9,
            beta2=0.999,
            decay_step=150_000,
            decay_factor=0.3,
        )
        assert settings.render.sigma == 1e-4 and settings.render.dist_eps == 1e-10
        assert settings.loss == config.Loss(5e-3, 5e-4, 0, 0, 0)
        assert settings.augment == config.Augment(mirror=False, scale=0, shift=0)
        assert settings.model.image_size == 64

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("x = 1", "must define get_config"),
            ("def get_config(): return 1", "must define get_config"),
            ("1 / 0", "ZeroDivisionError"),
            ("import sys; sys.exit()", "raised SystemExit"),
            ("def get_config(): exit(0)", "raised SystemExit: 0"),
            ("def f(:", "SyntaxError"),
            ("def get_config(): return {}['x']", "KeyError"),
            (
                "from jaxsoftras.config import *\n"
                "def get_config(): return Config(optim=Optim(steps=2.5))",
                "optim.steps must be int, not 2.5",
            ),
            (
                "from jaxsoftras.config import *\n"
                "def get_config(): return Config(optim=Optim(steps=-1))",
                "optim.steps must be from 1",
            ),
        ],
    )
    def test_files_that_are_not_configurations(self, tmp_path, text, message):
        path = tmp_path / "bad.py"
        path.write_text(text)
        with pytest.raises(config.ConfigError, match=message):
            config.load(path)

    def test_missing_file(self, tmp_path):
        with pytest.raises(config.ConfigError, match="no configuration file"):
            config.load(tmp_path / "none.py")


class TestNames:
    def test_are_the_files_of_the_project(self):
        assert config.list_names() == [path.stem for path in FILES]
        for path in FILES:
            assert config.locate(path.stem).samefile(path)

    def test_load_takes_a_name_and_settings(self):
        settings = config.load("demo", ["optim.steps=7"])
        assert settings.optim.steps == 7 and settings.data.source == "embedded"

    @pytest.mark.parametrize(
        "name",
        ["real31", "Real13", "real13.py", "__init__", "*", "", ".", "..", "../demo"]
        + ["demo/", "/", " demo", "demo\n", "\0", "demo,real13", "configs.demo", "-"],
    )
    def test_unknown_one_lists_those_known(self, name, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(config.ConfigError) as caught:
            config.load(name)
        assert str(caught.value).endswith(f"are {', '.join(config.list_names())}.")

    def test_words_that_are_names_or_files(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        Path("real13").mkdir()
        long = "a" * 300 + ".py"
        for word in ("demo", "a.py", Path("b/c.py"), "./demo.py", "\0.py", long):
            assert config.is_name(word)
        for word in ("real13", "Demo", "./demo", "a.pyc", "", "demo\n", "py", "a/"):
            assert not config.is_name(word)
            config.refuse_name(word)

    def test_a_file_of_that_name_is_a_path(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        Path("demo").write_text(
            "from jaxsoftras import config\n"
            "def get_config(): return config.load('softras', ['seed=5'])"
        )
        assert config.load("demo").seed == 0
        assert config.load("./demo").seed == config.load(Path("demo")).seed == 5


class TestOverride:
    def test_one_setting(self):
        assert config.override(config.Config(), "seed=5") == config.Config(seed=5)
        assert config.load("demo", "seed=5").seed == 5

    def test_values_and_types(self):
        changed = config.override(
            config.Config(),
            [
                "optim.learning_rate=3",
                "optim.steps=7",
                "model.channels=8,16",
                "model.encoder=resnet",
                "data.root=/some/where",
                "data.categories=('02691156',)",
                "render.implementation=None",
                "seed=5",
            ],
        )
        assert changed.optim.learning_rate == 3.0
        assert isinstance(changed.optim.learning_rate, float)
        assert changed.optim.steps == 7
        assert changed.model.channels == (8, 16) and changed.model.encoder == "resnet"
        assert changed.data.root == "/some/where"
        assert changed.data.categories == ("02691156",)
        assert changed.seed == 5
        assert changed.loss == config.Config().loss

    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            ("table", ("table",)),
            ("[table]", ("table",)),
            ("table,chair", ("table", "chair")),
            ("['table', \"chair\"]", ("table", "chair")),
            ("02691156", ("02691156",)),
            ("7", ("7",)),
            ("(7, 8)", ("7", "8")),
            ("()", ()),
            ("", ()),
        ],
    )
    def test_categories_as_they_are_typed(self, text, wanted):
        changed = config.override(config.Config(), [f"data.categories={text}"])
        assert changed.data.categories == wanted

    @pytest.mark.parametrize("text", ["2024", "None", "runs/[a]", "1,2", " a\n"])
    def test_names_that_look_like_values(self, text):
        changed = config.override(config.Config(), [f"data.root={text}"])
        assert changed.data.root == text

    @pytest.mark.parametrize(
        ("setting", "message"),
        [
            ("optim.lr=1", "no configuration field 'optim.lr'; optim has steps"),
            ("learning_rate=1", "'learning_rate'; did you mean optim.learning_rate?"),
            ("color=1", "did you mean model.color or loss.color?"),
            ("optim.beta_1=1", "did you mean optim.beta1?"),
            ("data.sources.0.root=a", "data.sources is one field, which is set as a"),
            ("optimiser.lr=1", "'optimiser.lr'; the configuration has data, "),
            ("seed.x=1", "no configuration field 'seed.x'; seed is one field"),
            ("optim=3", "'optim' is a group of fields"),
            ("optim.steps", "path.to.field=value"),
            ("optim.steps=2.5", "optim.steps must be int, not 2.5"),
            ("optim.steps=True", "optim.steps must be int, not True"),
            ("optim.learning_rate=fast", r"must be a float \(.*\), not 'fast'"),
            ("optim.learning_rate=1e999", r"must be a float \(.*\), not inf"),
            ("optim.learning_rate=1e39", r"1.2e-38 to 3.4e\+38 .* not 1e\+39"),
            ("render.sigma=1e-39", "must be a float .* not 1e-39"),
            ("optim.batch_size=0", "batch_size must be from 1 to 1048576"),
            ("optim.batch_size=2147483648", "batch_size must be from 1"),
            ("model.latent=2147483648", "model must be from 1 to 2147483647"),
            ("data.embedded_objects=10000000", "must be from 3 to 1048576"),
            ("data.elevation=-91", "elevation must be from -90 to 90"),
            ("data.azimuth_step=1e30", "azimuth_step must be from -360 to 360"),
            ("data.distance=1e30", "distance must be from 0.001"),
            ("data.root='\\0'", "a str that can be a name, not"),
            ("data.root='\\ud800'", "a str that can be a name, not"),
            ("model.encoder=vgg", "one of 'baseline', 'resnet', 'attention'"),
            ("model.channels=big", r"a tuple of int, not \('big',\)"),
            ("model.channels=()", "must not be empty"),
            ("model.image_size=0", "sizes of model must be from 1"),
            ("model.image_size=20", "20 px cannot be halved 3 times.* multiple of 8"),
            ("model.encoder=unet", "'attention', 'large', 'convnext', not 'unet'"),
            ("model.decoder=free", "one of 'softras', 'multilevel', 'flow', not"),
            ("model.pooling=max", "one of 'none', 'grid2', 'mean', not 'max'"),
            ("model.pooling=2", "one of 'none', 'grid2', 'mean', not 2"),
            ("model.symmetric=1", "model.symmetric must be bool, not 1"),
            ("model.symmetric=x", "model.symmetric must be bool, not 'x'"),
            ("model.template_level=6", "template_level must be from 0 to 5"),
            ("model.coarse_level=1", "belongs to model.decoder='multilevel'; the deco"),
            ("model.flow_cells=4,4", "belongs to model.decoder='flow'; the decoder is"),
            ("render.sigma=-1.0", "render.sigma must be positive"),
            ("data.half_fov=90", "half_fov"),
            ("augment.color=1", "'augment.color' is a group of fields"),
            ("augment.color.contrast=1.5", "color.contrast must be from 0 to 1"),
            ("loss.multiscale=-1", "Loss weights must not be negative"),
            ("data.views_per_object=0", "views_per_object must be from 1 to 24"),
            ("render.final_sigma=0", "final_sigma must be positive, or None"),
            ("render.anneal_steps=0", "anneal_steps must be from 1"),
            ("optim.schedule=linear", "one of 'piecewise', 'cosine'"),
            ("optim.warmup_steps=150000", "warmup_steps must be from 0 to less than"),
            ("optim.weight_decay=-1", "weight_decay must not be negative"),
            ("optim.clip_norm=-1", "clip_norm must not be negative"),
            ("optim.ema=1", r"optim.ema must lie in \[0, 1\)"),
            ("augment.scale=-0.1", "augment.scale must be from 0 to 1"),
            ("augment.shift=0.6", "augment.shift must be from 0 to 0.5"),
            ("augment.color.hue=-1", "color.hue must be from 0 to 180"),
        ],
    )
    def test_mistakes(self, setting, message):
        with pytest.raises(config.ConfigError, match=message) as caught:
            config.override(config.Config(), [setting])
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"decoder": "multilevel", "coarse_level": 4}, "from 0 to .*template_level, 3"),
        ({"decoder": "multilevel", "coarse_level": -1}, "coarse_level must be from 0"),
        ({"decoder": "flow", "flow_cells": ()}, "from 2 to 32, at least one"),
        ({"decoder": "flow", "flow_cells": (4, 1)}, "from 2 to 32, at least one"),
        ({"decoder": "flow", "flow_cells": (64,)}, "from 2 to 32, at least one"),
        (
            {"decoder": "flow", "flow_cells": (4, 3), "symmetric": True},
            "flow_cells must be even where model.symmetric is set",
        ),
        (
            {"pooling": "grid2", "image_size": 24},
            "halves the last stage, which is 3 x 3; .* multiple of 16",
        ),
    ],
)
def test_networks_that_do_not_fit_together(settings, message):
    with pytest.raises(config.ConfigError, match=message):
        config.Model(**settings)


def test_fields_of_a_decoder_that_are_set_to_their_defaults():
    changed = config.override(config.Config(), ["model.flow_cells=2,2,4,4,4,8"])
    assert changed == config.Config()


def test_a_cosine_needs_an_end():
    with pytest.raises(config.ConfigError, match="a positive optim.decay_step"):
        config.Optim(schedule="cosine", decay_step=0)


class TestFiles:
    def test_round_trip(self, tmp_path):
        settings = config.override(config.Config(), ["model.channels=8,16", "seed=3"])
        config.save(settings, tmp_path / "config.json")
        assert config.read(tmp_path / "config.json") == settings

    @pytest.mark.parametrize("content", [b'{"seed": ', b"\xff\xfe", b"", b"[]"])
    def test_damaged_file(self, content, tmp_path):
        (tmp_path / "config.json").write_bytes(content)
        with pytest.raises(config.ConfigError, match="damaged"):
            config.read(tmp_path / "config.json")

    def test_names_the_file_of_a_wrong_value(self, tmp_path):
        (tmp_path / "config.json").write_text('{"seed": "x"}')
        with pytest.raises(config.ConfigError, match="config.json: seed must be int"):
            config.read(tmp_path / "config.json")


class TestConflicts:
    def test_fields_that_change_the_result_must_agree(self):
        old = config.Config()
        new = config.override(
            old,
            ["model.latent=256", "model.image_size=32", "optim.learning_rate=1e-3"],
        )
        assert config.conflicts(old, new) == [
            "model.image_size: 64 there, 32 here",
            "model.latent: 512 there, 256 here",
            "optim.learning_rate: 0.0001 there, 0.001 here",
        ]

    def test_length_and_reporting_may_change(self):
        old = config.Config()
        new = config.override(
            old, ["optim.steps=9", "log.metrics_every=1", "data.root=elsewhere"]
        )
        assert new != old and config.conflicts(old, new) == []

    def test_resumable_fields_exist(self):
        source = config.Source(root="x")
        fields = config.flat(config.Config(data=config.Data(sources=(source,))))
        assert {name.replace(".0.", ".*.") for name in fields} >= config.RESUMABLE


def test_configurations_are_immutable():
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.Config().seed = 1  # pyright: ignore[reportAttributeAccessIssue]
