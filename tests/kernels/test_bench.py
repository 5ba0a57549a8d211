import sys

import numpy as np
import pytest

from jaxsoftras import rasterization
from jaxsoftras.kernels import bench, bench_inputs


@pytest.mark.slow
def test_prints_a_row_for_each_implementation(capsys):
    assert bench.main(["--sizes", "2x20x16", "--repeats", "1"]) == 0
    printed = capsys.readouterr().out
    for text in ("silhouette", "color", "2x20x16", "dense scan", "xla", "bit for bit"):
        assert text in printed


def test_dense_scan_is_the_silhouette():
    inputs = bench.make_inputs(bench.Size(2, 80, 24))
    np.testing.assert_allclose(
        bench.dense_scan(inputs, 24),
        rasterization.silhouette(inputs.faces, 24, implementation="reference"),
        atol=1e-6,
    )


def test_inputs_are_those_of_the_other_renderers(shared, monkeypatch):
    monkeypatch.syspath_prepend(shared / "bench")
    sys.modules.pop("bench_inputs", None)
    import bench_inputs as theirs  # pyright: ignore[reportMissingImports]

    for ours, expected in zip(
        bench_inputs.meshes(2, 320, seed=1), theirs.make_batch(2, 320, 1), strict=True
    ):
        np.testing.assert_array_equal(ours, expected)
    vertices, faces = theirs.make_batch(2, 320, 0)
    np.testing.assert_allclose(
        bench_inputs.face_vertices(2, 320),
        theirs.project(vertices)[:, faces],
        rtol=1e-5,
    )


def test_refuses_to_time_what_differs(monkeypatch, capsys):
    def broken(inputs, pixels):
        return 0.9 * bench.dense_scan(inputs, pixels)

    wrong = {"silhouette": {"dense scan": bench.dense_scan, "broken": broken}}
    monkeypatch.setattr(bench, "available", lambda: wrong)
    assert bench.main(["--sizes", "1x20x16", "--repeats", "1"]) == 2
    assert "broken differs" in capsys.readouterr().err


@pytest.mark.parametrize("size", ["8x1280", "axbxc", "0x20x8"])
def test_sizes_of_the_wrong_form(size):
    with pytest.raises(SystemExit):
        bench.main(["--sizes", size])


@pytest.mark.parametrize("option", ["--repeats", "--threads"])
@pytest.mark.parametrize("number", ["0", "-1"])
def test_numbers_that_are_not_positive(option, number, capsys):
    with pytest.raises(SystemExit):
        bench.main(["--sizes", "1x20x16", option, number])
    assert f"{number} is not positive" in capsys.readouterr().err


def test_number_of_faces_that_no_sphere_has(capsys):
    assert bench.main(["--sizes", "1x21x16"]) == 2
    assert "not 21" in capsys.readouterr().err
