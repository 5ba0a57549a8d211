"""Trained networks of runs, without their optimisers and data sets."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

from jaxsoftras import config, models
from jaxsoftras.reconstruction import run_folder
from jaxsoftras.reconstruction.checkpoints import Checkpoints as Checkpoints
from jaxsoftras.reconstruction.checkpoints import abstract as abstract
from jaxsoftras.reconstruction.run_folder import RunError as RunError


def load(
    workdir: str | Path, step: int | Literal["best"] | None = None
) -> models.Trained:
    """Restores the network of a run, without its optimiser and its data set.

    Args:
        workdir: the run folder; nothing in it changes.
        step: step of the checkpoint, or ``"best"`` for that of the best validation;
            the newest sound one if None.

    Raises:
        RunError: not a run folder, no such checkpoint, or a damaged one.
        ConfigError: a damaged configuration.
    """
    settings = run_folder.read_config(Path(workdir))
    network = models.Network(settings.model)
    with Checkpoints(Path(workdir), read_only=True) as checkpoints:
        step = checkpoints.find(step)
        field = "opt_state.average" if settings.optim.ema else "variables"
        variables = checkpoints.restore_field(field, network.shapes, step)
    return models.Trained(settings, network, variables, step)


def load_initial(settings: config.Config) -> tuple[models.Variables, str]:
    """Loads the parameters and batch statistics that a new run begins with.

    Args:
        settings: configuration of the new run, with ``init_from``.

    Returns:
        The variables, and ``init_from`` with an absolute path and the step.

    Raises:
        RunError: see `load`; or the networks differ.
        ConfigError: a damaged configuration.
    """
    workdir, step = run_folder.split_source(settings.init_from)
    source = load(workdir, step)
    precision = settings.model.precision  # of the products; parameters are the same
    if dataclasses.replace(source.config.model, precision=precision) != settings.model:
        there, here = config.flat(source.config), config.flat(settings)
        differ = "; ".join(
            f"{name}: {there[name]!r} there, {here[name]!r} here"
            for name in here
            if name.startswith("model.")
            and name != "model.precision"
            and there[name] != here[name]
        )
        raise RunError(
            f"The network of {workdir} does not fit ({differ}); set the same fields "
            "of model, or start without its parameters."
        )
    return source.variables, f"{workdir.resolve()}:{source.step}"
