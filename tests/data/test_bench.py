"""The benchmark of batches: its images, and a run of its smallest form."""

import zlib

import numpy as np
import pytest

pytest.importorskip("jaxsoftras.data.prepared", exc_type=ImportError)

from jaxsoftras.data import bench


def test_images_compress_as_renders_do():
    """Images of real13 take 1.4 to 2.1 kB each."""
    images = bench.make_images(100)
    assert np.all(images[:, :3] <= images[:, 3:])
    sizes = [len(zlib.compress(image.tobytes())) for image in images]
    assert 1400 < np.mean(sizes) < 2400


def test_smallest_form(monkeypatch, capsys):
    monkeypatch.setattr(
        bench, "_run_alone", lambda function, *arguments: function(*arguments)
    )
    words = "--objects 13 --threads 2 --batch 4 --seconds 0.01".split()
    assert bench.main(words) == 0
    output = capsys.readouterr().out
    rows = [line.replace("│", " ").split() for line in output.splitlines()]
    measured = [row for row in rows if row[-6:-5] == ["2"]]
    assert [row[:-6] for row in measured] == [["in", "memory"], ["array_record"]]
    assert all(float(row[-5]) > 0 for row in measured)


def test_fewer_objects_than_categories(capsys):
    assert bench.main(["--objects", "12"]) == 2
    assert "at least, not 12" in capsys.readouterr().err


def test_a_number_that_is_not_positive(capsys):
    with pytest.raises(SystemExit):
        bench.main(["--threads", "0"])
    assert "0 is not positive" in capsys.readouterr().err
