"""Trained networks as single files that can be shared, and those of others."""

from pathlib import Path

from jaxsoftras import extras

extras.require("read and write model files", "safetensors", "flatbuffers", "flax")
from jaxsoftras.guesses import answer_module as _answer_module
from jaxsoftras.model_files.contents import ModelFileError as ModelFileError
from jaxsoftras.model_files.loading import load as load
from jaxsoftras.model_files.saving import save as save
from jaxsoftras.model_files.softras import load_softras as load_softras

PRETRAINED = Path(__file__).parents[1] / "pretrained" / "model.zip"
"""The model that comes with the package; see docs/prediction.md."""

_answer_module(__name__)
