"""Networks that reconstruct a mesh from a single image."""

from jaxsoftras.models.decoder import Decoder as Decoder
from jaxsoftras.models.decoder import deform as deform
from jaxsoftras.models.encoders import AttentionEncoder as AttentionEncoder
from jaxsoftras.models.encoders import BaselineEncoder as BaselineEncoder
from jaxsoftras.models.encoders import ResNetEncoder as ResNetEncoder
from jaxsoftras.models.reconstructor import ENCODERS as ENCODERS
from jaxsoftras.models.reconstructor import Network as Network
from jaxsoftras.models.reconstructor import Reconstruction as Reconstruction
from jaxsoftras.models.reconstructor import Reconstructor as Reconstructor
from jaxsoftras.models.reconstructor import Variables as Variables
from jaxsoftras.models.reconstructor import to_network_input as to_network_input
