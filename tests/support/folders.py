"""Contents of folders, to compare before and after."""

from pathlib import Path


def read_files(folder: Path) -> dict[Path, bytes]:
    """Content of every file below a folder, by its path."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
