"""
Writing to sockets.
"""

from __future__ import annotations

from typing import TypeGuard

from twisted.internet.interfaces import ITransport
from twisted.internet.tcp import Connection


def write_now(transport: ITransport, data: bytes) -> None:
    """
    Write at once, if the kernel takes it and nothing else waits to be written.
    Twisted would write in the reactor's next turn, so that many pieces go out
    together; requests, answers and what is read of a stream come in one piece, for
    which that is only later.
    """
    if data and _is_idle(transport):
        try:
            sent = transport.socket.send(data)
        except OSError:
            # A later attempt will tell those whom it concerns.
            sent = 0
        data = data[sent:]
    if data:
        transport.write(data)


def unsent(transport: object) -> int:
    """
    How many bytes were written, but not sent yet; 0 where that cannot be told.
    """
    if not isinstance(transport, Connection):
        return 0
    waiting = len(transport.dataBuffer) - transport.offset
    return waiting + int(transport._tempDataLen)


def _is_idle(transport: object) -> TypeGuard[Connection]:
    """
    Is it a plain TCP connection that has written all that it was given?
    """
    return (
        isinstance(transport, Connection)
        and bool(transport.connected)
        and not transport.TLS
        and not transport.disconnecting
        and not transport._aborting
        and not transport.dataBuffer
        and not transport._tempDataLen
    )
