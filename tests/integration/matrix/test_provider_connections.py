"""
Providers that cannot be reached, and connections that were closed while they
were idle.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from attrs import frozen
from twisted.internet.interfaces import (
    IHostnameResolver,
    IHostResolution,
    IResolutionReceiver,
)
from zope.interface import implementer

from ..faults import Fault, fin
from ..harness import chat, coroutine, reactor
from ..providers import Connection, Received, serves
from .catalogue import OK
from .misbehaving import RETRY, MisbehavingTestCase

NAME = "alpha.test"


@implementer(IHostnameResolver)
@frozen
class Unknown:
    """
    Does not know one name.
    """

    _others: IHostnameResolver

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type] | None = None,
        transportSemantics: str = "TCP",
    ) -> Any:
        """
        See L{IHostnameResolver.resolveHostName}.
        """
        if hostName == NAME:
            resolutionReceiver.resolutionBegan(cast(IHostResolution, None))
            return resolutionReceiver.resolutionComplete()
        return self._others.resolveHostName(
            resolutionReceiver, hostName, portNumber, addressTypes, transportSemantics
        )


class UnreachableTests(MisbehavingTestCase):
    """
    There is nobody to ask.
    """

    async def is_unreachable(self, why: str) -> None:
        """
        Whatever is asked for, the other provider takes over.
        """
        self.fault = Fault("unreachable", "connect")
        for stream in (False, True):
            self.daemon.circuits.record_success("alpha")
            await self.fails_over(stream)
            self.assertIn(why, self.ledger.rows[-2].error_message or "")

    @coroutine
    async def test_refused(self) -> None:
        """
        Nobody listens.
        """
        self.start(retry=RETRY)
        await self.alpha.stop()
        await self.is_unreachable("refused")

    @coroutine
    async def test_dns_failure(self) -> None:
        """
        There is no such name.
        """
        known = reactor.nameResolver
        reactor.installNameResolver(Unknown(known))
        self.addCleanup(reactor.installNameResolver, known)
        self.back = "beta"
        self.start({"alpha": {"url": f"http://{NAME}/v1"}}, retry=RETRY)
        await self.is_unreachable("DNS: ")
        self.daemon.circuits.record_success("alpha")


class StaleTests(MisbehavingTestCase):
    """
    The provider gives up a connection as soon as it is used once more.
    """

    def give_up(self, end: Callable[[Connection], None]) -> None:
        """
        Start the daemon.

        @param end: what comes of all but the first request of a connection.
        """
        used = set()

        def once(connection: Connection, request: Received) -> None:
            if connection in used:
                end(connection)
            else:
                used.add(connection)
                serves(connection, request)

        self.alpha.script = once
        self.start(retry=RETRY)

    async def is_sent_again(self, end: Callable[[Connection], None]) -> None:
        """
        Over a new connection, and nobody notices, whatever was asked for.
        """
        self.give_up(end)
        for stream in (False, True, False):
            answer = await self.ask(chat(stream))
            self.assertEqual((answer.status, answer.whole), (200, True))
            self.assertIsNone(answer.header("X-Arbstr-Retries"))
            self.assertEqual(self.outcomes(), ["ok"])
        self.assertEqual((len(self.alpha.requests), self.alpha.connected), (5, 3))
        self.assertEqual(self.failures(), (0, 0))

    @coroutine
    async def test_closed_when_used_again(self) -> None:
        """
        Both sides had the idea at once.
        """
        await self.is_sent_again(Connection.close)

    @coroutine
    async def test_reset_when_used_again(self) -> None:
        """
        It had closed it long ago.
        """
        await self.is_sent_again(Connection.reset)

    @coroutine
    async def test_only_once(self) -> None:
        """
        The new connection is no better: that is a failure like any other.
        """
        self.start(retry=RETRY)
        self.assertEqual((await self.ask()).status, 200)
        self.perform(fin)
        answer = await self.passing(self.ask())
        self.assertEqual(answer.header("X-Arbstr-Provider"), "beta")
        self.assertEqual(self.outcomes(), ["connect", "ok"])
        self.assertEqual((len(self.alpha.requests), self.alpha.connected), (3, 2))

    @coroutine
    async def test_not_after_a_byte_of_an_answer(self) -> None:
        """
        The request may have been served.
        """

        def begin(connection: Connection) -> None:
            connection.write(OK[:1])
            connection.close()

        self.give_up(begin)
        self.assertEqual((await self.ask()).status, 200)
        answer = await self.ask()
        self.assertEqual(answer.header("X-Arbstr-Provider"), "beta")
        self.assertEqual(self.outcomes(), ["connect", "ok"])
        self.assertEqual((len(self.alpha.requests), self.alpha.connected), (2, 1))
        self.assertEqual(self.failures(), (1, 0))
