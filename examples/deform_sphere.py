"""Deforms a sphere until its silhouettes match an object seen from 120 sides.

The demonstration of Soft Rasterizer, except that sigma falls from 3e-4 to 3e-6 on the
way: a blurred silhouette attracts vertices from afar, a sharp one places them exactly.

Prints the mean IoU of hard silhouettes, and writes ``deform.obj``, the result, and
``deform.png``, six views of the silhouettes of the object, the result, and the object.
On a CPU, ``--steps 100 --views 24`` takes a minute.
"""

import argparse
import sys
import time
from pathlib import Path

import jax
import numpy as np

import jaxsoftras
from jaxsoftras import losses
from jaxsoftras.shapes.catalogue import make_shape

try:
    import optax
    from PIL import Image
except ModuleNotFoundError as error:
    sys.exit(f'This example needs {error.name}: pip install "jaxsoftras[train]"')

IMAGE_SIZE = 64
REPORTS = 10

# weights of the losses that keep the mesh smooth
LAPLACIAN_WEIGHT = 0.03
FLATTEN_WEIGHT = 3e-4


def load(path):
    """Loads a mesh file, scaled to a longest side of 1; without a path, a jet."""
    if path is None:
        vertices, faces, _ = make_shape("02691156", index=18)
        return jaxsoftras.Mesh(vertices, faces)
    mesh = jaxsoftras.load_mesh(path, normalize=True)
    return jaxsoftras.Mesh(mesh.vertices / 2, mesh.faces)


def place_cameras(count):
    """Chooses views evenly from 24 azimuths at each of 5 elevations."""
    view = np.linspace(0, 119, count).astype(int)
    elevation = 30 * (view // 24 - 2)  # -60 to 60 degrees
    azimuth = 15 * view
    eyes = jaxsoftras.eye_from_angles(2.732, elevation, azimuth)
    return jaxsoftras.perspective_camera(eyes)


def draw_silhouettes(mesh, cameras, **options):
    """Silhouettes ``[views, IMAGE_SIZE, IMAGE_SIZE]``, soft unless told otherwise."""
    points = jaxsoftras.project(cameras, mesh.vertices)
    corners = jaxsoftras.face_vertices(points, mesh.faces)
    return jaxsoftras.silhouette(corners, IMAGE_SIZE, **options)


def fit(sphere, target, cameras, steps):
    """Moves the vertices of a mesh until its silhouettes match; prints the progress."""
    sigma = optax.exponential_decay(3e-4, steps, decay_rate=0.01)
    learning_rate = optax.cosine_decay_schedule(0.01, steps)
    optimizer = optax.adam(learning_rate, b1=0.5, b2=0.99)

    def loss(vertices, step):
        mesh = sphere._replace(vertices=vertices)
        drawn = draw_silhouettes(mesh, cameras, sigma=sigma(step))
        mismatch = 1 - losses.silhouette_iou(drawn, target).mean()
        roughness = LAPLACIAN_WEIGHT * losses.laplacian(vertices, mesh.faces)
        creases = FLATTEN_WEIGHT * losses.flatten(vertices, mesh.faces)
        return mismatch + roughness + creases

    def update(step, state):
        vertices, moments = state
        gradient = jax.grad(loss)(vertices, step)
        change, moments = optimizer.update(gradient, moments)
        return vertices + change, moments

    @jax.jit
    def advance(first, last, state):
        # many steps in one call, so that a fast device does not wait for Python
        return jax.lax.fori_loop(first, last, update, state)

    @jax.jit
    def measure(vertices):
        mesh = sphere._replace(vertices=vertices)
        drawn = draw_silhouettes(mesh, cameras, distance="hard")
        return losses.silhouette_iou(drawn, target).mean()

    start = time.perf_counter()
    vertices = np.float32(sphere.vertices)
    moments = optimizer.init(vertices)
    first = np.int_(0)
    for last in np.linspace(0, steps, REPORTS + 1, dtype=int):
        vertices, moments = advance(first, last, (vertices, moments))
        first = last
        iou, seconds = measure(vertices), time.perf_counter() - start
        print(f"step {last:4}: IoU {iou:.4f}, {seconds:.0f} s")
    return sphere._replace(vertices=vertices)


def compare(result, target):
    """Draws six views: silhouettes of the object, the result, and the object."""
    azimuths = np.arange(20, 380, 60)
    eyes = jaxsoftras.eye_from_angles(2.0, 25.0, azimuths)
    cameras = jaxsoftras.perspective_camera(eyes)
    # a lamp at each camera
    lights = jaxsoftras.AmbientLight(0.3), jaxsoftras.DirectionalLight(eyes, 0.6)
    settings = jaxsoftras.Settings(
        image_size=128, gamma=1e-5, background=1.0, shading="flat"
    )
    render = jax.jit(jaxsoftras.render)
    result_images = render(result, cameras, lights, settings)
    target_images = render(target, cameras, lights, settings)
    dark_silhouettes = 1 - target_images[..., [3, 3, 3]]
    rows = [dark_silhouettes, result_images[..., :3], target_images[..., :3]]
    sheet = np.vstack([np.hstack(row) for row in rows])
    return Image.fromarray(np.uint8(255 * sheet.clip(0, 1)))


def main(arguments=None):
    """Runs the program."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("mesh", nargs="?", help="file of the object (default: a jet)")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs/deform_sphere"),
        help="folder for the results (default: %(default)s)",
    )
    parser.add_argument(
        "--steps",
        type=int,
        default=2000,
        help="steps of gradient descent (default: %(default)s)",
    )
    parser.add_argument(
        "--views",
        type=int,
        default=120,
        help="number of silhouettes to match (default: %(default)s)",
    )
    options = parser.parse_args(arguments)

    goal = load(options.mesh)
    cameras = place_cameras(options.views)
    target = jax.jit(lambda mesh: draw_silhouettes(mesh, cameras, distance="hard"))(
        goal
    )
    template = jaxsoftras.icosphere(3)
    sphere = template._replace(vertices=template.vertices / 4)
    result = fit(sphere, target, cameras, options.steps)

    options.out.mkdir(parents=True, exist_ok=True)
    jaxsoftras.save_mesh(options.out / "deform.obj", result)
    compare(result, goal).save(options.out / "deform.png")


if __name__ == "__main__":
    main()
