"""
Tables in Markdown that can be read as they are, too.
"""

from __future__ import annotations

from collections.abc import Sequence


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """
    A table: names on the left, figures on the right of their columns.

    @param lines: the headings, then a line each.
    """
    widths = [max(3, *map(len, column)) for column in zip(*lines, strict=True)]
    rule = [":--".ljust(widths[0], "-"), *("--:".rjust(n, "-") for n in widths[1:])]
    return "\n".join(_line(each, widths) for each in [lines[0], rule, *lines[1:]])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    name, *figures = [
        cell.rjust(width) if place else cell.ljust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return f"| {' | '.join([name, *figures])} |"
