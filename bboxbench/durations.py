"""Lengths of time as people say them."""

from __future__ import annotations

__all__ = ["duration"]


def duration(seconds: float) -> str:
    """A length of time in its two largest units: '0.8 s', '42 s', '3 min 20 s', '5 h 07 min'."""
    if 0 <= seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
