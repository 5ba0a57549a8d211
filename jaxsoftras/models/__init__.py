"""Networks that reconstruct a mesh from a single image."""

from jaxsoftras import extras

extras.require("make networks", "flax")
from jaxsoftras.guesses import answer_module as _answer_module
from jaxsoftras.models.decoder import MultilevelDecoder as MultilevelDecoder
from jaxsoftras.models.decoder import SoftRasDecoder as SoftRasDecoder
from jaxsoftras.models.decoder import deform as deform
from jaxsoftras.models.encoders import AttentionEncoder as AttentionEncoder
from jaxsoftras.models.encoders import BaselineEncoder as BaselineEncoder
from jaxsoftras.models.encoders import ConvNextEncoder as ConvNextEncoder
from jaxsoftras.models.encoders import LargeEncoder as LargeEncoder
from jaxsoftras.models.encoders import ResNetEncoder as ResNetEncoder
from jaxsoftras.models.flow import FlowDecoder as FlowDecoder
from jaxsoftras.models.reconstructor import DECODERS as DECODERS
from jaxsoftras.models.reconstructor import ENCODERS as ENCODERS
from jaxsoftras.models.reconstructor import Network as Network
from jaxsoftras.models.reconstructor import Reconstruction as Reconstruction
from jaxsoftras.models.reconstructor import Reconstructor as Reconstructor
from jaxsoftras.models.reconstructor import Variables as Variables
from jaxsoftras.models.reconstructor import to_network_input as to_network_input
from jaxsoftras.models.trained import Trained as Trained
from jaxsoftras.models.trained import flatten as flatten
from jaxsoftras.models.trained import unflatten as unflatten

_answer_module(__name__)
