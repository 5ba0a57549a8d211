"""Networks of the original: its forward pass in NumPy gives the same vertices."""

import collections
import functools
import warnings

import jax
import numpy as np
import pytest

from jaxsoftras import config, mesh, model_files, models
from jaxsoftras.model_files import import_run
from tests.support import torch_checkpoints
from tests.support.torch_checkpoints import Tensor, to_tensors

WRITERS = [torch_checkpoints.write_zip, torch_checkpoints.write_legacy]
SIZES = config.Model(
    image_size=8,
    channels=(3, 5),
    hidden=(7, 9),
    latent=6,
    decoder_hidden=(10,),
    template_level=1,
)
RANDOM = np.random.default_rng(0)


def make_state() -> dict[str, np.ndarray]:
    """A state dict of the original's class, of small sizes."""
    sphere = np.asarray(mesh.icosphere(1).vertices)
    order = np.random.default_rng(1).permutation(len(sphere))
    shapes = {
        "encoder.conv1.weight": (3, 4, 5, 5),
        "encoder.conv1.bias": (3,),
        "encoder.conv2.weight": (5, 3, 5, 5),
        "encoder.conv2.bias": (5,),
        "encoder.fc1.weight": (7, 5 * 2 * 2),
        "encoder.fc1.bias": (7,),
        "encoder.fc2.weight": (9, 7),
        "encoder.fc2.bias": (9,),
        "encoder.fc3.weight": (6, 9),
        "encoder.fc3.bias": (6,),
        "decoder.fc1.weight": (10, 6),
        "decoder.fc1.bias": (10,),
        "decoder.fc_centroid.weight": (3, 10),
        "decoder.fc_centroid.bias": (3,),
        "decoder.fc_bias.weight": (3 * 42, 10),
        "decoder.fc_bias.bias": (3 * 42,),
    }
    for k, width in ((1, 3), (2, 5)):
        for name in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"encoder.bn{k}.{name}"] = (width,)
    random = np.random.default_rng(2)
    state = {
        k: random.normal(scale=0.3, size=v).astype("f4") for k, v in shapes.items()
    }
    for k in (1, 2):
        name = f"encoder.bn{k}.running_var"
        state[name] = np.abs(state[name]) + np.float32(0.1)
        state[f"encoder.bn{k}.num_batches_tracked"] = np.array([5])
    state["decoder.vertices_base"] = sphere[order].astype("f4")
    state["decoder.faces"] = np.zeros((80, 3), np.int64)
    state["laplacian_loss.laplacian"] = np.eye(42, dtype="f4")
    return state


def convolve(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """A 5 x 5 convolution ``[C, H, W]`` of stride 2 and padding 2."""
    padded = np.pad(x, ((0, 0), (2, 2), (2, 2)))
    side = x.shape[1] // 2
    result = np.zeros((len(weight), side, side))
    for row in range(side):
        for column in range(side):
            part = padded[:, 2 * row : 2 * row + 5, 2 * column : 2 * column + 5]
            result[:, row, column] = (weight * part).sum((1, 2, 3)) + bias
    return result


def reconstruct(state: dict[str, np.ndarray], image: np.ndarray) -> np.ndarray:
    """Vertices of an image ``[4, S, S]``, in the order of the state's template."""
    s = {name: np.asarray(value, float) for name, value in state.items()}
    x = image.astype(float)
    for k in (1, 2):
        x = convolve(x, s[f"encoder.conv{k}.weight"], s[f"encoder.conv{k}.bias"])
        scale = s[f"encoder.bn{k}.weight"] / np.sqrt(
            s[f"encoder.bn{k}.running_var"] + 1e-5
        )
        x = (x - s[f"encoder.bn{k}.running_mean"][:, None, None]) * scale[
            :, None, None
        ] + s[f"encoder.bn{k}.bias"][:, None, None]
        x = np.maximum(x, 0)
    x = x.reshape(-1)
    for name in ("encoder.fc1", "encoder.fc2", "encoder.fc3", "decoder.fc1"):
        x = np.maximum(s[f"{name}.weight"] @ x + s[f"{name}.bias"], 0)
    centroid = np.tanh(
        0.1 * (s["decoder.fc_centroid.weight"] @ x + s["decoder.fc_centroid.bias"])
    )
    bias = (s["decoder.fc_bias.weight"] @ x + s["decoder.fc_bias.bias"]).reshape(-1, 3)
    base = s["decoder.vertices_base"] * 0.5
    with np.errstate(divide="ignore"):
        logit = np.log(np.abs(base) / (1 - np.abs(base)))
    v = np.sign(base) / (1 + np.exp(-(logit + bias)))
    v = np.maximum(v, 0) * (1 - centroid) - np.maximum(-v, 0) * (1 + centroid)
    return (v + centroid) * 0.5


@pytest.fixture(scope="module", autouse=True)
def shared_networks():
    """Makes networks of the same sizes one, which is traced once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "Network", functools.cache(models.Network))
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> models.Trained:
    path = tmp_path_factory.mktemp("softras") / "checkpoint_0200000.pth.tar"
    torch_checkpoints.write_legacy(path, {"model": to_tensors(make_state())})
    return model_files.load_softras(path, step=200_000)


def arrays_of(trained: models.Trained) -> dict[str, np.ndarray]:
    return {k: np.asarray(v) for k, v in models.flatten(trained.variables).items()}


def test_reconstructs_as_the_original(trained):
    assert trained.config == config.Config(model=SIZES)
    assert trained.step == 200_000 and trained.inverted
    state, image = make_state(), RANDOM.random((4, 8, 8))
    images = np.moveaxis(image, 0, -1)[None].astype("f4")
    found = jax.jit(trained.network.infer)(trained.variables, images)[0]
    sphere = np.asarray(mesh.icosphere(1).vertices)
    # by hand: the nearest vertex of the state's template
    template = state["decoder.vertices_base"]
    order = [np.argmin(((template - v) ** 2).sum(1)) for v in sphere]
    expected = reconstruct(state, image)[order]
    assert np.ptp(expected, axis=0).min() > 0.1
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("wrap", ["bare", "state_dict", "module"])
def test_formats_and_wrappers_are_alike(write, wrap, trained, tmp_path):
    state = make_state()
    content = to_tensors(state)
    if wrap == "state_dict":
        content = {"epoch": 3, "best": 0.5, "state_dict": content, "optimizer": {}}
    elif wrap == "module":
        content = {"model": to_tensors({f"module.{k}": v for k, v in state.items()})}
    write(tmp_path / "a.pth", content)
    found = arrays_of(model_files.load_softras(tmp_path / "a.pth"))
    for name, array in arrays_of(trained).items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("write", WRITERS)
def test_views_of_a_storage(write, trained, tmp_path):
    state = make_state()
    name = "encoder.fc2.weight"
    values = np.concatenate([np.zeros(4, "f4"), state[name].T.ravel()])
    content = to_tensors(state)
    storage = torch_checkpoints.Storage(values)
    content[name] = Tensor(values[4:].reshape(7, 9).T, storage, offset=4)
    write(tmp_path / "a.pth", content)
    found = arrays_of(model_files.load_softras(tmp_path / "a.pth"))
    kernel = "params.encoder.head.layers.1.kernel"
    np.testing.assert_array_equal(found[kernel], arrays_of(trained)[kernel])


def test_warns_of_a_template_that_is_nearly_ours(trained, tmp_path):
    state = make_state()
    base = state["decoder.vertices_base"]
    row, column = np.argwhere(base == 0)[0]
    base[row, column] = 1e-5
    torch_checkpoints.write_zip(tmp_path / "a.pth", to_tensors(state))
    with pytest.warns(UserWarning, match="1 coordinates .* nearly zero"):
        model_files.load_softras(tmp_path / "a.pth")


def change(name, value):
    def apply(state):
        if value is None:
            del state[name]
        else:
            state[name] = value

    return apply


def turn(state):
    state["decoder.vertices_base"] = state["decoder.vertices_base"] * [-1, 1, 1]


REFUSED = [
    (change("encoder.bn2.running_var", None), "has no encoder.bn2.running_var"),
    (change("decoder.vertices_base", None), "has no decoder.vertices_base"),
    (
        change("encoder.conv1_2.weight", np.ones((3, 3), "f4")),
        "which Soft Rasterizer's",
    ),
    (change("encoder.fc1.weight", np.ones((7, 21), "f4")), "no square of 5 channels"),
    (change("encoder.fc2.weight", np.ones((9, 8), "f4")), "do not fit together"),
    (change("encoder.bn1.bias", np.full(3, np.nan, "f4")), "not finite"),
    (change("encoder.fc2.bias", np.arange(9)), "as int64"),
    (change("decoder.fc_bias.bias", np.ones(9, "f4")), "no icosphere has"),
    (turn, "another template"),
]


@pytest.mark.parametrize(("apply", "message"), REFUSED)
def test_refuses_other_networks(apply, message, tmp_path, capsys):
    state = make_state()
    apply(state)
    path = tmp_path / "a.pth"
    torch_checkpoints.write_zip(path, to_tensors(state))
    out = tmp_path / "model.zip"
    assert import_run.main([str(path), "--out", str(out)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line and str(path) in line and line.endswith(".")
    assert not out.exists()


@pytest.mark.parametrize(
    "content", [{"model": {"a": 1}}, [1], {}, collections.OrderedDict(), {"model": {}}]
)
def test_refuses_what_is_no_state_dict(content, tmp_path):
    torch_checkpoints.write_zip(tmp_path / "a.pth", content)
    with pytest.raises(model_files.ModelFileError, match="holds"):
        model_files.load_softras(tmp_path / "a.pth")


def test_command_writes_a_model_file(trained, tmp_path, capsys):
    torch_checkpoints.write_zip(tmp_path / "a.pth", to_tensors(make_state()))
    words = [str(tmp_path / "a.pth"), "--out", str(tmp_path / "m.zip"), "--steps", "7"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert import_run.main(words) == 0
    assert "8 px" in capsys.readouterr().out
    model = model_files.load(tmp_path / "m.zip")
    assert model.inverted and model.step == 7
    for name, array in arrays_of(trained).items():
        np.testing.assert_array_equal(arrays_of(model)[name], array)
