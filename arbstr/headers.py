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
    found = headers._rawHeaders
    for name, value in pairs:
        # Nobody asks for longer names, and strangers choose what is remembered.
        name = _canonical(name) if len(name) <= _LONGEST_KNOWN else name.title()
        if name in found:
            found[name].append(value)
        else:
            found[name] = [value]
    return headers


@lru_cache(maxsize=1024)
def _canonical(name: bytes) -> bytes:
    """
    The spelling under which L{Headers} keeps a header.
    """
    ((canonical, _),) = Headers({name: [b""]}).getAllRawHeaders()
    return canonical
