"""Runs of models with colours: what their configurations refuse, and a whole run."""

import json

import numpy as np
import pytest
from PIL import Image

import jaxsoftras
from jaxsoftras import config
from jaxsoftras.reconstruction import evaluation_run, gallery
from tests.support import small_run

COLORED = ("model.color=direct", "loss.color=1")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["loss.color=1"], "loss.color is for a model with colours: set model.color"),
        (["model.color=palette"], "model.color=palette are learnt by a positive"),
        (["model.color=direct", "loss.color=-1"], "must not be negative"),
        (["model.color=rainbow"], "model.color must be one of 'none', 'palette'"),
        (["model.color=None"], "model.color must be one of"),
        (["model.texture_size=2"], "model.texture_size is for a model with colours"),
        ([*COLORED, "model.texture_size=-1"], "texture_size must be from 0 to 16"),
        ([*COLORED, "model.texture_size=17"], "texture_size must be from 0 to 16"),
        ([*COLORED, "model.texture_size=2.0"], "model.texture_size must be int"),
        ([*COLORED, "model.palette_size=0"], "palette_size must be from 1 to 256"),
        ([*COLORED, "render.gamma=0"], "render.gamma must be positive"),
        ([*COLORED, "render.gamma=-1e-4"], "render.gamma must be positive"),
        ([*COLORED, "render.gamma=nan"], "render.gamma must be a float"),
        ([*COLORED, "loss.color_norm=l3"], "loss.color_norm must be one of 'l1', 'l2'"),
        ([*COLORED, "loss.color_vertices=1"], "loss.color_vertices must be bool"),
        (["render.shading=lambert"], "render.shading is for a model with colours"),
        (
            ["model.color=palette", "loss.color=1", "render.shading=lambert"],
            "set model.color=direct or render.shading=none",
        ),
        (
            [*COLORED, "render.shading=lambert", "augment.mirror=True"],
            "set augment.mirror=False or render.shading=none",
        ),
    ],
)
def test_refused_settings(settings, message):
    with pytest.raises(config.ConfigError, match=message):
        config.override(config.Config(), settings)


def test_colours_do_not_change_when_a_run_is_resumed():
    one = config.override(config.Config(), COLORED)
    other = config.override(one, ["loss.color=2", "model.color=palette"])
    assert config.conflicts(one, other) == [
        "model.color: 'direct' there, 'palette' here",
        "loss.color: 1.0 there, 2.0 here",
    ]


@pytest.mark.slow  # the parts have tests of their own
@pytest.mark.parametrize("texture_size", [0, 2])
def test_trains_resumes_and_evaluates(texture_size, cabinets, tmp_path, capsys):
    settings = (*COLORED, f"model.texture_size={texture_size}", "log.metrics_every=1")
    for steps in (2, 3):
        code = small_run.train(
            *settings, f"optim.steps={steps}", workdir=tmp_path, root=cabinets
        )
        assert code == 0
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    metrics = [json.loads(line) for line in lines]
    assert [each["step"] for each in metrics] == [1, 2, 3]
    assert all(0 < each["color"] < 1 for each in metrics)

    words = ["--workdir", str(tmp_path), "--color-gallery", "1"]
    assert evaluation_run.main(words) == 0
    printed = capsys.readouterr().out
    assert "nearest pixel of the input" in printed and "colors.png" in printed
    folder = tmp_path / "eval" / "test"
    scores = json.loads((folder / "metrics.json").read_text())
    assert 5 < scores["mean_psnr"] < 40 and -1 < scores["mean_ssim"] < 1
    with Image.open(folder / "colors.png") as sheet:
        assert sheet.height < 2 * gallery.CELL < sheet.width  # a row of seven
        assert np.asarray(sheet).std() > 10
    mesh = jaxsoftras.load_mesh(folder / "cabinet.glb")
    kind = jaxsoftras.UVTexture if texture_size else jaxsoftras.VertexColors
    assert isinstance(mesh.texture, kind) and len(mesh.faces) == 80
    assert np.ptp(np.asarray(mesh.vertices)) > 0.1
