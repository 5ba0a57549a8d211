"""Categories of data sets: their keys, names and order.

A category has a *key*, with which the names of its files begin, and a *name*, which
people read. The keys of the single-image reconstruction benchmark are synsets (WordNet
offsets); a data set of one's own has the keys that its `jaxsoftras.data.description`
lists.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

CATEGORIES: dict[str, str] = {
    "02691156": "airplane",
    "02828884": "bench",
    "02933112": "cabinet",
    "02958343": "car",
    "03001627": "chair",
    "03211117": "display",
    "03636649": "lamp",
    "03691459": "loudspeaker",
    "04090263": "rifle",
    "04256520": "sofa",
    "04379243": "table",
    "04401088": "telephone",
    "04530566": "vessel",
}
"""Names of the 13 ShapeNet categories of the benchmark by synset, in the order of the
published tables."""


def sort_keys(names: Mapping[str, str]) -> tuple[str, ...]:
    """Orders categories: the 13 of `CATEGORIES` as there, then others by name.

    Args:
        names: names by key.

    Returns:
        The keys.

    Example:
        >>> from jaxsoftras.data import categories
        >>> categories.sort_keys({"mug": "mug", "03001627": "chair", "bowl": "bowl"})
        ('03001627', 'bowl', 'mug')
    """
    ranks = {key: rank for rank, key in enumerate(CATEGORIES)}

    def rank(key: str) -> tuple[int, str, str]:
        return ranks.get(key, len(ranks)), names[key], key

    return tuple(sorted(names, key=rank))


def name_keys(keys: Collection[str]) -> dict[str, str]:
    """Names categories by key: a synset by its meaning, unless that is a key as well.

    Example:
        >>> from jaxsoftras.data import categories
        >>> categories.name_keys(["03001627", "04379243", "table"])
        {'03001627': 'chair', '04379243': '04379243', 'table': 'table'}
    """
    names = {key: CATEGORIES.get(key, key) for key in keys}
    return {key: key if name in keys else name for key, name in names.items()}


def label(keys: Iterable[str], names: Mapping[str, str]) -> str:
    """Lists categories in a message: the name, and the key where it differs."""
    return ", ".join(
        key if names[key] == key else f"{names[key]} {key}" for key in keys
    )
