"""ShapeNetCore, rendered here, as a prepared data set."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

from jaxsoftras.data import build, shapenet_texts
from jaxsoftras.data.build_object import Options
from jaxsoftras.data.prepared_builder import Content, Part, ShapesBuilder
from jaxsoftras.data.shapenet_core_files import (
    FRONTS,
    SPLIT_FILE,
    discover,
    read_splits,
)


class ShapenetCore(ShapesBuilder):
    """The models of ShapeNetCore, rendered by `jaxsoftras.data.build`.

    Attributes:
        report: what was made and what was left out, when the data set is written.
    """

    CITATION = shapenet_texts.CORE_CITATION
    LICENSE = shapenet_texts.LICENSE
    HOMEPAGE = "https://shapenet.org"
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Register at https://shapenet.org, accept the terms, Download ShapeNetCore "
        "(version 1 or 2, a zip file for each synset), unpack all zip files in one "
        "folder (SYNSET/ID/...), and name it with --meshes."
    )

    def __init__(
        self,
        *,
        meshes: str | Path,
        options: Options = Options(binvox=True),  # noqa: B008
        splits: str | Path | None = None,
        jobs: int = 1,
        **kwargs: Any,
    ):
        """Finds the models.

        Args:
            meshes: folder of the synsets.
            options: how objects are made; the orientation is the version's.
            splits: list of splits; if None, ``all.csv`` in the folder if it is there,
                or else a hash of the ID draws them, 70, 10 and 20 of 100.
            jobs: number of processes.
            **kwargs: as of `ShapesBuilder`.

        Raises:
            FileNotFoundError: there are no models.
            ValueError: models of both versions, or a list of splits that is none.
        """
        self._root = Path(meshes)
        self._jobs = jobs
        if splits is None and (self._root / SPLIT_FILE).is_file():
            splits = self._root / SPLIT_FILE
        self._splits = splits
        given = None if splits is None else read_splits(Path(splits))
        try:
            core = discover(self._root, given)
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"{error} {self.MANUAL_DOWNLOAD_INSTRUCTIONS}"
            ) from None
        self._source, self._found = f"ShapeNetCore v{core.version}", core.found
        self._options = dataclasses.replace(
            options, up="+Y", front=FRONTS[core.version]
        )
        self.report = build.Report()
        super().__init__(options.views, options.size, **kwargs)
        # a build that is interrupted is resumed from there
        self._work = Path(self.data_dir_root) / ".shapenet_core"

    def _open(self) -> Content:
        with self._bar("Building") as progress:
            made = build.make(
                self._root,
                self._work,
                self._found,
                self._options,
                jobs=self._jobs,
                progress=progress,
            )
        self.report = made.report
        if not made.report.total:
            file, reason = made.report.left_out[0]
            raise ValueError(f"No model could be built; {file}: {reason}.")
        parts = {
            (split, key): Part(
                len(entries), lambda key=key, split=split: made.read(key, split)
            )
            for key, each in made.described["objects"].items()
            for split, entries in each.items()
        }
        made_by = {
            **made.described["made_by"],
            "program": "jaxsoftras data shapenet core",
            "source": self._source,
            "splits": "a hash of the ID" if self._splits is None else "a list",
            "license": shapenet_texts.LICENSE,
        }
        return Content(parts, {**made.described, "made_by": made_by})

    def download_and_prepare(self, **kwargs: Any) -> None:
        """Writes the data set, and deletes the objects kept to resume a build."""
        super().download_and_prepare(**kwargs)
        shutil.rmtree(self._work)
