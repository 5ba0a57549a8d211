"""Variations of fitted meshes: training objects of the same categories.

* `fits`: reads the meshes that ``jaxsoftras fit`` left in a folder.
* `blending`: draws which of them an object combines, and with which weights.
* `deformation`: smooths, bends, stretches and mirrors a mesh.
* `coloring`: colours of a mesh without parts.
* `making`: makes one object.
* `dataset`: `write_dataset`, which writes the files.
* `vary_run`: the command line, ``jaxsoftras vary``.

docs/variations.md explains them.
"""

from jaxsoftras.guesses import answer_module as _answer_module

_answer_module(__name__)
