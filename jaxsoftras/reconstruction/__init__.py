"""Training, evaluation and presentation of networks that reconstruct meshes."""

from jaxsoftras import extras

extras.require(
    "train and evaluate networks", "flax", "optax", "orbax.checkpoint", "rich", "PIL"
)
