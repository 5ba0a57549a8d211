"""Text files as bytes: their lines, numbers, and the names of other files in them.

Text is kept as bytes, because only the names in it can tell its encoding: by the files
that exist.
"""

from __future__ import annotations

import codecs
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from jaxsoftras.meshfile import references

_UNICODE = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # begins like UTF-16
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}

# how C libraries print numbers that are not finite
_NOT_A_NUMBER = re.compile(rb"[-+]?(1\.[#$](q?nan|snan|ind|inf)|nan)\S*", re.IGNORECASE)


def read(path: Path) -> bytes:
    """Reads a text file without its byte-order mark; UTF-16 and 32 become UTF-8."""
    content = path.read_bytes()
    for mark, encoding in _UNICODE.items():
        if content.startswith(mark):
            if encoding == "utf-8-sig":
                return content[len(mark) :]
            return content.decode(encoding, errors="replace").encode()
    return content


def split_statements(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields the statements of a text, and the numbers of the lines they begin in.

    Lines end with LF, CRLF or CR; a backslash at the end continues a statement in the
    next line. Comment lines, which begin with ``#``, and empty ones are left out.
    """
    pending, begin = b"", 0
    for number, line in enumerate(content.splitlines(), 1):
        line = line.strip()
        if not pending:
            if not line or line.startswith(b"#"):
                continue
            begin = number
        # a path at the end of a comment does not continue it
        if line.endswith(b"\\") and b" #" not in line:
            pending += line[:-1] + b" "
        else:
            yield begin, pending + line
            pending = b""
    if pending:
        yield begin, pending


def show(text: bytes) -> str:
    """Decodes text for a message, on one line."""
    spelling = spellings(text)[0]
    return "".join(
        c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in spelling
    )


def spellings(text: bytes) -> list[str]:
    """Decodes text as UTF-8, GBK, Latin-1 of Windows and plain, where it is valid."""
    found = []
    for encoding in ("utf-8", "gbk", "cp1252", "latin-1"):
        try:
            found.append(text.decode(encoding))
        except UnicodeDecodeError:
            continue
    return found


def parse_float(word: bytes) -> float:
    """Parses a number, as ``float`` does, and the NaN of other languages.

    Raises:
        ValueError: not a number.
    """
    try:
        number = float(word)
    except ValueError:
        if _NOT_A_NUMBER.fullmatch(word):
            return float("nan")
        raise
    if b"_" in word:  # which Python skips
        raise ValueError(word)
    return number


def as_indices(numbers: Sequence[int]) -> np.ndarray:
    """Converts integers to an array; those too large for it to the largest it holds."""
    try:
        return np.array(numbers, np.int64)
    except OverflowError:
        most = np.iinfo(np.int64).max
        return np.array([max(min(k, most), -most) for k in numbers], np.int64)


def scale_colors(
    colors: np.ndarray, subject: str
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Scales colours that a text file gives from 0 to 1 or from 0 to 255.

    If all numbers are whole and some are above 1, they range to 255. Otherwise they
    range to 1, and what is beyond is clipped.

    Args:
        colors: numbers of any shape; NaN where there is none.
        subject: what has the colours, for the note.

    Returns:
        Colours in [0, 1], and a note if numbers were far beyond the range.
    """
    top = np.max(colors, initial=0, where=~np.isnan(colors))
    whole = np.all(np.isnan(colors) | (colors == np.floor(colors)))
    if whole and 1 < top <= 255:
        return np.clip(colors / 255, 0, 1), ()
    # a small excess is what an optimizer or a filter leaves
    notes = (f"colours of {subject} up to {top:.6g}: clipped to 1",) if top > 2 else ()
    return np.clip(colors, 0, 1), notes


def list_names(names: Sequence[str], most: int = 5) -> str:
    """Joins names for a message; says how many follow after the first few."""
    shown = ", ".join(names[:most])
    more = len(names) - most
    return f"{shown} and {more} more" if more > 0 else shown


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # such as a name that is too long
        return False


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _match(folder: Path, name: str) -> Path | None:
    """Finds a file by its name relative to a folder, whatever the case of letters."""
    path = folder / name
    if _is_file(path):
        return path
    if Path(name).is_absolute():
        return None
    path = folder
    for part in name.split("/"):
        try:
            entries = os.listdir(path)
        except OSError:
            return None
        if part in ("", ".", ".."):
            path = path / part
        elif same := [entry for entry in entries if _fold(entry) == _fold(part)]:
            path = path / (part if part in same else min(same))
        else:
            return None
    return path if _is_file(path) else None


def find_file(folder: Path, text: bytes) -> Path | None:
    """Finds a file that another file names.

    Args:
        folder: folder of the file that has the name.
        text: the name, absolute or relative, with ``/`` or backslashes; quotation marks
            or a comment may belong to it or not.

    Returns:
        The first of these that exists: the file of that name, or of its last part in
        the folder, as some programs write paths of the computer that they ran on.
    """
    forms = [text, text.split(b" #")[0].rstrip(), text.split(b"\t#")[0].rstrip()]
    forms += [form.strip(b"\"'") for form in forms]
    names = [
        spelling.replace("\\", "/")
        for form in dict.fromkeys(forms)
        # the last are the bytes themselves, as an archive may have left them
        for spelling in (*spellings(form), form.decode("utf-8", "surrogateescape"))
        if spelling and "\0" not in spelling
    ]
    names += [name.rpartition("/")[2] for name in names]
    for name in dict.fromkeys(filter(None, names)):
        path = _match(folder, name)
        if path is not None:
            references.add(path)
            return path
        references.add(folder / name)
    return None
