"""
Tests for L{arbstr.sending}.
"""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.interfaces import ITransport
from twisted.internet.tcp import Connection
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from arbstr.sending import write_now


class Kernel:
    """
    Takes what the test says.

    @ivar takes: so many bytes, or an error.
    @ivar taken: what it took.
    """

    takes: int | OSError = 100
    taken = b""

    def send(self, data: bytes) -> int:
        assert data, "there is nothing to send"
        if isinstance(self.takes, OSError):
            raise self.takes
        self.taken += data[: self.takes]
        return min(self.takes, len(data))


class Socket(Connection):
    """
    A TCP connection.

    @ivar later: what is to be written in the reactor's next turn.
    """

    def __init__(self) -> None:
        self.socket = self.kernel = cast(Any, Kernel())
        self.later = b""
        self.connected = True
        self.dataBuffer = b""
        self._tempDataLen = 0

    def write(self, data: bytes) -> None:
        self.later += data


class WriteNowTests(SynchronousTestCase):
    """
    What is whole does not wait.
    """

    def assert_written(
        self, socket: Socket, taken: bytes, later: bytes, data: bytes = b"whole"
    ) -> None:
        """
        So much at once, and the rest with the reactor's next turn.
        """
        write_now(cast(ITransport, socket), data)
        self.assertEqual((socket.kernel.taken, socket.later), (taken, later))

    def test_at_once(self) -> None:
        self.assert_written(Socket(), b"whole", b"")

    def test_in_part(self) -> None:
        socket = Socket()
        socket.kernel.takes = 2
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
        socket.kernel.takes = BrokenPipeError()
        self.assert_written(socket, b"", b"whole")

    def test_full(self) -> None:
        socket = Socket()
        socket.kernel.takes = BlockingIOError()
        self.assert_written(socket, b"", b"whole")

    def test_nothing(self) -> None:
        """
        The kernel is not asked to take it.
        """
        self.assert_written(Socket(), b"", b"", b"")

    def test_closing(self) -> None:
        closing = ({"connected": False}, {"disconnecting": True}, {"_aborting": True})
        for state in (*closing, {"TLS": True}):
            socket = Socket()
            vars(socket).update(state)
            self.assert_written(socket, b"", b"whole")

    def test_other_transports(self) -> None:
        transport = StringTransport()
        write_now(transport, b"whole")
        self.assertEqual(transport.value(), b"whole")
