"""Configurations of runs: frozen dataclasses with checked names, types and ranges.

A configuration file is a Python file with a function ``get_config() -> Config``; those
of the package are known by name, such as ``real13``. Single fields are overridden by
their path, such as ``optim.learning_rate=3e-4``.

* `jaxsoftras.config.fields`, `jaxsoftras.config.model`,
  `jaxsoftras.config.objective`, `jaxsoftras.config.augmentations`: every field, its
  default and its range.
* `jaxsoftras.config.named`: the configurations of the package, by name.
* `jaxsoftras.config.reading`: files, overrides, and what a resumed run may change.
"""

from jaxsoftras.config.augmentations import Augment as Augment
from jaxsoftras.config.augmentations import Color as Color
from jaxsoftras.config.fields import RESUMABLE as RESUMABLE
from jaxsoftras.config.fields import Config as Config
from jaxsoftras.config.fields import Data as Data
from jaxsoftras.config.fields import Devices as Devices
from jaxsoftras.config.fields import Feeding as Feeding
from jaxsoftras.config.fields import Log as Log
from jaxsoftras.config.fields import Optim as Optim
from jaxsoftras.config.fields import Source as Source
from jaxsoftras.config.model import Model as Model
from jaxsoftras.config.model import Pooling as Pooling
from jaxsoftras.config.named import is_name as is_name
from jaxsoftras.config.named import list_names as list_names
from jaxsoftras.config.named import locate as locate
from jaxsoftras.config.named import refuse_name as refuse_name
from jaxsoftras.config.objective import Loss as Loss
from jaxsoftras.config.objective import Render as Render
from jaxsoftras.config.ranges import ConfigError as ConfigError
from jaxsoftras.config.reading import conflicts as conflicts
from jaxsoftras.config.reading import find_type as find_type
from jaxsoftras.config.reading import flat as flat
from jaxsoftras.config.reading import from_dict as from_dict
from jaxsoftras.config.reading import load as load
from jaxsoftras.config.reading import override as override
from jaxsoftras.config.reading import read as read
from jaxsoftras.config.reading import save as save
from jaxsoftras.guesses import answer_module as _answer_module

_answer_module(__name__)
