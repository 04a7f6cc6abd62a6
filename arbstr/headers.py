"""
Headers as twisted.web has them.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from twisted.web.http_headers import Headers


def read_headers(pairs: Iterable[tuple[bytes, bytes]]) -> Headers:
    """
    Headers that a parser has read: there are no line ends in them that would
    have to be looked for, as there might be in those that somebody made up.
    """
    headers = Headers()
    for name, value in pairs:
        headers._rawHeaders.setdefault(_canonical(name), []).append(value)
    return headers


@lru_cache(maxsize=4096)
def _canonical(name: bytes) -> bytes:
    """
    The spelling under which L{Headers} keeps a header.
    """
    ((canonical, _),) = Headers({name: [b""]}).getAllRawHeaders()
    return canonical
