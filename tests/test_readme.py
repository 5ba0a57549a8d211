"""The README: its Python runs, and the programs take the arguments that it names."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text().replace("\\\n", " ")
FENCED = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
PROGRAMS = [text for language, text in FENCED if language == "python"]
# code that is not Python: blocks and inline
SHELL = "\n".join(
    [text for language, text in FENCED if language != "python"]
    + re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", README, flags=re.M | re.S))
)
COMMANDS = sorted(
    {text.strip() for text in re.findall(r"\bpython3? ([^\n#|&>]+)", SHELL)}
)
# runs each program with --help, all in one process, which imports JAX once
ASK_FOR_HELP = """
import contextlib, io, json, runpy, sys
for module, arguments in json.loads(sys.argv[1]):
    name, *rest = arguments
    sys.argv = [name, *rest, "--help"]
    code, output = None, io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        try:
            if module:
                runpy.run_module(name, run_name="__main__", alter_sys=True)
            else:
                runpy.run_path(name, run_name="__main__")
        except SystemExit as end:
            code = end.code
    print(json.dumps([code, output.getvalue()]))
"""


def parse(command: str) -> tuple[bool, list[str], set[str]]:
    """Whether a command runs a module; the program, with a subcommand; the options."""
    words = shlex.split(command)
    module = words[0] == "-m"
    name, *rest = words[1:] if module else words
    subcommand = [word for word in rest[:1] if re.fullmatch(r"[a-z]+", word)]
    options = {word.partition("=")[0] for word in rest if word.startswith("--")}
    return module, [name, *subcommand], options


@pytest.fixture(scope="module")
def helps() -> dict[str, tuple[int, str]]:
    """Exit codes and outputs of the programs when asked for help, by command."""
    questions = [parse(command)[:2] for command in COMMANDS]
    done = subprocess.run(
        [sys.executable, "-c", ASK_FOR_HELP, json.dumps(questions)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    answers = map(json.loads, done.stdout.splitlines())
    return dict(zip(COMMANDS, answers, strict=True))


def test_python_runs():
    assert PROGRAMS, "the README shows no Python"
    names = {"__name__": "readme"}
    for text in PROGRAMS:  # a block may use the names of those before it
        exec(compile(text, "README.md", "exec"), names)


@pytest.mark.parametrize("command", COMMANDS)
def test_command_exists_and_knows_its_options(command, helps):
    code, output = helps[command]
    assert code == 0, output
    missing = parse(command)[2] - set(re.findall(r"--[\w-]+", output))
    assert not missing


def test_targets_of_make_exist():
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"\bmake ([a-z-]+)", SHELL)) <= set(targets)
