"""The soft rasterizer's public functions."""

from jaxsoftras.guesses import answer_module as _answer_module
from jaxsoftras.rasterization.fragments import find_fragments as find_fragments
from jaxsoftras.rasterization.fragments import interpolate as interpolate
from jaxsoftras.rasterization.soft import rasterize as rasterize
from jaxsoftras.rasterization.soft import silhouette as silhouette

_answer_module(__name__)
