"""Lists the kernels of the training step on an H100, compiled without one.

    pip install "jax[cuda13]"
    python -m tests.support.gpu_program configs/real13.py
    python -m tests.support.gpu_program configs/real13.py --devices 2 \
        --set devices.model=2 --flags=--xla_gpu_enable_latency_hiding_scheduler=true

XLA compiles for a described device. It cannot try which algorithms are the fastest
there, so that convolutions and products are those of cuDNN and cuBLAS by default. What
it shows is how the step is divided into kernels, the bytes that each reads and writes,
and the order of exchanges between devices. A kernel that gathers from a larger array is
listed with the whole array.
"""

from __future__ import annotations

import argparse
import math
import os
import re
from collections.abc import Iterator
from typing import NamedTuple

TARGET = """
gpu_device_info {
  cuda_compute_capability { major: 9 }
  name: "NVIDIA H100 80GB HBM3" device_vendor: "NVIDIA Corporation"
  core_count: 132 fpus_per_core: 128 clock_rate_ghz: 1.98
  threads_per_block_limit: 1024 threads_per_warp: 32 threads_per_core_limit: 2048
  registers_per_core_limit: 65536 registers_per_block_limit: 65536
  shared_memory_per_block: 49152 shared_memory_per_block_optin: 232448
  shared_memory_per_core: 233472 l2_cache_size: 52428800
  memory_bandwidth: 3352320000000 device_memory_size: 84942979072
  thread_dim_limit_x: 1024 thread_dim_limit_y: 1024 thread_dim_limit_z: 64
  block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
  device_address_bits: 64 pcie_bandwidth: 34359738368 ecc_enabled: true
  driver_version: "13.0.0" runtime_version: "13.0.0"
  compile_time_toolkit_version: "13.0.0" dnn_version: "9.10.0"
}
platform_name: "CUDA"
dnn_version_info { major: 9 minor: 10 patch: 0 }
device_description_str: "NVIDIA H100 80GB HBM3"
"""
"""An H100 (SXM), in the words of XLA's `GpuTargetConfigProto`."""

_LINE = re.compile(r"(?:ROOT )?%?([\w.-]+) = (.*?) ([\w-]+)\((.*)")
_NOTHING = {"bitcast", "call", "constant", "get-tuple-element", "parameter", "tuple"}
_WIDTHS = {"pred": 1, "bf16": 2}  # bytes; those of other types are in their names


class Kernel(NamedTuple):
    """An operation of the compiled step.

    Attributes:
        kind: XLA's operation, with the library's function or the kind of fusion.
        name: its name in the program.
        size: bytes that it reads and writes.
        shape: its results.
        source: what it comes from in the traced program.
    """

    kind: str
    name: str
    size: int
    shape: str
    source: str


def count_bytes(shape: str) -> int:
    """Counts the bytes of XLA's description of arrays."""
    total = 0
    for kind, sides in re.findall(r"(\w+)\[([\d,]*)\]", shape):
        width = _WIDTHS.get(kind) or int(re.sub(r"\D", "", kind) or 0) // 8
        total += width * math.prod(int(side) for side in sides.split(",") if side)
    return total


def list_kernels(text: str) -> Iterator[Kernel]:
    """Lists the operations of the longest loop of a compiled program, in order.

    Args:
        text: of `jax.stages.Compiled.as_text`.
    """
    computations: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if begun := re.match(r"(?:ENTRY )?%?([\w.-]+) \(.*\{$", line):
            lines = computations.setdefault(begun[1], [])
        elif line.startswith("  "):
            lines.append(line.strip())
    loops = re.findall(r"body=%?([\w.-]+)", text)
    longest = max((computations[body] for body in loops), key=len)
    parts = [_LINE.match(line) for line in _expand(longest, computations)]
    shapes = {part[1]: part[2] for part in parts if part}
    for part in parts:
        if not part or part[3] in _NOTHING:
            continue
        name, shape, operation, rest = part.groups()
        inputs = re.findall(r"%([\w.-]+)", rest.partition("), ")[0])
        about = re.search(r'custom_call_target="([^"]*)"|kind=(\w+)', rest)
        source = re.search(r'op_name="([^"]*)"', rest)
        if operation == "custom-call":  # a part of its workspace is used, if any
            shape = re.sub(r", [su]8\[\d+\]\{0\}", "", shape)
        yield Kernel(
            f"{operation} {about[1] or about[2]}" if about else operation,
            name,
            count_bytes(shape) + sum(count_bytes(shapes.get(x, "")) for x in inputs),
            shape,
            source[1] if source else "",
        )


def _expand(lines: list[str], computations: dict[str, list[str]]) -> Iterator[str]:
    """Puts the operations of a command buffer in the place of its call."""
    for line in lines:
        if call := re.search(r" call\(.*to_apply=%?([\w.-]+)", line):
            yield from _expand(computations[call[1]], computations)
        yield line


def compile_step(path: str, overrides: list[str], count: int) -> str:
    """Compiles the training loop of a configuration; returns XLA's program.

    Args:
        path: configuration file, whose data set is there.
        overrides: assignments to fields.
        count: number of devices, each with the configured batch.
    """
    import jax
    import numpy as np
    from jax.experimental import topologies
    from jax.sharding import PartitionSpec as P

    jax.config.update("jax_platforms", "cpu")
    from jaxsoftras import config, data
    from jaxsoftras.data import resident
    from jaxsoftras.kernels import dispatch
    from jaxsoftras.models import exchanges
    from jaxsoftras.reconstruction import accelerators, bench, feeding, runs, training

    topology = topologies.get_topology_desc(
        platform="cuda",
        topology_name="described",
        target_config=TARGET,
        topology=f"1x1x{count}",
    )
    dispatch._capability = lambda: (9, 0)
    # there are no devices to try them on
    options = exchanges.COPY_ENGINES if count == 2 else {}
    exchanges.compiler_options = lambda _: options
    words = ["render.implementation=mosaic", *overrides]
    settings = config.override(config.load(path), words)
    (row,) = bench.make_rows(settings, [], [count])
    mesh = accelerators.device_mesh(
        row.settings.optim.batch_size,
        topology.devices,
        model=settings.devices.model,
    )
    experiment = training.Experiment(row.settings, mesh)
    source = data.open_training_set(settings.data)
    feed = feeding.ResidentFeed(experiment, source, P(), "")
    like = runs.abstract(jax.eval_shape(experiment.init, 0), experiment.placement)
    images = jax.ShapeDtypeStruct(
        resident.image_shape(source), np.uint8, sharding=experiment.replicated
    )
    store = resident.make_resident(source, images)
    return feed._loop.lower(like, store, np.int32(1)).compile().as_text() or ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config")
    parser.add_argument("--set", nargs="+", default=[], metavar="FIELD=VALUE")
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--flags", default="", help="further flags of XLA")
    options = parser.parse_args()
    os.environ["XLA_FLAGS"] = " ".join(
        [
            *(os.environ.get("XLA_FLAGS", ""), options.flags),
            *("--xla_gpu_autotune_level=0", "--xla_gpu_enable_triton_gemm=false"),
        ]
    )
    text = compile_step(options.config, options.set, options.devices)
    kernels = list(list_kernels(text))
    total = sum(kernel.size for kernel in kernels)
    print(f"{len(kernels)} operations, {total / 1e6:.0f} MB")
    for number, kernel in enumerate(kernels):
        print(
            f"{number:4}  {kernel.size / 1e6:8.2f} MB  {kernel.kind:40.40}  "
            f"{kernel.name:36.36}  {kernel.shape:50.50}  {kernel.source[-80:]}"
        )


if __name__ == "__main__":
    main()
