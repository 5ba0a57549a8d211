"""Training, evaluation and presentation of networks that reconstruct meshes."""

from jaxsoftras import extras
from jaxsoftras.guesses import answer_module as _answer_module

extras.require(
    "train and evaluate networks", "flax", "optax", "orbax.checkpoint", "rich", "PIL"
)

_answer_module(__name__)
