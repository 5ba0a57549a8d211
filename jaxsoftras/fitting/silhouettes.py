"""Meshes fitted to silhouettes: arrays in, arrays out."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.typing import ArrayLike

from jaxsoftras import camera, config, terminal
from jaxsoftras.fitting import engine, parametrizations
from jaxsoftras.fitting.engine import Views
from jaxsoftras.fitting.parametrizations import LEARNING_RATES, PARAMETRIZATIONS

_CHUNK = 100  # steps in one call of a device, after each of which a program may stop
_LAST_RATE = 0.01  # at the end of the cosine, relative to the first
_MOST_STEPS = 10_000_000


@dataclasses.dataclass(frozen=True)
class Options:
    """Parametrization and duration of a fit.

    Attributes:
        parametrization: one of `PARAMETRIZATIONS`.
        steps: number of steps of Adam.
        learning_rate: at the first step, from where it falls along half a cosine to a
            hundredth; None for that of the parametrisation.
    """

    parametrization: str = "softras"
    steps: int = 3000
    learning_rate: float | None = None

    def __post_init__(self):
        if self.parametrization not in PARAMETRIZATIONS:
            raise ValueError(
                f"There is no parametrisation {self.parametrization!r}: choose one of "
                f"{', '.join(PARAMETRIZATIONS)}."
            )
        if not 0 < self.steps <= _MOST_STEPS:
            raise ValueError(
                f"The number of steps must be from 1 to {_MOST_STEPS:,}, not "
                f"{self.steps}."
            )
        if not 0 < self.rate <= 1:
            raise ValueError(
                f"The learning rate must be positive and at most 1, not {self.rate}."
            )

    @property
    def rate(self) -> float:
        """Learning rate at the first step."""
        if self.learning_rate is None:
            return LEARNING_RATES[self.parametrization]
        return self.learning_rate


class Fit(NamedTuple):
    """Meshes fitted to the silhouettes of B objects.

    Attributes:
        vertices: ``[B, V, 3]`` float32, world space.
        faces: ``[F, 3]`` vertex indices, counter-clockwise seen from outside in a
            right-handed world.
        loss: ``[B]`` the loss after the last step.
        iou: ``[B, N]`` intersection over union with the mask in each view, 0 to 1: of
            the pixels whose centre a face covers, and those of coverage 1/2 or more.
    """

    vertices: np.ndarray
    faces: np.ndarray
    loss: np.ndarray
    iou: np.ndarray


class Fitter:
    """Fits meshes to silhouettes; compiled once for all batches of the same shapes.

    Attributes:
        settings: the configuration.
        options: what is optimised, and for how long.
        parametrization: the family of meshes.
    """

    def __init__(self, settings: config.Config, options: Options):
        """Makes a fitter.

        Args:
            settings: configuration: ``loss``, ``render``, and the template of
                ``model``. With ``render.final_sigma``, sigma falls to it from
                ``render.sigma`` by equal factors within the steps of the fit.
            options: what is optimised, and for how long.
        """
        self.settings, self.options = settings, options
        self.parametrization = parametrizations.make(
            options.parametrization, settings.model
        )
        self._optimizer = optax.adam(
            optax.cosine_decay_schedule(options.rate, options.steps, _LAST_RATE)
        )
        self._advance = jax.jit(self._descend, donate_argnums=0)
        self._measure = jax.jit(self._compute_results)

    def __call__(self, views: Views, progress: terminal.Progress | None = None) -> Fit:
        """Fits a mesh to the views of each object.

        Args:
            views: silhouettes and cameras of B objects.
            progress: called with the numbers of steps taken and to take.

        Raises:
            ProgramError: numbers that are not finite, from too high a learning rate.
        """
        views = jax.device_put(views)
        parameters = self.parametrization.start(len(views.weights))
        state = parameters, self._optimizer.init(parameters)
        steps = self.options.steps
        for first in range(0, steps, _CHUNK):
            if progress:
                progress(first, steps)
            last = min(first + _CHUNK, steps)
            state = self._advance(state, views, np.int32(first), np.int32(last))
            jax.block_until_ready(state)
        if progress:
            progress(steps, steps)
        vertices, loss, iou = jax.device_get(self._measure(state[0], views))
        if not (np.all(np.isfinite(vertices)) and np.all(np.isfinite(loss))):
            raise terminal.ProgramError(
                "The fit has led to numbers that are not finite: lower the learning "
                f"rate, which is {self.options.rate:g}, or the weights of the loss."
            )
        return Fit(vertices, self.parametrization.faces, loss, iou)

    def sigma(self, step: ArrayLike) -> jax.Array:
        """Sharpness of the rasterizer after a number of steps, NDC squared."""
        render = self.settings.render
        final = render.sigma if render.final_sigma is None else render.final_sigma
        part = jnp.asarray(step, jnp.float32) / self.options.steps
        return jnp.float32(render.sigma) * (final / render.sigma) ** part

    def _loss(
        self, parameters: parametrizations.Parameters, step: ArrayLike, views: Views
    ) -> jax.Array:
        family = self.parametrization
        return engine.compute_loss(
            family.place(parameters),
            family.faces,
            views,
            self.sigma(step),
            self.settings,
        )

    def _descend(self, state: tuple, views: Views, first: jax.Array, last: jax.Array):
        return engine.descend(
            lambda parameters, step: self._loss(parameters, step, views),
            self._optimizer,
            state,
            first,
            last,
        )

    def _compute_results(self, parameters: parametrizations.Parameters, views: Views):
        family = self.parametrization
        vertices = family.place(parameters)
        return (
            vertices,
            self._loss(parameters, self.options.steps, views),
            engine.compute_iou(vertices, family.faces, views, self.settings),
        )


def fit_silhouettes(
    coverage: ArrayLike,
    cameras: camera.Camera,
    options: Options | None = None,
    settings: config.Config | None = None,
    *,
    seen: ArrayLike | None = None,
    progress: terminal.Progress | None = None,
) -> Fit:
    """Fits a mesh to the silhouettes of each of B objects, from N views each.

    Adam minimises the mean over the views of one minus the IoU of soft silhouettes,
    with the smoothness terms of ``settings.loss``, from a sphere of radius 1/4 around
    the origin. The objects, of world space within ``[-0.5, 0.5]`` on each axis, are
    optimised at once, and independently. The same call gives the same result.

    Args:
        coverage: ``[B, N, H, W]`` silhouettes, 0 to 1 or bool, or uint8 from 0 to 255;
            row 0 at the top.
        cameras: with leading axes that broadcast to ``[B, N]``.
        options: what is optimised, and for how long.
        settings: weights of the loss, settings of the rasterizer, and template; the
            paper's if None. See `Fitter.__init__`.
        seen: ``[B, N]`` bool, the views that count; all if None.
        progress: called with the numbers of steps taken and to take.

    Raises:
        ValueError: a wrong shape, values out of range, a silhouette that is empty or
            full, or a camera that is not finite or does not see the sphere.
        ProgramError: see `Fitter.__call__`.

    Example:
        >>> import jaxsoftras
        >>> from jaxsoftras import config, fitting
        >>> azimuths = np.array([0.0, 120.0, 240.0])
        >>> eyes = jaxsoftras.eye_from_angles(2.732, 0.0, azimuths)
        >>> cameras = jaxsoftras.perspective_camera(eyes)
        >>> x, y = np.meshgrid(*[np.linspace(-1, 1, 16)] * 2)
        >>> disc = x**2 + y**2 < 0.5**2
        >>> settings = config.Config(
        ...     model=config.Model(template_level=1), render=config.Render(sigma=1e-3)
        ... )
        >>> discs, options = np.tile(disc, (1, 3, 1, 1)), fitting.Options(steps=60)
        >>> fit = fitting.fit_silhouettes(discs, cameras, options, settings)
        >>> print(fit.vertices.shape, fit.faces.shape, bool(fit.iou.min() > 0.7))
        (1, 42, 3) (80, 3) True
    """
    fitter = Fitter(settings or config.Config(), options or Options())
    coverage = _check_coverage(np.asarray(coverage))
    batch = coverage.shape[:2]
    weights = np.ones(batch, bool) if seen is None else np.asarray(seen)
    if weights.shape != batch or weights.dtype != bool or not weights.any(-1).all():
        raise ValueError(
            f"seen must be an array of bool of the shape {list(batch)}, with a view of "
            "each object."
        )
    cameras = _broadcast(cameras, batch)
    _check_filled(coverage, weights)
    _check_cameras(cameras, weights)
    views = Views(coverage, cameras, weights.astype(np.float32))
    return fitter(views, progress)


def _check_coverage(coverage: np.ndarray) -> np.ndarray:
    """Coverage as uint8, or float32 from 0 to 1."""
    if coverage.ndim != 4 or 0 in coverage.shape:
        raise ValueError(
            "coverage must have the shape [B, N, H, W] without axes of length 0, not "
            f"{list(coverage.shape)}."
        )
    if coverage.dtype == np.uint8:
        return coverage
    if coverage.dtype.kind not in "bf":
        raise ValueError(
            "coverage must consist of numbers from 0 to 1, or bool, or uint8 from 0 to "
            f"255, not {coverage.dtype}."
        )
    if not np.all((coverage >= 0) & (coverage <= 1)):
        raise ValueError("coverage must lie from 0 to 1.")
    return coverage.astype(np.float32)


def _broadcast(cameras: camera.Camera, batch: tuple[int, ...]) -> camera.Camera:
    """Cameras with leading axes ``batch``, all finite; arrays of numpy."""
    camera.check_camera(cameras)
    lengths = {"axes": 2, "skew": 0}  # trailing axes, of which other fields have one
    parts = {}
    for field in dataclasses.fields(cameras):
        part = getattr(cameras, field.name)
        if part is None or isinstance(part, str):
            continue
        axes = np.ndim(part) - lengths.get(field.name, 1)
        try:
            parts[field.name] = np.broadcast_to(part, batch + np.shape(part)[axes:])
        except ValueError:
            raise ValueError(
                f"The leading axes of the cameras, {list(np.shape(part)[:axes])}, must "
                f"broadcast to those of coverage, {list(batch)}."
            ) from None
        # also where no view is seen: 0 times NaN is NaN
        if not np.all(np.isfinite(part)):
            raise ValueError(f"{field.name} of the cameras is not finite.")
    return dataclasses.replace(cameras, **parts)


def _check_filled(coverage: np.ndarray, seen: np.ndarray) -> None:
    """Raises ValueError if a silhouette is empty or full."""
    half = 128 if coverage.dtype == np.uint8 else 0.5
    mask = coverage >= half
    for wrong, word in ((~mask.any((-2, -1)), "empty"), (mask.all((-2, -1)), "full")):
        if np.any(wrong & seen):
            number, view = np.argwhere(wrong & seen)[0].tolist()
            raise ValueError(
                f"The silhouette of object {number} in view {view} is {word}."
            )


def find_blind(cameras: camera.Camera) -> dict[str, np.ndarray]:
    """Finds cameras that do not see the sphere that fits begin with.

    Args:
        cameras: with leading axes ``[...]``.

    Returns:
        Which cameras ``[...]``, bool, by what is wrong with them, as a verb and its
        object.
    """
    sphere = parametrizations.make("vertices", config.Model(template_level=1))
    places = np.asarray(camera.project(cameras, sphere.place(sphere.start(1))[0]))
    outside = np.any(np.abs(places[..., :2]) > 1, axis=-1)
    return {
        "looks away from the box around the object, or lies within it": np.any(
            places[..., 2] <= 0, axis=-1
        ),
        "does not see the middle of the unit box, where fits begin": np.all(
            outside, axis=-1
        ),
    }


def _check_cameras(cameras: camera.Camera, seen: np.ndarray) -> None:
    """Raises ValueError if a camera does not see the sphere that fits begin with."""
    for text, wrong in find_blind(cameras).items():
        if np.any(wrong & seen):
            number, view = np.argwhere(wrong & seen)[0].tolist()
            raise ValueError(
                f"The camera of object {number} in view {view} {text}: move the world "
                "so that the object is centred at the origin, with a longest side of 1."
            )
