"""Names that a terminal cannot show, and warnings, as programs print them."""

import os
import subprocess
import sys
import warnings

from jaxsoftras import terminal


def test_errors_and_warnings_take_one_line(capsys):
    def command():
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("runs/a\nb has no locks.", stacklevel=1)
        raise terminal.ProgramError("runs/a\rb is no run.")

    before = warnings.showwarning
    assert terminal.run("train.py", command) == 2
    assert warnings.showwarning is before
    assert capsys.readouterr().err.splitlines() == [
        r"train.py: runs/a\nb has no locks.",
        r"train.py: runs/a\rb is no run.",
    ]


def test_names_outside_the_encoding():
    names = ["ü字", "\udcff"]
    code = (
        "from jaxsoftras import terminal; import sys\n"
        "terminal.run('x', lambda: print(*sys.argv[1:]))"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    shown = subprocess.run(
        [sys.executable, "-c", code, *names],
        env=environment,
        capture_output=True,
        check=True,
    )
    assert shown.stdout.split() == [
        name.encode("ascii", "backslashreplace") for name in names
    ]
