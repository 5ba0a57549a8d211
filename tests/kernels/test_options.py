"""The record of options, and the keywords that fill it."""

import dataclasses
import inspect
from typing import Any

import pytest

import jaxsoftras
from jaxsoftras.kernels.options import RasterOptions

DEFAULTS = {field.name: field.default for field in dataclasses.fields(RasterOptions)}


def keywords(function):
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


class TestKeywords:
    def test_rasterize_has_every_option_and_its_default(self):
        given = keywords(jaxsoftras.rasterize)
        assert given.keys() - DEFAULTS == {
            "sigma",
            "gamma",
            "background",
            "face_light",
            "transparent",
        }
        assert {name: given[name] for name in DEFAULTS} == DEFAULTS

    @pytest.mark.parametrize(
        "function", [jaxsoftras.silhouette, jaxsoftras.find_fragments]
    )
    def test_other_functions_agree_on_defaults(self, function):
        given = keywords(function)
        shared = given.keys() & DEFAULTS
        assert len(shared) > 4
        assert {name: given[name] for name in shared} == {
            name: DEFAULTS[name] for name in shared
        }

    def test_settings_extend_the_options(self):
        settings = jaxsoftras.Settings(
            match_softras=True, near=2, front_face="clockwise", sigma=1e-3
        )
        options = settings.raster_options()
        assert type(options) is RasterOptions
        assert options == RasterOptions(
            match_softras=True, near=2, front_face="clockwise"
        )


class TestDefaults:
    def test_no_face_in_front_of_the_camera_is_too_near(self):
        assert RasterOptions().depth_range == (0, 100)
        assert RasterOptions().winding == "counterclockwise"
        assert RasterOptions().perspective

    def test_match_softras(self):
        options = RasterOptions(match_softras=True)
        assert options.depth_range == (1, 100)
        assert options.winding == "clockwise"
        assert not options.perspective
        later = dataclasses.replace(RasterOptions(), match_softras=True)
        assert later == options

    def test_given_values_stand(self):
        options = RasterOptions(
            match_softras=True, near=0.5, far=7, front_face="counterclockwise"
        )
        assert options.depth_range == (0.5, 7)
        assert options.winding == "counterclockwise"


class TestSoftSilhouette:
    def test_knows_its_own_formula(self):
        assert RasterOptions(dist_eps=1e-10, near=3, wrap="repeat").soft_silhouette
        others: list[dict[str, Any]] = [
            {"distance": "barycentric"},
            {"squared": False},
            {"distribution": "gaussian"},
            {"conorm": "einstein"},
            {"match_softras": True},
        ]
        for other in others:
            assert not RasterOptions(**other).soft_silhouette


@pytest.mark.parametrize(
    "options, message",
    [
        ({"near": 2, "far": 1}, "0 <= near < far"),
        ({"near": -1}, "0 <= near < far"),
        ({"far": float("inf")}, "0 <= near < far"),
        ({"dist_eps": 0.5}, "dist_eps must lie between"),
        ({"background_epsilon": 0}, "background_epsilon must lie between"),
        ({"supersampling": 1.5}, "supersampling must be an integer"),
        ({"supersampling": 0}, "supersampling must be an integer"),
        ({"distribution": "normal"}, "distribution must be one of"),
        ({"conorm": 1}, "conorm must be a name or a Conorm"),
        ({"implementation": "cuda"}, "reference, xla, pallas, triton, mosaic"),
    ],
)
def test_one_clear_error(options, message):
    with pytest.raises(ValueError, match=message) as caught:
        RasterOptions(**options)
    assert "\n" not in str(caught.value)
