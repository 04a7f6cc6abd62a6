"""
Tables for people.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

NOTHING = "-"


def table(rows: Sequence[Sequence[str]]) -> str:
    """
    Rows with their columns aligned.  What a terminal would obey instead of
    showing it is replaced: some of it came from afar.
    """
    shown = [[_printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in shown
    )
    return "\n".join(line.rstrip() for line in lines)


def cell(value: object) -> str:
    """
    A JSON value, or an exact number, for people.
    """
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float | Decimal):
        # Nine decimals are kept, and none of them is dropped here.
        return f"{value:.9f}".rstrip("0").rstrip(".")
    return str(value)


def _printable(text: str) -> str:
    return "".join(
        each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text
    )
