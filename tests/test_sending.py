"""
Tests for L{arbstr.sending}.
"""

from __future__ import annotations

from typing import Any, cast

from twisted.internet import main
from twisted.internet.interfaces import ITransport
from twisted.internet.tcp import Connection
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from arbstr.sending import write_now


class Socket(Connection):
    """
    A TCP connection whose kernel takes what the test says.

    @ivar takes: so many bytes, or an error.
    @ivar taken: at once.
    @ivar later: what is to be written in the reactor's next turn.
    """

    takes: Any = 100

    def __init__(self) -> None:
        self.taken = self.later = b""
        self.connected = True
        self.dataBuffer = b""
        self._tempDataLen = 0

    def writeSomeData(self, data: bytes) -> Any:
        if isinstance(self.takes, int):
            self.taken += data[: self.takes]
            return min(self.takes, len(data))
        return self.takes

    def write(self, data: bytes) -> None:
        self.later += data


class WriteNowTests(SynchronousTestCase):
    """
    What is whole does not wait.
    """

    def assert_written(self, socket: Socket, taken: bytes, later: bytes) -> None:
        """
        So much at once, and the rest with the reactor's next turn.
        """
        write_now(cast(ITransport, socket), b"whole")
        self.assertEqual((socket.taken, socket.later), (taken, later))

    def test_at_once(self) -> None:
        self.assert_written(Socket(), b"whole", b"")

    def test_in_part(self) -> None:
        socket = Socket()
        socket.takes = 2
        self.assert_written(socket, b"wh", b"ole")

    def test_in_order(self) -> None:
        """
        What was written before goes first.
        """
        for buffered in ({"dataBuffer": b"x"}, {"_tempDataLen": 1}):
            socket = Socket()
            vars(socket).update(buffered)
            self.assert_written(socket, b"", b"whole")

    def test_lost(self) -> None:
        """
        Twisted finds out by itself.
        """
        socket = Socket()
        socket.takes = main.CONNECTION_LOST
        self.assert_written(socket, b"", b"whole")

    def test_closing(self) -> None:
        for state in ({"connected": False}, {"disconnecting": True}, {"TLS": True}):
            socket = Socket()
            vars(socket).update(state)
            self.assert_written(socket, b"", b"whole")

    def test_other_transports(self) -> None:
        transport = StringTransport()
        write_now(transport, b"whole")
        self.assertEqual(transport.value(), b"whole")
