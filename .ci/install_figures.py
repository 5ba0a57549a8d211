"""Installs the package into fresh environments and prints what that took, in Markdown.

    python .ci/install_figures.py dist/*.whl --python python3.11 python3.13 \
        --extras base all

Each environment is made in a temporary folder, filled by pip with all downloads, and
draws a first image away from the tree. Names a failure on stderr and exits with 1.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

FIRST_PICTURE = Path(__file__).with_name("first_picture.py")
COLUMNS = (
    ("from", "source"),
    ("extras", "extras"),
    ("Python", "python"),
    ("jax", "jax"),
    ("packages", "packages"),
    ("MB on disk", "megabytes"),
    ("s to install", "install"),
    ("s to the first image", "first_image"),
)


def measure(source: Path, extras: str, python: str) -> dict[str, object]:
    """Figures of one installation.

    Args:
        source: wheel, source distribution or folder of the tree.
        extras: names of extras, with commas between them, or ``"base"``.
        python: command of the Python that makes the environment.

    Raises:
        CalledProcessError: pip, or the image, failed; its stderr says why.
    """
    wanted = str(source.resolve())
    if extras != "base":
        wanted += f"[{extras}]"
    with tempfile.TemporaryDirectory() as folder:
        _run([python, "-m", "venv", folder], folder)
        inside = str(Path(folder, "Scripts" if os.name == "nt" else "bin", "python"))
        start = time.perf_counter()
        install = ["-m", "pip", "install", "--quiet", "--no-cache-dir", wanted]
        _run([inside, *install], folder)
        seconds = time.perf_counter() - start
        words = [inside, str(FIRST_PICTURE), "--json"]
        words += ["--with-extras"] if extras != "base" else []
        figures = json.loads(_run(words, folder))
    kind = {".whl": "wheel", ".gz": "sdist"}.get(source.suffix, "tree")
    return {"source": kind, "extras": extras, "install": round(seconds)} | figures


def list_extras() -> set[str]:
    """Names of the extras, by pyproject.toml."""
    text = Path(__file__).parents[1].joinpath("pyproject.toml").read_text()
    return set(tomllib.loads(text)["project"]["optional-dependencies"])


def _run(command: list[str], folder: str) -> str:
    """Runs a command away from the tree; returns its output."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.stderr.write(done.stderr)
        done.check_returncode()
    return done.stdout


def main() -> int:
    """Prints a row for each installation; returns the exit code."""
    parser = argparse.ArgumentParser(description="Measure fresh installations.")
    parser.add_argument("sources", nargs="+", type=Path, help="wheel, sdist or tree")
    parser.add_argument("--python", nargs="+", default=[sys.executable])
    parser.add_argument("--extras", nargs="+", default=["base"])
    options = parser.parse_args()
    for source in options.sources:
        if not source.exists():
            parser.error(f"{source} is not there; `make dist` makes it")
    listed = (names.split(",") for names in options.extras if names != "base")
    if unknown := set().union(*listed) - list_extras():  # pip would only warn
        parser.error(f"there is no extra {', '.join(sorted(unknown))}")
    print("|", " | ".join(title for title, _ in COLUMNS), "|")
    print("|" + "---|" * len(COLUMNS), flush=True)
    failed = 0
    for case in itertools.product(options.sources, options.extras, options.python):
        try:
            figures = measure(*case)
        except (OSError, subprocess.CalledProcessError) as error:
            print(*case, error, sep=", ", file=sys.stderr)
            failed = 1
            continue
        cells = (str(figures[key]) for _, key in COLUMNS)
        print("|", " | ".join(cells), "|", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
