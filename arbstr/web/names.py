"""
By which names a client called us, and where the page comes from that asks.

A browser sends these headers truthfully, whatever the page in it wants: they
tell our own pages and programs from strangers' pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address

from attrs import frozen

# Nothing that one reader takes for a host and another for something else: no
# user, no path, no percent signs.
_HOST = re.compile(r"(?P<name>[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")
_ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<rest>[^/]+)")
# No name in use is longer.
_LONGEST = 262
_PORTS = {"http": 80, "https": 443}
_OWN_SITE = frozenset({"same-origin", "none"})


@frozen
class Host:
    """
    A name or an address, and a port.

    @ivar name: lower case, without the dot that may end it; an IPv6 address
        without brackets, as short as it can be.
    @ivar port: C{None} where none was given.
    """

    name: str
    port: int | None

    @classmethod
    def parse(cls, text: str) -> Host | None:
        """
        Read C{HOST} or C{HOST:PORT}; C{None} for anything else.
        """
        return _parse(text) if len(text) <= _LONGEST else None


@lru_cache(maxsize=1024)
def _parse(text: str) -> Host | None:
    match = _HOST.fullmatch(text.lower())
    if match is None:
        return None
    name = canonical(match["name"])
    return Host(name, int(match["port"]) if match["port"] else None)


def canonical(name: str) -> str:
    """
    A name or an address in the one spelling that is compared.
    """
    plain = name.lower().strip("[]").removesuffix(".")
    try:
        return str(ip_address(plain))
    except ValueError:
        return plain


def name_of(text: str) -> str:
    """
    The name in a setting, with or without brackets and port.
    """
    found = Host.parse(text)
    return canonical(text) if found is None else found.name


def is_ours(origin: str, host: str | None, names: Iterable[str]) -> bool:
    """
    Is this the origin of a page of ours: one from a name of ours, be it another
    server's behind it, or from where its request goes?

    @param origin: the header.
    @param host: the Host header of the same request.
    @param names: ours.
    """
    match = _ORIGIN.fullmatch(origin.lower())
    page = None if match is None else Host.parse(match["rest"])
    if match is None or page is None:
        return False
    if page.name in names:
        return True
    usual = _PORTS[match["scheme"]]
    ours = None if host is None else Host.parse(host)
    return (
        ours is not None
        and page.name == ours.name
        and (page.port or usual) == (ours.port or usual)
    )


def is_foreign_fetch(site: str | None, mode: str | None, method: bytes) -> bool:
    """
    Does a page of another site fetch this, be it as an image?  To follow a link
    to us is no such thing.

    @param site: the header Sec-Fetch-Site, which only browsers send.
    @param mode: the header Sec-Fetch-Mode.
    """
    if site is None or site.strip().lower() in _OWN_SITE:
        return False
    return method != b"GET" or (mode or "").strip().lower() != "navigate"
