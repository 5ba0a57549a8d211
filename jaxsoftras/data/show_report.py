"""The commands that look at a data set, and what they print."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from jaxsoftras import atomic, terminal
from jaxsoftras.data import show, source
from jaxsoftras.data.reporting import as_text, check_sheet, say
from jaxsoftras.data.show import CHECKS, Finding, Summary
from jaxsoftras.data.show_sheet import Sheet

if TYPE_CHECKING:
    from rich.console import Console

_LICENCES = 8  # that are printed


def add_info_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of ``info``."""
    parser.add_argument("folder", metavar="DIR", help="folder of the data set")
    parser.set_defaults(run=run_info)


def add_show_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of ``show``."""
    parser.add_argument("folder", metavar="DIR", help="folder of the data set")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="PNG",
        help="draw a contact sheet, one row a category, into this image file",
    )
    parser.add_argument(
        "--split", help="split of the sheet (default: train, if there is one)"
    )
    for name, count in {"objects": 8, "views": 3}.items():
        parser.add_argument(
            f"--{name}",
            type=int,
            default=count,
            metavar="N",
            help=f"{name} of each row or object of the sheet (default: %(default)s)",
        )
    parser.add_argument(
        "--inverted",
        action="store_true",
        help="the files hold 255 minus the colour, as those of the original download",
    )
    parser.add_argument(
        "--json", action="store_true", help="print JSON in place of tables"
    )
    parser.set_defaults(run=run_show)


def run_info(options: argparse.Namespace) -> None:
    """Prints what the headers of the files say."""
    print_summary(
        show.summarize(source.describe(options.folder)), terminal.make_console()
    )


def run_show(options: argparse.Namespace) -> None:
    """Reads all objects, draws a contact sheet and prints what deserves a look."""
    if options.out:
        check_sheet(options.out)
    contents = source.describe(options.folder)
    split = show.check_split(contents, options.folder, options.split)
    summary = show.summarize(contents)
    with contextlib.ExitStack() as stack:
        progress = stack.enter_context(terminal.progress_bar("Looking", "objects"))
        if options.out:
            partial = stack.enter_context(atomic.file(options.out))
            sheet = Sheet(
                contents, split, options.objects, options.views, options.inverted
            )
            findings = show.survey(contents, progress=progress, visit=sheet.visit)
            name = Path(options.folder).resolve().name
            sheet.draw(f"{name}, {split}").save(partial)
        else:
            findings = show.survey(contents, progress=progress)
    if options.json:
        found = {check: dataclasses.asdict(f) for check, f in findings.items()}
        content = {**dataclasses.asdict(summary), "findings": found}
        print(json.dumps(content, indent=1, ensure_ascii=False))
        return
    console = terminal.make_console()
    print_summary(summary, console)
    print_findings(findings, console)
    if options.out:
        say(console, f"The contact sheet is in {shlex.quote(str(options.out))}.")


def print_summary(summary: Summary, console: Console) -> None:
    """Prints the categories with their objects, and what holds for all."""
    table = terminal.make_table("key", "category")
    for split in summary.counts:
        table.add_column(split, justify="right")
    for key, name in summary.names.items():
        counts = [str(members.get(key, 0)) for members in summary.counts.values()]
        table.add_row(as_text(key), as_text(name), *counts)
    table.add_section()
    totals = [str(sum(members.values())) for members in summary.counts.values()]
    table.add_row("", "all", *totals)
    console.print(table)
    per_picture = summary.cameras == show.PER_PICTURE
    for views, side in summary.sizes:
        words = f"{'up to ' if per_picture else ''}{views} views"
        say(console, f"{summary.storage} files, {words} of {side} x {side} pixels")
    say(console, f"Cameras: {summary.cameras}.")
    say(console, f"Licences: {_list_licences(summary)}.")
    if summary.made_by:
        say(console, f"Made by: {summary.made_by}.")
    if summary.without_voxels:
        listed = ", ".join(summary.without_voxels)
        say(console, f"Not all objects have voxels: {listed}.")


def print_findings(findings: Mapping[str, Finding], console: Console) -> None:
    """Prints what deserves a look, and what was looked for in vain."""
    from rich.text import Text  # only programs need it

    table = terminal.make_table()
    table.add_column("deserves a look", no_wrap=True)
    for name in ("images", "objects"):
        table.add_column(name, justify="right")
    table.add_column("such as", overflow="fold")
    for check, finding in findings.items():
        if finding.objects:
            images = str(finding.images) if finding.images else ""
            examples = Text("\n").join(map(as_text, finding.examples))
            table.add_row(CHECKS[check], images, str(finding.objects), examples)
    if table.row_count:
        console.print(table)
    absent = [CHECKS[check] for check, f in findings.items() if not f.objects]
    if absent:
        say(console, f"Nowhere: {'; '.join(absent)}.")


def _list_licences(summary: Summary) -> str:
    words = [
        f"{licence or 'not stated'} {count}"
        for licence, count in summary.licences.items()
    ]
    if len(words) > _LICENCES:
        words[_LICENCES:] = [f"{len(words) - _LICENCES} others"]
    return ", ".join(words)
