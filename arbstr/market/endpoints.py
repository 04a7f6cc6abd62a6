"""
The addresses that a feed repeats.  Anybody may have announced them.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

_LONGEST = 2048
_VERSION = "/v1"
_PORTS = {"http": 80, "https": 443}
# The last part of a public name begins with a letter; what does not may be one
# of the ways to write an address as a number.
_PUBLIC_NAME = re.compile(r"(?:[a-z0-9_-]{1,63}\.)+[a-z][a-z0-9-]{1,62}")
_NOT_PUBLIC = (
    ".arpa",
    ".home",
    ".internal",
    ".intranet",
    ".lan",
    ".local",
    ".localdomain",
    ".localhost",
)


def normalise(url: str) -> str:
    """
    One spelling for all that mean the same: no slash at the end, but C{/v1}.  What
    is no URL stays as it is.
    """
    url = url.strip()
    parts = _split(url)
    if parts is None or parts.query or parts.fragment or "@" in parts.netloc:
        return url
    path = parts.path.rstrip("/")
    if not path.endswith(_VERSION):
        path += _VERSION
    return f"{parts.scheme}://{host_of(url)}{path}"


def host_of(url: str) -> str | None:
    """
    The host, with its port where it is not the scheme's own.
    """
    parts = _split(url)
    if parts is None or parts.hostname is None:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if parts.port in (None, _PORTS[parts.scheme]):
        return host
    return f"{host}:{parts.port}"


def why_unsafe(url: str) -> str | None:
    """
    Why nothing is ever sent to an address that only a feed names; C{None} if a
    key that is bound to its host may be.
    """
    parts = _split(url)
    if parts is None or parts.hostname is None:
        return "it is not a URL"
    if "@" in parts.netloc or parts.query or parts.fragment:
        return "it is more than a base URL"
    host = parts.hostname
    if host.endswith(".onion"):
        return "it is a Tor hidden service"
    if parts.scheme != "https":
        return "it is not https"
    try:
        address = ip_address(host)
    except ValueError:
        if _PUBLIC_NAME.fullmatch(host) is None or host.endswith(_NOT_PUBLIC):
            return "its host is not a public name"
        return None
    if not address.is_global or address.is_multicast:
        return "its host is not a public address"
    return None


def _split(url: str) -> SplitResult | None:
    if len(url) > _LONGEST or not re.fullmatch("[!-~]+", url):
        return None
    try:
        parts = urlsplit(url)
        # Reading the port is what checks it.
        usable = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if usable else None
