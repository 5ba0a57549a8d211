"""Resolves the wheel and its extras for platforms that are not this machine's.

    python .ci/resolve_platforms.py dist/*.whl --uv uv

For each platform, Python and extra uv chooses the packages, with the markers of that
platform, which pip evaluates for the machine it runs on; pip then finds the wheels of
those of ``all`` for the platform, and installs nothing. Prints the numbers of packages
in Markdown; names what does not resolve on stderr, and exits with 1. `promise`, which
tensorflow-datasets needs, has no wheel on the package index, and is built here: it is
plain Python.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PLATFORMS = {
    "Windows, x86-64": ("x86_64-pc-windows-msvc", ["win_amd64"]),
    # SciPy's wheels need macOS 12
    "macOS, ARM": ("aarch64-apple-darwin", ["macosx_12_0_arm64", "macosx_11_0_arm64"]),
    "Linux, ARM": (
        "aarch64-manylinux_2_28",
        [f"manylinux_2_{glibc}_aarch64" for glibc in range(28, 16, -1)]
        + ["manylinux2014_aarch64"],
    ),
}
"""By title: platform for uv, and tags of its wheels for pip."""

EXTRAS = ("base", "io", "train", "report", "tune", "view", "all")


def resolve(
    wheel: Path, extra: str, title: str, version: str, uv: str, folder: Path
) -> int:
    """Number of packages beside the package itself that an extra installs.

    Args:
        wheel: wheel of the package.
        extra: one of `EXTRAS`.
        title: a key of `PLATFORMS`.
        version: version of Python, such as ``"3.12"``.
        uv: command of uv.
        folder: has the wheel of promise, and receives the lists of packages.

    Raises:
        CalledProcessError: they do not resolve, or a wheel is missing; its stderr says
            which.
    """
    platform, tags = PLATFORMS[title]
    wanted, chosen = folder / "wanted.txt", folder / "chosen.txt"
    name = "jaxsoftras" if extra == "base" else f"jaxsoftras[{extra}]"
    wanted.write_text(f"{name} @ {wheel.resolve().as_uri()}\n")
    where = ["--only-binary=:all:", f"--find-links={folder}"]
    _run(
        [uv, "pip", "compile", "--quiet", *where, "--no-annotate", "--no-header"]
        + [f"--python-platform={platform}", f"--python-version={version}"]
        + [str(wanted), f"--output-file={chosen}"]
    )
    lines = [line for line in chosen.read_text().splitlines() if "file://" not in line]
    if extra != "all":
        return len(lines)
    chosen.write_text("\n".join(lines))
    _run(
        [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed"]
        + ["--no-deps", "--target=none", "--quiet", *where]
        + [f"--python-version={version}", *(f"--platform={tag}" for tag in tags)]
        + [f"--requirement={chosen}"]
    )
    return len(lines)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.stderr.write(done.stderr)
        done.check_returncode()


def main() -> int:
    """Prints a row for each platform and Python; returns the exit code."""
    parser = argparse.ArgumentParser(description="Resolve for other platforms.")
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--uv", default="uv", help="command of uv")
    parser.add_argument("--platforms", nargs="+", choices=PLATFORMS, default=PLATFORMS)
    parser.add_argument("--versions", nargs="+", default=["3.11", "3.12", "3.13"])
    options = parser.parse_args()
    if not options.wheel.is_file():
        parser.error(f"{options.wheel} is not there; `make dist` makes it")
    if shutil.which(options.uv) is None:
        parser.error(f"{options.uv} is not there; pip install uv")
    print("| platform | Python |", " | ".join(EXTRAS), "|")
    print("|" + "---|" * (2 + len(EXTRAS)), flush=True)
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pip = [sys.executable, "-m", "pip"]
        _run([*pip, "wheel", "--no-deps", f"--wheel-dir={folder}", "promise"])
        for title, version in itertools.product(options.platforms, options.versions):
            row = [title, version]
            for extra in EXTRAS:
                case = options.wheel, extra, title, version, options.uv, folder
                try:
                    row.append(str(resolve(*case)))
                except (OSError, subprocess.CalledProcessError) as error:
                    print(*row[:2], extra, error, sep=", ", file=sys.stderr)
                    row.append("none")
                    failed = 1
            print("|", " | ".join(row), "|", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
