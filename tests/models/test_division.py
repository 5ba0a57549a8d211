import re

import jax
import pytest
from jax.sharding import PartitionSpec as P

from jaxsoftras.models import division
from jaxsoftras.reconstruction import accelerators

KERNEL = jax.ShapeDtypeStruct((16384, 1024), "float32")


@pytest.mark.parametrize(
    ("shape", "model", "divided"),
    [
        ((16384, 1024), 2, True),
        ((16384, 1024), 4, True),
        ((16384, 1024), 1, False),
        ((2048, 1926), 2, False),  # too small
        ((16382, 1024), 4, False),
        ((2, 16384, 1024), 2, False),
    ],
)
def test_rule(shape, model, divided):
    mesh = accelerators.device_mesh(4, jax.devices()[:4], model=model)
    assert division.is_divided((), shape, mesh) == divided
    state = {"mu": {"kernel": jax.ShapeDtypeStruct(shape, "float32")}}
    placement = division.place(state, mesh)["mu"]
    assert placement["kernel"].spec == (P("model") if divided else P())


def test_parameters_and_tables_are_not_divided():
    mesh = accelerators.device_mesh(4, jax.devices()[:4], model=2)
    whole = {"params": {"kernel": KERNEL}, "mu": {"sites": KERNEL, "position": KERNEL}}
    placement = division.place(whole, mesh)
    assert all(each.is_fully_replicated for each in jax.tree.leaves(placement))


def test_warns_where_nothing_is_divided():
    mesh = accelerators.device_mesh(4, jax.devices()[:4], model=2)
    division.check(division.place({"nu": {"kernel": KERNEL}}, mesh), 2)
    with pytest.warns(UserWarning, match="devices.model=2 divides no layer: none has"):
        division.check(division.place({"bias": jax.numpy.zeros(4)}, mesh), 2)
    division.check(division.place({"bias": jax.numpy.zeros(4)}, mesh), 0)


@pytest.mark.parametrize("axes", [set(), {"model"}, {"data", "model"}])
@pytest.mark.parametrize("devices", [2, 4])
def test_gradients_have_the_precision_of_the_product(devices, axes):
    mesh = accelerators.device_mesh(4, jax.devices()[:devices], model=devices)

    def loss(features, kernel):
        with jax.default_matmul_precision("float32"):
            marked = division.vary(kernel, axes)
            product = division.multiply(features, marked, (((1,), (0,)), ((), ())))
        return jax.numpy.sum(product**2)

    divided = jax.shard_map(
        jax.grad(loss, (0, 1)),
        mesh=mesh,
        in_specs=(division.BATCH, P()),
        out_specs=(division.BATCH, P()),
    )
    arrays = (jax.ShapeDtypeStruct(shape, "float32") for shape in ((4, 8), (8, 2)))
    program = jax.jit(divided).lower(*arrays).as_text()
    products = re.findall(r"stablehlo.dot_general.*precision = (\[.*?\])", program)
    assert len(products) >= 3
    assert set(products) == {"[HIGHEST, HIGHEST]"}
