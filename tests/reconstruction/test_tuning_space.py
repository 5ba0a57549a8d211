"""Search spaces from text, and runs that are shortened with their schedules."""

import math

import numpy as np
import pytest

from jaxsoftras import config
from jaxsoftras.reconstruction import optimization
from jaxsoftras.reconstruction.tuning import space as spaces

DEFAULT = config.Config()


class TestRead:
    def test_ranges_and_choices(self):
        space = spaces.read(
            [
                "optim.learning_rate=1e-4..1e-3:log",
                " optim.beta1 = 0.5 .. 0.9 ",
                "model.palette_size=4..32:step=4",
                "optim.warmup_steps=0..500",
                "render.final_sigma=1e-5..1e-4",
                "model.hidden=(1024,1024)|(512,512)|256",
                "augment.mirror=true|FALSE",
                "optim.schedule=piecewise|cosine",
            ],
            DEFAULT,
        )
        assert space == {
            "optim.learning_rate": spaces.Range(1e-4, 1e-3, True, None, False),
            "optim.beta1": spaces.Range(0.5, 0.9, False, None, False),
            "model.palette_size": spaces.Range(4, 32, False, 4, True),
            "optim.warmup_steps": spaces.Range(0, 500, False, None, True),
            "render.final_sigma": spaces.Range(1e-5, 1e-4, False, None, False),
            "model.hidden": spaces.Choice(("(1024,1024)", "(512,512)", "256")),
            "augment.mirror": spaces.Choice(("True", "False")),
            "optim.schedule": spaces.Choice(("piecewise", "cosine")),
        }

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "takes FIELD"),
            ("optim.learning_rate", "takes FIELD"),
            ("=1..2", "takes FIELD"),
            ("optim.learning_rate=", "takes FIELD"),
            ("optim.lr=1..2", "no configuration field 'optim.lr'; optim has steps,"),
            ("optim=1|2", "group of fields"),
            ("optim..steps=1|2", "no configuration field"),
            ("learning_rate=1..2", "did you mean optim.learning_rate"),
            ("lr=1..2", "'lr'; the configuration has data, "),
            ("loss.laplacian.x=1|2", "loss.laplacian is one field, which is set"),
            ("data.sources.0.weight=1|2", "no configuration field"),
            ("optim.learning_rate=1e-4", "single value"),
            ("optim.learning_rate=1e-3..1e-4", "smaller one"),
            ("optim.learning_rate=1e-3..1e-3", "smaller one"),
            ("optim.learning_rate=0..1:log", "positive"),
            ("optim.learning_rate=0..1", "optim.learning_rate must be positive"),
            ("optim.learning_rate=-1..1", "optim.learning_rate must be positive"),
            ("optim.learning_rate=1e-4..inf", "not finite"),
            ("optim.learning_rate=nan..1", "not finite"),
            ("optim.learning_rate=a..b", "'a' is not a number"),
            ("optim.learning_rate=..1", "'' is not a number"),
            ("optim.learning_rate=1..", "'' is not a number"),
            ("optim.learning_rate=1..2..3", "'2..3' is not a number"),
            ("optim.learning_rate=1...2", "smaller one"),
            ("optim.learning_rate=1e-50..1e-3:log", "must be a float"),
            ("optim.learning_rate=1e-4..1e-3:lg", "not :lg"),
            ("optim.learning_rate=1e-4..1e-3:", "not :"),
            ("optim.learning_rate=1e-4..1e-3:step", "not :step"),
            ("optim.learning_rate=1..2:log:step=0.5", "has no steps"),
            ("optim.beta1=0..0.5:step=0", "must be positive"),
            ("optim.beta1=0..0.5:step=1", "fit into the range"),
            ("optim.beta1=0..0.5:step=0.2", "a multiple of the step"),
            ("optim.beta1=0..1", "must lie in"),
            ("optim.warmup_steps=0.5..3", "'0.5' is not a whole number"),
            ("optim.warmup_steps=1e2..1e3", "not a whole number"),
            ("model.palette_size=0..8", "model.palette_size must be"),
            ("model.hidden=64..512", "no numbers"),
            ("optim.schedule=1..2", "no numbers"),
            ("augment.mirror=0..1", "no numbers"),
            ("augment.mirror=yes|no", "augment.mirror must be bool"),
            ("augment.mirror=true|True", "there twice"),
            ("optim.beta1=0.5|0.50", "there twice"),
            ("optim.beta1=0.5|", "a choice is empty"),
            ("|", "takes FIELD"),
            ("optim.schedule=piecewise|step", "must be one of"),
            ("model.hidden=(8,8)|(0,)", "All sizes of model"),
            ("loss.color=1|2", "model with colours"),
            ("optim.steps=1..9", "not searched: trials are compared at"),
            ("log.validate_every=1..9", "not searched"),
            ("data.root=a|b", "not searched"),
            ("seed=0..9", "not searched"),
            ("init_from=a|b", "not searched"),
            ("devices.model=1|2", "changes no result"),
            ("model.image_size=32|64", "that of the data set"),
        ],
    )
    def test_wrong_texts_are_refused(self, text, message):
        with pytest.raises(config.ConfigError) as caught:
            spaces.read([text], DEFAULT)
        assert message in str(caught.value)

    def test_a_field_twice_is_refused(self):
        with pytest.raises(config.ConfigError, match="loss.flatten twice"):
            spaces.read(["loss.flatten=1..2", "loss.flatten=1|2"], DEFAULT)

    def test_networks_stay_that_of_another_run(self):
        begun = config.override(DEFAULT, ["init_from=runs/a"])
        spaces.read(["model.precision=float32|default"], begun)
        with pytest.raises(config.ConfigError, match="model.latent is not searched"):
            spaces.read(["model.latent=8|16"], begun)


class TestDefault:
    @pytest.mark.parametrize(
        "name", ["softras", "real13", "mixed", "demo", "color", "pretrained"]
    )
    def test_can_be_read_for_every_configuration(self, name):
        settings = config.load(name)
        space = spaces.read(spaces.choose_default(settings), settings)
        rate = space["optim.learning_rate"]
        assert isinstance(rate, spaces.Range)
        assert rate.low < settings.optim.learning_rate < rate.high
        assert "model.hidden" in space and "augment.mirror" in space

    @pytest.mark.parametrize(
        ("setting", "left_out"),
        [
            ("loss.flatten=0", "loss.flatten"),
            ("render.final_sigma=1e-5", "render.sigma"),
            ("model.hidden=()", "model.hidden"),
            ("model.hidden=1,", "model.hidden"),
            ("init_from=runs/a", "model.hidden"),
        ],
    )
    def test_leaves_out_what_cannot_vary(self, setting, left_out):
        settings = config.override(DEFAULT, [setting])
        assert left_out not in spaces.read(spaces.choose_default(settings), settings)


class TestShorten:
    @pytest.mark.parametrize("schedule", ["piecewise", "cosine"])
    def test_schedules_keep_their_shape(self, schedule):
        words = [
            *(
                "optim.steps=1000",
                f"optim.schedule={schedule}",
                "optim.warmup_steps=80",
            ),
            *("optim.decay_step=600", "render.final_sigma=1e-5"),
            "render.anneal_steps=800",
        ]
        whole = config.override(DEFAULT, words)
        short = spaces.shorten(whole, 250)
        assert short.optim.steps == 250
        steps = np.arange(40, 250)  # after the warm-up
        for make in (optimization.learning_rate, optimization.sigma):
            expected = np.array([make(whole)(4 * step) for step in steps.tolist()])
            found = np.array([make(short)(step) for step in steps.tolist()])
            np.testing.assert_allclose(found, expected, rtol=1e-5)

    def test_any_schedule_can_be_shortened(self):
        for decay in (1, 2, 7, 1000, 5000):
            words = [f"optim.decay_step={decay}", f"optim.warmup_steps={decay - 1}"]
            whole = config.override(DEFAULT, [*words, "optim.steps=1000"])
            for steps in (1, 3, 999, 1000):
                assert spaces.shorten(whole, steps).optim.steps == steps

    @pytest.mark.parametrize("steps", [0, -1, 250_001])
    def test_a_run_is_not_made_longer(self, steps):
        with pytest.raises(config.ConfigError, match="--steps must be from 1 to"):
            spaces.shorten(DEFAULT, steps)


def test_apply_sets_the_fields_of_a_point():
    point = {"optim.learning_rate": 3.1e-05, "model.hidden": "(8)", "seed": 3}
    found = spaces.apply(DEFAULT, point)
    assert (found.optim.learning_rate, found.model.hidden, found.seed) == (
        3.1e-5,
        (8,),
        3,
    )


def test_count_is_the_number_of_points():
    texts = ["model.palette_size=4..32:step=4", "augment.mirror=true|false"]
    assert spaces.count(spaces.read(texts, DEFAULT)) == 16
    texts.append("optim.beta1=0.5..0.9:step=0.1")
    assert spaces.count(spaces.read(texts, DEFAULT)) == 80
    texts.append("loss.flatten=0..1")
    assert math.isinf(spaces.count(spaces.read(texts, DEFAULT)))
