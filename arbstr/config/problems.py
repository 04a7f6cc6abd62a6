"""
What can be wrong with a configuration, and how it is said: where it was, what
was expected, what was found.

A problem may quote what stands in the file, so it must not quote a key that
stands in the wrong place.  Text that could be one is described instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from itertools import islice
from typing import TypeAlias

from attrs import field, frozen

from arbstr.redact import redact

from .secrets import SECRET_KEYS

Path: TypeAlias = tuple[str | int, ...]
"""
The keys and list positions that lead from the top of the file to a value.
"""

_QUOTED = 80
_LOOKS_LIKE_A_KEY_OF_OURS = re.compile(r"(?!sk-)[A-Za-z_][A-Za-z0-9_.-]{0,29}")
_NAMES_LISTED = 12
_NAMES_COMPARED = 200


class ConfigError(Exception):
    """
    A configuration that cannot be used.

    @ivar problems: everything that is wrong with it, a line each.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@frozen
class Problem:
    """
    Something that is wrong at one place of the file.

    @ivar message: C{expected ..., found ...}.
    @ivar line: where, if that is not the line of C{path}.
    """

    path: Path
    message: str
    line: int | None = None

    def render(self, file: str, lines: Mapping[Path, int]) -> str:
        """
        C{FILE:LINE: dotted.path: message}.
        """
        line = self.line or line_of(self.path, lines)
        where = f"{show_path(self.path)}: " if self.path else ""
        return f"{file}:{line}: {where}{self.message}"


@frozen
class Document:
    """
    What a file says, before anybody asked what it means.

    @ivar lines: the line (from 1) of every value.
    @ivar problems: what was wrong with it and did not keep the rest from being
        read.
    """

    data: object = field(repr=False)
    lines: Mapping[Path, int] = field(repr=False)
    problems: tuple[Problem, ...] = ()


def line_of(path: Path, lines: Mapping[Path, int]) -> int:
    """
    The line of a value; of one that is not there, that of what it should be in.
    """
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def show_path(path: Path) -> str:
    """
    C{providers[0].models[1].name}; what is inside a secret is left out.
    """
    shown = ""
    for step in path:
        if isinstance(step, int):
            shown += f"[{step}]"
            continue
        shown += f".{show_key(step)}" if shown else show_key(step)
        if step in SECRET_KEYS:
            break
    return shown


def show_key(key: str) -> str:
    """
    A key of the file, unless it is more likely the secret kind of key.
    """
    if _LOOKS_LIKE_A_KEY_OF_OURS.fullmatch(key):
        return key
    return f"<{len(key)} characters>"


def show(value: object, *, secret: bool = False) -> str:
    """
    What was found, for the end of a message.
    """
    match value:
        case None:
            return "nothing"
        case str():
            if secret or not _may_be_quoted(value):
                return f"text of {len(value)} characters"
            return repr(value)
        case bool():
            return str(value).lower()
        case int() | float():
            return "a number" if secret else str(value)
        case Mapping():
            return "a mapping"
        case _:
            return "a list"


def _may_be_quoted(text: str) -> bool:
    """
    Is it short, fit to be printed, and unlike a key or a password in a URL?
    """
    return "@" not in text and redact(text, _QUOTED) == text


def suggest(word: str, known: Iterable[str]) -> str:
    """
    The end of a message about a word that is not known: the one that was
    probably meant, else some of those there are.
    """
    some = islice(dict.fromkeys(known), _NAMES_COMPARED)
    known = [name for name in some if name and _may_be_quoted(name)]
    close = get_close_matches(word, known, n=1, cutoff=0.7)
    if close:
        return f"; did you mean {close[0]!r}?"
    more = ", ..." if len(known) > _NAMES_LISTED else ""
    return f"; there is {', '.join(known[:_NAMES_LISTED])}{more}" if known else ""
