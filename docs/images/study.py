"""Tables and figures of docs/study.md, from the folders of its runs.

    python docs/images/study.py study --out docs/images
    python docs/images/study.py --ablation paper=runs/p0,runs/p1 mirror=runs/m0,runs/m1

A study is a folder of evaluated runs with names ``DATA-ENCODER-SEED``, such as
``real13-resnet-0``. Its tables are printed in Markdown; its figures are ``study.svg``,
IoU by data set and encoder, and ``study-curves.svg``, loss and IoU of validation by
step. Runs that are missing or cannot be read are named below the tables. A row of an
ablation is a label and runs that differ in their seed.
"""

import argparse
import sys
from pathlib import Path

import study_plots
import study_runs
import study_tables

from jaxsoftras import atomic, data, terminal


def present(folder: Path, split: str, out: Path | None) -> None:
    """Prints the tables of a study, and draws its figures if there is a place for them.

    Args:
        folder: the study.
        split: name of the split.
        out: folder of the figures, made if it does not exist; None for no figures.
    """
    study = study_runs.read_study(folder, split)
    sys.stdout.write(study_tables.describe_study(study))
    if out is None:
        return
    out.mkdir(parents=True, exist_ok=True)
    figures = {
        "study.svg": study_plots.draw_scores(study, split),
        "study-curves.svg": study_plots.draw_curves(study),
    }
    with atomic.files([out / name for name in figures]) as paths:
        for figure, path in zip(figures.values(), paths, strict=True):
            study_plots.save(figure, path)


def main() -> int:
    """Runs the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        description="Print the tables of the study, and draw its figures."
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("study", nargs="?", type=Path, help="folder of the runs")
    which.add_argument(
        "--ablation",
        nargs="+",
        metavar="LABEL=RUN,RUN",
        help="rows of an ablation, and the runs of each; a label ends at the first "
        "equals sign, and runs may have others in their names",
    )
    parser.add_argument("--split", default="test", choices=data.ALL_SPLITS)
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="place for figures")
    options = parser.parse_args()
    if options.ablation and options.out:
        parser.error("--out is for the figures of a study: an ablation has none.")

    def command() -> None:
        if options.ablation:
            text = study_tables.describe_ablation(options.ablation, options.split)
            sys.stdout.write(text)
        else:
            present(options.study, options.split, options.out)

    return terminal.run("study.py", command)


if __name__ == "__main__":
    sys.exit(main())
