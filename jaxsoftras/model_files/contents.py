"""Contents of a model file, a zip archive.

| member | |
|---|---|
| ``model.json`` | format, version, step, storage, colours, licence, packages |
| ``config.json`` | configuration of the training; ``model`` is the architecture |
| ``model.safetensors`` | arrays by name, see `jaxsoftras.models.flatten` |
| ``reconstruct.stablehlo`` | the network as a function, see `exporting` |
| ``metrics/SPLIT.json`` | results of ``eval.py``, if there are any |
| ``README.md`` | model card |

Loading reads the first three. Nothing in a model file is pickled, and nothing is
unpacked to the disk.
"""

from __future__ import annotations

from typing import Literal

from jaxsoftras import terminal

FORMAT = "jaxsoftras model"
VERSION = 1
ABOUT = "model.json"
CONFIG = "config.json"
ARRAYS = "model.safetensors"
FUNCTION = "reconstruct.stablehlo"
CARD = "README.md"
METRICS = "metrics"

Storage = Literal["float32", "float16"]
"""Types in which parameters are stored. Batch statistics are always float32."""


class ModelFileError(terminal.ProgramError):
    """An unusable model file; the message says why and what to do."""
