"""Random bits that a key and a counter determine, the same on every machine.

Threefry-2x32 with 20 rounds (Salmon et al., Parallel random numbers: as easy as 1, 2,
3; SC 2011) in 32-bit integers, which numpy and JAX compute alike. The random functions
of JAX may draw other numbers in another version; a run that is resumed must not.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA


def random_bits(key: Any, counter: Any, xp: ModuleType) -> tuple[Any, Any]:
    """Encrypts counters.

    Args:
        key: two arrays of uint32, at least one axis each.
        counter: two arrays of uint32, which broadcast against the key.
        xp: `numpy` or `jax.numpy`.

    Returns:
        Two arrays of uint32, each bit of which is random.
    """
    keys = (*key, key[0] ^ key[1] ^ xp.asarray([_PARITY], xp.uint32))
    x, y = counter[0] + keys[0], counter[1] + keys[1]
    for block in range(5):
        for rotation in _ROTATIONS[block % 2]:
            x = x + y
            y = (y << rotation) | (y >> (32 - rotation))
            y = y ^ x
        x = x + keys[(block + 1) % 3]
        turn = xp.asarray([block + 1], xp.uint32)
        y = y + keys[(block + 2) % 3] + turn
    return x, y
