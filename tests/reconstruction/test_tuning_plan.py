"""What a search tries, kept in its folder, and refused where it differs."""

import json

import pytest

from jaxsoftras import config
from jaxsoftras.reconstruction.run_folder import RunError
from jaxsoftras.reconstruction.tuning import plan as plans

SPACE = ["optim.learning_rate=1e-4..1e-3:log", "augment.mirror=true|false"]
SET = ["log.validate_every=10"]


def choose(workdir, file: str | None = "demo", overrides=(), texts=(), steps=None):
    return plans.choose(workdir, file, [*SET, *overrides], texts, steps)


@pytest.fixture
def begun(tmp_path):
    """A folder whose search has begun, of 100 steps of 1000."""
    plans.record(tmp_path, choose(tmp_path, texts=SPACE, steps=100))
    return tmp_path


class TestChoose:
    def test_new_search_has_a_default_space_and_all_steps(self, tmp_path):
        plan = choose(tmp_path / "new")
        assert plan.steps == plan.settings.optim.steps == 1000
        assert "optim.learning_rate=0.00025..0.004:log" in plan.texts
        assert not (tmp_path / "new").exists()

    def test_goes_on_with_what_is_there(self, begun):
        again = choose(begun, None)
        assert again == choose(begun, texts=SPACE, steps=100)
        assert again.texts == SPACE and again.steps == 100
        assert again.settings.log.validate_every == 10

    def test_order_and_blanks_do_not_matter(self, begun):
        texts = ["augment.mirror = true | false", SPACE[0]]
        assert choose(begun, texts=texts).texts == SPACE

    def test_fields_that_change_no_score_may_differ(self, begun):
        words = ["data.root=elsewhere", "data.feeding=host", "log.metrics_every=3"]
        assert choose(begun, None, words).settings.data.root == "elsewhere"

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"texts": SPACE[:1]}, "augment.mirror: true|false there, not searched"),
            ({"texts": ["loss.flatten=0..1"]}, "loss.flatten: not searched there"),
            ({"texts": [SPACE[0][:-4], SPACE[1]]}, "learning_rate: 1e-4..1e-3:log"),
            ({"steps": 200}, "--steps: 100 there, 200 here"),
            ({"overrides": ["optim.steps=2000"]}, "optim.steps: 1000 there, 2000 here"),
            ({"overrides": ["log.validate_every=5"]}, "validate_every: 10 there"),
            ({"overrides": ["log.validate_views=5"]}, "log.validate_views: 4 there"),
            ({"overrides": ["optim.ema=0.9"]}, "optim.ema: 0.0 there, 0.9 here"),
            ({"file": "color"}, "model.color: 'none' there"),
        ],
    )
    def test_another_search_is_refused(self, begun, changes, message):
        with pytest.raises(RunError) as caught:
            choose(begun, **changes)
        assert message in str(caught.value) and "--workdir" in str(caught.value)

    def test_a_race_of_two_plans_is_refused(self, begun):
        other = choose(begun / "new", texts=SPACE[:1], steps=100)
        with pytest.raises(RunError, match="holds another search"):
            plans.record(begun, other)
        assert choose(begun, None).texts == SPACE

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"overrides": ["log.validate_every=0"]}, "set log.validate_every"),
            ({"steps": 1001}, "--steps must be from 1 to optim.steps, 1000"),
            ({"texts": ["optim.steps=1..9"]}, "not searched"),
            ({"file": "nothing"}, "no configuration file 'nothing'"),
            ({"overrides": ["optim.lr=1"]}, "no configuration field 'optim.lr'"),
        ],
    )
    def test_wrong_plans_are_refused(self, tmp_path, changes, message):
        with pytest.raises(config.ConfigError) as caught:
            choose(tmp_path, **changes)
        assert message in str(caught.value)


class TestFolders:
    def test_nothing_to_go_on_with(self, tmp_path):
        with pytest.raises(RunError, match="holds no search to go on with"):
            choose(tmp_path / "none", None)

    def test_other_folders_are_refused(self, tmp_path):
        (tmp_path / "config.json").write_text("{}")
        with pytest.raises(RunError, match="holds no search; choose another"):
            choose(tmp_path)
        with pytest.raises(RunError, match="is not a folder"):
            choose(tmp_path / "config.json")

    def test_locks_alone_are_no_search(self, tmp_path):
        (tmp_path / ".lock").touch()
        assert choose(tmp_path).steps == 1000

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"\xff\xfe",
            b"[]",
            b"{}",
            b"null",
            b'{"search": [], "steps": 10}',
            b'{"search": [], "steps": 10, "config": {}}',
            b'{"search": "x", "steps": 10, "config": {}}',
            b'{"search": [], "steps": "x", "config": {}}',
            b'{"search": [], "steps": 10, "config": {"optim": 3}}',
            b'{"search": [], "steps": 10, "config": {"optimizer": {}}}',
            b"[" * 100_000,
        ],
    )
    def test_damaged_plans_are_named(self, tmp_path, content):
        (tmp_path / plans.FILE).write_bytes(content)
        with pytest.raises(RunError, match="search.json is damaged"):
            choose(tmp_path, None)

    def test_file_is_readable_text(self, begun):
        saved = json.loads((begun / plans.FILE).read_text())
        assert saved["search"] == SPACE and saved["steps"] == 100
        assert saved["config"]["log"]["validate_every"] == 10
