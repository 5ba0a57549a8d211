"""Tensors of PyTorch as arrays of JAX and back, in the same memory, by DLPack.

PyTorch and JAX queue their work on a GPU on streams of their own. Three rules make a
call of JAX behave as if it had been queued on PyTorch's current stream:

* An array of a tensor is ready once the current stream has made the tensor: `to_jax`
  hands JAX's stream to ``__dlpack__``, which lets it wait for an event.
* The current stream waits for the results: `to_torch` hands it to ``__dlpack__``. JAX
  reads its arguments before that, so tensors may be freed or changed afterwards.
* JAX gets the memory of a result back when PyTorch has freed the tensor *and* its
  stream has passed all work that was queued until then: see `_Loans`.

On a CPU, PyTorch computes at once, and `to_torch` waits until JAX has finished.
"""

# where PyTorch is not installed, this folder is taken for it
# pyright: reportAttributeAccessIssue=false, reportMissingImports=false

from __future__ import annotations

import collections
import contextlib
import os
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import torch

# Compiled programs of XLA load vectors from the beginning of their arguments.
_ALIGNMENT = {"cpu": 64, "cuda": 256}  # bytes

_DOUBLE = (torch.float64, torch.complex128)
_NAMES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"),
    *("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
)
_TORCH_DTYPES = {getattr(torch, name) for name in _NAMES}
_JAX_DTYPES = {jnp.dtype(name) for name in _NAMES}
_LIMITS = torch.iinfo(torch.int32)


class _Loans:
    """Arrays of JAX whose memory PyTorch uses on a GPU.

    JAX may overwrite the memory of an array that nobody refers to any more. PyTorch
    drops a tensor while kernels that read it are still queued: the array is kept until
    an event, recorded on the tensor's stream at that moment, has happened.
    """

    def __init__(self):
        self._returned: collections.deque[tuple[Any, jax.Array]] = collections.deque()

    def lend(self, array: jax.Array, tensor: torch.Tensor, stream: Any) -> None:
        """Keeps an array until the last tensor in its memory is freed, and after.

        Args:
            array: owner of the memory.
            tensor: a tensor in the same memory.
            stream: ``torch.cuda.Stream`` on which the tensor is used.
        """
        self.release()
        storage = tensor.untyped_storage()
        freed = weakref.finalize(storage, self._give_back, array, stream)
        freed.atexit = False

    def _give_back(self, array: jax.Array, stream: Any) -> None:
        self.release()
        self._returned.append((stream.record_event(), array))

    def release(self) -> None:
        """Gives the memory of arrays whose events have happened back to JAX."""
        for _ in range(len(self._returned)):
            try:
                event, array = self._returned.popleft()
            except IndexError:  # another thread has emptied it
                return
            if not event.query():
                self._returned.append((event, array))


LOANS = _Loans()


def find_device(tensors: Sequence[torch.Tensor]) -> torch.device:
    """The device of tensors, the CPU if there are none.

    Tensors of one number on the CPU may go with tensors on a GPU, as in PyTorch.

    Raises:
        ValueError: tensors on different devices, or on one that JAX does not share.
    """
    found = {tensor.device for tensor in tensors}
    for device in found:
        if device.type not in _ALIGNMENT:
            raise ValueError(
                f"JAX cannot share the memory of tensors on {device}; move them to the "
                "CPU or an NVIDIA GPU with tensor.to(device)."
            )
    if len(found) > 1:
        found = {t.device for t in tensors if t.ndim or t.device.type != "cpu"}
    if len(found) > 1:
        names = " and ".join(sorted(map(str, found)))
        raise ValueError(
            f"All tensors of a call must be on one device, not on {names}."
        )
    return found.pop() if found else torch.device("cpu")


def find_jax_device(device: torch.device) -> Any:
    """JAX's name for a device of PyTorch.

    Raises:
        ValueError: JAX does not have the device.
    """
    if device.type == "cpu":
        return jax.local_devices(backend="cpu")[0]
    platform = "rocm" if torch.version.hip else "cuda"
    index = torch.cuda.current_device() if device.index is None else device.index
    with contextlib.suppress(RuntimeError):  # of a platform that JAX does not have
        for known in jax.local_devices(backend=platform):
            if known.local_hardware_id == index:
                return known
    raise ValueError(
        f"The tensors are on {device}, which this JAX ({jax.default_backend()}) does "
        'not have; install "jaxsoftras[cuda]", or move them to the CPU with '
        "tensor.cpu()."
    )


_OWNERS: set[int] = set()  # the process that computes here, once it has


def check_process() -> None:
    """Refuses to compute in the fork of a process that has computed here.

    The threads of JAX do not exist in it, and a computation would wait for them
    forever.

    Raises:
        RuntimeError: this process is such a fork.
    """
    if not _OWNERS:
        _OWNERS.add(os.getpid())
    elif os.getpid() not in _OWNERS:
        raise RuntimeError(
            "JAX cannot compute in a fork of a process that has used it; start the "
            "processes by spawn, for example with "
            'DataLoader(..., multiprocessing_context="spawn").'
        )


@contextlib.contextmanager
def computing_on(device: torch.device, *, double: bool) -> Iterator[None]:
    """Lets JAX compute on the device of tensors, in double precision if they have it.

    Args:
        device: device of the tensors.
        double: whether to compute in double precision; otherwise JAX's own setting
            stays as it is.

    Raises:
        ValueError: JAX does not have the device, or a CUDA graph is being captured.
        RuntimeError: see `check_process`.
    """
    check_process()
    with contextlib.ExitStack() as stack:
        stack.enter_context(jax.default_device(find_jax_device(device)))
        if double:
            stack.enter_context(jax.enable_x64(True))
        if device.type == "cuda":
            stack.enter_context(torch.cuda.device(device))
            if torch.cuda.is_current_stream_capturing():
                raise ValueError(
                    "A CUDA graph cannot capture work of JAX; call this function "
                    "outside of torch.cuda.graph."
                )
        yield


def are_double(tensors: Sequence[torch.Tensor]) -> bool:
    """Whether one of the tensors is in double precision."""
    return any(tensor.dtype in _DOUBLE for tensor in tensors)


def check_tensor(name: str, tensor: torch.Tensor) -> None:
    """Raises a ValueError unless JAX has arrays of this kind."""
    if tensor.dtype not in _TORCH_DTYPES:
        dtype = str(tensor.dtype).removeprefix("torch.")
        raise ValueError(
            f"{name} is a tensor of {dtype}, which JAX does not share with PyTorch; "
            "convert it with tensor.to(dtype)."
        )
    if tensor.layout != torch.strided or tensor.is_nested:
        layout = "nested" if tensor.is_nested else str(tensor.layout)
        raise ValueError(
            f"{name} is a {layout.removeprefix('torch.')} tensor; give a dense one, "
            "such as tensor.to_dense() or tensor.to_padded_tensor(padding)."
        )
    # of a plain tensor, and of subclasses that change no operation, such as Parameter
    if type(tensor).__torch_dispatch__ is not torch.Tensor.__torch_dispatch__:
        raise ValueError(
            f"{name} is a {type(tensor).__name__}, whose numbers are not in one "
            "memory; give a plain tensor."
        )


def _narrow(tensor: torch.Tensor) -> torch.Tensor:
    """Integers of 64 bits in 32 bits, which are all that JAX has by default.

    Raises:
        ValueError: a number that has more bits.
    """
    if tensor.numel():
        low, high = (int(bound) for bound in tensor.aminmax())
        if low < _LIMITS.min or high > _LIMITS.max:
            raise ValueError(
                f"A tensor of int64 holds numbers from {low} to {high}, and integers "
                "have 32 bits here; give smaller ones, or set jax_enable_x64."
            )
    return tensor.to(torch.int32)


def to_jax(tensor: torch.Tensor) -> jax.Array:
    """Makes an array of a tensor, within `computing_on`.

    The memory is the tensor's own, unless it is not contiguous, is not aligned, is
    pinned, or holds integers of 64 bits while JAX's have 32.

    Raises:
        ValueError: an integer that does not fit.
    """
    tensor = tensor.detach().resolve_conj().resolve_neg()
    if tensor.dtype == torch.int64 and not jax.config.jax_enable_x64:
        tensor = _narrow(tensor)
    tensor = tensor.contiguous()
    is_pinned = tensor.device.type == "cpu" and tensor.is_pinned()
    if is_pinned or tensor.data_ptr() % _ALIGNMENT[tensor.device.type]:
        tensor = tensor.clone()
    return jax.dlpack.from_dlpack(tensor)


def to_torch(arrays: Sequence[jax.Array], device: torch.device) -> list[torch.Tensor]:
    """Makes tensors of results that nobody else refers to, in the same memory.

    Args:
        arrays: results of one compiled program.
        device: device of the tensors.

    Raises:
        ValueError: a dtype that PyTorch does not share with JAX.
    """
    for array in arrays:
        if array.dtype not in _JAX_DTYPES:
            raise ValueError(
                f"A result is of {array.dtype}, of which PyTorch shares no memory with "
                "JAX; convert it within the function."
            )
    if device.type == "cpu":
        jax.block_until_ready(arrays)
        return [torch.from_dlpack(array) for array in arrays]
    stream = torch.cuda.current_stream(device)
    tensors = [torch.from_dlpack(array) for array in arrays]
    for array, tensor in zip(arrays, tensors, strict=True):
        LOANS.lend(array, tensor, stream)
    return tensors
