"""Which implementation draws on which device."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import pytest

from jaxsoftras.kernels import dispatch as implementations

TABLES = {
    "silhouette": implementations.SILHOUETTE,
    "blend": implementations.BLEND,
    "visible": implementations.VISIBLE,
}
FACES = jnp.zeros((1, 1, 3, 3))


@pytest.fixture(params=TABLES)
def table(request):
    """Functions by name; ones that have Mosaic's even where this jax has none."""
    named = {name: name for name in ("reference", "xla", "pallas", "mosaic")}
    return named | dict.fromkeys(TABLES[request.param].keys() - named.keys())


def on(monkeypatch, capability):
    """Pretends that the default device is a GPU."""
    device = SimpleNamespace(platform="gpu", compute_capability=capability)
    monkeypatch.setattr(jax, "devices", lambda platform=None: [device])


class TestChoose:
    @pytest.mark.parametrize(
        "capability, name",
        [
            ("7.5", "xla"),
            ("8.0", "pallas"),
            ("8.9", "pallas"),
            ("9.0", "mosaic"),
            ("10.0", "pallas"),
            ("12.0", "pallas"),
            ("gfx942", "xla"),
        ],
    )
    def test_fastest(self, monkeypatch, table, capability, name):
        on(monkeypatch, capability)
        assert implementations.choose(table, None, FACES) == name

    def test_without_one_of_the_backends(self, monkeypatch, table):
        on(monkeypatch, "9.0")
        without = {name: draw for name, draw in table.items() if name != "mosaic"}
        assert implementations.choose(without, None, FACES) == "pallas"
        on(monkeypatch, "10.0")
        alone = table | {"pallas": table["mosaic"]}
        assert implementations.choose(alone, None, FACES) == "mosaic"
        on(monkeypatch, "8.0")
        assert implementations.choose(alone, None, FACES) == "xla"

    def test_what_they_cannot_draw_is_left_to_xla(self, monkeypatch, table, x64):
        on(monkeypatch, "9.0")
        assert implementations.choose(table, None, FACES, "no") == "xla"
        assert implementations.choose(table, None, FACES.astype(float)) == "xla"

    def test_the_default_device_counts(self, monkeypatch, table):
        on(monkeypatch, "9.0")
        with jax.default_device(jax.local_devices(backend="cpu")[0]):
            assert implementations.choose(table, None, FACES) == "xla"

    @pytest.mark.skipif(jax.default_backend() == "gpu", reason="needs no GPU")
    def test_no_gpu(self, table):
        assert implementations.choose(table, None, FACES) == "xla"
        for name in ("pallas", "mosaic"):
            with pytest.raises(ValueError, match="they need an NVIDIA GPU"):
                implementations.choose(table, name, FACES)

    @pytest.mark.parametrize("name, least", [("pallas", "8.0"), ("mosaic", "9.0")])
    def test_gpus_that_are_too_old(self, monkeypatch, table, name, least):
        on(monkeypatch, "7.5")
        message = f"compute capability 7.5, and they need {least}. Use .*'xla' or None"
        with pytest.raises(ValueError, match=message):
            implementations.choose(table, name, FACES)
        assert not implementations.runs_here(table, name)
        on(monkeypatch, least)
        assert implementations.choose(table, name, FACES) == name

    def test_a_backend_that_this_jax_lacks(self, monkeypatch, table):
        on(monkeypatch, "9.0")
        del table["mosaic"]
        with pytest.raises(
            ValueError, match="none for this with Pallas' Mosaic in jax"
        ):
            implementations.choose(table, "mosaic", FACES)


def test_all_kinds_have_the_same_implementations():
    blend, *others = (set(table) for table in TABLES.values())
    assert all(names == blend for names in others)
