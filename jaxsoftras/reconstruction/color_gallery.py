"""Galleries of colours: inputs, meshes from views that were not seen, and the images.

A row is an object: the input, and for each of three other views, a quarter turn apart,
the mesh in colour and the image beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from jaxsoftras import terminal
from jaxsoftras.reconstruction import evaluation_groups, gallery, showcase
from jaxsoftras.reconstruction.evaluation_scores import Scores
from jaxsoftras.reconstruction.evaluation_subject import Subject

UNSEEN = 3
"""Views of each row beside the input."""

_CELL, _GAP = gallery.CELL, 6
_LABEL_WIDTH, _HEADER_HEIGHT = 120, 26
_PAPER, _INK = (255, 255, 255), (40, 40, 40)


class Choice(NamedTuple):
    """An object to show.

    Attributes:
        rank: ``"best"``, ``"median"`` and so on, see `showcase.list_ranks`; empty for
            objects that are not chosen by rank.
        index: number of the object in the split.
        psnr: mean over its input views, dB; NaN if it has none.
    """

    rank: str
    index: int
    psnr: float


class Row(NamedTuple):
    """A row of the gallery.

    Attributes:
        label: lines of text at the left.
        image: ``[4, S, S]`` uint8, the network's input.
        drawn: ``[v, 128, 128, 3]`` uint8, the mesh in views that were not seen.
        references: ``[v, 4, S, S]`` uint8, images of these views.
    """

    label: tuple[str, ...]
    image: np.ndarray
    drawn: np.ndarray
    references: np.ndarray


def choose(scores: Scores, count: int | None = None) -> list[Choice]:
    """Chooses objects of a split.

    Args:
        scores: scores with colours.
        count: number of objects, evenly chosen, or all if there are fewer; None for the
            best, the median and the worst by PSNR. Without any PSNR, as where every
            object has a single view, this is the first object.
    """
    values = scores.columns["psnr"].astype(float)
    known = np.isfinite(values)
    total = np.sum(values, axis=1, where=known)
    means = np.where(known.any(1), total / np.maximum(known.sum(1), 1), np.nan)
    if count is not None:
        count = min(count, len(means))
        ranks = [("", k * len(means) // count) for k in range(count)]
    else:
        order = np.argsort(-means, kind="stable")  # NaN comes last
        number = int(np.isfinite(means).sum())
        places = showcase.list_ranks(number) if number else [("unranked", 0)]
        ranks = [(rank, int(order[place])) for rank, place in places]
    return [Choice(rank, index, float(means[index])) for rank, index in ranks]


def choose_views(count: int) -> tuple[int, list[int]]:
    """Number of the input view of an object, and of those that it is shown from.

    Args:
        count: number of views of the object. With fewer than four, fewer are shown.
    """
    shown = gallery.INPUT_VIEW * count // gallery.VIEWS
    turned = [(shown + k * count // 4) % count for k in range(1, UNSEEN + 1)]
    return shown, list(dict.fromkeys(view for view in turned if view != shown))


def reconstruct(
    subject: Subject, scores: Scores, choices: Sequence[Choice]
) -> list[Row]:
    """Reconstructs objects in colour.

    Args:
        subject: a network with colours, and the split.
        scores: its scores.
        choices: the objects.
    """
    split, experiment = subject.split, subject.experiment
    objects = evaluation_groups.list_objects(split)
    rows, cameras = [], []
    for choice in choices:
        key, number = objects[choice.index]
        shown, unseen = choose_views(int(split.view_counts(key)[number]))
        # meshes of fewer views are drawn from the last one again
        filled = [*unseen, *[(unseen or [shown])[-1]] * (UNSEEN - len(unseen))]
        which = np.full(UNSEEN, number), np.array(filled)
        images = split.images(
            key, np.full(1 + UNSEEN, number), np.array([shown, *filled])
        )
        cameras.append(split.viewpoints(key, *which))
        label = _describe(choice, scores)
        references = images[1 : 1 + len(unseen)]
        rows.append(Row(label, images[0], np.empty(0), references))
    inputs = np.stack([row.image for row in rows])
    found = experiment.reconstruct(subject.variables, gallery.shard(inputs, experiment))
    stacked = jax.tree.map(lambda *parts: np.stack(parts), *cameras)
    drawn = experiment.colors.draw_views(found, stacked, _CELL)
    return [
        row._replace(drawn=images[: len(row.references)])
        for row, images in zip(rows, drawn, strict=True)
    ]


def _describe(choice: Choice, scores: Scores) -> tuple[str, ...]:
    psnr = f"PSNR {choice.psnr:.2f} dB" if np.isfinite(choice.psnr) else "no PSNR"
    category = str(scores.category_name[choice.index])
    lines = (choice.rank, category, str(scores.name[choice.index]), psnr)
    return tuple(terminal.printable(line) for line in lines if line)


def sheet(rows: Sequence[Row]) -> Image.Image:
    """Draws a gallery; cells of views that an object lacks stay white."""
    step = _CELL + _GAP
    size = _LABEL_WIDTH + (1 + 2 * UNSEEN) * step, _HEADER_HEIGHT + len(rows) * step
    page = Image.new("RGB", size, _PAPER)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(14)
    for column, header in enumerate(["input", *["mesh", "image"] * UNSEEN]):
        x = _LABEL_WIDTH + column * step + _CELL // 2
        draw.text((x, _HEADER_HEIGHT // 2), header, _INK, font, anchor="mm")
    for number, row in enumerate(rows):
        y = _HEADER_HEIGHT + number * step
        text = "\n".join(_fit(line, font) for line in row.label)
        draw.text((_GAP, y + _CELL // 2), text, _INK, font, anchor="lm")
        cells = [gallery.composite_over_white(row.image)]
        for drawn, reference in zip(row.drawn, row.references, strict=True):
            cells += [drawn, gallery.composite_over_white(reference)]
        for column, cell in enumerate(cells):
            page.paste(Image.fromarray(cell), (_LABEL_WIDTH + column * step, y))
    return page


def _fit(line: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """Shortens a line to the width of the labels."""
    most = _LABEL_WIDTH - 2 * _GAP
    if font.getlength(line) <= most:
        return line
    while line and font.getlength(line + "…") > most:
        line = line[:-1]
    return line + "…"
