from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.visual import ColorVisuals, TextureVisuals
from trimesh.visual.material import MultiMaterial, PBRMaterial, SimpleMaterial

from jaxsoftras import mesh, texture
from jaxsoftras.trimesh_conversion import from_trimesh, to_trimesh

RNG = np.random.default_rng(0)
SPHERE = mesh.icosphere(0)
COUNT = len(SPHERE.faces)
STRIP = mesh.Mesh(np.eye(4, 3), np.array([[0, 1, 2], [2, 1, 3]]))


def levels(*shape):
    """Colours that 8 bits hold."""
    return RNG.integers(0, 256, shape) / 255


def image(pixels):
    return Image.fromarray(np.round(255 * pixels).astype(np.uint8))


@pytest.mark.parametrize(
    "skin",
    [
        None,
        texture.VertexColors(levels(12, 3)),
        texture.FaceColors(levels(COUNT, 3)),
        texture.UVTexture(RNG.uniform(size=(COUNT, 3, 2)), levels(4, 5, 3), "clamp"),
        texture.UVTexture(RNG.uniform(-1, 2, (COUNT, 3, 2)), levels(4, 5, 3), "repeat"),
        texture.VertexColors(levels(12, 4), True),
        texture.FaceColors(levels(COUNT, 4), True),
        texture.UVTexture(
            RNG.uniform(size=(COUNT, 3, 2)), levels(4, 5, 4), "clamp", True
        ),
    ],
)
def test_round_trip(skin):
    found: Any = from_trimesh(to_trimesh(SPHERE._replace(texture=skin)))
    assert type(found.texture) is type(skin)
    np.testing.assert_array_equal(found.vertices[:12], np.float32(SPHERE.vertices))
    if skin is not None:
        assert found.texture.transparent == skin.transparent
    if isinstance(skin, texture.UVTexture):
        # repeated vertices are at the same places
        np.testing.assert_allclose(
            found.vertices[found.faces],
            np.asarray(SPHERE.vertices)[SPHERE.faces],
            rtol=1e-6,
        )
        shift = found.texture.coordinates - skin.coordinates
        np.testing.assert_allclose(shift, np.round(shift), atol=1e-6)
        np.testing.assert_allclose(found.texture.image, skin.image, atol=1e-6)
        assert found.texture.wrap == skin.wrap
        return
    np.testing.assert_array_equal(found.faces, SPHERE.faces)
    assert len(found.vertices) == 12
    if skin is not None:
        np.testing.assert_allclose(found.texture.values, skin.values, atol=1e-6)


def test_vertices_are_repeated_only_where_they_must():
    uv = np.array([[[0, 0], [1, 0], [0, 1]], [[0, 1], [1, 0], [1, 1.0]]])
    joined: Any = to_trimesh(
        STRIP._replace(texture=texture.UVTexture(uv, levels(2, 2, 3)))
    )
    np.testing.assert_array_equal(joined.vertices, STRIP.vertices)
    np.testing.assert_array_equal(joined.faces, STRIP.faces)
    np.testing.assert_array_equal(joined.visual.uv, [[0, 0], [1, 0], [0, 1], [1, 1]])
    uv[1, 1] = 0.5
    cut: Any = to_trimesh(
        STRIP._replace(texture=texture.UVTexture(uv, levels(2, 2, 3)))
    )
    np.testing.assert_array_equal(cut.vertices[4], STRIP.vertices[1])
    np.testing.assert_array_equal(cut.faces, [[0, 1, 2], [2, 4, 3]])
    np.testing.assert_array_equal(cut.visual.uv[cut.faces], uv)


def test_padding_is_dropped_with_its_colours():
    faces = np.array([[0, 1, 2], [-1, -1, -1], [2, 1, 3]])
    for skin in (
        texture.FaceColors(levels(3, 1)),
        texture.SurfaceTexture(levels(3, 1, 1)),
    ):
        given = mesh.Mesh(STRIP.vertices, faces, skin)
        solid: Any = to_trimesh(jax.tree.map(jnp.asarray, given))
        np.testing.assert_array_equal(solid.faces, STRIP.faces)
        expected = np.round(255 * skin[0].reshape(3, 1)[[0, 2]])
        np.testing.assert_array_equal(
            solid.visual.face_colors[:, :3], np.tile(expected, 3)
        )


def test_texels_become_an_image():
    skin = texture.SurfaceTexture(levels(2, 4, 3))
    found = from_trimesh(to_trimesh(STRIP._replace(texture=skin))).texture
    assert isinstance(found, texture.UVTexture)
    np.testing.assert_allclose(texture.bake(found, 2).texels, skin.texels, atol=1e-5)


def test_several_images_are_packed():
    images = (levels(2, 3, 3), levels(1, 1, 3))
    uv = RNG.uniform(size=(2, 3, 2))
    skin = texture.UVTexture(uv, images, "repeat", image_index=np.array([1, 0]))
    found: Any = from_trimesh(to_trimesh(STRIP._replace(texture=skin)))
    assert isinstance(found.texture, texture.UVTexture)
    sample = jax.jit(texture.sample, static_argnums=2)
    for face, k in enumerate((1, 0)):
        np.testing.assert_allclose(
            sample(found.texture.image, found.texture.coordinates[face], "clamp"),
            sample(images[k], uv[face], "repeat"),
            atol=1e-5,
        )
    far = skin._replace(coordinates=99999 * uv)
    with pytest.raises(ValueError, match="one image for a mesh; the 2 of the texture"):
        to_trimesh(STRIP._replace(texture=far))


def test_says_that_trimesh_does_not_clamp():
    skin = texture.UVTexture(np.full((2, 3, 2), 1.5), levels(2, 2, 3))
    with pytest.warns(UserWarning, match="clamped beyond its edges") as caught:
        to_trimesh(STRIP._replace(texture=skin))
    assert caught[0].filename == __file__


def test_says_that_colours_are_clipped():
    skin = texture.FaceColors(np.full((2, 3), 255.0))
    with pytest.warns(UserWarning, match="from 255 to 255, clipped") as caught:
        to_trimesh(STRIP._replace(texture=skin))
    assert caught[0].filename == __file__


class TestScene:
    def test_nodes_are_placed_and_joined(self):
        scene = trimesh.Scene()
        ball = to_trimesh(
            SPHERE._replace(
                texture=texture.FaceColors(np.tile([1.0, 0, 0], (COUNT, 1)))
            )
        )
        scene.add_geometry(ball, geom_name="ball")
        mirror = np.diag([-2.0, 2, 2, 1])
        mirror[:3, 3] = 5, 0, 0
        scene.graph.update(frame_to="second", matrix=mirror, geometry="ball")
        found = from_trimesh(scene)
        vertices = np.asarray(SPHERE.vertices)
        expected = np.concatenate([vertices, vertices * [-2, 2, 2] + [5, 0, 0]])
        np.testing.assert_allclose(found.vertices, expected, atol=1e-6)
        corners = np.asarray(found.vertices, float)[found.faces]
        volume = np.linalg.det(corners[COUNT:] - [5, 0, 0])
        assert np.all(volume > 0)  # still outwards
        assert isinstance(found.texture, texture.FaceColors)
        np.testing.assert_array_equal(found.texture.values, [[1, 0, 0]] * 2 * COUNT)

    def test_other_objects_are_named(self):
        scene = trimesh.Scene([to_trimesh(SPHERE), trimesh.PointCloud(np.eye(3))])
        with pytest.warns(UserWarning, match="a PointCloud is left out") as caught:
            assert len(from_trimesh(scene).faces) == COUNT
        assert caught[0].filename == __file__


class TestMaterials:
    UV = np.array([[0, 0], [1, 0], [0, 1], [1, 1.0]])

    def convert(self, material, **options):
        visual = TextureVisuals(self.UV, material=material, **options)
        solid = trimesh.Trimesh(
            STRIP.vertices, STRIP.faces, process=False, visual=visual
        )
        return from_trimesh(solid).texture

    def test_simple_image_is_not_tinted(self):
        pixels = levels(2, 2, 3)
        found = self.convert(
            SimpleMaterial(image=image(pixels), diffuse=[9, 9, 9, 255])
        )
        assert isinstance(found, texture.UVTexture)
        np.testing.assert_allclose(found.image, pixels, atol=1e-6)
        np.testing.assert_array_equal(found.coordinates, self.UV[STRIP.faces])

    def test_factor_is_linear(self):
        # half of the light of white is 188 of 255 in sRGB
        white = image(np.ones((1, 1, 3)))
        found = self.convert(
            PBRMaterial(baseColorTexture=white, baseColorFactor=[128, 255, 255, 255])
        )
        assert isinstance(found, texture.UVTexture)
        np.testing.assert_allclose(found.image, [[[188 / 255, 1, 1]]], atol=2e-3)
        plain = self.convert(PBRMaterial(baseColorFactor=[128, 255, 255, 255]))
        assert isinstance(plain, texture.FaceColors)
        np.testing.assert_allclose(plain.values, [[188 / 255, 1, 1]] * 2, atol=2e-3)

    def test_plain_colour(self):
        found = self.convert(SimpleMaterial(diffuse=[255, 51, 0, 255]))
        assert isinstance(found, texture.FaceColors)
        np.testing.assert_allclose(found.values, [[1, 0.2, 0]] * 2, atol=1e-6)

    def test_several_materials(self):
        red, blue = [SimpleMaterial(diffuse=c) for c in ([255, 0, 0], [0, 0, 255])]
        found = self.convert(MultiMaterial([red, blue]), face_materials=[1, 0])
        assert isinstance(found, texture.FaceColors)
        np.testing.assert_array_equal(found.values, [[0, 0, 1], [1, 0, 0]])

    @pytest.mark.parametrize(
        "mode, alpha", [(None, 1), ("OPAQUE", 1), ("BLEND", 0.3), ("MASK", 0)]
    )
    def test_opacity_counts_by_the_mode(self, mode, alpha):
        pixels = np.array([[[0.2, 0.2, 0.2, 1], [0.2, 0.2, 0.2, 0.6]]])
        half = PBRMaterial(
            baseColorTexture=image(pixels),
            baseColorFactor=[255, 255, 255, 128],
            alphaMode=mode,
        )
        found = self.convert(half)
        assert isinstance(found, texture.UVTexture)
        assert found.transparent == (alpha < 1)
        np.testing.assert_allclose(found.image[..., :3], pixels[..., :3], atol=1e-6)
        if alpha < 1:
            expected = [0.5, alpha] if mode == "BLEND" else [1, 0]
            np.testing.assert_allclose(found.image[0, :, 3], expected, atol=0.01)

    def test_maps_and_emitted_light_are_named(self):
        shining = PBRMaterial(
            baseColorTexture=image(levels(2, 2, 3)),
            normalTexture=image(levels(2, 2, 3)),
            emissiveFactor=[0, 1, 0],
        )
        message = "light that materials emit is left out; maps of normals are left out"
        with pytest.warns(UserWarning, match=message):
            self.convert(shining)

    def test_third_texture_coordinate_is_not_used(self):
        found: Any = self.convert(SimpleMaterial(image=image(levels(2, 2, 3))))
        deep = TextureVisuals(np.insert(self.UV, 2, 0.5, axis=1))
        deep.material = SimpleMaterial(image=image(levels(2, 2, 3)))
        solid = trimesh.Trimesh(STRIP.vertices, STRIP.faces, process=False, visual=deep)
        other: Any = from_trimesh(solid).texture
        np.testing.assert_array_equal(other.coordinates, found.coordinates)

    @pytest.mark.parametrize(
        ("index", "message"),
        [
            ([0, 2], r"one of its 2 materials .* up to 2"),
            ([0, -2], "or -1"),
            ([0], r"face_materials \[2\], .* they have \[1\]"),
        ],
    )
    def test_faces_of_no_material_are_refused(self, index, message):
        both = MultiMaterial([SimpleMaterial(), SimpleMaterial()])
        with pytest.raises(ValueError, match=message):
            self.convert(both, face_materials=index)

    @pytest.mark.parametrize("shape", [(3, 3), (4, 2), (4,)])
    def test_vertex_colours_that_do_not_fit_are_refused(self, shape):
        visual = TextureVisuals(self.UV, material=SimpleMaterial())
        visual.vertex_attributes["color"] = np.ones(shape)
        solid = trimesh.Trimesh(
            STRIP.vertices, STRIP.faces, process=False, visual=visual
        )
        with pytest.raises(ValueError, match=r"vertex colours \[4, 3\], not"):
            from_trimesh(solid)


UV = texture.UVTexture(np.zeros((2, 3, 2)), np.ones((2, 2, 3)))


@pytest.mark.parametrize(
    "given, message",
    [
        ({"vertices": np.ones((2, 4, 3))}, r"\[2, 4, 3\] and .* unstack_meshes"),
        ({"faces": np.array([[0, 1, 4]])}, "indices of the 4 vertices"),
        ({"texture": texture.VertexColors(np.ones((3, 3)))}, "must have 4 rows, not 3"),
        ({"texture": texture.FaceColors(np.ones((3, 3)))}, "must have 2 rows, not 3"),
        ({"texture": texture.SurfaceTexture(np.ones((3, 1, 3)))}, "2 rows, not 3"),
        ({"texture": UV._replace(coordinates=np.zeros((3, 3, 2)))}, r"\[2, 3, 2\] and"),
        ({"texture": UV._replace(image=np.ones((1, 2, 2, 3)))}, r"\[1, 2, 2, 3\]"),
        ({"texture": texture.FaceColors(np.ones((2, 2)))}, "the texture has 2"),
        ({"texture": texture.FaceColors(np.ones((2, 3), np.uint8))}, "colours by 255"),
        ({"texture": texture.FaceColors(np.full((2, 3), np.nan))}, "must be finite"),
        ({"texture": texture.FaceColors(np.ones((2, 4)))}, "Set transparent=True"),
        ({"texture": 3}, "texture must be FaceColors, .* not a int"),
    ],
)
def test_refusals_on_the_way_out(given: Any, message):
    with pytest.raises(ValueError, match=message):
        to_trimesh(STRIP._replace(**given))


def test_refuses_what_is_no_mesh():
    with pytest.raises(ValueError, match="to_trimesh takes a Mesh.* not a ndarray"):
        to_trimesh(np.eye(3))  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="outside of jit"):
        jax.jit(to_trimesh)(STRIP)
    with pytest.raises(ValueError, match="not a PointCloud"):
        from_trimesh(trimesh.PointCloud(np.eye(3)))  # pyright: ignore
    for empty in (trimesh.Trimesh(), trimesh.Scene()):
        with pytest.raises(ValueError, match="has no triangles"):
            from_trimesh(empty)
    torn = trimesh.Trimesh(
        STRIP.vertices,
        STRIP.faces,
        process=False,
        visual=TextureVisuals(np.ones((3, 2)), material=SimpleMaterial()),
    )
    with pytest.raises(ValueError, match=r"texture coordinates \[4, 2\], not \[3, 2\]"):
        from_trimesh(torn)


def test_default_colours_of_trimesh_are_no_texture():
    solid = trimesh.Trimesh(STRIP.vertices, STRIP.faces, visual=ColorVisuals())
    assert from_trimesh(solid).texture is None
