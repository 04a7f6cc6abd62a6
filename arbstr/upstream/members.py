"""
The members of a JSON object, each with its place in the text, so that some can
be changed and every other stay as it was written: its numbers, its spaces, its
order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from attrs import define

from arbstr.errors import ApiError, bad_request

from .strict import DECODER

_MAX_DEPTH = 64
# Each costs more than what it says: a body of nothing else would keep the
# reactor busy for seconds.
_MAX_MEMBERS = 1000
# Characters of a text that is looked through in no time.
_SHORT = 65_536
_SPACE = re.compile(r"[ \t\n\r]*")
_KEY = r'[ \t\n\r]*+"([^"\\\x00-\x1f]*+)"[ \t\n\r]*+:[ \t\n\r]*+'
_FIRST_KEY = re.compile(rf"[ \t\n\r]*+\{{{_KEY}")
_NEXT_KEY = re.compile(rf"[ \t\n\r]*+,{_KEY}")
_END = re.compile(r"[ \t\n\r]*+\}[ \t\n\r]*+")


@define
class Member:
    """
    One C{"key": value} of the outermost object: from C{start} to C{end} in the
    text.
    """

    key: str
    value: Any
    start: int
    value_start: int
    end: int


def parse_object(body: bytes) -> tuple[str, tuple[Member, ...]]:
    """
    Read a request's body.

    @return: the text that it is, and the members of the object in it.
    @raise ApiError: it is not UTF-8, not JSON, not an object, has more than a
        thousand members, or nests deeper than 64 levels.
    """
    text = _decode(body)
    try:
        members = read_members(text)
    except RecursionError:
        raise _too_deep() from None
    except json.JSONDecodeError as error:
        raise bad_request(f"The body is not valid JSON: {error}") from None
    except ValueError as error:
        raise bad_request(f"The body is not valid JSON: {_plain(error)}") from None
    _check_depth(text, members)
    return text, members


def read_members(text: str) -> tuple[Member, ...]:
    """
    The members of the JSON object that a text is.

    @raise ValueError: it is not JSON.
    @raise ApiError: it is JSON, but not an object.
    """
    members = _read_plain_object(text)
    if members is None:
        members = tuple(islice(_read_object(text), _MAX_MEMBERS + 1))
    if len(members) > _MAX_MEMBERS:
        raise bad_request(f"The body has more than {_MAX_MEMBERS} members")
    return members


def rewrite(
    text: str,
    members: Sequence[Member],
    changes: Mapping[str, str],
    removed: Collection[str] = (),
) -> str:
    """
    The object with some members changed, added or removed, and every other as
    it stood.

    @param text: what the members were read from.
    @param changes: by key, the JSON text of the new value.
    """
    written = [
        _write(member.key, changes[member.key])
        if member.key in changes
        else text[member.start : member.end]
        for member in members
        if member.key not in removed
    ]
    known = {member.key for member in members}
    written += [_write(key, changes[key]) for key in changes if key not in known]
    return "{" + ",".join(written) + "}"


def _write(key: str, value: str) -> str:
    return f"{json.dumps(key)}:{value}"


def _plain(error: ValueError) -> str:
    message = str(error)
    return "a number has too many digits" if "digits" in message else message


def _decode(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise bad_request(
            f"The body is not UTF-8: invalid byte at offset {error.start}"
        ) from None


def _read_plain_object(text: str) -> tuple[Member, ...] | None:
    """
    The members of an object as nearly everybody writes it: not empty, not too
    large, with keys that need no decoding.  C{None} for every other text; those
    that are wrong are told so by L{_read_object}, which is slower.
    """
    members: list[Member] = []
    end = 0
    key = _FIRST_KEY.match(text)
    try:
        while key is not None and len(members) < _MAX_MEMBERS:
            start = key.end()
            value, end = DECODER.raw_decode(text, start)
            members.append(Member(key[1], value, key.start(1) - 1, start, end))
            key = _NEXT_KEY.match(text, end)
    except (ValueError, RecursionError):
        return None
    whole = members and key is None and _END.fullmatch(text, end)
    return tuple(members) if whole else None


def _read_object(text: str) -> Iterator[Member]:
    """
    The members of the object that the text is, each with its place in it.

    @raise ValueError: the text is not JSON.
    @raise ApiError: it is JSON, but not an object.
    """

    def skip(position: int) -> int:
        found = _SPACE.match(text, position)
        return position if found is None else found.end()

    def expect(characters: str, position: int) -> str:
        character = text[position : position + 1]
        if not character or character not in characters:
            wanted = " or ".join(f"'{each}'" for each in characters)
            raise json.JSONDecodeError(f"Expecting {wanted}", text, position)
        return character

    position = skip(0)
    if text[position : position + 1] not in ("{", ""):
        DECODER.decode(text)
        raise bad_request("The body: expected a JSON object, found another value")
    expect("{", position)
    position = skip(position + 1)
    if text[position : position + 1] == "}":
        separator = "}"
    else:
        separator = ","
        position -= 1
    while separator == ",":
        start = skip(position + 1)
        expect('"', start)
        key, position = DECODER.raw_decode(text, start)
        position = skip(position)
        expect(":", position)
        value_start = skip(position + 1)
        value, end = DECODER.raw_decode(text, value_start)
        yield Member(key, value, start, value_start, end)
        position = skip(end)
        separator = expect(",}", position)
    position = skip(position + 1)
    if position != len(text):
        raise json.JSONDecodeError("Extra data", text, position)


def _check_depth(text: str, members: Iterable[Member]) -> None:
    """
    @raise ApiError: one of the members nests deeper than the limit, the outermost
        object counted.
    """
    if len(text) < _SHORT and text.count("{") + text.count("[") <= _MAX_DEPTH:
        # So it is nearly always, and this is seen at once.
        return
    level = [each.value for each in members if isinstance(each.value, (dict, list))]
    for _ in range(_MAX_DEPTH - 1):
        if not level:
            return
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
    if level:
        raise _too_deep()


def _too_deep() -> ApiError:
    return bad_request(f"The body is nested deeper than {_MAX_DEPTH} levels")
