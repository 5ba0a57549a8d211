"""docs/interop.md: its programs run, one after another."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[1] / "docs" / "interop.md").read_text()
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.slow  # parts of them run in other tests
def test_programs_of_pytorch(capsys):
    pytest.importorskip("torch")
    names: dict = {}
    for program in PROGRAMS:
        if "mujoco" not in program:
            exec(program, names)
    printed = capsys.readouterr().out
    assert printed == ("torch.Size([16, 16]) torch.Size([42, 3]) torch.Size([3])\n")
    assert names["vertices"].grad.abs().max() > 0


def test_program_of_mujoco(capsys):
    pytest.importorskip("mujoco")
    (program,) = [program for program in PROGRAMS if "mujoco" in program]
    exec(program, {})
    assert capsys.readouterr().out.startswith("[0. 0. 2.] [1.608")
