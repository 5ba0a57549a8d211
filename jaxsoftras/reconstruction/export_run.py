"""Exports the network of a run to a model file, and its command line."""

from __future__ import annotations

import argparse
import json
import shlex
import warnings
from pathlib import Path
from typing import Any, Literal

from jaxsoftras import command_line, data, model_files, models, terminal
from jaxsoftras.model_files import contents
from jaxsoftras.reconstruction import accelerators, provenance, runs

_TABLE_SIGNS = "|\n\r"


def export(
    workdir: str | Path,
    out: str | Path,
    *,
    license: str,
    step: int | Literal["best"] | None = None,
    storage: contents.Storage = "float32",
    inverted: bool = False,
) -> models.Trained:
    """Exports a checkpoint; see `model_files.save`.

    Results of ``eval.py`` are taken along if they are of the same step.

    Args:
        workdir: the run folder; nothing in it changes.
        out: the model file.
        license: licence of the parameters, one line.
        step: step of the checkpoint, or ``"best"``; the newest if None.
        storage: type of the stored parameters.
        inverted: whether the training data have inverted colours.

    Returns:
        The network as it was loaded from the run.

    Raises:
        ConfigError, RunError, ModelFileError, OSError: the message says in one sentence
            what is wrong.
    """
    workdir = Path(workdir)
    if not license.strip() or any(sign in license for sign in _TABLE_SIGNS):
        raise model_files.ModelFileError(
            f"A licence is a short phrase such as CC-BY-4.0, not {license!r}."
        )
    trained = runs.load(workdir, step)._replace(inverted=inverted)
    model_files.save(
        out,
        trained,
        license=license,
        storage=storage,
        metrics=_read_metrics(workdir, trained.step),
        origin=_describe(workdir, trained),
    )
    return trained


def _read_metrics(workdir: Path, step: int) -> dict[str, dict[str, Any]]:
    """Results by split that are of a step; a warning names the others."""
    found = {}
    for split in data.ALL_SPLITS:
        path = workdir / "eval" / split / "metrics.json"
        if not path.is_file():
            continue
        try:
            metrics = json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            metrics = None
        if metrics is None or not _is_sound(metrics):
            why = "is damaged"
        elif metrics["step"] != step:
            why = f"is of step {metrics['step']}, not {step}"
        else:
            found[split] = metrics
            continue
        warnings.warn(f"{path} {why}, and is left out.", stacklevel=3)
    return found


def _is_sound(metrics: Any) -> bool:
    """Whether a value has what `evaluation.summarize` returns and a card shows."""
    try:
        rows = metrics["per_category"].values()
        numbers = [metrics["mean_iou"], metrics["mean_silhouette_iou"]]
        numbers += [row[name] for row in rows for name in ("iou", "silhouette_iou")]
        counts = [metrics["step"], *(row["objects"] for row in rows)]
        names = [row["name"] for row in rows]
    except (TypeError, KeyError, AttributeError):
        return False
    return (
        all(number is None or type(number) in (int, float) for number in numbers)
        and all(type(count) is int for count in counts)
        and all(isinstance(name, str) for name in names)
    )


def _describe(workdir: Path, trained: models.Trained) -> str:
    """States the data, the command and the devices of a run, in Markdown."""
    settings = trained.config
    sources = settings.data.sources or (settings.data,)
    names = ", ".join(
        f"`{Path(source.root).name}` ({source.source})" for source in sources
    )
    lines = [
        f"Trained on {names}, by {trained.step:,} steps of "
        f"{settings.optim.batch_size} objects."
    ]
    if settings.optim.ema:
        lines.append("The parameters are their moving average.")
    if settings.init_from:
        lines.append("Training began with the parameters of another run.")
    starts = provenance.read_starts(workdir)
    if starts and isinstance(starts[-1].get("command"), list):
        program, *words = map(str, starts[-1]["command"])
        # where it is installed concerns nobody
        program = Path(program).name.replace("__main__.py", "jaxsoftras")
        command = shlex.join([program, *words]).replace(str(Path.home()), "~")
        lines += [
            f"On {starts[-1].get('devices', 'unknown devices')}, by",
            "",
            f"    {command}",
        ]
    return "\n".join(lines)


def main(arguments: list[str] | None = None, *, prog: str = "jaxsoftras export") -> int:
    """Runs the command line.

    Args:
        arguments: words after the program's name; those of the process if None.
        prog: name of the program in messages.

    Returns:
        The exit code; see `terminal.run`.
    """
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Write the network of a run to one file to share: parameters as "
        "safetensors, configuration, results of eval.py, a model card, and the network "
        "as StableHLO.",
    )
    command_line.add_workdir(parser, "run folder")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="model file, a .zip"
    )
    parser.add_argument(
        "--license",
        required=True,
        help="licence of the parameters for the model card, such as CC-BY-4.0; mind "
        "those of the training data",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--step", type=int, help="step of the checkpoint")
    which.add_argument(
        "--checkpoint",
        default="newest",
        choices=["newest", "best"],
        help="the newest checkpoint, or that of the best validation (default: newest)",
    )
    parser.add_argument(
        "--storage",
        default="float32",
        choices=["float32", "float16"],
        help="type of the stored parameters; float16 halves the file (default: "
        "float32)",
    )
    parser.add_argument(
        "--inverted",
        action="store_true",
        help="the training data have inverted colours, as Soft Rasterizer's download",
    )
    options = parser.parse_args(arguments)
    workdir = command_line.require_workdir(parser, options)

    def command() -> None:
        accelerators.find_devices()
        trained = export(
            workdir,
            options.out,
            license=options.license,
            step="best" if options.checkpoint == "best" else options.step,
            storage=options.storage,
            inverted=options.inverted,
        )
        size = options.out.stat().st_size
        print(
            terminal.printable(
                f"Written to {options.out}: step {trained.step:,}, {size / 1e6:.1f} MB."
            )
        )

    return terminal.run(prog, command)
