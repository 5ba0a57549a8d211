import numpy as np
import pytest

from jaxsoftras import rasterize
from jaxsoftras.kernels import bench


def test_prints_a_row_for_each_implementation(capsys):
    assert bench.main(["--sizes", "2x20x16", "--repeats", "1"]) == 0
    printed = capsys.readouterr().out
    for text in ("2x20x16", "dense scan", "xla", "bit for bit"):
        assert text in printed


def test_dense_scan_is_the_silhouette():
    faces, _ = bench.make_inputs(bench.Size(2, 80, 24))
    np.testing.assert_allclose(
        bench.dense_scan(faces, 24),
        rasterize.silhouette(faces, 24, implementation="reference"),
        atol=1e-6,
    )


def test_refuses_to_time_what_differs(monkeypatch, capsys):
    def broken(faces, pixels):
        return 0.9 * bench._xla(faces, pixels)

    wrong = {"xla": bench._xla, "broken": broken}
    monkeypatch.setattr(bench, "IMPLEMENTATIONS", wrong)
    assert bench.main(["--sizes", "1x20x16", "--repeats", "1"]) == 2
    assert "broken differs" in capsys.readouterr().err


@pytest.mark.parametrize("size", ["8x1280", "axbxc", "0x20x8"])
def test_sizes_of_the_wrong_form(size):
    with pytest.raises(SystemExit):
        bench.main(["--sizes", size])


def test_number_of_faces_that_no_sphere_has(capsys):
    assert bench.main(["--sizes", "1x21x16"]) == 2
    assert "not 21" in capsys.readouterr().err
