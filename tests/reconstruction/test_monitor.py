"""Reports of a training: the rate that they state."""

import json
import types

import jax.numpy as jnp
import numpy as np
import pytest

from jaxsoftras.reconstruction import monitor, training


def report(workdir, monkeypatch, start, moments):
    """Reports steps that end at the given moments; ``start`` is that of the loop."""
    clock = iter([0.0, *moments])
    known = types.SimpleNamespace(monotonic=lambda: next(clock))
    monkeypatch.setattr(monitor, "time", known)
    metrics = training.Metrics(*jnp.ones(len(training.Metrics._fields)))
    steps = start + len(moments)
    with monitor.Monitor(workdir, start=start, steps=steps, every=1) as watched:
        watched.begin(start)
        for step in range(start + 1, steps + 1):
            watched.record(step, metrics)
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["steps_per_second"] for line in lines]


@pytest.mark.parametrize(
    ("moments", "rates"),
    [
        ([0.5], [2.0]),
        ([0.5, 0.75], [2.0, 2 / 0.75]),
        ([4.0, 8.0], [0.25, 0.25]),
        # the first seconds are forgotten
        ([10.0, 10.5, 11.0, 12.5], [0.1, 2 / 10.5, 3 / 11, 1.0]),
    ],
)
def test_rate(tmp_path, monkeypatch, capsys, moments, rates):
    found = report(tmp_path, monkeypatch, 7, moments)
    np.testing.assert_allclose(found, rates)
    last = capsys.readouterr().out.splitlines()[-1]
    slow = rates[-1] < 1
    assert ("4.0 s/step  0 s left" in last) == slow
    assert (f"{rates[-1]:.1f} steps/s  0 s left" in last) != slow
