"""
Clients that do not read: the provider waits for them, and nothing piles up.
"""

from __future__ import annotations

from typing import cast

from attrs import define
from twisted.internet.interfaces import IConsumer, IPullProducer
from twisted.internet.task import deferLater
from twisted.internet.tcp import Server
from zope.interface import implementer

from arbstr.sending import unsent

from ..harness import (
    Begun,
    DaemonTestCase,
    StoppedClockTestCase,
    coroutine,
    reactor,
)
from ..providers import (
    DONE,
    FIRST,
    STREAM_HEAD,
    Connection,
    Received,
    chunk,
    delta,
)

MEGABYTE = 1_000_000
EVENT = delta("x" * 100_000)
EVENTS = 50 * MEGABYTE // len(EVENT)
STOP = delta(finish="stop")
# What the kernel keeps on both sides of the daemon, and room to spare.
KERNEL = 12 * MEGABYTE
# Turns of the reactor after which something that has not moved will not.
STILL = 50


@implementer(IPullProducer)
@define(eq=False)
class Flood:
    """
    A long stream that is sent as fast as it is taken.

    @ivar sent: how many of its events have been.
    """

    connection: Connection
    sent: int = 0

    def start(self) -> None:
        self.connection.write(STREAM_HEAD + chunk(FIRST))
        self._transport.registerProducer(self, False)

    def resumeProducing(self) -> None:
        self.sent += 1
        self.connection.write(chunk(EVENT))
        if self.sent == EVENTS:
            self._transport.unregisterProducer()
            self.connection.write(chunk(STOP + DONE) + chunk(b""))

    def stopProducing(self) -> None:
        pass

    @property
    def _transport(self) -> IConsumer:
        return cast(IConsumer, self.connection.transport)


def begins(connection: Connection, request: Received) -> None:
    """
    The rest of the stream comes from the test.
    """
    connection.write(STREAM_HEAD + chunk(FIRST))


class SlowReaderTestCase(DaemonTestCase):
    """
    A client that stops reading in the middle of a stream of 50 MB.
    """

    async def stall(self) -> Begun:
        """
        Begin to read, stop, and wait until everything stands still.
        """

        def script(connection: Connection, request: Received) -> None:
            self.flood = Flood(connection)
            self.flood.start()

        self.provider("alpha", script)
        self.start()
        begun = await self.begin_stream()
        begun.reading.pauseProducing()
        self.addCleanup(begun.leave)
        still, sent = 0, -1
        while still < STILL:
            still = still + 1 if sent == self.flood.sent else 0
            sent = self.flood.sent
            await deferLater(reactor, 0)
        return begun

    def piled_up(self) -> int:
        """
        Bytes that the daemon holds for the client, since the kernel would take
        no more of them.
        """
        return sum(
            unsent(each)
            for each in reactor.getWriters()
            if isinstance(each, Server) and each.getHost().port == self.port
        )


class SlowReaderTests(SlowReaderTestCase):
    """
    How much is under way, and what becomes of it.
    """

    @coroutine
    async def test_provider_waits(self) -> None:
        await self.stall()
        self.assertLess(self.flood.sent * len(EVENT), KERNEL)

    @coroutine
    async def test_little_is_buffered(self) -> None:
        await self.stall()
        self.assertGreater(self.piled_up(), 0)
        self.assertLessEqual(self.piled_up(), 256 * 1024)

    @coroutine
    async def test_every_byte_arrives(self) -> None:
        begun = await self.stall()
        begun.reading.resumeProducing()
        answer = await begun.ended()
        self.assertTrue(answer.whole)
        relayed = answer.body.partition(b": arbstr ")[0]
        self.assertTrue(relayed == FIRST + EVENT * EVENTS + STOP)
        self.assertTrue(self.ledger.rows[0].success)

    @coroutine
    async def test_client_leaves(self) -> None:
        begun = await self.stall()
        begun.leave()
        await self.flood.connection.lost
        self.assertLess(self.flood.sent, EVENTS)
        await self.soon(lambda: len(self.ledger.rows) == 1)
        self.assertEqual(self.ledger.rows[0].error_status, 499)


class CutShortTests(SlowReaderTestCase):
    """
    A drain has no time for it.
    """

    @coroutine
    async def test_broken_stream(self) -> None:
        """
        One whose error the client has not read yet does not end as if it were
        whole.
        """
        provider = self.provider("alpha", begins)
        self.start()
        begun = await self.begin_stream()
        begun.reading.pauseProducing()
        self.addCleanup(begun.leave)
        # Little enough for the daemon to go on reading, and to notice the end.
        while not self.piled_up():
            provider.connections[0].write(chunk(delta("x" * 10_000)))
            await deferLater(reactor, 0.001)
        provider.connections[0].reset()
        await self.soon(lambda: len(self.ledger.rows) == 1)
        self.assertTrue(self.daemon.in_flight.cancel())
        begun.reading.resumeProducing()
        self.assertFalse((await begun.ended()).whole)
        self.assertEqual(len(self.daemon.in_flight), 0)


class TimeTests(SlowReaderTestCase, StoppedClockTestCase):
    """
    How long such a client is put up with.
    """

    @coroutine
    async def test_silence_is_not_the_providers_fault(self) -> None:
        await self.stall()
        self.stopped.advance(59)
        self.assertEqual(len(self.daemon.in_flight), 1)
        self.stopped.advance(1)
        await self.flood.connection.lost
        snapshot = self.daemon.circuits.snapshots()["alpha"]
        self.assertEqual(snapshot.stream_failure_count, 0)
        self.stopped.advance(10)
        await self.soon(lambda: len(self.daemon.in_flight) == 0)

    @coroutine
    async def test_end_that_is_not_read(self) -> None:
        """
        Time is up, and the client does not even take notice of that.
        """
        await self.stall()
        self.stopped.advance(60)
        await self.flood.connection.lost
        self.assertEqual(len(self.daemon.in_flight), 1)
        self.stopped.advance(10)
        await self.soon(lambda: len(self.daemon.in_flight) == 0)
        self.assertEqual(self.ledger.rows[0].error_status, 499)
