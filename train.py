"""Trains a network that turns one picture into a 3D mesh, from pictures alone.

    python train.py --config configs/real13.py --workdir runs/real13
    python train.py --config configs/demo.py --set optim.steps=500 seed=1

The same command again goes on from the last checkpoint. Then: python eval.py --workdir
...
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import jax

from jaxsoftras import config, data
from jaxsoftras.reconstruction import datasets, gallery, monitor, training
from jaxsoftras.reconstruction import runs as checkpoint


def train(
    settings: config.Config, workdir: Path, *, quiet: bool = False
) -> training.TrainState:
    """Trains, or goes on training, until the configured number of steps.

    Args:
        settings: the run's configuration.
        workdir: the run folder; made if it does not exist.
        quiet: whether to print nothing.

    Returns:
        The final state.

    Raises:
        ConfigError, RunError, DivergedError, ValueError, OSError: with a sentence that
            says what is wrong.
    """
    devices = training.device_mesh(settings.optim.batch_size)
    split = datasets.open_split(settings.data, "train")
    experiment = training.Experiment(settings, split.image_size, devices)
    checkpoint.open_run(workdir, settings)
    steps, log = settings.optim.steps, settings.log

    with checkpoint.Checkpoints(workdir, log.keep_checkpoints) as checkpoints:
        start = checkpoints.latest() or 0
        state = experiment.init(settings.seed)
        if start:
            like = checkpoint.abstract(state, experiment.replicated)
            state = checkpoints.restore(like)
        batches = data.pair_batches(
            split, settings.optim.batch_size, seed=settings.seed, start_step=start
        )
        with monitor.Monitor(
            workdir, start=start, steps=steps, every=log.metrics_every, quiet=quiet
        ) as report:
            report.message(
                f"{workdir}: step {start} to {steps}, batches of "
                f"{settings.optim.batch_size} on {jax.device_count()} "
                f"{jax.devices()[0].device_kind}"
            )
            for step in range(start + 1, steps + 1):
                batch = jax.device_put(next(batches), experiment.sharded)
                state, metrics = experiment.step(state, batch)
                report.record(step, metrics)
                if step % log.images_every == 0 or step == steps:
                    views = gallery.training_views(experiment, state, batch)
                    report.picture("train/views", views, step)
                if step % log.checkpoint_every == 0 or step == steps:
                    report.check()
                    checkpoints.save(step, state)
    return state


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        description="Trains a network that turns one picture into a 3D mesh."
    )
    parser.add_argument("--config", required=True, help="such as configs/real13.py")
    parser.add_argument(
        "--workdir",
        type=Path,
        help="the run folder (default: runs/ and the name of the configuration)",
    )
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="FIELD=VALUE",
        help="override fields, such as optim.learning_rate=3e-4",
    )
    options = parser.parse_args(arguments)
    try:
        settings = config.load(options.config, options.set)
        train(settings, options.workdir or Path("runs") / Path(options.config).stem)
    except (
        ValueError,
        OSError,
        ModuleNotFoundError,
        checkpoint.RunError,
        monitor.DivergedError,
    ) as error:
        print(f"train.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("train.py: stopped; the same command goes on.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
