"""Trials that share programs train as runs of their own do."""

import functools

import jax
import numpy as np
import pytest

pytest.importorskip("optuna")

from jaxsoftras import config, interruption
from jaxsoftras.data import resident
from jaxsoftras.reconstruction import accelerators, feeding, runs, training
from jaxsoftras.reconstruction.tuning import programs, trial
from jaxsoftras.reconstruction.tuning import space as spaces
from tests.support import small_run
from tests.support.compilations import compilations

STEPS = 4
WORDS = [
    *("log.validate_every=2", f"optim.steps={STEPS}", "optim.warmup_steps=2"),
    *("optim.decay_step=3", "optim.weight_decay=0.1", "optim.clip_norm=1"),
    "optim.ema=0.5",
]
NUMBERS = [
    *("optim.learning_rate=0.01", "render.sigma=3e-3", "loss.laplacian=0.3"),
    *("loss.flatten=0.02", "loss.edge_length=0.5"),
]
OTHERS = [
    *("optim.learning_rate=0.003", "render.sigma=1e-3", "loss.laplacian=0.01"),
    *("loss.flatten=0.1", "loss.edge_length=2"),
]


@pytest.fixture(scope="module")
def base(cabinets):
    words = [*small_run.SMALL, f"data.root={cabinets}", *WORDS]
    return config.override(config.Config(), words)


@pytest.fixture(scope="module")
def shared(base):
    return programs.Programs(base)


def take_steps(experiment, feed, state):
    feed.prepare(runs.abstract(state))
    state, measured = feed.take_steps(state, STEPS)
    return state, np.array(feeding.read(measured, STEPS))


@pytest.fixture(scope="module")
def tuned(base, shared):
    """State and metrics of two trials, the second one after the first."""
    found = []
    for words in (NUMBERS, OTHERS):
        settings = config.override(base, words)
        program = shared.find(settings)
        state = shared.begin(program, settings)
        feed = shared.make_feed(program)
        found.append(take_steps(program.experiment, feed, state))
    return found


class TestSplit:
    def test_trials_that_differ_in_numbers_alone_have_one_common_part(self, base):
        one, numbers = programs.split(config.override(base, NUMBERS))
        two, others = programs.split(config.override(base, OTHERS))
        assert one == two and numbers.keys() == others.keys()
        assert numbers["render.sigma"] == 3e-3 and others["loss.edge_length"] == 2

    @pytest.mark.parametrize(
        "word",
        [
            *("optim.decay_factor=0.5", "optim.ema=0", "augment.mirror=True"),
            *("model.latent=16", "loss.laplacian=0", "loss.color_norm=l2", "seed=1"),
            *("render.final_sigma=1e-5", "optim.schedule=cosine", "optim.beta1=0.8"),
        ],
    )
    def test_what_changes_a_program_stays_in_it(self, base, word):
        changed = config.override(base, [word])
        assert programs.split(changed)[0] != programs.split(base)[0]

    def test_an_annealed_sigma_is_no_number(self, base):
        annealed = config.override(base, ["render.final_sigma=1e-5"])
        common, numbers = programs.split(annealed)
        assert "render.sigma" not in numbers
        assert common.render.sigma == base.render.sigma

    @pytest.mark.parametrize(
        ("text", "constant"),
        [
            ("optim.learning_rate=1e-4..1e-3", False),
            ("loss.multiscale=0..1", False),
            ("augment.scale=0..0.2", True),
            ("augment.scale=0..0.2:step=0.1", False),
            ("augment.scale=0|0.1|0.2", False),
            ("optim.beta1=0.5..0.9", True),
        ],
    )
    def test_ranges_of_many_programs_are_known(self, base, text, constant):
        found = programs.list_constants(base, spaces.read([text], base))
        assert bool(found) == constant


class TestSteps:
    def test_equal_those_of_a_run(self, base, shared, tuned):
        settings = config.override(base, OTHERS)
        experiment = training.Experiment(settings, accelerators.device_mesh(4))
        feed = feeding.make_feed(experiment, shared._source, 0)
        state, metrics = take_steps(experiment, feed, experiment.init(settings.seed))
        found, measured = tuned[1]
        np.testing.assert_allclose(measured, metrics, rtol=2e-3, atol=1e-6)
        assert found.numbers.keys() == programs.split(settings)[1].keys()
        for name in ("variables", "evaluated"):
            leaves = jax.tree.leaves(getattr(found, name))
            expected = jax.tree.leaves(getattr(state, name))
            for mine, other in zip(leaves, expected, strict=True):
                np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-4)

    def test_are_not_those_of_other_numbers(self, tuned):
        (_, one), (_, two) = tuned
        assert not np.allclose(one[:, 0], two[:, 0], rtol=1e-2)


class TestTrial:
    def run(self, shared, settings):
        scores, stop = {}, interruption.Stop()

        def report(step, found):
            scores[step] = found.mean
            return False

        outcome = trial.run(settings, shared, report, lambda _: None, stop)
        assert outcome is not None
        return outcome, scores

    def test_the_best_validation_counts(self, base, shared):
        outcome, scores = self.run(shared, config.override(base, NUMBERS))
        assert list(scores) == [2, 4] and not outcome.pruned
        assert outcome.scores.mean == max(scores.values())
        assert scores[outcome.step] == outcome.scores.mean
        assert outcome.scores.part == "1 of 1 objects, 4 of 24 views"

    def test_a_trial_of_other_numbers_compiles_nothing(self, base, shared):
        first = self.run(shared, config.override(base, NUMBERS))
        found = []
        for words in (OTHERS, NUMBERS):
            settings = config.override(base, words)
            run = functools.partial(self.run, shared, settings)
            assert compilations(lambda run=run: found.append(run())) == 0
        second, again = found
        assert again[1] == first[1] and second[1] != first[1]

    def test_a_bad_trial_ends_early(self, base, shared):
        outcome = trial.run(
            config.override(base, NUMBERS),
            shared,
            lambda *_: True,
            lambda _: None,
            interruption.Stop(),
        )
        assert outcome is not None and outcome.pruned and outcome.step == 2


@pytest.mark.slow
def test_images_are_on_the_devices_once(base, shared, monkeypatch):
    found = programs.Programs(config.override(base, ["data.feeding=device"]))
    reads, read = [], resident.read_images
    monkeypatch.setattr(
        resident, "read_images", lambda source: reads.append(1) or read(source)
    )
    expected = shared.find(base), shared.begin(shared.find(base), base)
    _, metrics = take_steps(None, shared.make_feed(expected[0]), expected[1])
    feeds = []
    for words in (["seed=0"], ["augment.mirror=True"]):
        settings = config.override(base, ["data.feeding=device", *words])
        program = found.find(settings)
        feeds.append(found.make_feed(program))
        state = found.begin(program, settings)
        _, measured = take_steps(None, feeds[-1], state)
        if words == ["seed=0"]:
            np.testing.assert_allclose(measured, metrics, rtol=2e-3, atol=1e-6)
    assert len(reads) == 1 and feeds[0]._images is feeds[1]._images
