"""
The connections of clients.
"""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IReactorTime,
    ITCPTransport,
)
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory

from .channel import CONNECTIONS, FullHouse


class Clients(WrappingFactory):
    """
    Knows every connection, so that a drain can wait until what has been
    written is sent.

    @param factory: makes the connections.
    """

    noisy = False

    def __init__(self, factory: Any, clock: IReactorTime) -> None:
        super().__init__(factory)  # type: ignore[no-untyped-call]
        self._clock = clock
        self._closed: Deferred[None] | None = None

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """
        See L{IProtocolFactory.buildProtocol}.
        """
        if len(self.protocols) >= CONNECTIONS:
            return FullHouse()
        return super().buildProtocol(addr)

    def unregisterProtocol(self, protocol: ProtocolWrapper) -> None:
        """
        See L{WrappingFactory.unregisterProtocol}.
        """
        super().unregisterProtocol(protocol)  # type: ignore[no-untyped-call]
        if self._closed is not None and not self.protocols:
            closed, self._closed = self._closed, None
            closed.callback(None)

    def close(self, seconds: float) -> Deferred[None]:
        """
        Close every connection as soon as what has been written to it is sent;
        cut those where that takes longer than so many seconds.
        """
        if not self.protocols:
            return succeed(None)
        closed = self._closed = Deferred()
        timer = self._clock.callLater(seconds, self.cut)
        closed.addBoth(_stop_timer, timer)
        for connection in list(self.protocols):
            # Not the connection itself, if it can be helped: the channel would go
            # on producing on it, and Twisted closes none on which somebody does.
            channel: Any = connection.wrappedProtocol
            getattr(channel, "loseConnection", connection.loseConnection)()
        return closed

    def cut(self) -> None:
        """
        Cut every connection.
        """
        for connection in list(self.protocols):
            cast(ITCPTransport, connection.transport).abortConnection()


def _stop_timer(result: None, timer: IDelayedCall) -> None:
    if timer.active():
        timer.cancel()
