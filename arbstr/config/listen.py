"""
Where to listen: any Twisted server endpoint description, or HOST:PORT.
"""

from __future__ import annotations

import re
from ipaddress import ip_address

_HOST_PORT = re.compile(r"(?P<host>\[[^\]]+\]|[^:=\s]*):(?P<port>[0-9]+)")
# As Twisted has it: a backslash takes the meaning of any character after it.
_ARGUMENT = re.compile(r"((?:[^:\\]|\\.)*)(?::|$)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_PORT_FIRST = frozenset({"tcp", "tcp6", "ssl"})
_QUEUED = _PORT_FIRST | {"unix"}


def listen_description(value: str) -> str:
    """
    Turn C{HOST:PORT} into an endpoint description; leave descriptions alone.

    @raise ValueError: for what is neither.
    """
    match = _HOST_PORT.fullmatch(value)
    if match is not None and match["host"] not in _PORT_FIRST:
        _check_port(match["port"])
        host = match["host"].strip("[]")
        kind = "tcp6" if ":" in host else "tcp"
        interface = host.replace(":", r"\:")
        return f"{kind}:{match['port']}:interface={interface}"
    kind, *arguments = _arguments(value)
    if not kind.isidentifier() or not arguments or arguments[0].startswith("//"):
        raise ValueError(
            "expected HOST:PORT or a Twisted endpoint such as "
            "tcp:8080:interface=127.0.0.1"
        )
    first = arguments[0].removeprefix("port=")
    if kind in _PORT_FIRST and "=" not in first:
        _check_port(first)
    return value


def interface(description: str) -> str:
    """
    The address that an endpoint description binds to; empty if it names none.
    """
    # Of several, Twisted takes the last.
    for argument in reversed(_arguments(description)[1:]):
        key, _, value = argument.partition("=")
        if _ESCAPED.sub(r"\1", key) == "interface":
            return _ESCAPED.sub(r"\1", value)
    return ""


def with_backlog(description: str, connections: int) -> str:
    """
    Let so many connections wait to be accepted, where the description leaves that
    to Twisted.  Of more than its 50 that come at once, say when many clients start
    together, the kernel drops the rest, and they try again after a second.
    """
    kind, *arguments = _arguments(description)
    told = [argument.partition("=") for argument in arguments[1:]]
    if kind not in _QUEUED or any(not sep or key == "backlog" for key, sep, _ in told):
        return description
    return f"{description}:backlog={connections}"


def is_loopback(description: str) -> bool:
    """
    Is what listens there out of reach for other machines?  Whatever cannot be
    told counts as reachable.
    """
    return description.startswith("unix:") or _is_loopback_host(interface(description))


def _arguments(description: str) -> list[str]:
    return _ARGUMENT.findall(description + ":")[:-1]


def _check_port(port: str) -> None:
    if not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535:
        raise ValueError("expected a port from 0 to 65535")


def _is_loopback_host(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
