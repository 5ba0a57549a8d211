"""The pages: their code runs, their commands, fields, names and links exist."""

import ast
import contextlib
import functools
import importlib
import json
import os
import posixpath
import re
import runpy
import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

import jaxsoftras
from jaxsoftras import config
from tests.support import pages, public_calls

ROOT = pages.ROOT
PAGES = pages.find_pages()
SITE = (ROOT / "mkdocs.yml").read_text()
# pages whose Python takes seconds at most; the others run in full as slow tests
QUICK = {"docs/tpu.md", "docs/installation.md"}
COMMANDS = sorted({c for page in PAGES.values() for c in page.commands}, key=str)
PROGRAMS = sorted({(command.module, command.words) for command in COMMANDS})
HISTORY = "CHANGELOG.md"  # may name what is no more
# runs each program with --help, all in one process, which imports JAX once
ASK_FOR_HELP = """
import contextlib, io, json, os, runpy, sys
from jaxsoftras import extras
os._exit = sys.exit  # by which the programs end
for module, arguments in json.loads(sys.argv[1]):
    name, *rest = arguments
    sys.argv = [name, *rest, "--help"]
    code, output = None, io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        try:
            if module:
                runpy.run_module(name, run_name="__main__", alter_sys=True)
            else:
                sys.path.insert(0, os.path.dirname(name))  # as Python does
                runpy.run_path(name, run_name="__main__")
        except SystemExit as end:
            code = end.code
        except extras.MissingExtraError as error:
            code = f"{error}"
    print(json.dumps([code, output.getvalue()]))
"""
# the shell of a person who has installed the package and is in a clone
SHELL = """
set -euo pipefail
jaxsoftras() { "$PYTHON" -m jaxsoftras "$@"; }
python() { "$PYTHON" "$@"; }
"""


def python_pages() -> list:
    """Pages with Python that runs; those that take long are marked slow."""
    return [
        pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
        for name, page in PAGES.items()
        if any(b.language == "python" and not b.needs for b in page.blocks)
        and name != "README.md"  # see test_readme.py
    ]


@pytest.mark.parametrize("name", python_pages())
def test_python_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    PAGES[name].run_python()


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        name
        for name, page in PAGES.items()
        if any(b.language == "sh" and not b.needs for b in page.blocks)
    ],
)
def test_shell_runs(name, tmp_path):
    blocks = [b for b in PAGES[name].blocks if b.language == "sh" and not b.needs]
    program = SHELL + "\n".join(block.text for block in blocks)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHON": sys.executable}
    done = subprocess.run(
        ["bash", "-c", program],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_the_quickstart_is_run():
    assert {"docs/quickstart.md"} <= {
        block.page
        for page in PAGES.values()
        for block in page.blocks
        if block.language == "sh" and not block.needs
    }


def find(path: str) -> object:
    """The object that a dotted name stands for, such as ``jaxsoftras.Mesh``.

    Raises:
        AttributeError: there is none.
        ModuleNotFoundError: its module needs a package that is not installed.
    """
    first, *parts = path.split(".")
    found, name = importlib.import_module(first), first
    for part in parts:
        name = f"{name}.{part}"
        if isinstance(found, ModuleType) and not hasattr(found, part):
            try:
                importlib.import_module(name)
            except ModuleNotFoundError as error:
                if error.name != name:
                    raise
        found = getattr(found, part)
    return found


def attributes(text: str) -> set[str]:
    """Dotted names below ``jaxsoftras`` that a program uses, imports included."""
    found, known = set(), {"jaxsoftras": "jaxsoftras"}
    ours, tree = "jaxsoftras.", ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(ours):
            for alias in node.names:
                known[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            name = ast.unparse(node)
            first, _, rest = name.partition(".")
            if first in known and re.fullmatch(r"[\w.]+", name):
                found.add(f"{known[first]}.{rest}")
    return found | set(known.values())


# results of functions and fields of values are not looked into
@pytest.mark.parametrize("name", sorted(PAGES.keys() - {HISTORY}))
def test_names_of_the_package_exist(name):
    page = PAGES[name]
    used = {
        code.removesuffix("()")
        for code in page.codes
        if re.fullmatch(r"jaxsoftras(\.\w+)+(\(\))?", code)
    }
    for block in page.blocks:
        if block.language == "python":
            used |= attributes(block.text)
    answered = {"jaxsoftras.MeshRenderer"}  # shown to be refused
    for path in used - answered:
        with contextlib.suppress(ModuleNotFoundError):
            assert find(path) is not None


def test_what_is_refused_is_answered():
    with pytest.raises(AttributeError, match="use render"):
        find("jaxsoftras.MeshRenderer")


@pytest.fixture(scope="module")
def helps() -> dict[tuple[bool, tuple[str, ...]], tuple[int, str]]:
    """Exit codes and outputs of the programs when asked for help."""
    # programs beside the tests may have no --help: their text tells
    sources = {
        program: (0, (ROOT / f"{program[1][0].replace('.', '/')}.py").read_text())
        for program in PROGRAMS
        if program[1][0].startswith("tests.")
    }
    asked = [program for program in PROGRAMS if program not in sources]
    done = subprocess.run(
        [sys.executable, "-c", ASK_FOR_HELP, json.dumps(asked)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    answers = map(json.loads, done.stdout.splitlines())
    return sources | dict(zip(asked, answers, strict=True))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: " ".join(p[1]))
def test_commands_exist_and_know_their_options(program, helps):
    code, output = helps[program]
    if isinstance(code, str) and "pip install" in code:
        pytest.skip(code)  # PyTorch and others are in no extra
    assert code == 0, output
    known = set(re.findall(r"--[\w-]+", output))
    for command in COMMANDS:
        if (command.module, command.words) == program:
            assert set(command.options) <= known


@pytest.mark.parametrize(
    "command", [c for c in COMMANDS if c.overrides], ids=lambda c: c.overrides[0]
)
def test_overrides_are_accepted(command):
    if command.config is None:
        config.override(config.Config(), command.overrides)
    else:
        is_file = command.config.endswith(".py")
        named = str(ROOT / command.config) if is_file else command.config
        config.load(named, command.overrides)


@pytest.mark.parametrize("name", sorted(PAGES.keys() - {HISTORY}))
def test_fields_of_configurations_exist(name):
    fields = set(config.flat(config.Config()))
    groups = {field.partition(".")[0] for field in fields if "." in field}
    for code in PAGES[name].codes:
        found = re.fullmatch(r"(\w+)(\.[a-z_]\w*)+(=\S+)?", code)
        if found is None or found.group(1) not in groups:
            continue
        path = code.partition("=")[0]
        known = any(f"{field}.".startswith(f"{path}.") for field in fields)
        assert known or ("=" not in code and has_attribute(path)), code


def has_attribute(path: str) -> bool:
    """Whether a name below the package exists, such as ``data.open_split``."""
    try:
        find(f"jaxsoftras.{path}")
    except AttributeError:
        return path.endswith((".json", ".npz", ".safetensors", ".zip"))
    return True


def test_targets_of_make_exist():
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    shown = {
        target
        for page in PAGES.values()
        for text in [*page.codes, *(block.text for block in page.blocks)]
        for target in re.findall(r"^make ([a-z-]+)", text, re.MULTILINE)
    }
    assert "demo" in shown and shown <= set(targets)


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name):
    for link in PAGES[name].links:
        if re.match(r"[a-z]+:", link):
            continue  # the network is not asked
        path, _, anchor = link.partition("#")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
        target = target if path else name
        assert (ROOT / target).exists(), link
        assert not anchor or anchor in PAGES[target].anchors, link


@pytest.mark.parametrize("name", PAGES)
def test_pages_render_alike_on_a_code_host_and_on_the_site(name):
    lines = PAGES[name].prose.splitlines()
    item, rule = re.compile(r" *([-*]|\d+\.) "), re.compile(r"\|[-|: ]*-[-|: ]*\|$")
    for before, line in zip(["", *lines], lines, strict=False):
        if item.match(line):  # a list begins after an empty line
            assert not before or before.startswith(" ") or item.match(before), line
        if rule.match(line):
            assert before.count("|") == line.count("|"), before
    images = re.findall(r"!\[([^\]]*)\]", PAGES[name].prose)
    assert all(images), "an image has no description"
    assert len(re.findall(r"^# ", PAGES[name].prose, re.MULTILINE)) == 1


def test_navigation_has_every_page():
    listed = re.findall(r"^ *- (?:[\w, ]+: )?(\S+\.md)$", SITE, re.MULTILINE)
    own = {name.removeprefix("docs/") for name in PAGES if name.startswith("docs/")}
    assert len(listed) == len(set(listed))
    assert set(listed) == own | {
        "readme.md",
        "changelog.md",
        "contributing.md",
    }


@functools.cache
def documented() -> dict[str, object]:
    """Objects of the reference, by the names under which it has them."""
    names = [
        identifier
        for name, page in PAGES.items()
        if name.startswith("docs/api/")
        for identifier in re.findall(r"^::: (\S+)$", page.text, re.MULTILINE)
    ]
    assert len(names) == len(set(names))
    return {name: find(name) for name in names}


def test_reference_has_every_public_name():
    public = {
        f"jaxsoftras.{name}"
        for name, value in vars(jaxsoftras).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    losses = {
        f"jaxsoftras.losses.{name}"
        for name, value in vars(jaxsoftras.losses).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert not (public | losses) - set(documented())


def test_reference_has_every_function_whose_cost_is_listed():
    listed = {id(value) for value in documented().values()}
    for name in public_calls.CALLS:
        assert id(find(f"jaxsoftras.{name}")) in listed, name


def test_configuration_fields_are_in_the_reference():
    classes = {type(group) for group in vars(config.Config()).values()} - {int, str}
    assert {group.__name__ for group in classes} <= {
        name.removeprefix("jaxsoftras.config.") for name in documented()
    }


def test_pictures_of_softness_are_drawn(tmp_path, monkeypatch):
    path = str(ROOT / "docs" / "images" / "softness.py")
    monkeypatch.setattr(sys, "argv", [path, "--out", str(tmp_path), "--size", "8"])
    runpy.run_path(path, run_name="__main__")
    for name in ("sigma.png", "gamma.png"):
        with Image.open(tmp_path / name) as image:
            assert len(np.unique(np.asarray(image))) > 20
