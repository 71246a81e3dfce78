"""One JSON object a line, strict: what a journal is made of, and what programs read on stdout."""

from __future__ import annotations

import json
import math
from typing import Any

__all__ = ["json_line"]


def json_line(values: dict[str, Any]) -> str:
    """``values`` as one line of JSON with its newline.

    NaN and infinity, which JSON does not know and other languages' readers refuse, become null; what JSON does not know
    otherwise (a path) becomes text.
    """
    return json.dumps(_strict(values), separators=(",", ":"), default=str, allow_nan=False) + "\n"


def _strict(value: Any) -> Any:
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _strict(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(each) for each in value]
    return value
