"""Recovers the pose of a camera, rotation and position, from one image of a cube.

Gradient descent from a single pose often ends in a local minimum. Therefore many random
poses descend at once, while sigma and gamma fall from blurred to sharp, and the one
whose image matches best in the end wins.

Prints the angle between the recovered and the true rotation, and writes ``pose.png``:
the given image, then the way of the winner. Takes half a minute on a CPU.
"""

import argparse
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import jaxsoftras

try:
    import optax
    from PIL import Image
except ModuleNotFoundError as error:
    sys.exit(f'This example needs {error.name}: pip install "jaxsoftras[train]"')

IMAGE_SIZE = 64
STEPS_SHOWN = 6

# sigma and gamma at the first and at the last step, and of images without blur
BLURRED = (3e-2, 3e-3)
FOCUSED = (1e-6, 1e-4)
SHARP = (1e-6, 1e-6)

# standard deviations of a pose: rotation, axis times angle, and translation
ROTATION_SPREAD = [1.5, 1.5, 1.5]
TRANSLATION_SPREAD = [0.15, 0.15, 0.3]

# corner 4 i + 2 j + k of the cube is (i, j, k); each side has one colour
CORNERS = np.array(list(np.ndindex(2, 2, 2))) - 0.5
SIDES = np.array(  # corners counter-clockwise seen from outside
    [
        [0, 1, 3, 2],
        [4, 6, 7, 5],
        [0, 4, 5, 1],
        [2, 3, 7, 6],
        [0, 2, 6, 4],
        [1, 5, 7, 3],
    ]
)
SIDE_COLORS = np.array(
    [[1, 0, 0], [0, 1, 1], [0, 1, 0], [1, 0, 1], [0, 0, 1], [1, 1, 0]], float
)

FRONT = jaxsoftras.perspective_camera((0.0, 0.0, -4.0))


def make_cube():
    """Cube of side 1 with red, green and blue sides, opposite to their complements."""
    faces = SIDES[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3)
    colors = np.repeat(SIDE_COLORS, 2, axis=0)  # two faces a side
    return jaxsoftras.Mesh(CORNERS, faces, jaxsoftras.FaceColors(colors))


CUBE = make_cube()


def make_camera(poses):
    """Camera from poses ``[..., 6]``, rotation and translation.

    The camera in front is moved by the last three numbers, and then turned around the
    cube by the first three, an axis times an angle.
    """
    rotation = jaxsoftras.rotation_from_axis_angle(poses[..., :3])
    position = jnp.einsum("...ij,...j", rotation, FRONT.position + poses[..., 3:])
    axes = FRONT.axes @ rotation.mT
    return jaxsoftras.camera_from_axes(axes, position, FRONT.focal_length)


@jax.jit
def draw(poses, sigma, gamma):
    """Images on black, ``[..., IMAGE_SIZE, IMAGE_SIZE, 3]``."""
    settings = jaxsoftras.Settings(image_size=IMAGE_SIZE, sigma=sigma, gamma=gamma)
    image = jaxsoftras.render(CUBE, make_camera(poses), None, settings)
    color, alpha = image[..., :3], image[..., 3:]
    return alpha * color


def angles_between(cameras, camera):
    """Angles of the rotations from some cameras to another one, degrees."""
    trace = jnp.sum(cameras.axes * camera.axes, axis=(-2, -1))
    cosine = jnp.clip((trace - 1) / 2, -1, 1)
    return jnp.rad2deg(jnp.arccos(cosine))


def descend(poses, target, steps):
    """Fits all poses to the target at once.

    Returns:
        The poses before each step and after the last, ``[steps + 1, attempts, 6]``, and
        the final losses, ``[attempts]``.
    """
    optimizer = optax.adam(optax.cosine_decay_schedule(0.1, steps))

    def compare(poses, sigma, gamma):
        difference = draw(poses, sigma, gamma) - target
        return jnp.mean(difference**2, axis=(-3, -2, -1))

    @jax.jit
    def update(poses, moments, sigma, gamma):
        losses, pullback = jax.vjp(lambda poses: compare(poses, sigma, gamma), poses)
        (gradient,) = pullback(jnp.ones_like(losses))  # no pose affects another's loss
        change, moments = optimizer.update(gradient, moments)
        return poses + change, moments, losses

    moments, path = optimizer.init(poses), [poses]
    for sigma, gamma in np.geomspace(BLURRED, FOCUSED, steps):
        poses, moments, _ = update(poses, moments, sigma, gamma)
        path.append(poses)
    _, _, losses = update(poses, moments, *FOCUSED)
    return jnp.stack(path), losses


def main(arguments=None):
    """Runs the program."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs/recover_pose"),
        help="folder for the image (default: %(default)s)",
    )
    parser.add_argument(
        "--steps",
        type=int,
        default=150,
        help="steps of gradient descent (default: %(default)s)",
    )
    parser.add_argument(
        "--attempts",
        type=int,
        default=32,
        help="random poses to start from (default: %(default)s)",
    )
    options = parser.parse_args(arguments)

    rng = np.random.default_rng(0)
    truth = rng.normal(size=6) * (ROTATION_SPREAD + TRANSLATION_SPREAD)
    guesses = rng.normal(size=(options.attempts, 6)) * (ROTATION_SPREAD + [0, 0, 0])
    target = draw(truth, *SHARP)
    path, losses = descend(guesses, target, options.steps)
    winner = path[:, jnp.argmin(losses)]

    shown = winner[np.linspace(0, options.steps, STEPS_SHOWN).astype(int)]
    angles = angles_between(make_camera(shown), make_camera(truth))
    print(
        f"the best attempt: {angles[0]:.1f} degrees before, {angles[-1]:.2f} after",
    )
    sheet = np.hstack([target, *(draw(pose, *SHARP) for pose in shown)])
    options.out.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.uint8(255 * sheet.clip(0, 1)))
    image.save(options.out / "pose.png")


if __name__ == "__main__":
    main()
