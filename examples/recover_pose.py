"""Recovers the pose of a camera, rotation and position, from one picture of a cube.

Many random poses descend at once, while sigma and gamma fall from blurred to sharp.
Writes pose.png: the picture given, then the best attempt. Takes half a minute on a CPU.
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from PIL import Image

import jaxsoftras

CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) / 2
SIDES = "0132 4675 0451 2376 0264 1573"  # the corners of each, counter-clockwise
FACES = [[int(s[0]), int(s[k]), int(s[k + 1])] for s in SIDES.split() for k in (1, 2)]
COLORS = np.repeat(np.vstack([np.eye(3), 1 - np.eye(3)])[[0, 3, 1, 4, 2, 5]], 2, axis=0)
CUBE = jaxsoftras.Mesh(CORNERS, np.array(FACES), jaxsoftras.FaceColors(COLORS))
FRONT = jaxsoftras.perspective_camera((0.0, 0.0, -4.0))


def camera(poses):
    """In front, moved by the last 3 numbers, then around the cube by the first 3."""
    rotation = jaxsoftras.rotation_from_axis_angle(poses[..., :3])
    position = jnp.einsum("...ij,...j", rotation, FRONT.position + poses[..., 3:])
    return jaxsoftras.camera_from_axes(
        FRONT.axes @ rotation.mT, position, FRONT.focal_length
    )


@jax.jit
def pictures(poses, sigma, gamma):
    """On black: [..., 64, 64, 3]."""
    look = jaxsoftras.Settings(sigma=sigma, gamma=gamma, image_size=64)
    image = jaxsoftras.render(CUBE, camera(poses), lights=None, settings=look)
    return image[..., :3] * image[..., 3:]


def main(arguments=None):
    """Runs the program."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("runs/recover_pose"))
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--attempts", type=int, default=32)
    options = parser.parse_args(arguments)
    rng = np.random.default_rng(0)
    truth = rng.normal(size=6) * [1.5, 1.5, 1.5, 0.15, 0.15, 0.3]
    poses = rng.normal(size=(options.attempts, 6)) * [1.5, 1.5, 1.5, 0, 0, 0]
    target = pictures(truth, 1e-6, 1e-6)
    adam = optax.adam(optax.cosine_decay_schedule(0.1, options.steps))

    def losses(poses, *sharpness):
        return jnp.mean((pictures(poses, *sharpness) - target) ** 2, axis=(1, 2, 3))

    @jax.jit
    def update(poses, moments, *sharpness):
        found, pullback = jax.vjp(lambda poses: losses(poses, *sharpness), poses)
        change, moments = adam.update(*pullback(jnp.ones_like(found)), moments)
        return poses + change, moments, found

    moments, way = adam.init(poses), [poses]
    for sigma, gamma in np.geomspace((3e-2, 3e-3), (1e-6, 1e-4), options.steps):
        poses, moments, _ = update(poses, moments, sigma, gamma)
        way.append(poses)
    best = jnp.argmin(update(poses, moments, sigma, gamma)[2])
    steps = np.linspace(0, options.steps, 6).astype(int)
    shown = jnp.stack([way[step][best] for step in steps])
    cosine = (jnp.sum(camera(shown).axes * camera(truth).axes, axis=(1, 2)) - 1) / 2
    error = jnp.rad2deg(jnp.arccos(jnp.clip(cosine, -1, 1)))
    print(f"the best attempt: {error[0]:.1f} degrees before, {error[-1]:.2f} after")
    picture = np.hstack([target, *(pictures(pose, 1e-6, 1e-6) for pose in shown)])
    options.out.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.uint8(255 * picture.clip(0, 1))).save(options.out / "pose.png")


if __name__ == "__main__":
    main()
