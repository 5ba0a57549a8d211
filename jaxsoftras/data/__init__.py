"""Multi-view data sets: reading, preparing, downloading and sampling them.

* `jaxsoftras.data.categories`: the 13 ShapeNet categories.
* `jaxsoftras.data.source`: `open_split`, whatever the data set is stored in.
* `jaxsoftras.data.split`: `Split`, the interface to an open data set.
* `jaxsoftras.data.npz`: the npz files of the original work, by numpy alone.
* `jaxsoftras.data.prepared`: a TFDS data set, read from disk piece by piece.
* `jaxsoftras.data.download`: the ShapeNet renderings of the original work.
* `jaxsoftras.data.sampling`: training batches of two views of an object.

On the command line: ``python -m jaxsoftras.data --help``.
"""

from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.data.sampling import PairBatch, pair_batches, sample_pairs
from jaxsoftras.data.source import Source, open_split
from jaxsoftras.data.split import SPLITS, Split

__all__ = [
    "CATEGORIES",
    "SPLITS",
    "PairBatch",
    "Source",
    "Split",
    "open_split",
    "pair_batches",
    "sample_pairs",
]
