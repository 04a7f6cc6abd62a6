"""
Headers as twisted.web has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from twisted.web.http_headers import Headers

_LONGEST_KNOWN = 64


def read_headers(pairs: Iterable[tuple[bytes, bytes]]) -> Headers:
    """
    Headers that a parser has read: there are no line ends in them that would
    have to be looked for, as there might be in those that somebody made up.
    """
    headers = Headers()
    found = headers._rawHeaders
    for name, value in pairs:
        # Nobody asks for longer names, and strangers choose what is remembered.
        name = _canonical(name) if len(name) <= _LONGEST_KNOWN else name.title()
        if name in found:
            found[name].append(value)
        else:
            found[name] = [value]
    return headers


def set_headers(headers: Headers, told: Mapping[str, str]) -> None:
    """
    Set headers that go out.  No value gets to end its line, or has zeros in it.
    """
    raw = headers._rawHeaders
    for name, value in told.items():
        line = value.encode()
        raw[_canonical(name)] = [line if value.isprintable() else _one_line(line)]


def values_of(headers: Headers, name: bytes) -> Sequence[bytes]:
    """
    All values of a header.  Here as below the name is one that we choose: it is
    remembered, so that L{Headers} need not make it canonical each time.
    """
    return headers._rawHeaders.get(_canonical(name), ())


def first_of(headers: Headers, name: bytes) -> bytes:
    """
    The first value of a header, or nothing.
    """
    values = headers._rawHeaders.get(_canonical(name))
    return values[0] if values else b""


def last_text(headers: Headers, name: str) -> str | None:
    """
    The last value of a header as text, which it need not be.
    """
    values = headers._rawHeaders.get(_canonical(name))
    return values[-1].decode("utf-8", "replace") if values else None


def _one_line(value: bytes) -> bytes:
    return b" ".join(value.replace(b"\0", b" ").splitlines())


@lru_cache(maxsize=1024)
def _canonical(name: str | bytes) -> bytes:
    """
    The spelling under which L{Headers} keeps a header.
    """
    headers = Headers()
    headers.setRawHeaders(name, [b""])
    ((canonical, _),) = headers.getAllRawHeaders()
    return canonical
