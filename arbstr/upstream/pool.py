"""
The connections to providers: those in use, and those that are idle.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall

from .connection import Connection

# Idle connections kept for each provider, and for how long: less than the five
# seconds after which uvicorn and Node close theirs, lest a request is sent into
# a closing one.
_MOST_IDLE = 256
_IDLE_SECONDS = 4


class Pool:
    """
    Keeps connections for the next request.

    @param reactor: tells when one has been idle for too long.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._all: set[Connection] = set()
        # The longest idle come first.
        self._idle: dict[Hashable, list[Connection]] = {}
        self._sweep_call: IDelayedCall | None = None
        self._closing = False
        self._closed: Deferred[None] | None = None

    def take(self, key: Hashable) -> Connection | None:
        """
        The one that has been idle for the shortest time, if there is any.
        """
        idle = self._idle.get(key)
        while idle:
            connection = idle.pop()
            if not connection.closing:
                return connection
        return None

    def made(self, connection: Connection) -> None:
        """
        A connection stands.
        """
        self._all.add(connection)
        if self._closing:
            connection.abort()

    def released(self, connection: Connection) -> None:
        """
        A connection is free for another request.
        """
        idle = self._idle.get(connection.key)
        if idle is None:
            idle = self._idle[connection.key] = []
        if len(idle) >= _MOST_IDLE or self._closing:
            connection.close()
            return
        connection.idle_since = self._reactor.seconds()
        idle.append(connection)
        if self._sweep_call is None:
            self._sweep_call = self._reactor.callLater(_IDLE_SECONDS, self._sweep)

    def lost(self, connection: Connection) -> None:
        """
        A connection is gone.
        """
        self._all.discard(connection)
        idle = self._idle.get(connection.key, [])
        idle[:] = [each for each in idle if each is not connection]
        if not self._all and self._closed is not None:
            closed, self._closed = self._closed, None
            closed.callback(None)

    def close(self) -> Deferred[None]:
        """
        Close the idle connections, keep none any more, and wait until all are
        gone.
        """
        self._closing = True
        if self._sweep_call is not None:
            self._sweep_call.cancel()
            self._sweep_call = None
        for idle in self._idle.values():
            for each in idle:
                each.close()
        self._idle.clear()
        if not self._all:
            return succeed(None)
        self._closed = Deferred()
        return self._closed

    def _sweep(self) -> None:
        """
        Close what has been idle for too long, and come back for the next.
        """
        self._sweep_call = None
        now = self._reactor.seconds()
        for key, idle in list(self._idle.items()):
            while idle and idle[0].idle_since <= now - _IDLE_SECONDS:
                idle.pop(0).close()
            if not idle:
                del self._idle[key]
        if self._idle:
            first = min(idle[0].idle_since for idle in self._idle.values())
            self._sweep_call = self._reactor.callLater(
                first + _IDLE_SECONDS - now, self._sweep
            )
