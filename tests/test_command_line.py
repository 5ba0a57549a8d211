"""Arguments that several command lines share."""

import argparse
from pathlib import Path

import pytest

from jaxsoftras import __main__ as program
from jaxsoftras import command_line


def test_positive():
    assert command_line.positive(" 12 ") == 12


@pytest.mark.parametrize(
    ("text", "reason"),
    [("0", "0 is not positive"), ("-3", "not positive"), ("1e3", "not a whole number")],
)
def test_refuses_other_words(text, reason):
    with pytest.raises(argparse.ArgumentTypeError, match=reason):
        command_line.positive(text)


class TestWorkdir:
    def parse(self, *words, find=command_line.require_workdir):
        parser = argparse.ArgumentParser()
        command_line.add_workdir(parser, "run folder")
        parser.add_argument("--split")
        return find(parser, parser.parse_args(words))

    @pytest.mark.parametrize(
        "words",
        [
            ["runs/a"],
            ["--workdir", "runs/a"],
            ["--split", "val", "runs/a"],
            ["runs/a", "--split", "val"],
            ["runs/a", "--workdir", "runs/a"],
            ["runs/a/", "--workdir", str(Path("runs/a").absolute())],
        ],
    )
    def test_is_a_word_or_an_option(self, words):
        assert self.parse(*words).absolute() == Path("runs/a").absolute()

    def test_two_folders_are_refused(self, capsys):
        with pytest.raises(SystemExit) as caught:
            self.parse("runs/a", "--workdir", "runs/b")
        assert caught.value.code == 2
        assert "runs/a and --workdir runs/b are two folders" in capsys.readouterr().err

    def test_none_is_refused_where_it_is_needed(self, capsys):
        with pytest.raises(SystemExit):
            self.parse("--split", "val")
        assert "a run folder is needed" in capsys.readouterr().err
        assert self.parse(find=command_line.choose_workdir) is None


@pytest.mark.parametrize("name", ["eval", "export", "report", "train", "tune", "view"])
def test_commands_take_both_forms(name, tmp_path, capsys):
    """Each refuses the same folder in the same words."""
    further = ["--license", "CC0-1.0", "--out", str(tmp_path / "model.zip")]
    words = further if name == "export" else ["--no-compilation-cache"]
    words = [] if name == "report" else words
    folder = str(tmp_path)
    assert program.main([name, folder, *words]) == 2
    first = capsys.readouterr().err
    assert program.main([name, "--workdir", folder, *words]) == 2
    assert first == capsys.readouterr().err and folder in first
    for wrong in ([folder, "--workdir", f"{folder}/x"], []):
        with pytest.raises(SystemExit) as caught:
            program.main([name, *wrong, *words])
        assert caught.value.code == 2
