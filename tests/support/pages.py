"""The pages of the documentation: their blocks of code, commands, links and anchors.

    python -m tests.support.pages

lists the blocks of code that no test runs, with what they need.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import shlex
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

# a fence may be indented, as in a list
_FENCE = re.compile(r"^( *)```(.*)\n((?s:.*?))^\1```$", re.MULTILINE)
_NEEDS = re.compile(r"\A(?:#!.*\n)?# needs (.+)$", re.MULTILINE)
_CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_LINK = re.compile(r"\]\(([^)\s]+)\)|\b(?:src|href)=\"([^\"]+)\"")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_PROGRAM = re.compile(r"(?:python3? |jaxsoftras |(?:train|eval)\.py\b)")
# what ends a command of a shell, or begins a comment
_END = re.compile(r"(?:^|\s)#.*|&&|[|;>&]")


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block of code.

    Attributes:
        page: path of its page, from the root of the repository.
        line: number of its first line of code in the page.
        language: first word after the fence; empty if there is none.
        text: the code, without indentation.
    """

    page: str
    line: int
    language: str
    text: str

    @property
    def needs(self) -> str | None:
        """What it needs that a test does not have, by its first comment."""
        found = _NEEDS.match(self.text)
        return found.group(1) if found else None


@dataclasses.dataclass(frozen=True)
class Command:
    """A command that a page shows.

    Attributes:
        module: whether ``python -m`` runs it.
        words: the program and its subcommands.
        options: its options, as ``--name``, in the order of the alphabet.
        config: name or path of the configuration; None if there is none.
        overrides: words after ``--set``.
    """

    module: bool
    words: tuple[str, ...]
    options: tuple[str, ...]
    config: str | None
    overrides: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Page:
    """A page in Markdown, by its path from the root of the repository."""

    path: str

    @functools.cached_property
    def text(self) -> str:
        """The whole page."""
        return (ROOT / self.path).read_text()

    @functools.cached_property
    def blocks(self) -> list[Block]:
        """Its blocks of code."""
        found = []
        for match in _FENCE.finditer(self.text):
            indent, language, text = match.groups()
            text = re.sub(rf"^{indent}", "", text, flags=re.MULTILINE)
            line = self.text.count("\n", 0, match.start()) + 2
            found.append(Block(self.path, line, language.split(" ")[0], text))
        return found

    @functools.cached_property
    def prose(self) -> str:
        """The page without its blocks of code."""
        return _FENCE.sub("", self.text)

    @property
    def codes(self) -> list[str]:
        """The code within its sentences, each on one line."""
        return [" ".join(code.split()) for code in _CODE.findall(self.prose)]

    @property
    def links(self) -> list[str]:
        """Targets of its links and images."""
        text = _CODE.sub("", self.prose)
        return [one or other for one, other in _LINK.findall(text)]

    @functools.cached_property
    def anchors(self) -> set[str]:
        """Anchors of its headings, as a code host and the site make them."""
        found: set[str] = set()
        for heading in _HEADING.findall(self.prose):
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower().strip()
            anchor = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
            copies = (f"{anchor}-{number}" for number in range(1, 99))
            found.add(anchor if anchor not in found else next(copies))
        return found

    @property
    def commands(self) -> list[Command]:
        """The commands of our programs, in blocks and in sentences."""
        lines = [code for code in self.codes if _PROGRAM.match(code)]
        for block in self.blocks:
            if block.language in ("", "sh"):
                lines += block.text.replace("\\\n", " ").splitlines()
        parts = (part.strip() for line in lines for part in _END.split(line))
        return [
            parse(part[start.start() :])
            for part in parts
            if (start := re.match(r"(?:cd \S+ |srun )?(?=python3? |jaxsoftras )", part))
            or (start := _PROGRAM.match(part))
        ]

    def run_python(self) -> dict[str, Any]:
        """Runs its Python, without blocks that need something; returns the names."""
        names = {"__name__": "page"}  # a block may use the names of those before it
        for block in self.blocks:
            if block.language == "python" and not block.needs:
                code = "\n" * (block.line - 1) + block.text
                exec(compile(code, self.path, "exec"), names)
        return names


def parse(command: str) -> Command:
    """Takes a command apart; ``jaxsoftras`` is ``python -m jaxsoftras``."""
    words = shlex.split(command.removeprefix("srun "))
    if words[0] in ("python", "python3"):
        words = words[1:]
    elif words[0] == "jaxsoftras":
        words = ["-m", *words]
    module = words[0] == "-m"
    name, *rest = words[1:] if module else words
    subcommands = []
    for word in rest:
        if not re.fullmatch(r"[a-z]+(-[a-z]+)*", word):
            break
        subcommands.append(word)
    options = sorted({w.partition("=")[0] for w in rest if w.startswith("--")})
    config = rest[rest.index("--config") + 1] if "--config" in rest[:-1] else None
    overrides: list[str] = []
    for number, word in enumerate(rest):
        if word == "--set":
            overrides += _take_assignments(rest[number + 1 :])
    return Command(
        module, (name, *subcommands), tuple(options), config, tuple(overrides)
    )


def _take_assignments(words: list[str]) -> list[str]:
    end = next((n for n, word in enumerate(words) if "=" not in word), len(words))
    return [word for word in words[:end] if not word.startswith("--")]


def find_pages() -> dict[str, Page]:
    """All pages, by path: those of the site and those that it takes from the root."""
    paths = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    names = sorted(path.relative_to(ROOT).as_posix() for path in paths)
    return {name: Page(name) for name in names}


def main() -> None:
    """Prints the blocks that need something, and commands without a language."""
    for page in find_pages().values():
        for block in page.blocks:
            if block.needs or not block.language:
                place = f"{block.page}:{block.line} ({block.language or 'plain'})"
                print(f"{place}: {block.needs or 'not marked to be run'}")


if __name__ == "__main__":
    main()
