"""Checks of a TFDS builder, for which TFDS's own test case needs TensorFlow."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def check_builder(
    kind: Any, data_dir: Path, counts: Mapping[str, int], **arguments: Any
) -> Any:
    """Writes a data set and checks it as `tfds.testing.DatasetBuilderTestCase` does.

    Registration, information, instructions; and of all splits, the number of examples
    and their types and shapes, from the files alone.

    Args:
        kind: class of the builder.
        data_dir: folder to write to.
        counts: expected number of examples by TFDS split.
        **arguments: those of the builder.

    Returns:
        The builder.
    """
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core import registered

    from jaxsoftras.data import prepared_builder

    assert kind.name in prepared_builder.NAMES
    assert registered.imported_builder_cls(kind.name) is kind
    for text in (kind.LICENSE, kind.CITATION, kind.HOMEPAGE):
        assert text
    assert "Download" in kind.MANUAL_DOWNLOAD_INSTRUCTIONS
    assert kind.CITATION.count("{") == kind.CITATION.count("}")

    builder = prepared_builder.write(kind, data_dir, **arguments)
    assert builder.is_prepared()
    assert [path.name for path in data_dir.iterdir()] == [kind.name]
    folder = data_dir / kind.name / str(kind.VERSION)
    read: Any = tfds.builder_from_directory(folder)
    assert read.info.name == kind.name
    assert read.info.citation.startswith("@") and "ShapeNet" in read.info.citation
    assert "ShapeNet" in read.info.redistribution_info.license
    found = {name: split.num_examples for name, split in read.info.splits.items()}
    assert found == dict(counts)
    views, side = (read.info.metadata[key] for key in ("num_views", "image_size"))
    assert sorted(read.info.features) == ["views", "voxels"]
    for name in counts:
        source = read.as_data_source(name)
        assert len(source) == counts[name]
        for example in source:
            assert len(example["views"]) == views
            for code in example["views"]:
                assert len(zlib.decompress(code)) == 4 * side**2
            if example["voxels"]:
                bits = np.frombuffer(zlib.decompress(example["voxels"]), np.uint8)
                assert len(bits) == 32**3 / 8
    return builder
