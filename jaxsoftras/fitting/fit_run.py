"""The command line ``jaxsoftras fit``: of the objects of a data set, or of masks."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import rich.console
import rich.markup

from jaxsoftras import command_line, compilation_cache, config, terminal
from jaxsoftras.fitting import masks
from jaxsoftras.fitting.masks import MaskFit
from jaxsoftras.fitting.parametrizations import LEARNING_RATES, PARAMETRIZATIONS
from jaxsoftras.fitting.silhouettes import Options
from jaxsoftras.prediction import inputs
from jaxsoftras.reconstruction import (
    accelerators,
    ceiling_run,
    evaluation_run,
)
from jaxsoftras.reconstruction.evaluation_subject import SurfaceOptions

_STEPS_OF_MASKS = 1000
_SIZES = 16, 1024  # of the squares around an object, pixels


def _add_shared_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out",
        type=Path,
        metavar="PATH",
        help="needed: folder of the results of a data set, or file of the mesh of "
        f"masks: {', '.join(masks.SUFFIXES)}",
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
        metavar="N",
        help=f"steps of Adam (default: {Options.steps}; {_STEPS_OF_MASKS} for masks)",
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


def _add_mask_arguments(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    group = parser.add_argument_group("masks of one object")
    group.add_argument(
        "masks",
        type=command_line.file_unless_config("write --config {}"),
        nargs="*",
        metavar="MASK",
        help="mask, picture with transparency or with a mask beside it, or a folder",
    )
    group.add_argument(
        "--cameras",
        type=Path,
        metavar="FILE",
        help="cameras.json, transforms.json of NeRF, or the folder of a COLMAP model; "
        "docs/fitting.md states the forms",
    )
    group.add_argument(
        "--size",
        type=int,
        default=128,
        metavar="N",
        help="pixels along a side of the square around the object (default: "
        "%(default)s)",
    )
    group.add_argument(
        "--keep-frame",
        action="store_true",
        help="the object is in the unit box, [-0.5, 0.5] on each axis, already",
    )
    group.add_argument(
        "--color",
        action="store_true",
        help="give the vertices the colours of the pictures",
    )
    return group


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


def _refuse_options(
    parser: argparse.ArgumentParser,
    options: argparse.Namespace,
    group: argparse._ArgumentGroup,
    reason: str,
) -> None:
    """Ends the program if an option of a group was given."""
    for action in group._group_actions:
        if getattr(options, action.dest) not in (action.default, []):
            name = (*action.option_strings, action.metavar)[0]
            parser.error(f"{name} {reason}")


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


def _fit_data(options: argparse.Namespace, choices: Options) -> None:
    plan = ceiling_run.Plan(
        _configure(options),
        choices,
        options.views,
        options.batch,
        SurfaceOptions(options.meshes, options.points, options.threshold),
    )
    ceiling_run.fit_split(plan, options.split, options.out)


def _fit_masks(options: argparse.Namespace, choices: Options) -> None:
    pictures = inputs.list_pictures(options.masks)
    read = [*pictures, options.cameras]
    masks.check_out(options.out, options.masks, read, options.color)
    with terminal.progress_bar("fitting, steps") as progress:
        fit = masks.fit_masks(
            pictures,
            options.cameras,
            choices,
            _configure(options),
            size=options.size,
            keep_frame=options.keep_frame,
            color=options.color,
            progress=progress,
        )
    masks.write(fit, options.out)
    _print_fit(fit, choices.steps, terminal.make_console())
    written = ", ".join(map(str, masks.list_files(options.out)))
    print(terminal.printable(f"Written: {written}."))


def _print_fit(fit: MaskFit, steps: int, console: rich.console.Console) -> None:
    """Prints the IoU of each view, then the notes, and which views are bad."""
    table = terminal.make_table()
    table.add_column("view", overflow="fold")
    table.add_column("silhouette IoU")
    for path, iou, low in zip(fit.pictures, fit.iou, fit.low, strict=True):
        label = rich.markup.escape(terminal.printable(path))
        table.add_row(label, f"{iou:.3f}, low" if low else f"{iou:.3f}")
    table.add_section()
    table.add_row("mean", f"{fit.iou.mean():.3f}")
    console.print(table)
    notes = list(fit.notes)
    if bad := [fit.pictures[number].name for number in np.flatnonzero(fit.low)]:
        advice = "check the masks and cameras, or fit without"
        if steps < _STEPS_OF_MASKS:
            advice = (
                f"{steps} steps are few; take the {_STEPS_OF_MASKS} of the default, "
                "and check masks and cameras if it does not fit then"
            )
        notes.append(f"The mesh does not fit {', '.join(bad)}: {advice}.")
    for note in notes:
        console.print(
            terminal.printable(note), markup=False, highlight=False, soft_wrap=True
        )


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
        description="Fit meshes to silhouettes from known cameras, without a network: "
        "to all views of each object of a data set (--config), with the scores of "
        "jaxsoftras eval; or to the masks of one object (--cameras).",
    )
    _add_shared_arguments(parser)
    of_masks, of_data = _add_mask_arguments(parser), _add_data_arguments(parser)
    options = parser.parse_intermixed_args(arguments)
    # argparse would ask for it before it looks at the masks
    if options.out is None:
        parser.error("--out is needed, for the results")
    if options.config:
        _refuse_options(parser, options, of_masks, "is for masks, without --config")
    else:
        if not (options.masks and options.cameras):
            parser.error("--config of a data set, or masks and --cameras, are needed")
        _refuse_options(parser, options, of_data, "is for a data set, with --config")
    if not _SIZES[0] <= options.size <= _SIZES[1]:
        parser.error("--size must be from {} to {}".format(*_SIZES))

    def command() -> None:
        steps = Options.steps if options.config else _STEPS_OF_MASKS
        choices = Options(
            options.parametrization,
            steps if options.steps is None else options.steps,
            options.learning_rate,
        )
        accelerators.find_devices()
        compilation_cache.follow(options)
        if options.config:
            _fit_data(options, choices)
        else:
            _fit_masks(options, choices)

    stopped = "stopped; the same command goes on with the objects that are left."
    return terminal.run(
        prog, command, interrupted=stopped if options.config else "interrupted."
    )
