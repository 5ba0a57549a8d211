"""The command line ``jaxsoftras COMMAND ...``."""

import subprocess
import sys
from pathlib import Path

import pytest

import jaxsoftras
from jaxsoftras import __main__ as program

ROOT = Path(__file__).parents[1]


class TestHelp:
    @pytest.mark.parametrize("option", ["-h", "--help"])
    def test_names_every_command(self, option, capsys):
        assert program.main([option]) == 0
        printed = capsys.readouterr().out
        for name, command in program.COMMANDS.items():
            assert f"{name} " in printed and command.summary in printed

    @pytest.mark.parametrize("name", program.COMMANDS)
    def test_of_each_command_bears_its_name(self, name, capsys):
        with pytest.raises(SystemExit) as caught:
            program.main([name, "--help"])
        assert caught.value.code == 0
        assert capsys.readouterr().out.startswith(f"usage: jaxsoftras {name} ")

    def test_documentation_lists_every_command(self):
        text = (ROOT / "docs" / "installation.md").read_text()
        rows = {line for line in text.splitlines() if line.startswith("| `jaxsoftras ")}
        for name in program.COMMANDS:
            assert any(f"`jaxsoftras {name}`" in row for row in rows), name

    def test_needs_none_of_the_packages_of_training(self):
        code = (
            "import sys\n"
            "sys.modules.update(dict.fromkeys(['flax', 'optax', 'orbax', 'rich']))\n"
            "from jaxsoftras import __main__ as program\n"
            "sys.exit(program.main(['--help']) or 10 * (program.main(['train']) == 2))"
        )
        result = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
        )
        assert result.returncode == 10, result.stderr
        (line,) = result.stderr.splitlines()
        assert line.startswith("jaxsoftras train: ") and "install" in line


class TestExitCodes:
    @pytest.mark.parametrize("name", ["trian", "--quick", ""])
    def test_unknown_command_is_2_with_one_line(self, name, capsys):
        assert program.main([name, "--config", "x"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert repr(name) in line
        assert all(command in line for command in program.COMMANDS)

    def test_no_command_is_2_with_help(self, capsys):
        assert program.main([]) == 2
        captured = capsys.readouterr()
        assert not captured.out and program.USAGE in captured.err

    def test_refusal_of_a_command_is_2_with_its_name(self, tmp_path, capsys):
        assert program.main(["eval", "--workdir", str(tmp_path)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("jaxsoftras eval: ") and "not a run folder" in line

    def test_wrong_option_of_a_command_is_2(self, capsys):
        with pytest.raises(SystemExit) as caught:
            program.main(["train", "--confg", "x"])
        assert caught.value.code == 2
        assert "jaxsoftras train: error:" in capsys.readouterr().err


def test_runs_as_a_module():
    result = subprocess.run(
        [sys.executable, "-m", "jaxsoftras", "--version"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == jaxsoftras.__version__
