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


REFUSED = "is a configuration, not a run folder: name the folder of a run of it, such"
PICTURE = (
    "argument IMAGE: demo is a configuration: name a run of it by --workdir FOLDER"
)
MASK = "argument MASK: demo is a configuration: write --config demo"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["train", "demo"], "demo is a configuration: write --config demo."),
        (["train", "--workdir", "a.py"], "a.py is a configuration: write --config a"),
        (["tune", "demo"], "write --config demo, and name a folder for the search"),
        (["eval", "demo"], f"demo {REFUSED} as runs/demo."),
        (["eval", "configs/a.py"], f"configs/a.py {REFUSED} as runs/a."),
        (["compare", "demo", "best"], f"demo {REFUSED} as runs/demo."),
        (["compare", "demo:best"], f"demo {REFUSED} as runs/demo."),
        (["report", "demo"], f"demo {REFUSED} as runs/demo."),
        (["view", "demo"], f"demo {REFUSED} as runs/demo."),
        (["export", "demo", "--out", "a.zip", "--license", "CC0-1.0"], REFUSED),
        (["predict", "demo"], PICTURE),
        (["predict", "a.png", "demo", "--out", "b"], PICTURE),
        (["predict", "a.png", "--workdir", "demo", "--out", "b"], REFUSED),
        (["fit", "demo"], MASK),
        (["fit", "--out", "b", "demo", "--config", "demo"], MASK),
        (["fit", "--config", "demo"], "--out is needed, for the results"),
    ],
)
def test_configurations_in_the_place_of_folders(
    words, sentence, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    try:
        code = program.main(words)
    except SystemExit as exit:
        code = exit.code
    assert code == 2
    *_, line = capsys.readouterr().err.splitlines()
    assert sentence in line
    assert not list(tmp_path.iterdir())


def test_a_folder_may_have_the_name_of_a_configuration(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("demo", "a.py"):
        Path(name).mkdir()
        for command in ("train", "tune", "eval", "report"):
            assert program.main([command, name]) == 2
            assert "configuration" not in capsys.readouterr().err
    assert command_line.file_unless_config("{}")("demo") == Path("demo")


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
