"""The meshes on which backends, and other renderers, are timed.

Bumpy, randomly turned spheres that fill the view. They are made with numpy alone, by a
random generator whose streams do not change, so that any program can make the same.
"""

from __future__ import annotations

import math

import numpy as np

DISTANCE = 2.732
HALF_FOV = 30.0

LEVELS = {20 * 4**level: level for level in range(8)}
"""Number of faces to number of subdivisions of an icosahedron."""

_RADIUS = 0.9
_SEED = 1000  # seed of the first batch; the following ones count up


def _icosahedron() -> tuple[np.ndarray, np.ndarray]:
    """Corners of three golden rectangles ``[12, 3]``, and faces ``[20, 3]``."""
    golden = (1 + math.sqrt(5)) / 2
    rectangle = [(-1, golden), (1, golden), (-1, -golden), (1, -golden)]
    vertices = [np.roll((a, b, 0.0), shift) for shift in range(3) for a, b in rectangle]
    # around corner 0, then the ring next to it, and the same around corner 3
    ring, opposite = [11, 5, 1, 7, 10], [9, 4, 2, 6, 8]
    between = [(1, 5, 9), (5, 11, 4), (11, 10, 2), (10, 7, 6), (7, 1, 8)]
    closing = [(4, 9, 5), (2, 4, 11), (6, 2, 10), (8, 6, 7), (9, 8, 1)]
    fans = [
        [(center, corners[k], corners[(k + 1) % 5]) for k in range(5)]
        for center, corners in ((0, ring), (3, opposite))
    ]
    faces = np.array([*fans[0], *between, *fans[1], *closing])
    return np.array(vertices) / math.hypot(1, golden), faces


def _sphere(level: int) -> tuple[np.ndarray, np.ndarray]:
    """A unit sphere: an icosahedron, each face cut in four ``level`` times."""
    vertices, faces = _icosahedron()
    for _ in range(level):
        sides = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
        edges, index = np.unique(np.sort(sides, 1), axis=0, return_inverse=True)
        middle = vertices[edges].mean(1)
        middle /= np.linalg.norm(middle, axis=1, keepdims=True)
        ab, bc, ca = len(vertices) + index.reshape(3, -1)
        vertices = np.concatenate([vertices, middle])
        a, b, c = faces.T
        children = [(a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca)]
        faces = np.concatenate([np.stack(child, 1) for child in children])
    return vertices, faces


def meshes(images: int, faces: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Makes spheres with low-frequency bumps, jitter and a random turn.

    Args:
        images: B.
        faces: F, of `LEVELS`.
        seed: of the batch.

    Returns:
        Vertices ``[B, V, 3]`` float32, world space, and faces ``[F, 3]`` int32.

    Raises:
        ValueError: a number of faces that no sphere has.
    """
    if faces not in LEVELS:
        raise ValueError(
            f"The spheres have {', '.join(map(str, LEVELS))} faces, not {faces}."
        )
    sphere, topology = _sphere(LEVELS[faces])
    random = np.random.RandomState(_SEED + seed)
    ends = sphere[topology[:, 0]] - sphere[topology[:, 1]]
    edge = np.linalg.norm(ends, axis=1).mean()
    batch = []
    for _ in range(images):
        waves = random.normal(size=(6, 3)) * 2
        phases = random.uniform(0, 2 * math.pi, 6)
        heights = random.uniform(0, 0.07, 6)
        bumps = (np.sin(sphere @ waves.T + phases) * heights).sum(1)
        shape = sphere * (_RADIUS * (1 + bumps))[:, None] * random.uniform(0.7, 1, 3)
        shape = shape + random.normal(size=sphere.shape) * (0.1 * edge)
        turn, _ = np.linalg.qr(random.normal(size=(3, 3)))
        if np.linalg.det(turn) < 0:
            turn[:, 0] *= -1
        batch.append(shape @ turn.T)
    return np.array(batch, np.float32), topology.astype(np.int32)


def face_vertices(images: int, faces: int, seed: int = 0) -> np.ndarray:
    """`meshes` seen from (0, 0, -`DISTANCE`): ``[B, F, 3, 3]`` NDC and depth."""
    vertices, topology = meshes(images, faces, seed)
    depth = vertices[..., 2:] + DISTANCE
    screen = vertices[..., :2] / depth / math.tan(math.radians(HALF_FOV))
    return np.concatenate([screen, depth], -1)[:, topology]
