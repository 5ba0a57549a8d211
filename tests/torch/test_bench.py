import sys

import numpy as np
import pytest

pytest.importorskip("torch")

from jaxsoftras.kernels.bench_scenes import Size
from jaxsoftras.torch import bench


@pytest.mark.slow
def test_prints_a_row_for_each_kind(capsys):
    words = ["--sizes", "1x20x8", "--repeats", "1", "--device", "cpu"]
    assert bench.main(words) == 0
    title, _, *rows = capsys.readouterr().out.splitlines()
    assert title.startswith("cpu, jax ") and title.endswith("1 queued; ms a call")
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]
    assert [row[:2] for row in cells] == [
        ["size", "what"],
        ["---", "---"],
        ["1x20x8", "silhouette"],
        ["1x20x8", "color"],
    ]
    for row in cells[2:]:
        times = [float(cell) for cell in row[2:8]]
        assert times[2] == pytest.approx(times[1] - times[0], abs=2e-3)
        assert times[5] == pytest.approx(times[4] - times[3], abs=2e-3)
        assert float(row[8]) < 1e-5


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


def test_refuses_a_gpu_that_jax_lacks(monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.current_device", lambda: 7)
    assert bench.main(["--device", "cuda", "--sizes", "1x20x8"]) == 2
    output = capsys.readouterr()
    assert 'does not have; install "jaxsoftras[cuda]"' in output.err and not output.out


def test_needs_no_package_of_an_extra(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "rich", None)
    monkeypatch.setattr(bench, "make_calls", lambda *_: None)
    monkeypatch.setattr(bench, "compare", lambda _: 0.0)
    monkeypatch.setattr(bench, "measure", lambda *_: [1.0, 1.5, 2.0, 2.25])
    assert bench.main(["--device", "cpu", "--sizes", "2x20x8"]) == 0
    row = capsys.readouterr().out.splitlines()[-1]
    wanted = "1.000 1.500 0.500 2.000 2.250 0.250"
    assert " ".join(row.replace("|", " ").split()[2:8]) == wanted


def test_sizes_are_those_of_the_other_benchmark():
    assert bench.parse_size("8x1280x64") == Size(8, 1280, 64)
