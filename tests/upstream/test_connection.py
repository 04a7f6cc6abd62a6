"""
Tests for L{arbstr.upstream.connection} and L{arbstr.upstream.response}.
"""

from __future__ import annotations

from typing import cast

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss

from arbstr.upstream.connection import Connection, NeverAnswered
from arbstr.upstream.parser import MalformedResponse
from arbstr.upstream.response import Response

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
ENDLESS = b"HTTP/1.1 200 OK\r\n\r\n"


class Transport(StringTransport):
    """
    A connection that only remembers.
    """

    aborted = False

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass

    def abortConnection(self) -> None:
        self.aborted = True


@define(eq=False)
class Owned:
    """
    Remembers what became of a connection.
    """

    calls: list[str] = field(factory=list)

    def made(self, connection: Connection) -> None:
        self.calls.append("made")

    def released(self, connection: Connection) -> None:
        self.calls.append("released")

    def lost(self, connection: Connection) -> None:
        self.calls.append("lost")


class Reader(Protocol):
    """
    Reads a body.

    @ivar end: why no more came.
    """

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.end: type[BaseException] | None = None

    def dataReceived(self, data: bytes) -> None:
        self.pieces.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.end = reason.type

    @property
    def reading(self) -> IPushProducer:
        """
        What it may pause, resume and stop.
        """
        return cast(IPushProducer, self.transport)


class ConnectionTestCase(SynchronousTestCase):
    """
    A connection of which a request was asked.
    """

    def setUp(self) -> None:
        self.owner = Owned()
        self.connection = Connection(self.owner, "key")
        self.transport = Transport()
        self.connection.makeConnection(self.transport)
        self.answer = self.connection.send(REQUEST)

    def receive(self, *pieces: bytes) -> None:
        """
        Bytes come from the provider.
        """
        for piece in pieces:
            self.connection.dataReceived(piece)

    def lose(self, reason: Exception | None = None) -> None:
        """
        The connection is gone.
        """
        self.connection.connectionLost(Failure(reason or ConnectionDone()))

    def read(self, answer: Deferred[Response] | None = None) -> Reader:
        """
        Read the body of the response that has come.
        """
        reader = Reader()
        self.successResultOf(answer or self.answer).deliverBody(reader)
        return reader


class BodyTests(ConnectionTestCase):
    """
    A body gets to its reader.
    """

    def test_head_first(self) -> None:
        self.receive(HEAD)
        self.assertEqual(self.successResultOf(self.answer).code, 200)

    def test_pieces(self) -> None:
        """
        Each as it comes.
        """
        self.receive(HEAD)
        reader = self.read()
        self.receive(b"ab", b"cd")
        self.assertEqual((reader.pieces, reader.end), ([b"ab", b"cd"], ResponseDone))

    def test_one_read_one_piece(self) -> None:
        """
        However many chunks there were in it.
        """
        self.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        reader = self.read()
        self.receive(b"1\r\na\r\n1\r\nb\r\n")
        self.assertEqual(reader.pieces, [b"ab"])

    def test_all_at_once(self) -> None:
        self.receive(HEAD + b"abcd")
        reader = self.read()
        self.assertEqual((reader.pieces, reader.end), ([b"abcd"], ResponseDone))

    def test_nobody_reads(self) -> None:
        """
        The provider has to wait, until somebody does.
        """
        self.receive(HEAD + b"ab")
        self.assertEqual(self.transport.producerState, "paused")
        reader = self.read()
        self.assertEqual(self.transport.producerState, "producing")
        self.assertEqual(reader.pieces, [b"ab"])

    def test_read_at_once(self) -> None:
        """
        Then there is no need to wait.
        """
        reader = Reader()
        self.answer.addCallback(lambda response: response.deliverBody(reader))
        self.receive(HEAD + b"ab")
        self.assertEqual(self.transport.producerState, "producing")
        self.assertEqual(reader.pieces, [b"ab"])

    def test_enough_for_now(self) -> None:
        """
        Who is given what waited may pause at once.
        """

        class Full(Reader):
            def dataReceived(self, data: bytes) -> None:
                self.reading.pauseProducing()

        self.receive(HEAD + b"ab")
        self.successResultOf(self.answer).deliverBody(Full())
        self.assertEqual(self.transport.producerState, "paused")

    def test_slow_reader(self) -> None:
        self.receive(HEAD)
        reader = self.read()
        reader.reading.pauseProducing()
        self.assertEqual(self.transport.producerState, "paused")
        reader.reading.resumeProducing()
        self.assertEqual(self.transport.producerState, "producing")

    def test_reader_that_leaves(self) -> None:
        self.receive(HEAD + b"ab")
        self.read().reading.stopProducing()
        self.assertTrue(self.transport.aborted)

    def test_reader_that_leaves_in_the_end(self) -> None:
        """
        The connection is somebody else's by then.
        """
        self.receive(HEAD + b"abcd")
        reader = self.read()
        for each in (reader.reading.pauseProducing, reader.reading.stopProducing):
            each()
        self.assertEqual(self.transport.producerState, "producing")
        self.assertFalse(self.transport.aborted)


class TakeTests(ConnectionTestCase):
    """
    A body that needs no reader.
    """

    def assert_taken(self, body: bytes | None, most: int = 4) -> None:
        """
        So much can be taken of the body that has come so far.
        """
        self.assertEqual(self.successResultOf(self.answer).take(most), body)

    def assert_left(self, *pieces: bytes, most: int = 4) -> None:
        """
        Nothing can; it has to be read, from its beginning.
        """
        response = self.successResultOf(self.answer)
        self.assertIsNone(response.take(most))
        reader = Reader()
        response.deliverBody(reader)
        self.assertEqual(reader.pieces, [*pieces])

    def test_all_there(self) -> None:
        self.receive(HEAD + b"abcd")
        self.assert_taken(b"abcd")
        self.assertEqual(self.owner.calls, ["made", "released"])

    def test_in_pieces(self) -> None:
        """
        They are all there by then, too.
        """
        self.receive(HEAD, b"ab", b"cd")
        self.assert_taken(b"abcd")

    def test_nothing(self) -> None:
        """
        That may be all of it.
        """
        self.receive(HEAD.replace(b"4", b"0"))
        self.assert_taken(b"")

    def test_more_to_come(self) -> None:
        self.receive(HEAD + b"ab")
        self.assert_left(b"ab")

    def test_too_much(self) -> None:
        """
        Readers know what to say of that.
        """
        self.receive(HEAD + b"abcd")
        self.assert_left(b"abcd", most=3)

    def test_cut_short(self) -> None:
        """
        And of that.
        """
        self.receive(HEAD + b"ab")
        self.lose()
        self.assert_left(b"ab")


class ReuseTests(ConnectionTestCase):
    """
    Whether another request may follow.
    """

    def test_released(self) -> None:
        self.receive(HEAD + b"abcd")
        self.assertEqual(self.owner.calls, ["made", "released"])

    def test_released_before_anybody_is_told(self) -> None:
        """
        Who gets the answer may send the next request from there.
        """
        self.answer.addCallback(lambda _: self.connection.send(REQUEST))
        self.receive(HEAD + b"abcd")
        self.assertNoResult(self.answer)
        self.receive(HEAD + b"efgh")
        self.assertEqual(self.read().pieces, [b"efgh"])

    def test_not_wanted(self) -> None:
        self.receive(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        )
        self.assertEqual(self.owner.calls, ["made"])
        self.assertTrue(self.transport.aborted)

    def test_more_than_was_asked_for(self) -> None:
        self.receive(HEAD + b"abcdefgh")
        self.assertEqual(self.read().pieces, [b"abcd"])
        self.assertTrue(self.transport.aborted)

    def test_bytes_while_idle(self) -> None:
        self.receive(HEAD + b"abcd", HEAD + b"evil")
        self.assertTrue(self.transport.aborted)

    def test_paused_reader(self) -> None:
        """
        The next request is not paused by the last one's reader.
        """
        self.receive(HEAD)
        reader = self.read()
        reader.reading.pauseProducing()
        self.receive(b"abcd")
        self.assertEqual(self.transport.producerState, "producing")


class FailureTests(ConnectionTestCase):
    """
    There is no whole response.
    """

    def test_lost_before(self) -> None:
        self.lose(ConnectionLost())
        self.failureResultOf(self.answer, ConnectionLost)
        self.assertEqual(self.owner.calls, ["made", "lost"])

    def test_lost_while_it_had_been_idle(self) -> None:
        self.receive(HEAD + b"abcd")
        again = self.connection.send(REQUEST)
        self.lose()
        self.failureResultOf(again, NeverAnswered)

    def test_lost_after_a_byte(self) -> None:
        self.receive(HEAD + b"abcd")
        again = self.connection.send(REQUEST)
        self.receive(b"H")
        self.lose()
        self.failureResultOf(again, ConnectionDone)

    def test_cut_short(self) -> None:
        self.receive(HEAD + b"ab")
        reader = self.read()
        self.lose()
        self.assertEqual((reader.pieces, reader.end), ([b"ab"], ConnectionDone))

    def test_cut_short_before_it_is_read(self) -> None:
        self.receive(HEAD + b"ab")
        self.lose()
        reader = self.read()
        self.assertEqual((reader.pieces, reader.end), ([b"ab"], ConnectionDone))

    def test_until_the_end(self) -> None:
        """
        Whether it was whole cannot be told from HTTP.
        """
        self.receive(ENDLESS + b"ab")
        reader = self.read()
        self.lose()
        self.assertEqual((reader.pieces, reader.end), ([b"ab"], PotentialDataLoss))

    def test_reset_before_the_end_of_all(self) -> None:
        """
        But no reset is a body's end.
        """
        self.receive(ENDLESS + b"ab")
        reader = self.read()
        self.lose(ConnectionLost())
        self.assertEqual((reader.pieces, reader.end), ([b"ab"], ConnectionLost))

    def test_malformed_head(self) -> None:
        self.receive(b"SSH-2.0\r\n")
        self.failureResultOf(self.answer, MalformedResponse)
        self.assertTrue(self.transport.aborted)

    def test_malformed_body(self) -> None:
        """
        What came before is not lost.
        """
        self.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        reader = self.read()
        self.receive(b"1\r\na\r\n-1\r\n")
        self.assertEqual((reader.pieces, reader.end), ([b"a"], MalformedResponse))
        self.assertTrue(self.transport.aborted)

    def test_cancelled(self) -> None:
        self.answer.cancel()
        self.failureResultOf(self.answer, CancelledError)
        self.assertTrue(self.transport.aborted)
        self.receive(HEAD)
        self.lose()
