"""
The client's side of a mutated exchange.
"""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import TimeoutError as TimedOut
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure


class Conversation(Protocol):
    """
    A connection to the daemon.

    @ivar data: what has come since it was last cleared.
    @ivar closed: no more will come.
    @ivar used: it has served for another case.
    """

    def __init__(self) -> None:
        self.data = bytearray()
        self.closed = False
        self.used = False
        self._waiting: Deferred[None] | None = None

    @classmethod
    async def with_port(cls, reactor: Any, port: int) -> Conversation:
        """
        A new connection to a port of this machine.
        """
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        conversation: Conversation = await connectProtocol(endpoint, cls())
        conversation.socket.setTcpNoDelay(True)
        return conversation

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        self._wake()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.closed = True
        self._wake()

    @property
    def socket(self) -> ITCPTransport:
        """
        The connection itself.
        """
        return cast(ITCPTransport, self.transport)

    async def more(self, reactor: Any, seconds: float) -> bool:
        """
        Wait for something to come, or for the end.

        @return: whether anything did, within so many seconds.
        """
        if self.closed:
            return True
        self._waiting = Deferred()
        self._waiting.addTimeout(seconds, reactor, lambda _, __: _give_up())
        try:
            await self._waiting
        except TimedOut:
            return False
        return True

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.called:
            waiting.callback(None)


def _give_up() -> None:
    raise TimedOut
