import numpy as np
import pytest

pytest.importorskip("torch")

from jaxsoftras.kernels.bench_scenes import Size
from jaxsoftras.torch import bench


@pytest.mark.slow
def test_prints_a_row_for_each_kind(capsys):
    words = ["--sizes", "1x20x8", "--repeats", "1", "--device", "cpu"]
    assert bench.main(words) == 0
    printed = capsys.readouterr().out
    assert "silhouette" in printed and "color" in printed and "0e+00" in printed


def test_refuses_to_time_what_differs(monkeypatch, capsys):
    def half(module, faces, _, side):
        return (1 if module is bench.jaxsoftras else 0.5) * faces[..., 0]

    monkeypatch.setattr(bench, "_DRAW", {"half": half})
    words = ["--sizes", "1x20x8", "--repeats", "1", "--device", "cpu"]
    assert bench.main(words) == 2
    assert "by PyTorch differ from those by JAX by 5.0e-01" in capsys.readouterr().err


def test_times_all_calls_in_turns():
    taken = []
    calls = bench.Calls(*(lambda k=k: (taken.append(k), np.ones(1)) for k in range(4)))
    times = bench.measure(calls, repeats=2, count=3)
    assert len(times) == 4 and min(times) >= 0
    assert taken == 2 * [k for k in range(4) for _ in range(4)]


@pytest.mark.parametrize("words", [["--repeats", "0"], ["--calls", "x"]])
def test_refuses_numbers(words):
    with pytest.raises(SystemExit):
        bench.main(words)


def test_refuses_a_gpu_that_is_not_there(monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert bench.main(["--device", "cuda"]) == 2
    assert "finds no NVIDIA GPU here" in capsys.readouterr().err


def test_sizes_are_those_of_the_other_benchmark():
    assert bench.parse_size("8x1280x64") == Size(8, 1280, 64)
