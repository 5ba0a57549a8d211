"""Multi-view data sets: opening, sampling, preparing, downloading and writing them.

* `jaxsoftras.data.categories`: the 13 ShapeNet categories; names and order of others.
* `jaxsoftras.data.description`: ``dataset.json``, what npz files do not say.
* `jaxsoftras.data.source`: `open_split`, for data sets in any storage format.
* `jaxsoftras.data.split`: `Split`, the interface to an open data set.
* `jaxsoftras.data.mixture`: `Mixture`, several splits with weights.
* `jaxsoftras.data.npz`: the npz files of the original work.
* `jaxsoftras.data.prepared`: TFDS data sets, read from disk object by object.
* `jaxsoftras.data.prepared_builder`: writes them.
* `jaxsoftras.data.download`: the ShapeNet renderings of the original work.
* `jaxsoftras.data.shapenet_softras`, `jaxsoftras.data.shapenet_renderings`,
  `jaxsoftras.data.shapenet_core`: prepared data sets from the forms of ShapeNet.
* `jaxsoftras.data.binvox`: voxels in binvox files.
* `jaxsoftras.data.rig`: the cameras of a data set.
* `jaxsoftras.data.camera_files`: how they are stored.
* `jaxsoftras.data.pictures`: data sets from pictures with masks and cameras.
* `jaxsoftras.data.sampling`: training batches of some views of each object.
* `jaxsoftras.data.build`: data sets from folders of meshes.
* `jaxsoftras.data.show`: what is in a data set, and what deserves a look.
* `jaxsoftras.data.soups`: the voxelizer of any triangle mesh.
* `jaxsoftras.data.production`: objects that a seed makes, in several processes.
* `jaxsoftras.data.writing`: new data sets as npz files.
* `jaxsoftras.data.zbuffer`: the renderer of new data sets; `accelerated` and
  `accelerated_meshes`, the same by JAX for a GPU.

The command line is ``python -m jaxsoftras.data --help``.
"""

from jaxsoftras.data.categories import CATEGORIES
from jaxsoftras.data.mixture import Mixture
from jaxsoftras.data.sampling import ViewBatch, sample_views, view_batches
from jaxsoftras.data.source import Source, open_split, open_training_set
from jaxsoftras.data.split import ALL_SPLITS, SPLITS, Split
from jaxsoftras.guesses import answer_module as _answer_module

__all__ = [
    "ALL_SPLITS",
    "CATEGORIES",
    "SPLITS",
    "Mixture",
    "ViewBatch",
    "Source",
    "Split",
    "open_split",
    "open_training_set",
    "view_batches",
    "sample_views",
]

_answer_module(__name__)
