"""Predictions of a model from pictures, as exhibits."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxsoftras import model_files, prediction, terminal
from jaxsoftras.prediction import drawing, inputs
from jaxsoftras.viewer.exhibits import Exhibit, Solid
from jaxsoftras.viewer.file_list import FileList
from jaxsoftras.viewer.worker import Worker

if TYPE_CHECKING:
    from jaxsoftras.viewer.page import Page

_REFINEMENT = 200  # steps, as in docs/prediction.md
_CAPTIONS = "input", "mesh", "both outlines"  # the side can be turned to
_REFINE_ORDER, _UPLOAD_ORDER = 20, 30
_NAME = 200  # bytes of the name of an uploaded file: systems allow 255


def load(path: Path) -> prediction.Predictor:
    """Loads a model file; see `model_files.load`."""
    return prediction.Predictor(model_files.load(path))


def find(paths: Sequence[Path]) -> list[Path]:
    """Lists pictures, in folders too; see `prediction.inputs.list_pictures`.

    Raises:
        ProgramError: there is no such file, or a folder without a picture.
    """
    for path in paths:
        if not path.exists():
            raise terminal.ProgramError(f"There is no picture {path}.")
    return inputs.list_pictures(paths)


def make_folder(stack: contextlib.ExitStack) -> Path:
    """Makes a folder for pictures from the browser, removed at the end of the stack."""
    folder = tempfile.TemporaryDirectory(prefix="jaxsoftras-view-")
    return Path(stack.enter_context(folder))


class PictureViewer:
    """Steps through pictures, and takes more of them from the browser."""

    def __init__(
        self,
        page: Page,
        worker: Worker,
        predictor: prediction.Predictor,
        paths: Sequence[Path],
        uploads: Path,
        mask: Path | None = None,
    ):
        """Makes the controls.

        Args:
            page: where to show predictions.
            worker: whose thread predicts.
            predictor: the model.
            paths: pictures to begin with.
            uploads: folder for those from the browser.
            mask: see `prediction.read_picture`; not for those from the browser.
        """
        self._page, self._worker = page, worker
        self._predictor, self._uploads, self._mask = predictor, uploads, mask
        self._numbers = itertools.count()
        self._files = FileList(page, worker, "Picture", paths, self._describe)
        self._refine = page.gui.add_checkbox(
            "Refine",
            initial_value=False,
            hint=f"Fit mesh and camera to the silhouette by {_REFINEMENT} steps",
            order=_REFINE_ORDER,
        )
        self._refine.on_update(lambda _: worker.request("show", self._files.show))
        upload = page.gui.add_upload_button(
            "Open a picture", mime_type="image/*", order=_UPLOAD_ORDER
        )
        upload.on_upload(self._receive)

    def begin(self) -> None:
        """Predicts from the first picture, if there is one."""
        self._page.say("Open a picture of one object to turn it into a mesh.")
        self._files.begin()

    def look(self) -> None:
        """Predicts again from a picture that has changed."""
        self._files.look()

    def _receive(self, event: Any) -> None:
        """Takes a picture from the browser."""
        file = event.target.value
        folder = self._uploads / str(next(self._numbers))
        self._worker.request(
            f"upload {folder}", lambda: self._add(folder, file.name, file.content)
        )

    def _add(self, folder: Path, name: str, content: bytes) -> None:
        """Shows a picture, kept in a folder of its own, whatever its name says."""
        name = PurePath(name.replace("\\", "/")).name.replace("\0", "")
        name = name.encode(errors="replace")[-_NAME:].decode(errors="ignore")
        path = folder / (name if name.strip(". ") else "picture")
        folder.mkdir()
        path.write_bytes(content)
        self._files.add(path)

    def _describe(self, path: Path) -> Exhibit:
        """Predicts a mesh.

        Raises:
            ProgramError: the picture cannot be used.
        """
        uploaded = self._uploads in path.parents
        try:
            picture = prediction.read_picture(path, None if uploaded else self._mask)
        except ValueError as error:
            raise terminal.ProgramError(f"{path.name}: {error}.") from error
        found = self._predictor(
            picture, refine=_REFINEMENT if self._refine.value else 0
        )
        cells = drawing.draw_cells(
            found, picture, self._predictor.orbit, self._predictor.extent
        )
        x, y, z = np.asarray(found.view.position, float).tolist()
        iou = f"{found.iou:.3f}"
        if found.iou != found.unrefined_iou:
            iou += f" ({found.unrefined_iou:.3f} before refinement)"
        return Exhibit(
            title=path.name,
            solids=[Solid("", found.mesh)],
            images=list(zip(_CAPTIONS, cells.values(), strict=False)),
            facts=[
                ("Silhouette IoU", iou),
                ("Azimuth", f"{round(found.azimuth) % 360}°"),
                ("Mask", picture.mask),
            ],
            notes=[f"{note[:1].upper()}{note[1:]}." for note in picture.notes],
            towards=(x, y, z),
        )
