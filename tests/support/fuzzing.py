"""Loads damaged mesh files: ``python -m tests.support.fuzzing FORMAT COUNT``.

Every file is a small valid one with a few deterministic mutations. Loading must give a
mesh that passes `check`, or refuse the file in one sentence, within five seconds and a
gigabyte of memory. Exits with 1 otherwise, after the numbers of the inputs at fault;
``--seed N`` makes other inputs, and
``--first N`` begins with input N.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import faulthandler
import random
import resource
import signal
import struct
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import jaxsoftras
from jaxsoftras import texture
from tests.support import gltf_files, mesh_files, ply_files

Files = dict[str, bytes]

SECONDS = 5
BYTES = 2**30

TOKENS = [
    *b"0 -0 1 -1 2 3 4 7 255 256 65535 65536 2147483647 -2147483648 4294967295".split(),
    *b"99999999999999999999 0.5 1.5 -0.5 1e-320 1e38 1e39 1e308 1e309 nan inf".split(),
    *b"-inf -nan(ind) 1.#QNAN 1_0 0x10 1,5 # \\ / // 1/ /1 1/1 -1/-1/-1 a.obj".split(),
    *b"v vt vn f l p usemtl mtllib newmtl Kd d map_Kd map_d -s -o -clamp on".split(),
    *b"-imfchan OFF COFF".split(),
    *b"solid facet vertex endloop endfacet endsolid end_header element list".split(),
    *b'null true {} [] "" "a.png" "data:,x" 1e999 property comment uchar'.split(),
    b"",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xc4\xe3",
    b"\0",
    b"\r",
    b"\x85",
    b"\n",
]
NUMBERS = [0, 1, 2, 3, 127, 128, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1]


SEEDS: dict[str, Callable[[], list[Files]]] = {
    "obj": mesh_files.obj_seeds,
    "off": mesh_files.off_seeds,
    "stl": mesh_files.stl_seeds,
    "glb": gltf_files.glb_seeds,
    "gltf": gltf_files.gltf_seeds,
    "ply": ply_files.ply_seeds,
}


def _cut(data: bytes, rng: random.Random) -> tuple[bytes, bytes, bytes]:
    """Splits bytes in three at random; the middle is short more often than not."""
    first = rng.randrange(len(data) + 1)
    length = rng.choice([1, 4, 16, 64, len(data)])
    last = min(first + rng.randrange(length + 1), len(data))
    return data[:first], data[first:last], data[last:]


def _flip(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8])):
        if changed:
            changed[rng.randrange(len(changed))] ^= rng.choice([1, 4, 32, 128, 255])
    return bytes(changed)


def _truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _append(data: bytes, rng: random.Random) -> bytes:
    return data + rng.choice([b"\n", b"\0" * 7, rng.randbytes(50), data])


def _delete(data: bytes, rng: random.Random) -> bytes:
    before, _, after = _cut(data, rng)
    return before + after


def _repeat(data: bytes, rng: random.Random) -> bytes:
    before, middle, after = _cut(data, rng)
    return before + middle * rng.choice([2, 3, 20]) + after


def _splice(data: bytes, rng: random.Random) -> bytes:
    before, _, after = _cut(data, rng)
    return before + _cut(data, rng)[1] + after


def _set_number(data: bytes, rng: random.Random) -> bytes:
    kind = rng.choice(["<B", "<H", "<I", ">I", "<f"])
    value = rng.choice(NUMBERS)
    if kind == "<f":
        value = rng.choice([0.0, 1e38, -1.0, float("nan"), float("inf")])
    else:
        value &= 2 ** (8 * struct.calcsize(kind)) - 1
    start = rng.randrange(len(data) + 1)
    word = struct.pack(kind, value)
    return data[:start] + word + data[start + len(word) :]


def _tokens(data: bytes) -> list[bytes]:
    """Splits text in words and what is between them, in turn."""
    parts, word = [b""], True
    for k in range(len(data)):
        byte = data[k : k + 1]
        if (byte not in b" \t\r\n,:[]{}") != word:
            parts.append(b"")
            word = not word
        parts[-1] += byte
    return parts


def _replace_token(data: bytes, rng: random.Random) -> bytes:
    parts = _tokens(data)
    parts[rng.randrange(len(parts))] = rng.choice(TOKENS)
    return b"".join(parts)


def _swap_tokens(data: bytes, rng: random.Random) -> bytes:
    parts = _tokens(data)
    one, other = (2 * rng.randrange((len(parts) + 1) // 2) for _ in range(2))
    parts[one], parts[other] = parts[other], parts[one]
    return b"".join(parts)


def _change_number(data: bytes, rng: random.Random) -> bytes:
    parts = _tokens(data)
    numbers = [k for k, part in enumerate(parts) if part.lstrip(b"-").isdigit()]
    if numbers:
        k = rng.choice(numbers)
        value = int(parts[k]) if len(parts[k]) < 100 else 0
        changed = rng.choice([value + 1, value - 1, -value, value * 1000, value << 40])
        parts[k] = str(changed).encode()
    return b"".join(parts)


def _swap_lines(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    one, other = (rng.randrange(len(lines)) for _ in range(2))
    lines[one], lines[other] = lines[other], lines[one]
    return b"".join(lines)


MUTATIONS: list[Callable[[bytes, random.Random], bytes]] = [
    _flip,
    _truncate,
    _append,
    _delete,
    _repeat,
    _splice,
    _set_number,
    _replace_token,
    _replace_token,
    _swap_tokens,
    _change_number,
    _change_number,
    _swap_lines,
]


def mutate(seeds: list[Files], seed: int, index: int) -> Files:
    """Makes input number ``index``: the files of a seed, of which some are damaged."""
    rng = random.Random(f"{seed} {index}")
    files = dict(rng.choice(seeds))
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        name = rng.choice([next(iter(files)), rng.choice(list(files))])
        if len(files) > 1 and rng.random() < 0.02:
            del files[name]
            break
        files[name] = rng.choice(MUTATIONS)(files[name], rng)[:20_000]
    return files


def check(mesh: jaxsoftras.Mesh) -> None:
    """Asserts that a loaded mesh can be used."""
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    assert vertices.dtype == np.float32 and vertices.shape[1:] == (3,)
    assert faces.dtype == np.int32 and faces.shape[1:] == (3,) and len(faces)
    assert faces.min() >= 0 and faces.max() < len(vertices)
    assert np.all(np.isfinite(vertices[faces]))
    match mesh.texture:
        case texture.UVTexture(coordinates, image, _, transparent, index):
            assert np.shape(coordinates) == (len(faces), 3, 2)
            assert np.all(np.isfinite(coordinates))
            images = [image]
            if index is not None:
                assert index.dtype == np.int32 and index.shape == (len(faces),)
                assert set(np.unique(index)) == set(range(len(image)))
                images = image
            for each in images:
                assert each.dtype == np.float32 and each.ndim == 3 and each.size
                _check_colors(each, transparent)
        case texture.VertexColors(values) | texture.FaceColors(values):
            by_vertex = isinstance(mesh.texture, texture.VertexColors)
            assert len(values) == len(vertices) if by_vertex else len(faces)
            assert np.all((values >= 0) & (values <= 1))
            _check_colors(values, mesh.texture.transparent)
        case other:
            assert other is None


def _check_colors(colors: Any, transparent: bool) -> None:
    assert colors.shape[-1] == 3 + transparent and np.all(np.isfinite(colors))


class _Alarm(BaseException):
    """Time is over; no reader catches it."""


@contextlib.contextmanager
def _limits(seconds: float) -> Iterator[None]:
    """Raises `_Alarm` after a time; ends the program if that does not help."""

    def ring(*_):
        raise _Alarm

    previous = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    faulthandler.dump_traceback_later(4 * seconds, exit=True)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, previous)


def judge(path: Path) -> tuple[str, str]:
    """Loads a file.

    Returns:
        ``"mesh"``, ``"refused"`` or ``"WRONG"``, and the message.
    """
    try:
        with warnings.catch_warnings(record=True) as caught, _limits(SECONDS):
            warnings.simplefilter("always")
            check(jaxsoftras.load_mesh(path))
    except _Alarm:
        return "WRONG", f"more than {SECONDS} s"
    except FileNotFoundError as error:
        return ("refused" if not path.exists() else "WRONG"), str(error)
    except ValueError as error:
        message, cause = str(error), error.__cause__
        clear = cause is None or type(cause) is ValueError
        one = message.startswith(str(path)) and message.endswith(".")
        if clear and one and len(message.splitlines()) == 1:
            return "refused", message
        return "WRONG", f"unclear: {cause!r}: {message}"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return "WRONG", f"{type(error).__name__}: {error}"
    categories = [warning.category for warning in caught]
    if categories not in ([], [UserWarning]):
        return "WRONG", f"warnings: {[str(warning.message) for warning in caught]}"
    return "mesh", str(caught[0].message) if caught else ""


def fuzz(kind: str, count: int, seed: int = 0, first: int = 0) -> collections.Counter:
    """Loads inputs and prints those that are not treated as they should be.

    Returns:
        How often each outcome occurred.
    """
    seeds = SEEDS[kind]()
    outcomes: collections.Counter = collections.Counter()
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(
        dir=memory if memory.is_dir() else None
    ) as temporary:
        folder = Path(temporary)
        for index in range(first, first + count):
            files = mutate(seeds, seed, index)
            for name, content in files.items():
                (folder / name).write_bytes(content)
            outcome, message = judge(folder / f"a.{kind}")
            if outcome == "mesh" and message:
                outcome = "mesh with a warning"
            outcomes[outcome] += 1
            if outcome == "WRONG":
                print(f"input {index}: {message.replace(temporary, '')}", flush=True)
            for path in folder.iterdir():
                path.unlink()
    return outcomes


def _limit_memory() -> None:
    """Lets the address space grow by a gigabyte."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main() -> int:
    """Runs the program; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("format", choices=sorted(SEEDS))
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    given = parser.parse_args()
    fuzz(given.format, 20)  # imports what is imported late
    _limit_memory()
    begin = time.perf_counter()
    outcomes = fuzz(given.format, given.count, given.seed, given.first)
    counts = ", ".join(f"{n} {outcome}" for outcome, n in sorted(outcomes.items()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{given.format}: {given.count} inputs in {time.perf_counter() - begin:.0f} s: "
        f"{counts}; at most {peak:.0f} MB of memory in all"
    )
    return 1 if outcomes["WRONG"] else 0


if __name__ == "__main__":
    sys.exit(main())
