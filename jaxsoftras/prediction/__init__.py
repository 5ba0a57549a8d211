"""Meshes from pictures, by a trained network: `jaxsoftras predict`, and in Python."""

from jaxsoftras import extras

extras.require("predict meshes", "flax", "optax", "PIL", "rich", "trimesh")
from jaxsoftras.guesses import answer_module as _answer_module
from jaxsoftras.prediction.pictures import Picture as Picture
from jaxsoftras.prediction.pictures import read_picture as read_picture
from jaxsoftras.prediction.predictor import Prediction as Prediction
from jaxsoftras.prediction.predictor import Predictor as Predictor
from jaxsoftras.prediction.predictor import predict as predict

_answer_module(__name__)
