"""A small call of every public function, as the tests count its compilations."""

from __future__ import annotations

from tests.support.public_calls.cameras import CAMERAS
from tests.support.public_calls.inputs import Call
from tests.support.public_calls.losses import LOSSES
from tests.support.public_calls.meshes import MESHES
from tests.support.public_calls.probabilities import PROBABILITIES
from tests.support.public_calls.rendering import IMAGES, RENDERING, TEXTURES

CALLS: dict[str, Call] = (
    RENDERING | MESHES | TEXTURES | IMAGES | CAMERAS | PROBABILITIES | LOSSES
)
