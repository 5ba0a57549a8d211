"""JSON of numbers that were measured, and need not be finite.

`json.dumps` writes ``NaN`` and ``Infinity``, which are no JSON: JavaScript, ``jq`` and
most other readers refuse the whole text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def dumps(content: Any, *, indent: int | None = None) -> str:
    """Formats a value as JSON, with null for each number that is not finite.

    Args:
        content: dictionaries, sequences, texts, numbers, booleans and None.
        indent: see `json.dumps`.

    Raises:
        TypeError: it holds something else.

    Example:
        >>> from jaxsoftras import strict_json
        >>> strict_json.dumps({"loss": float("nan")})
        '{"loss": null}'
    """
    return json.dumps(_replace(content), indent=indent, allow_nan=False)


def _replace(value: Any) -> Any:
    """Copies a value, with None for each float that is not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _replace(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_replace(part) for part in value]
    return value
