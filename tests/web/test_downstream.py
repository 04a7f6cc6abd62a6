"""
Tests for L{arbstr.web.downstream}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from arbstr.web.downstream import ClientStream

from .incoming import Incoming

CLOSE_SECONDS = 10


@implementer(IPushProducer)
class Producer:
    """
    Somebody who can be told to wait.
    """

    def pauseProducing(self) -> None:
        pass

    def resumeProducing(self) -> None:
        pass

    def stopProducing(self) -> None:
        pass


class ClientStreamTestCase(SynchronousTestCase):
    """
    A stream to a client that speaks HTTP/1.0: no chunks in between.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.asked_for_headers = 0
        self.incoming = Incoming.make(version=b"HTTP/1.0")
        self.transport = self.incoming.transport
        self.stream = ClientStream(self.incoming.request, self.headers, self.clock)

    def headers(self) -> dict[str, str]:
        """
        What the stream is to be announced with.
        """
        self.asked_for_headers += 1
        return {"Content-Type": "text/event-stream", "X-Provider": "alpha"}

    def tearDown(self) -> None:
        """
        No timer is left.
        """
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def wait_until_closed(self) -> Deferred[None]:
        """
        Wait for the end of the connection.
        """
        return Deferred.fromCoroutine(self.stream.closed())


class ThereTests(ClientStreamTestCase):
    """
    The client is there.
    """

    def test_nothing_before_open(self) -> None:
        """
        Another answer may still be given.
        """
        self.assertFalse(self.stream.opened)
        self.assertEqual(self.transport.value(), b"")
        self.assertEqual(self.asked_for_headers, 0)

    def test_open(self) -> None:
        """
        The headers go out with what is written first, if it is nothing.
        """
        self.stream.open()
        self.assertTrue(self.stream.opened)
        self.assertEqual(self.transport.value(), b"")
        self.stream.write(b"")
        self.assertEqual(self.incoming.status, 200)
        self.assertIn(b"\r\nX-Provider: alpha\r\n", self.transport.value())
        self.assertEqual(self.incoming.body, b"")

    def test_open_again(self) -> None:
        """
        They go out only once.
        """
        self.stream.open()
        self.stream.open()
        self.stream.write(b"")
        self.stream.open()
        self.stream.write(b"")
        self.assertEqual(self.asked_for_headers, 1)
        self.assertEqual(self.transport.value().count(b"HTTP/1.0 200"), 1)

    def test_write(self) -> None:
        """
        Bytes pass as they are.
        """
        self.stream.open()
        self.stream.write(b"data: a\n\n")
        self.stream.write(b"data: b\n\n")
        self.assertEqual(self.incoming.body, b"data: a\n\ndata: b\n\n")

    def test_producer(self) -> None:
        """
        The transport is to tell it when to wait, until it is done.
        """
        producer = Producer()
        self.stream.open()
        self.stream.attach(producer)
        self.assertIs(self.transport.producer, producer)
        self.assertTrue(self.transport.streaming)
        self.stream.detach()
        self.assertIsNone(self.transport.producer)

    def test_another_producer(self) -> None:
        """
        The next provider can take over.
        """
        second = Producer()
        self.stream.open()
        self.stream.attach(Producer())
        self.stream.detach()
        self.stream.attach(second)
        self.assertIs(self.transport.producer, second)
        self.stream.detach()

    def test_end(self) -> None:
        """
        A complete answer is finished as HTTP wants it.
        """
        self.stream.open()
        self.stream.end()
        self.assertTrue(self.incoming.request.finished)
        self.assertTrue(self.stream.gone)

    def test_break_off(self) -> None:
        """
        A broken one is not: the connection is closed after the last words.
        """
        self.stream.open()
        self.stream.break_off(b"data: {}\n\n")
        self.assertEqual(self.incoming.body, b"data: {}\n\n")
        self.assertTrue(self.transport.disconnecting)
        self.assertFalse(self.incoming.request.finished)

    def test_break_off_chunked(self) -> None:
        """
        Nor does it get its last chunk.
        """
        self.incoming = Incoming.make(version=b"HTTP/1.1")
        self.stream = ClientStream(self.incoming.request, self.headers, self.clock)
        self.stream.open()
        self.stream.break_off(b"data: {}\n\n")
        self.assertEqual(self.incoming.body, b"a\r\ndata: {}\n\n\r\n")

    def test_closed(self) -> None:
        """
        One can wait for the client to have taken everything.
        """
        self.stream.open()
        self.stream.break_off(b"data: {}\n\n")
        waiting = self.wait_until_closed()
        self.assertNoResult(waiting)
        self.incoming.leave()
        self.successResultOf(waiting)
        self.assertFalse(self.transport.disconnected)

    def test_never_closed(self) -> None:
        """
        A client that reads nothing is cut off after a while.
        """
        self.stream.open()
        self.stream.break_off(b"data: {}\n\n")
        waiting = self.wait_until_closed()
        self.clock.advance(CLOSE_SECONDS - 1)
        self.assertFalse(self.transport.disconnected)
        self.clock.advance(1)
        self.assertTrue(self.transport.disconnected)
        self.assertNoResult(waiting)
        self.incoming.leave()
        self.successResultOf(waiting)

    def test_waiting_given_up(self) -> None:
        """
        Whoever has no time to wait for the client cuts it off.
        """
        self.stream.open()
        self.stream.break_off(b"data: {}\n\n")
        waiting = self.wait_until_closed()
        waiting.cancel()
        self.successResultOf(waiting)
        self.assertTrue(self.transport.disconnected)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.incoming.leave()
        self.assertTrue(self.stream.gone)


class GoneTests(ClientStreamTestCase):
    """
    The client has left: its request must not be touched any more.  Most of
    these would raise if it was.
    """

    def leave(self) -> bytes:
        """
        The client hangs up in the middle of a stream.

        @return: what had been written until then.
        """
        self.producer = Producer()
        self.stream.open()
        self.stream.attach(self.producer)
        self.stream.write(b"data: a\n\n")
        self.incoming.leave()
        written: bytes = self.transport.value()
        return written

    def test_noticed(self) -> None:
        """
        It has not left before it has.
        """
        self.assertFalse(self.stream.gone)
        self.leave()
        self.assertTrue(self.stream.gone)

    def test_open(self) -> None:
        """
        Nobody is there to be told.
        """
        self.incoming.leave()
        self.stream.open()
        self.assertFalse(self.stream.opened)
        self.assertEqual(self.asked_for_headers, 0)
        self.assertEqual(self.transport.value(), b"")

    def test_write(self) -> None:
        """
        Nothing more goes out.
        """
        written = self.leave()
        self.stream.write(b"data: b\n\n")
        self.assertEqual(self.transport.value(), written)

    def test_attach(self) -> None:
        """
        There is nobody to be slow.
        """
        self.leave()
        self.stream.attach(Producer())
        self.assertIs(self.transport.producer, self.producer)

    def test_detach(self) -> None:
        """
        A lost transport lets go of its producer by itself.
        """
        self.leave()
        self.stream.detach()
        self.assertIs(self.transport.producer, self.producer)

    def test_end(self) -> None:
        """
        A request that is lost cannot be finished.
        """
        self.leave()
        self.stream.end()
        self.assertFalse(self.incoming.request.finished)

    def test_break_off(self) -> None:
        """
        There is nobody to hear it.
        """
        written = self.leave()
        self.stream.break_off(b"data: {}\n\n")
        self.assertEqual(self.transport.value(), written)

    def test_closed(self) -> None:
        """
        There is nothing to wait for.
        """
        self.leave()
        self.successResultOf(self.wait_until_closed())

    def test_finished_twice(self) -> None:
        """
        Once finished, there is nothing left to finish.
        """
        self.stream.open()
        self.stream.end()
        written = self.transport.value()
        self.stream.end()
        self.stream.write(b"data: b\n\n")
        self.assertEqual(self.transport.value(), written)
