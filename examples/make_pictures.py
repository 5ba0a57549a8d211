"""Makes pictures of objects that belong to no data set, for `jaxsoftras predict`.

Each object is put together from boxes, cylinders and spheres, and seen from a side, a
height and a distance of its own, at a size of its own, before a plain background or
none. The pictures in ``examples/pictures/`` are this program's.
"""

import argparse
import dataclasses
import sys
from pathlib import Path

import numpy as np

import jaxsoftras

try:
    import trimesh
except ModuleNotFoundError as error:
    sys.exit(f'This example needs {error.name}: pip install "jaxsoftras[io]"')

LIGHTS = (
    jaxsoftras.AmbientLight(0.45),
    jaxsoftras.DirectionalLight(np.array([1.0, 2.0, 1.5]), 0.55),
)


@dataclasses.dataclass
class Picture:
    """An object and how it is photographed.

    Attributes:
        parts: meshes with their colours, +y up, front at +z.
        size: width and height of the image, pixels.
        azimuth: of the camera, degrees.
        elevation: of the camera, degrees.
        background: colour; None for a transparent one.
    """

    parts: list
    size: int
    azimuth: float
    elevation: float
    background: tuple[float, float, float] | None


def box(color, size, center):
    """A box of a colour."""
    mesh = trimesh.creation.box(size)
    mesh.apply_translation(center)
    return mesh, color


def rod(color, radius, start, end):
    """A cylinder of a colour between two points."""
    segment = np.array([start, end], float)
    return trimesh.creation.cylinder(radius, segment=segment, sections=24), color


def ball(color, radius, center, scale=(1, 1, 1)):
    """A sphere of a colour, stretched along the axes."""
    mesh = trimesh.creation.icosphere(subdivisions=3, radius=radius)
    mesh.apply_scale(scale)
    mesh.apply_translation(center)
    return mesh, color


def make_chair():
    """A wooden chair with a padded seat."""
    wood, cloth = (0.55, 0.35, 0.2), (0.2, 0.4, 0.6)
    legs = [
        rod(wood, 0.03, (x, -0.5, z), (x * 0.9, 0, z * 0.9))
        for x in (-0.22, 0.22)
        for z in (-0.22, 0.22)
    ]
    posts = [rod(wood, 0.025, (x, 0, -0.2), (x * 1.1, 0.5, -0.26)) for x in (-0.2, 0.2)]
    back = box(cloth, (0.42, 0.28, 0.04), (0, 0.36, -0.25))
    return [*legs, *posts, back, box(cloth, (0.5, 0.08, 0.5), (0, 0.02, 0))]


def make_table():
    """A round table on a single foot."""
    top, metal = (0.75, 0.6, 0.42), (0.3, 0.3, 0.32)
    return [
        rod(top, 0.5, (0, 0.28, 0), (0, 0.33, 0)),
        rod(metal, 0.05, (0, -0.3, 0), (0, 0.28, 0)),
        rod(metal, 0.25, (0, -0.33, 0), (0, -0.29, 0)),
    ]


def make_lamp():
    """A desk lamp with a shade."""
    metal = (0.15, 0.15, 0.17)
    shade = trimesh.creation.cone(radius=0.26, height=0.45, sections=32)
    shade.apply_transform(
        trimesh.transformations.rotation_matrix(-np.pi / 2, (1, 0, 0))
    )
    shade.apply_translation((0, 0.12, 0))
    return [
        (shade, (0.9, 0.75, 0.3)),
        rod(metal, 0.025, (0, -0.5, 0), (0, 0.3, 0)),
        rod(metal, 0.2, (0, -0.52, 0), (0, -0.48, 0)),
    ]


def make_cabinet():
    """A chest of two drawers and a door."""
    body, front, knob = (0.82, 0.8, 0.75), (0.45, 0.55, 0.5), (0.2, 0.2, 0.2)
    drawers = [box(front, (0.4, 0.22, 0.02), (-0.22, y, 0.21)) for y in (0.16, -0.1)]
    door = box(front, (0.4, 0.5, 0.02), (0.22, 0.03, 0.21))
    knobs = [ball(knob, 0.03, (x, y, 0.24)) for x, y in ((-0.22, 0.16), (0.06, 0.03))]
    return [box(body, (0.95, 0.65, 0.4), (0, 0, 0)), *drawers, door, *knobs]


def make_airplane():
    """An airliner with two engines."""
    white, grey = (0.92, 0.92, 0.95), (0.4, 0.45, 0.5)
    body = ball(white, 0.5, (0, 0, 0), (0.16, 0.16, 1))
    wing = trimesh.creation.box((0.9, 0.025, 0.16))
    engines = [rod(grey, 0.04, (x, -0.06, 0), (x, -0.06, 0.16)) for x in (-0.2, 0.2)]
    tail = [
        box(white, (0.34, 0.02, 0.09), (0, 0.03, -0.44)),
        box((0.8, 0.25, 0.2), (0.02, 0.2, 0.11), (0, 0.12, -0.43)),
    ]
    return [body, (wing, white), *engines, *tail]


def make_car():
    """A small van."""
    paint, glass, tyre = (0.75, 0.15, 0.12), (0.55, 0.7, 0.8), (0.1, 0.1, 0.1)
    wheels = [
        rod(tyre, 0.09, (x - 0.03, -0.17, z), (x + 0.03, -0.17, z))
        for x in (-0.2, 0.2)
        for z in (-0.28, 0.28)
    ]
    return [
        box(paint, (0.42, 0.2, 0.95), (0, -0.06, 0)),
        box(paint, (0.4, 0.2, 0.62), (0, 0.12, -0.12)),
        box(glass, (0.41, 0.12, 0.5), (0, 0.13, -0.12)),
        *wheels,
    ]


PICTURES = {
    "chair": Picture(make_chair(), 320, 35, 20, (1.0, 1.0, 1.0)),
    "table": Picture(make_table(), 256, 10, 25, (0.85, 0.9, 0.95)),
    "lamp": Picture(make_lamp(), 200, 60, 10, None),
    "cabinet": Picture(make_cabinet(), 280, -30, 22, (0.8, 0.88, 0.8)),
    "airplane": Picture(make_airplane(), 360, 50, 35, (0.55, 0.75, 0.95)),
    "car": Picture(make_car(), 300, -50, 28, (1.0, 1.0, 1.0)),
}


def build(parts):
    """Joins parts to one mesh with a colour for each face."""
    meshes = [
        jaxsoftras.Mesh(
            np.float32(part.vertices),
            np.int32(part.faces),
            jaxsoftras.FaceColors(np.tile(np.float32(color), (len(part.faces), 1))),
        )
        for part, color in parts
    ]
    return jaxsoftras.join_meshes(meshes)


def render(picture):
    """Renders a picture, an image of RGB or, without a background, RGBA."""
    mesh = build(picture.parts)
    azimuth, elevation = np.radians([picture.azimuth, picture.elevation])
    direction = np.array(
        [
            np.sin(azimuth) * np.cos(elevation),
            np.sin(elevation),
            np.cos(azimuth) * np.cos(elevation),
        ]
    )
    camera = jaxsoftras.perspective_camera(eye=2.8 * direction, fov=30.0)
    plain = picture.background is not None
    settings = jaxsoftras.Settings(
        image_size=picture.size,
        aggregation="hard",
        distance="hard",
        shading="flat",
        supersampling=2,
        background=picture.background if plain else (0.0, 0.0, 0.0),
    )
    image = np.asarray(jaxsoftras.render(mesh, camera, LIGHTS, settings))
    color, alpha = image[..., :3], image[..., 3:]
    if plain:
        return color
    # a pixel of the outline has the object's colour, and its share as opacity
    return np.concatenate(
        [(color / np.maximum(alpha, 1e-3)).clip(0, 1), alpha], axis=-1
    )


def main(arguments=None):
    """Writes the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("examples/pictures"))
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    for name, picture in PICTURES.items():
        jaxsoftras.save_image(options.out / f"{name}.png", render(picture))
    print(f"Wrote {len(PICTURES)} pictures to {options.out}.")


if __name__ == "__main__":
    main()
