import jax.numpy as jnp
import numpy as np
import pytest

from jaxsoftras import mesh
from jaxsoftras.models import templates


def test_a_whole_template_is_the_icosphere():
    template = templates.make(2, False)
    np.testing.assert_array_equal(
        template.vertices, 0.25 * np.asarray(mesh.icosphere(2).vertices)
    )
    values = jnp.zeros((2, 162, 3))
    assert template.expand(values) is values and template.predict(values) is values


@pytest.mark.parametrize("level", range(6))
class TestSymmetric:
    def test_halves_match(self, level):
        template = templates.make(level, True)
        x = template.vertices[:, 0]
        assert len(template.predicted) == (len(x) + np.sum(x == 0)) / 2
        copies = template.flip * template.vertices[template.predicted][template.source]
        np.testing.assert_allclose(copies, template.vertices, atol=1e-12)

    def test_mirroring_maps_faces_to_faces(self, level):
        template = templates.make(level, True)
        faces = np.asarray(mesh.icosphere(level).faces)
        partner = np.arange(len(template.vertices))
        for vertex in np.flatnonzero(template.flip[:, 0] == -1):
            other = template.predicted[template.source[vertex]]
            partner[vertex], partner[other] = other, vertex

        def as_set(faces):  # with the orientation
            return {tuple(np.roll(face, -np.argmin(face))) for face in faces.tolist()}

        assert as_set(partner[faces[:, ::-1]]) == as_set(faces)

    def test_faces_look_outwards(self, level):
        corners = templates.make(level, True).vertices[mesh.icosphere(level).faces]
        assert np.linalg.det(corners).min() > 0


def test_expand_by_hand():
    template = templates.make(1, True)
    rows = np.arange(len(template.predicted))
    values = np.stack([rows + 1, 100 + rows, 200 + rows], -1).astype(np.float32)
    got = np.asarray(template.expand(jnp.asarray(values)))
    for vertex, (x, y, z) in enumerate(template.vertices):
        distances = np.linalg.norm(
            template.vertices[template.predicted] - [abs(x), y, z], axis=1
        )
        row = np.argmin(distances)
        expected = [np.sign(x) * (row + 1), 100 + row, 200 + row]
        np.testing.assert_array_equal(got[vertex], expected)
    np.testing.assert_array_equal(
        template.predict(jnp.asarray(got))[:, 1], values[:, 1]
    )
