"""What the checks of the documentation find in a page."""

import pytest

from tests.support.pages import Page, parse

TEXT = """# A `page` of [ours](one.md)

See [two](two.md#part), `[not](a.link)` and <img src="three.png">; `python eval.py
--workdir RUN`.

## Twice, said & done

## Twice, said & done

1. A list:

   ```sh
   # needs a moon
   jaxsoftras train --config demo --set optim.steps=4 \\
       model.hidden=(3,) --workdir run  # it takes long
   cd there && python train.py --profile | tee log
   echo "jaxsoftras is not a command here"
   ```

```python
# A comment
x = "```"
```
"""


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(TEXT)
    return Page(str(path))


def test_blocks(page):
    shell, python = page.blocks
    assert (shell.language, python.language) == ("sh", "python")
    assert (shell.needs, python.needs) == ("a moon", None)
    assert shell.text.startswith("# needs")  # without the indentation of the list
    lines = TEXT.splitlines()
    assert lines[shell.line - 1].strip() == "# needs a moon"
    assert lines[python.line - 1] == "# A comment"
    assert python.text == '# A comment\nx = "```"\n'


def test_links_are_those_of_prose(page):
    assert page.links == ["one.md", "two.md#part", "three.png"]


def test_anchors_are_those_of_a_code_host(page):
    assert page.anchors == {
        "a-page-of-ours",
        "twice-said--done",
        "twice-said--done-1",
    }


def test_commands(page):
    inline, training, profile = page.commands
    assert inline.words == ("eval.py",) and inline.options == ("--workdir",)
    assert training.words == ("jaxsoftras", "train") and training.module
    assert training.config == "demo"
    assert training.options == ("--config", "--set", "--workdir")
    assert training.overrides == ("optim.steps=4", "model.hidden=(3,)")
    assert profile.words == ("train.py",) and profile.options == ("--profile",)


@pytest.mark.parametrize(
    ("command", "words", "overrides"),
    [
        ("python -m jaxsoftras.data download --out D", "jaxsoftras.data download", ()),
        ("jaxsoftras data shapenet core --out D", "jaxsoftras data shapenet core", ()),
        ("jaxsoftras import-softras a.tar", "jaxsoftras import-softras", ()),
        ("jaxsoftras --version", "jaxsoftras", ()),
        ("jaxsoftras report runs/a", "jaxsoftras report", ()),
        ("srun python train.py --set", "train.py", ()),
        ("python3 train.py --set a.b=1 --set c=2 d", "train.py", ("a.b=1", "c=2")),
        ("python train.py --config", "train.py", ()),
        ("python train.py --config=x.py --set a=--b", "train.py", ("a=--b",)),
    ],
)
def test_parsing(command, words, overrides):
    parsed = parse(command)
    assert " ".join(parsed.words) == words
    assert parsed.overrides == overrides
