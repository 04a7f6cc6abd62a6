"""
JSON as its standard has it: Python would take C{NaN} and C{Infinity}, too, and
pass on what no client can read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

import orjson


def refuse_constant(name: str) -> NoReturn:
    """
    For C{parse_constant} of a decoder.

    @raise ValueError: always.
    """
    raise ValueError(f"{name} is not JSON")


DECODER = json.JSONDecoder(parse_constant=refuse_constant)


def parse(data: bytes) -> Any:
    """
    The value that these bytes are in UTF-8; C{None} if they are no JSON.

    Integers of more than 64 bits may come as floats.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        # It refuses some of what is JSON, such as half a surrogate pair, which
        # is found in streams that cut an emoji in two.
        return _parse_slowly(data)


def dump(value: Mapping[str, object]) -> bytes:
    """
    An object as JSON in UTF-8.
    """
    try:
        return orjson.dumps(dict(value))
    except TypeError:
        text = json.dumps(dict(value), ensure_ascii=False, separators=(",", ":"))
        # Half a surrogate pair becomes what JSON, too, writes for it.
        return text.encode(errors="backslashreplace")


def _parse_slowly(data: bytes) -> Any:
    try:
        return DECODER.decode(data.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
