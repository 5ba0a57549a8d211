"""Pictures that the tests of several files are about."""

import shutil
from pathlib import Path

import pytest

from tests.support import picture_folders as pictures


@pytest.fixture(scope="module")
def eggs(tmp_path_factory) -> Path:
    """Two objects, with six and with four pictures."""
    root = tmp_path_factory.mktemp("pictures") / "in"
    pictures.write_object(root / "egg" / "train" / "a")
    pictures.write_object(root / "egg" / "train" / "b", 4)
    return root


@pytest.fixture
def egg(eggs, tmp_path) -> Path:
    """A copy of one object, which may be damaged: the folder of its pictures."""
    return shutil.copytree(eggs / "egg/train/a", tmp_path / "in/egg/train/a")
