"""Command line of reports: ``python -m jaxsoftras.report RUN --split test``."""

from __future__ import annotations

import argparse

from jaxsoftras import command_line, data, report, terminal


def main(
    arguments: list[str] | None = None, *, prog: str = "python -m jaxsoftras.report"
) -> int:
    """Runs the command line.

    Args:
        arguments: words after the program's name; those of the process if None.
        prog: name of the program in messages.

    Returns:
        The exit code; see `terminal.run`.
    """
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Write eval/SPLIT/report.html, a page about an evaluated run, from "
        "the files in its folder.",
    )
    command_line.add_workdir(parser, "run folder")
    parser.add_argument("--split", default="test", choices=data.ALL_SPLITS)
    options = parser.parse_args(arguments)
    workdir = command_line.require_workdir(parser, options)

    def command() -> None:
        path = report.write(workdir, options.split)
        megabytes = path.stat().st_size / 1e6
        print(f"{terminal.printable(path)}: {megabytes:.1f} MB")

    return terminal.run(prog, command)


if __name__ == "__main__":
    terminal.leave(main)
