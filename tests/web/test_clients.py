"""
Waiting for clients to take what was written to them.
"""

from __future__ import annotations

from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from arbstr.web.clients import Clients


class Channel(Protocol):
    """
    Closes by itself, as those of clients do.
    """

    def loseConnection(self) -> None:
        assert self.transport is not None
        self.transport.loseConnection()


class ClientsTests(SynchronousTestCase):
    """
    L{Clients}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clients = Clients(Factory.forProtocol(Channel), self.clock)

    def connect(self) -> StringTransport:
        """
        A client's connection.
        """
        connection = self.clients.buildProtocol(None)
        transport = StringTransport()
        connection.makeConnection(transport)
        return transport

    def lose(self, transport: StringTransport, reason: Exception) -> None:
        """
        What the reactor does when a connection has gone.
        """
        (connection,) = (
            each for each in self.clients.protocols if each.transport is transport
        )
        connection.connectionLost(Failure(reason))

    def test_nobody_there(self) -> None:
        self.successResultOf(self.clients.close(5))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_every_connection_is_closed(self) -> None:
        transports = [self.connect(), self.connect()]
        self.clients.close(5)
        self.assertEqual([each.disconnecting for each in transports], [True, True])

    def test_waits_for_the_last(self) -> None:
        one, other = self.connect(), self.connect()
        closed = self.clients.close(5)
        self.lose(one, ConnectionDone())
        self.assertNoResult(closed)
        self.lose(other, ConnectionDone())
        self.successResultOf(closed)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cut_in_the_end(self) -> None:
        """
        A client that takes nothing is waited for only so long.
        """
        transport = self.connect()
        closed = self.clients.close(5)
        self.clock.advance(4.9)
        self.assertFalse(transport.disconnected)
        self.clock.advance(0.1)
        self.assertTrue(transport.disconnected)
        self.assertNoResult(closed)
        self.lose(transport, ConnectionAborted())
        self.successResultOf(closed)

    def test_who_has_left_is_not_waited_for(self) -> None:
        self.lose(self.connect(), ConnectionDone())
        self.successResultOf(self.clients.close(5))
