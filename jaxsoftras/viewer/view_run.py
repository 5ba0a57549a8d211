"""A live viewer in the browser: the command line."""

from __future__ import annotations

import argparse
import contextlib
import functools
import threading
import webbrowser
from collections.abc import Callable, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from jaxsoftras import compilation_cache, extras, terminal

if TYPE_CHECKING:
    from jaxsoftras.viewer.page import Page
    from jaxsoftras.viewer.worker import Worker

_PORT = 8080
_SECONDS = 2.0  # between two looks for changes
_MODEL = ".zip"
_OPTIONS = {
    "mesh files": ("up",),
    "pictures": ("mask",),
    "a run": ("split", "checkpoint", "step", "data", "meshes"),
}
"""Options by what they are for."""


class Viewer(Protocol):
    """Contents of a page, with its controls."""

    def begin(self) -> None:
        """Shows the first thing."""
        ...

    def look(self) -> None:
        """Shows what has changed."""
        ...


Make = Callable[["Page", "Worker"], Viewer]


def _prepare_meshes(options: argparse.Namespace) -> Make:
    """Checks the files, and returns what makes their viewer."""
    extras.require("view mesh files", "PIL", "trimesh")
    from jaxsoftras.viewer import mesh_files
    from jaxsoftras.viewer.file_list import FileList

    mesh_files.check(options.paths)
    describe = functools.partial(mesh_files.describe, up=options.up)
    return functools.partial(
        FileList, label="Mesh", paths=options.paths, describe=describe
    )


def _prepare_pictures(options: argparse.Namespace, stack: contextlib.ExitStack) -> Make:
    """Loads the model, and returns what makes the viewer of its predictions."""
    from jaxsoftras.viewer import pictures

    model, *paths = options.paths
    if options.mask is not None and not paths:
        raise terminal.ProgramError(
            "--mask is of pictures that are named, and there is none: name them after "
            "the model."
        )
    return functools.partial(
        pictures.PictureViewer,
        predictor=pictures.load(model),
        paths=pictures.find(paths),
        uploads=pictures.make_folder(stack),
        mask=options.mask,
    )


def _prepare_run(options: argparse.Namespace) -> Make:
    """Checks the run, and returns what makes its viewer."""
    from jaxsoftras.reconstruction import run_viewing

    return functools.partial(
        run_viewing.RunViewer,
        run=run_viewing.open_run(options.paths[0], options.data, options.meshes),
        split=options.split,
        which="best" if options.checkpoint == "best" else options.step,
    )


def _identify(paths: Sequence[Path]) -> str:
    """The kind of things at some paths, a key of `_OPTIONS`."""
    first, *others = paths
    if first.suffix.lower() == _MODEL:
        return "pictures"
    return "a run" if first.is_dir() and not others else "mesh files"


def _prepare(
    options: argparse.Namespace, given: Set[str], stack: contextlib.ExitStack
) -> Make:
    """Chooses a viewer by the paths.

    Args:
        options: the options.
        given: names of those that are not as by default.
        stack: ends with the viewer.

    Raises:
        ProgramError: an option for something else, among others.
    """
    shown = "a run" if options.workdir else _identify(options.paths)
    for kind, names in _OPTIONS.items() if options.paths[0].exists() else ():
        if kind != shown and (unused := sorted(given & set(names))):
            raise terminal.ProgramError(
                f"--{unused[0]} is of {kind}, and {options.paths[0]} begins a view of "
                f"{shown}: leave it out."
            )
    if shown == "pictures":
        return _prepare_pictures(options, stack)
    return _prepare_run(options) if shown == "a run" else _prepare_meshes(options)


def _make_parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Look at meshes in the browser: the reconstructions of a run, also "
        "while it trains; mesh files; or predictions of a model from pictures. All are "
        "only read. Ctrl-C ends it.",
    )
    parser.add_argument(
        "paths",
        type=Path,
        nargs="*",
        metavar="PATH",
        help="a run folder; or mesh files; or a model file of jaxsoftras export, and "
        "pictures or folders of pictures, if any",
    )
    of_run = parser.add_argument_group("of a run")
    of_run.add_argument(
        "--workdir",
        type=Path,
        metavar="FOLDER",
        help="the run folder, in place of PATH",
    )
    of_run.add_argument(
        "--split",
        default="test",
        choices=("train", "val", "test", "style"),
        help="objects to begin with (default: %(default)s)",
    )
    which = of_run.add_mutually_exclusive_group()
    which.add_argument(
        "--checkpoint",
        default="newest",
        choices=["newest", "best"],
        help="checkpoint to follow: the newest, or that of the best validation "
        "(default: %(default)s)",
    )
    which.add_argument("--step", type=int, help="step of the checkpoint, for good")
    of_run.add_argument(
        "--data", metavar="FOLDER", help="folder of the data set, if it has moved"
    )
    of_run.add_argument(
        "--meshes",
        type=Path,
        metavar="FOLDER",
        help="folder of the meshes that the data set was built from",
    )
    parser.add_argument(
        "--mask",
        type=Path,
        metavar="PATH",
        help="of pictures: see jaxsoftras predict --help",
    )
    parser.add_argument(
        "--up",
        default="+y",
        choices=["+y", "+z"],
        help="of mesh files: axis that points up (default: %(default)s)",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at; 0.0.0.0 lets other machines look (default: "
        "%(default)s, this machine alone)",
    )
    parser.add_argument(
        "--port",
        type=_parse_port,
        default=_PORT,
        help="port to listen at; 0 chooses a free one (default: %(default)s)",
    )
    parser.add_argument(
        "--open", action="store_true", help="open the page in the browser"
    )
    compilation_cache.add_argument(parser)
    return parser


def _choose_paths(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Takes the folder of ``--workdir`` for the path; ends the program without any."""
    if options.workdir and options.paths not in ([], [options.workdir]):
        parser.error(
            f"--workdir {options.workdir} stands in place of {options.paths[0]}: name "
            "one of them"
        )
    if options.workdir:
        options.paths = [options.workdir]
    if not options.paths:
        parser.error("a run folder, mesh files, or a model file must be named")


def _parse_port(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port, from 0 to 65535")
    return int(text)


def main(arguments: list[str] | None = None, *, prog: str = "jaxsoftras view") -> int:
    """Runs the command line.

    Args:
        arguments: words after the program's name; those of the process if None.
        prog: name of the program in messages.

    Returns:
        The exit code; see `terminal.run`.
    """
    parser = _make_parser(prog)
    options = parser.parse_args(arguments)
    _choose_paths(parser, options)
    given = {
        name
        for name, value in vars(options).items()
        if value != parser.get_default(name)
    }

    def command() -> None:
        from jaxsoftras.viewer.page import Page
        from jaxsoftras.viewer.worker import Worker

        with contextlib.ExitStack() as stack:
            compilation_cache.follow(options, quiet=True)
            make = _prepare(options, given, stack)
            page = stack.enter_context(Page(options.host, options.port))
            worker = Worker(page.report, _SECONDS)
            stack.callback(worker.stop)
            viewer = make(page, worker)
            names = ", ".join(map(str, options.paths))
            print(
                terminal.printable(f"{names}: {page.address} (Ctrl-C ends it)"),
                flush=True,
            )
            if options.open:
                _open_browser(page.address)
            worker.run(viewer.begin, viewer.look)

    return terminal.run(prog, command, interrupted="the viewer has ended.")


def _open_browser(address: str) -> None:
    """Opens a page without waiting for the browser, which may be one of text."""
    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
