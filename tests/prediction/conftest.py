import importlib.util
import sys

import pytest


@pytest.fixture(autouse=True)
def without_rembg(monkeypatch):
    """Hides rembg where it is installed: it would download a network."""
    found = importlib.util.find_spec

    def find_spec(name, package=None):
        return None if name == "rembg" else found(name, package)

    monkeypatch.setitem(sys.modules, "rembg", None)
    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
