"""The command line ``jaxsoftras fit``: the objects of a data set, or masks."""

from __future__ import annotations

import argparse
from pathlib import Path

from jaxsoftras import compilation_cache, config, terminal
from jaxsoftras.fitting.parametrizations import LEARNING_RATES, PARAMETRIZATIONS
from jaxsoftras.fitting.silhouettes import Options
from jaxsoftras.reconstruction import ceiling_run, evaluation_run, training
from jaxsoftras.reconstruction.evaluation_subject import SurfaceOptions


def _add_shared_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=Path, required=True, metavar="PATH", help="folder of the results"
    )
    parser.add_argument(
        "--parametrization",
        default=Options.parametrization,
        choices=PARAMETRIZATIONS,
        help="what is optimised: the outputs of the heads of a decoder, or coordinates "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--template-level",
        type=int,
        metavar="N",
        help="subdivisions of the sphere that fits begin with, which has 10 * 4**N + 2 "
        "vertices (default: that of the configuration, or 3)",
    )
    parser.add_argument(
        "--steps",
        type=int,
        default=Options.steps,
        metavar="N",
        help="steps of Adam (default: %(default)s)",
    )
    rates = ", ".join(f"{name} {rate:g}" for name, rate in LEARNING_RATES.items())
    parser.add_argument(
        "--learning-rate",
        type=float,
        metavar="RATE",
        help=f"of the first step (default: {rates})",
    )
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="FIELD=VALUE",
        help="override fields of the configuration, such as loss.laplacian=1e-2",
    )
    compilation_cache.add_argument(parser)


def _add_data_arguments(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    group = parser.add_argument_group("the objects of a data set")
    group.add_argument(
        "--config",
        metavar="NAME",
        help=f"configuration: {', '.join(config.list_names())}, or the path of a file",
    )
    group.add_argument(
        "--views",
        type=int,
        default=ceiling_run.Plan._field_defaults["views"],
        metavar="N",
        help="views of each object to fit to, evenly spaced (default: all)",
    )
    group.add_argument(
        "--seed",
        type=int,
        help="seed of the choice of --views (default: that of the configuration)",
    )
    group.add_argument(
        "--batch",
        type=int,
        default=ceiling_run.Plan._field_defaults["batch"],
        metavar="N",
        help="objects to fit at once, at most (default: %(default)s)",
    )
    evaluation_run.add_arguments(group)
    return group


def _configure(options: argparse.Namespace) -> config.Config:
    """The configuration of a fit, with the options that change it."""
    overrides = list(options.set)
    if options.template_level is not None:
        overrides.append(f"model.template_level={options.template_level}")
    if options.seed is not None:
        overrides.append(f"seed={options.seed}")
    if options.data is not None:
        overrides += [f"data.root={options.data!r}", "data.sources=()"]
    if options.config is None:
        return config.override(config.Config(), overrides)
    return config.load(options.config, overrides)


def _fit_data(options: argparse.Namespace) -> None:
    plan = ceiling_run.Plan(
        _configure(options),
        _read_options(options),
        options.views,
        options.batch,
        SurfaceOptions(options.meshes, options.points, options.threshold),
    )
    ceiling_run.fit_split(plan, options.split, options.out)


def _read_options(options: argparse.Namespace) -> Options:
    return Options(options.parametrization, options.steps, options.learning_rate)


def main(arguments: list[str] | None = None, *, prog: str = "jaxsoftras fit") -> int:
    """Runs the command line.

    Args:
        arguments: words after the program's name; those of the process if None.
        prog: name of the program in messages.

    Returns:
        The exit code; see `terminal.run`.
    """
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Fit a mesh to silhouettes from known cameras, without a network: "
        "to all views of each object of a data set (--config), with scores as of "
        "jaxsoftras eval. The same command again goes on where it was stopped.",
    )
    _add_shared_arguments(parser)
    _add_data_arguments(parser)
    options = parser.parse_args(arguments)

    def command() -> None:
        training.find_devices()
        if options.compilation_cache:
            compilation_cache.enable()
        _fit_data(options)

    return terminal.run(
        prog,
        command,
        interrupted="stopped; the same command goes on with the objects that are left.",
    )
