"""Deforms a sphere until its silhouettes are those of an object, seen from 120 sides.

The demonstration of Soft Rasterizer, but for sigma, which falls from 3e-4 to 3e-6.
Prints the mean IoU of hard silhouettes; writes deform.obj and deform.png: what was
given, the result, the object. --steps 100 --views 24: a minute on a CPU.
"""

import argparse
import time
from pathlib import Path

import jax
import numpy as np
import optax
from PIL import Image

import jaxsoftras
from jaxsoftras import losses
from jaxsoftras.shapes.catalogue import make_shape


def main(arguments=None):
    """Runs the program."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("mesh", nargs="?", help="file of the object (default: a jet)")
    parser.add_argument("--out", type=Path, default=Path("runs/deform_sphere"))
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--views", type=int, default=120)
    options = parser.parse_args(arguments)
    goal = jaxsoftras.Mesh(*make_shape("02691156", index=5)[:2])
    if options.mesh:
        goal = jaxsoftras.load_mesh(options.mesh, normalize=True)
        goal = jaxsoftras.Mesh(goal.vertices / 2, goal.faces)
    view = np.linspace(0, 119, options.views).astype(int)  # 24 of each elevation
    eyes = jaxsoftras.eye_from_angles(2.732, 30 * (view // 24 - 2), 15 * view)
    cameras = jaxsoftras.perspective_camera(eyes)
    sphere, faces, _ = jaxsoftras.icosphere(3)

    def silhouettes(vertices, faces=faces, **how):
        corners = jaxsoftras.face_vertices(jaxsoftras.project(cameras, vertices), faces)
        return jaxsoftras.silhouette(corners, 64, **how)

    hard = jax.jit(lambda *mesh: silhouettes(*mesh, distance="hard"))
    target = hard(*goal[:2])
    sigma = optax.exponential_decay(3e-4, options.steps, 0.01)
    adam = optax.adam(optax.cosine_decay_schedule(0.01, options.steps), b1=0.5, b2=0.99)

    def loss(vertices, step):
        iou = losses.silhouette_iou(silhouettes(vertices, sigma=sigma(step)), target)
        rough = 0.03 * losses.laplacian(vertices, faces)
        return 1 - iou.mean() + rough + 3e-4 * losses.flatten(vertices, faces)

    def update(step, state):
        change, moments = adam.update(jax.grad(loss)(state[0], step), state[1])
        return state[0] + change, moments

    # many steps in one call, so that a fast device does not wait for Python
    advance = jax.jit(lambda first, last, s: jax.lax.fori_loop(first, last, update, s))
    vertices = np.float32(sphere / 4)
    state, first, start = (vertices, adam.init(vertices)), np.int_(0), time.time()
    for last in np.linspace(0, options.steps, 11, dtype=int):
        state, first = advance(first, last, state), last
        iou = losses.silhouette_iou(hard(state[0]), target)
        print(f"step {last:4}: IoU {iou.mean():.4f}, {time.time() - start:.0f} s")
    result = jaxsoftras.Mesh(state[0], faces)
    options.out.mkdir(parents=True, exist_ok=True)
    jaxsoftras.save_mesh(options.out / "deform.obj", result)
    eyes = jaxsoftras.eye_from_angles(2.0, 25.0, np.arange(20, 380, 60))
    six = jaxsoftras.perspective_camera(eyes)
    lights = jaxsoftras.AmbientLight(0.3), jaxsoftras.DirectionalLight(eyes, 0.6)
    look = jaxsoftras.Settings(gamma=1e-5, background=1, image_size=128, shading="flat")
    shown = [jax.jit(jaxsoftras.render)(m, six, lights, look) for m in (result, goal)]
    rows = [1 - shown[1][..., [3, 3, 3]], *(picture[..., :3] for picture in shown)]
    picture = np.uint8(255 * np.vstack([np.hstack(row) for row in rows]))
    Image.fromarray(picture).save(options.out / "deform.png")


if __name__ == "__main__":
    main()
