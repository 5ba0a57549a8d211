"""Memory, devices and streams that PyTorch and JAX share."""

import gc
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch: Any = pytest.importorskip("torch")

import jaxsoftras.torch  # noqa: E402
from jaxsoftras.torch import exchange  # noqa: E402

CPU = torch.device("cpu")


class Event:
    """An event of a stream that happens when it is told to."""

    def __init__(self):
        self.happened = False

    def query(self):
        return self.happened


class Stream:
    """A stream that remembers its events."""

    def __init__(self):
        self.events = []

    def record_event(self):
        self.events.append(Event())
        return self.events[-1]


def test_memory_is_shared_both_ways():
    tensor = torch.arange(64.0).reshape(8, 8)
    array = exchange.to_jax(tensor)
    assert array.unsafe_buffer_pointer() == tensor.data_ptr()
    result = jax.jit(jnp.sin)(array)
    pointer = result.unsafe_buffer_pointer()
    (back,) = exchange.to_torch([result], CPU)
    assert back.data_ptr() == pointer
    torch.testing.assert_close(back, tensor.sin())


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.T,
        lambda x: x[:, ::2],
        lambda x: x[:1].expand(8, 8),
        lambda x: x.flatten()[1:],  # not aligned
        lambda x: x[:0],
        lambda x: x[0, 0],
        lambda x: torch.view_as_complex(x.reshape(8, 4, 2)).conj(),
        lambda x: torch.view_as_complex(x.reshape(8, 4, 2)).conj().imag,  # negated bit
        lambda x: x.bfloat16(),
        lambda x: x.half(),
        lambda x: x.bool(),
        lambda x: x.to(torch.uint8),
        lambda x: x.to(torch.uint16),
        lambda x: torch.nn.Parameter(x),
    ],
)
def test_any_tensor_arrives(change):
    tensor = change(torch.arange(64.0).reshape(8, 8))
    array = np.asarray(exchange.to_jax(tensor).astype(jnp.complex64))
    expected = tensor.detach().resolve_neg().to(torch.complex64).resolve_conj()
    np.testing.assert_array_equal(array, expected.numpy())


def test_a_change_of_a_copy_changes_no_array():
    tensor = torch.arange(64.0)[1:]
    array = exchange.to_jax(tensor)
    tensor.zero_()
    np.testing.assert_array_equal(array, np.arange(1.0, 64))


class TestIntegers:
    def test_become_32_bits_if_they_fit(self):
        largest = torch.tensor([2**31 - 1, -(2**31)])
        array = exchange.to_jax(largest)
        assert array.dtype == jnp.int32
        np.testing.assert_array_equal(array, largest.numpy())

    @pytest.mark.parametrize("number", [2**31, -(2**31) - 1, 2**62])
    def test_are_refused_otherwise(self, number):
        with pytest.raises(ValueError, match=f"{number}.* set jax_enable_x64"):
            exchange.to_jax(torch.tensor([0, number]))

    def test_stay_in_double_precision(self, x64):
        array = exchange.to_jax(torch.tensor([2**62]))
        assert array.dtype == jnp.int64 and int(array[0]) == 2**62


class TestDevices:
    meta = torch.empty(2, device="meta")

    def test_found(self):
        assert exchange.find_device([torch.ones(2), torch.tensor(1.0)]) == CPU
        assert exchange.find_device([]) == CPU
        assert exchange.find_jax_device(CPU) == jax.devices("cpu")[0]

    def test_without_shared_memory(self):
        with pytest.raises(ValueError, match="memory of tensors on meta; move them"):
            exchange.find_device([torch.ones(2), self.meta])

    @pytest.mark.parametrize("shape", [(), (2,)])
    def test_only_numbers_may_be_on_another(self, shape, monkeypatch):
        monkeypatch.setitem(exchange._ALIGNMENT, "meta", 1)
        if not shape:
            found = exchange.find_device([torch.ones(shape), self.meta])
            assert found == self.meta.device
            return
        with pytest.raises(ValueError, match="on one device, not on cpu and meta"):
            exchange.find_device([torch.ones(shape), self.meta])

    @pytest.mark.skipif(jax.default_backend() != "cpu", reason="JAX has a GPU")
    def test_gpu_that_jax_lacks(self):
        with pytest.raises(ValueError) as caught:
            exchange.find_jax_device(torch.device("cuda", 0))
        assert str(caught.value).startswith("The tensors are on cuda:0, which this JAX")


class TestLoans:
    """Without a GPU: streams and events of our own stand for PyTorch's."""

    def lend(self, loans, stream):
        array = jax.jit(lambda x: x + 1)(jnp.zeros(1000))
        gone = []
        owner = _Watched(array, gone)
        tensor = torch.from_dlpack(array)
        loans.lend(owner, tensor, stream)
        return tensor, gone

    def test_memory_outlives_the_tensor_until_its_stream_has_passed(self):
        loans, stream = exchange._Loans(), Stream()
        tensor, gone = self.lend(loans, stream)
        view = tensor[3:]
        del tensor
        gc.collect()
        assert not stream.events and not gone  # a view still reads it
        del view
        gc.collect()
        loans.release()
        assert len(stream.events) == 1 and not gone
        stream.events[0].happened = True
        loans.release()
        assert gone

    def test_one_that_has_passed_does_not_wait_for_others(self):
        loans, slow, fast = exchange._Loans(), Stream(), Stream()
        gone = []
        for stream in (slow, fast):
            tensor, watched = self.lend(loans, stream)
            gone.append(watched)
            del tensor
        gc.collect()
        fast.events[0].happened = True
        loans.release()
        assert not gone[0] and gone[1]


class _Watched:
    """Owner of an array that notes its own end."""

    def __init__(self, array, gone):
        self.array, self._gone = array, gone

    def __del__(self):
        self._gone.append(True)


def test_forks_of_a_process_that_has_computed_are_refused(monkeypatch):
    exchange.check_process()
    exchange.check_process()
    monkeypatch.setattr(exchange.os, "getpid", lambda: -1)
    with pytest.raises(RuntimeError, match="start the processes by spawn"):
        jaxsoftras.torch.perspective_camera(torch.ones(3))
    with pytest.raises(RuntimeError, match="start the processes by spawn"):
        jaxsoftras.torch.wrap(jnp.sin)(torch.ones(3))
