"""
Headers as twisted.web has them.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from twisted.web.http_headers import Headers

_LONGEST_KNOWN = 64


def read_headers(pairs: Iterable[tuple[bytes, bytes]]) -> Headers:
    """
    Headers that a parser has read: there are no line ends in them that would
    have to be looked for, as there might be in those that somebody made up.
    """
    headers = Headers()
    for name, value in pairs:
        headers._rawHeaders.setdefault(_canonical(name), []).append(value)
    return headers


def _canonical(name: bytes) -> bytes:
    """
    The spelling under which L{Headers} keeps a header.
    """
    # Nobody asks for the others, and strangers choose what is remembered.
    if len(name) > _LONGEST_KNOWN:
        return name.title()
    return _known(name)


@lru_cache(maxsize=1024)
def _known(name: bytes) -> bytes:
    ((canonical, _),) = Headers({name: [b""]}).getAllRawHeaders()
    return canonical
