"""Meshes fitted to silhouettes with known cameras, without a network.

* `fit_silhouettes`: arrays in, arrays out.
* `jaxsoftras.fitting.parametrizations`: what is optimised, and how it makes a mesh.
* `jaxsoftras.fitting.engine`: the loss, and the steps of Adam on many objects at once.

The command line is ``jaxsoftras fit --help``; docs/fitting.md explains it.
"""

from jaxsoftras import extras

extras.require("fit meshes", "flax", "optax")
from jaxsoftras.fitting.parametrizations import PARAMETRIZATIONS as PARAMETRIZATIONS
from jaxsoftras.fitting.silhouettes import Fit as Fit
from jaxsoftras.fitting.silhouettes import Options as Options
from jaxsoftras.fitting.silhouettes import fit_silhouettes as fit_silhouettes
from jaxsoftras.guesses import answer_module as _answer_module

_answer_module(__name__)
