import json

import numpy as np
import pytest
from PIL import Image

from tests.support import picture_folders

VIEWS = 6


@pytest.fixture
def masks(tmp_path):
    """A folder of six masks of an ellipsoid, ``0.png`` and so on, with cameras."""
    folder = tmp_path / "masks"
    folder.mkdir()
    cameras = {}
    for k in range(VIEWS):
        rotation, translation = picture_folders.pose(360 * k / VIEWS, 25 * (k % 3 - 1))
        mask = picture_folders.mask(rotation, translation)
        Image.fromarray(np.uint8(255 * mask)).save(folder / f"{k}.png")
        cameras[f"{k}.png"] = {
            "K": picture_folders.INTRINSICS.tolist(),
            "R": rotation.tolist(),
            "t": translation.tolist(),
        }
    (folder / "cameras.json").write_text(json.dumps({"pictures": cameras}))
    return folder
