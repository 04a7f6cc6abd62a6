"""
Addresses that no provider has.
"""

from __future__ import annotations

import re
import unicodedata
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import unquote

# Where cloud machines are told who they are and given credentials, though these
# addresses are not link-local, and the names of it.
_METADATA = frozenset({"100.100.100.200", "fd00:ec2::254", "fd20:ce::254"})
_METADATA_NAMES = frozenset(
    {
        "metadata.google.internal",
        "metadata.goog",
        "instance-data",
        "instance-data.ec2.internal",
    }
)

# IPv6 addresses that a router turns into the IPv4 address at their end.
_TRANSLATED = (
    IPv6Network("::/96"),
    IPv6Network("::ffff:0:0:0/96"),
    IPv6Network("64:ff9b::/96"),
    IPv6Network("64:ff9b:1::/48"),
)

_NUMBERS = re.compile(r"(?:(?:0x[0-9a-f]*|[0-9]+)(?:\.(?=.)|$)){1,4}")


def is_link_local(host: str) -> bool:
    """
    Is this an address at which a cloud's machines, or what is on the same cable,
    answer with credentials of their own?  It may be written in any way that a
    resolver takes for an address: as one number, in octal or hexadecimal, with
    fewer dots or one at the end, with a zone, inside an IPv6 address, in
    brackets, with percent signs or in full-width characters.

    A name is judged by itself, not by what it resolves to: that has to be asked
    of each of its addresses.

    @param host: a name or an address, as in a URL.
    """
    plain = unicodedata.normalize("NFKC", unquote(unquote(host))).strip()
    plain = plain.strip("[]").partition("%")[0].replace("\u3002", ".").lower()
    plain = plain.removesuffix(".")
    if plain in _METADATA_NAMES:
        return True
    return any(
        address.is_link_local or str(address) in _METADATA
        for address in _addresses(plain)
    )


def _addresses(host: str) -> list[IPv4Address | IPv6Address]:
    """
    The address that this is, with those inside it; none for a name.
    """
    numeric = _from_numbers(host)
    if numeric is not None:
        return [numeric]
    try:
        address = ip_address(host)
    except ValueError:
        return []
    if isinstance(address, IPv4Address):
        return [address]
    inside = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if any(address in network for network in _TRANSLATED):
        inside.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [address, *(each for each in inside if each is not None)]


def _from_numbers(host: str) -> IPv4Address | None:
    """
    What C{inet_aton} makes of up to four numbers, the last of which fills what
    the others leave; C{None} for what it refuses.
    """
    if not _NUMBERS.fullmatch(host):
        return None
    try:
        *first, last = [_number(part) for part in host.split(".")]
    except ValueError:
        return None
    left = 4 - len(first)
    if any(each > 255 for each in first) or last >= 256**left:
        return None
    value = sum(each << 8 * (3 - place) for place, each in enumerate(first))
    return IPv4Address(value + last)


def _number(text: str) -> int:
    if text.startswith("0x"):
        return int(text[2:] or "0", 16)
    # A leading zero makes it octal, save where it cannot be.
    octal = text.startswith("0") and not set(text) & {"8", "9"}
    return int(text, 8 if octal else 10)
