"""The text and the images of an exhibit as HTML."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence

import numpy as np

from jaxsoftras.meshfile import imagefile
from jaxsoftras.viewer.exhibits import Exhibit

_BOX = "padding:0 0.75em 0.5em;font-size:0.875em;line-height:1.45"
_GREY = "color:#868e96"


def write_card(exhibit: Exhibit, notes: Sequence[str] = ()) -> str:
    """Writes title, images, facts and notes; all texts are escaped.

    Args:
        exhibit: what is shown.
        notes: more sentences, after its own.
    """
    parts = [
        f'<div style="font-weight:600;overflow-wrap:anywhere">{escape(exhibit.title)}'
        "</div>",
        _write_images(exhibit.images),
        _write_facts(exhibit.facts),
        *map(_write_note, [*exhibit.notes, *notes]),
    ]
    return f'<div class="jaxsoftras-card" style="{_BOX}">{"".join(parts)}</div>'


def write_status(text: str, problem: bool = False) -> str:
    """Writes a line on what the viewer does, or what is wrong."""
    color = "color:#c92a2a" if problem else _GREY
    style = f"{_BOX};{color};overflow-wrap:anywhere"
    return f'<div class="jaxsoftras-status" style="{style}">{escape(text)}</div>'


def escape(text: str) -> str:
    """Escapes a text, with signs in place of control characters and lone surrogates."""
    printable = "".join(
        sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text
    )
    return html.escape(printable)


def _write_images(images: Sequence[tuple[str, np.ndarray]]) -> str:
    figures = [
        '<figure style="margin:0;flex:1;min-width:0;text-align:center">'
        f'<img src="{encode_image(pixels)}" alt="{escape(caption)}" '
        'style="width:100%;display:block;border:1px solid #dee2e6;border-radius:4px">'
        f'<figcaption style="{_GREY}">{escape(caption)}</figcaption></figure>'
        for caption, pixels in images
    ]
    if not figures:
        return ""
    return f'<div style="display:flex;gap:6px;margin:6px 0">{"".join(figures)}</div>'


def encode_image(pixels: np.ndarray) -> str:
    """Encodes ``[H, W, 3]`` uint8 as a ``data:`` address."""
    content = imagefile.encode_png(pixels / 255)
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def _write_facts(facts: Sequence[tuple[str, str]]) -> str:
    rows = [
        f'<tr><td style="{_GREY};padding-right:1em;vertical-align:top;'
        f'white-space:nowrap">{escape(name)}</td>'
        f'<td style="overflow-wrap:anywhere">{escape(value)}</td></tr>'
        for name, value in facts
    ]
    return f"<table>{''.join(rows)}</table>" if rows else ""


def _write_note(note: str) -> str:
    return f'<div style="margin-top:0.5em;color:#a05a00">{escape(note)}</div>'
