"""Scores without a network that they are of."""

from __future__ import annotations

import numpy as np

from jaxsoftras.reconstruction.evaluation_scores import COLUMNS, Scores


def make_scores(
    categories: dict[str, int], views: int = 4, **columns: np.ndarray | float
) -> Scores:
    """Scores of some objects of each category; columns ``[O, V]`` or one number."""
    keys = [key for key, count in categories.items() for _ in range(count)]
    shape = len(keys), views
    empty = {name: np.nan for name in COLUMNS}
    return Scores(
        split="test",
        step=1,
        category=np.array(keys),
        category_name=np.array([f"name of {key}" for key in keys]),
        name=np.array([f"object {number}" for number in range(len(keys))]),
        views=np.full(len(keys), views, np.int32),
        azimuth=np.broadcast_to(
            np.arange(views, dtype=np.float32) * 360 / views, shape
        ),
        columns={
            name: np.broadcast_to(np.asarray(value, np.float32), shape)
            for name, value in {**empty, **columns}.items()
        },
        data="0",
    )
