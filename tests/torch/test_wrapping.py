"""Functions of JAX as functions of PyTorch: values, derivatives, refusals."""

import functools
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch: Any = pytest.importorskip("torch")

import jaxsoftras  # noqa: E402
from jaxsoftras.torch import wrapping  # noqa: E402


@functools.partial(wrapping.wrap, static_argnames=("power",))
def scaled(x, y, *, power=1):
    """``exp(x) y^power``, with results of all kinds."""
    return {"product": jnp.exp(x) * y**power, "same": x, "index": jnp.argmax(x)}


@wrapping.wrap
def product(x, y):
    return jnp.exp(x) * y


def leaf(*values, dtype=torch.float32):
    return torch.tensor(values, dtype=dtype, requires_grad=True)


class TestResults:
    def test_have_the_structure_of_the_function(self):
        x, y = leaf(0.1, 0.7, 0.3), leaf(1.0, 2.0, 3.0)
        found = scaled(x, y, power=2)
        torch.testing.assert_close(found["product"], x.exp() * y**2)
        torch.testing.assert_close(found["same"], x)
        assert int(found["index"]) == 1 and not found["index"].requires_grad
        assert found["product"].requires_grad and found["same"].requires_grad

    def test_records_of_the_package_pass(self):
        given = jaxsoftras.perspective_camera((0.0, 0.0, 3.0))
        given = jax.tree.map(lambda a: torch.tensor(np.asarray(a)), given)
        found = wrapping.wrap(lambda camera: camera)(given)
        assert isinstance(found, jaxsoftras.Camera)
        torch.testing.assert_close(found.axes, given.axes)

    def test_share_no_memory_with_arguments_or_each_other(self):
        x = leaf(1.0, 2.0)
        first, second = wrapping.wrap(lambda x: (x, x))(x.detach())
        assert len({t.data_ptr() for t in (x, first, second)}) == 3

    def test_arrays_and_numbers_may_be_mixed_in(self):
        x = leaf(0.0, 0.0)
        array = np.array([2, 3], np.float32)
        for other in (array, jnp.asarray(array), 2, 2.5, True):
            found = product(x, other)
            torch.testing.assert_close(
                found.detach(),
                torch.ones(2) * torch.tensor(np.asarray(other), dtype=torch.float32),
            )

    def test_without_tensors_are_on_the_cpu(self):
        assert product(0.0, 2.0).device.type == "cpu"

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
    def test_keep_their_dtype(self, dtype):
        x = leaf(0.5, 0.25, dtype=dtype)
        found = product(x, x)
        assert found.dtype == dtype
        found.sum().backward()
        assert x.grad.dtype == dtype
        tolerance = {torch.float64: 1e-14}.get(dtype, 2e-2)
        expected = (1 + x) * x.exp()
        torch.testing.assert_close(x.grad, expected, rtol=tolerance, atol=0)


class TestGradients:
    def test_equal_finite_differences(self):
        x, y = (torch.rand(3, dtype=torch.float64, requires_grad=True) for _ in "xy")
        assert torch.autograd.gradcheck(product, (x, y))
        assert torch.autograd.gradgradcheck(product, (x, y))

    def test_of_complex_numbers(self):
        z = torch.rand(3, dtype=torch.complex128, requires_grad=True)
        function = wrapping.wrap(lambda z: z * z * jnp.conj(z) + 1j * jnp.abs(z))
        assert torch.autograd.gradcheck(function, (z,))

    def test_only_where_they_are_wanted(self):
        x, y = leaf(0.1), torch.ones(1)
        product(x, y).backward()
        assert x.grad is not None and y.grad is None
        assert not product(y, y).requires_grad

    def test_not_without_a_graph(self):
        x = leaf(0.1)
        with torch.no_grad():
            assert not product(x, x).requires_grad
        with torch.inference_mode():
            assert product(x, x).is_inference()

    def test_of_a_result_that_is_not_used(self):
        x, y = leaf(0.1, 0.2, 0.3), leaf(1.0, 2.0, 3.0)
        scaled(x, y)["same"].sum().backward()
        torch.testing.assert_close(x.grad, torch.ones(3))
        torch.testing.assert_close(y.grad, torch.zeros(3))

    def test_may_be_changed_in_place(self):
        x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
        wrapping.wrap(jnp.add)(x, y).backward(torch.ones(2))
        x.grad.add_(1)
        torch.testing.assert_close(y.grad, torch.ones(2))

    def test_of_a_result_that_is_changed_in_place(self):
        x = leaf(0.5, 0.25)
        found = product(x, torch.ones(2))
        found.mul_(2)  # the derivative of exp is exp, whose memory this was
        found.sum().backward()
        torch.testing.assert_close(x.grad, 2 * x.detach().exp())

    def test_refuse_arguments_that_were_changed_in_place(self):
        x = leaf(0.5, 0.25) * 1
        found = product(x, torch.ones(2))
        x.mul_(2)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            found.sum().backward()

    def test_once_unless_the_graph_is_retained(self):
        x = leaf(0.5)
        found = product(x, x)
        found.backward(retain_graph=True)
        found.backward()
        torch.testing.assert_close(x.grad, 2 * (1 + x.detach()) * x.detach().exp())
        with pytest.raises(RuntimeError, match="a second time"):
            found.backward()

    def test_by_cotangents_of_any_strides(self):
        x = leaf(0.5, 0.25, 0.0)
        product(x, torch.ones(3)).backward(torch.ones(1).expand(3))
        torch.testing.assert_close(x.grad, x.detach().exp())

    # PyTorch's own, of what it imports for forward mode
    @pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
    def test_within_transforms_that_need_another_kind_are_refused(self):
        x = leaf(0.5)
        with pytest.raises(RuntimeError, match="setup_context"):
            torch.func.grad(lambda x: product(x, 1.0).sum())(x)
        dual = torch.autograd.forward_ad
        with dual.dual_level(), pytest.raises(NotImplementedError, match="jvp"):
            product(dual.make_dual(x.detach(), torch.ones(1)), 1.0)


def test_constants_that_are_equal_may_be_of_different_types():
    @functools.partial(wrapping.wrap, static_argnames="by")
    def divided(x, *, by):
        return x // by if isinstance(by, int) else x / by

    x = torch.tensor([5, 7], dtype=torch.int32)
    assert divided(x, by=2).tolist() == [2, 3]
    assert divided(x, by=2.0).tolist() == [2.5, 3.5]


def test_constants_may_be_given_by_place():
    @functools.partial(wrapping.wrap, static_argnames="by")
    def divided(x, by, plus=0):
        return x // by + plus if isinstance(by, int) else x / by

    x = torch.tensor([5, 7], dtype=torch.int32)
    assert divided(x, 2).tolist() == [2, 3]
    assert divided(x, 2, torch.tensor(1)).tolist() == [3, 4]
    assert divided(x, 2, plus=1).tolist() == [3, 4]
    with pytest.raises(TypeError, match="by is given twice, by place and by name"):
        divided(x, 2, by=2)
    with pytest.raises(TypeError, match="takes from 2 to 3 positional arguments"):
        divided(x, 2, 1, 1)


def test_compiles_once_for_each_shape():
    traces = []
    function = wrapping.wrap(lambda x: (traces.append(x.shape), 2 * x)[1])
    for count in (2, 2, 3, 3, 2):
        function(torch.rand(count))
    assert len(traces) == 2
    for _ in range(3):
        function(torch.rand(2, requires_grad=True)).sum().backward()
    assert len(traces) == 3


class TestRefusals:
    @pytest.mark.parametrize(
        ("argument", "message"),
        [
            ("word", "x is a str, neither .* static_argnames"),
            (torch.eye(2).to_sparse(), "x is a sparse_coo tensor"),
            (torch.ones(2).to(torch.float8_e4m3fn), "tensor of float8_e4m3fn"),
            (torch.ones(2).to(torch.uint64), "tensor of uint64"),
            (torch.empty(2, device="meta"), "tensors on meta"),
            ({"deep": [None, object()]}, r"x\['deep'\]\[1\] is a object"),
        ],
    )
    def test_arguments(self, argument, message):
        with pytest.raises(ValueError, match=message):
            wrapping.wrap(lambda x: 1.0)(argument)

    def test_arguments_are_named_as_they_are_given(self):
        with pytest.raises(ValueError, match="^y is a str"):
            product(1.0, y="word")
        with pytest.raises(ValueError, match=r"^Argument \[1\] is a str"):
            wrapping.wrap(lambda *x: x)(1.0, "word")

    def test_what_cannot_be_wrapped(self):
        with pytest.raises(TypeError, match="3 is not a callable object"):
            wrapping.wrap(3)  # pyright: ignore
        with pytest.raises(ValueError, match="has 'powr', .* it has x, power."):
            wrapping.wrap(lambda x, power: x, static_argnames="powr")

    def test_tensors_without_memory(self):
        fake = pytest.importorskip("torch._subclasses.fake_tensor")
        with fake.FakeTensorMode(), pytest.raises(ValueError, match="is a FakeTensor"):
            product(torch.ones(2), 1.0)

    def test_tracers(self):
        with pytest.raises(ValueError, match="within jax.jit call the function of JAX"):
            jax.jit(product)(jnp.ones(2), 1.0)

    def test_constants_that_cannot_be_compared(self):
        for power in ([1], np.ones(1), torch.tensor(1.0)):
            name = type(power).__name__
            with pytest.raises(ValueError, match=f"power is a constant .* {name}."):
                scaled(leaf(1.0), 1.0, power=power)

    def test_results(self):
        with pytest.raises(ValueError, match="must return an array"):
            wrapping.wrap(lambda x: None)(leaf(1.0))
        with pytest.raises(ValueError, match="A result is of key"):
            wrapping.wrap(lambda x: jax.random.key(0))(leaf(1.0))

    def test_errors_of_the_function_pass(self):
        with pytest.raises(TypeError, match="incompatible shapes"):
            product(torch.ones(2), torch.ones(3))


@pytest.mark.slow  # imports the compiler of PyTorch
@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # its own
def test_within_torch_compile():
    x = leaf(0.5, 0.25)
    compiled = torch.compile(lambda x: (product(2 * x, 1.0) + 1).sum(), backend="eager")
    compiled(x).backward()
    torch.testing.assert_close(x.grad, 2 * (2 * x.detach()).exp())


def test_the_package_does_not_hide_pytorch():
    assert wrapping.torch is torch and torch.Tensor.__module__ == "torch"
    assert Path(torch.__file__).parent != Path(wrapping.__file__).parent


@pytest.mark.slow  # imports PyTorch and JAX again
def test_the_import_leaves_out_the_compiler_of_pytorch():
    code = "import sys, jaxsoftras.torch\nsys.exit('torch._dynamo' in sys.modules)"
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0
