"""
A daemon that watches a market of fakes.
"""

from __future__ import annotations

import json
import time
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IHostnameResolver,
    IHostResolution,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
)
from zope.interface import implementer

from arbstr.daemon import Daemon
from tests.market import feed

from .harness import StoppedClockTestCase, reactor
from .providers import Connection, FakeProvider, Received, Script, answers, serves

#: The lists of a provider are asked for in these intervals, at the most.
INTERVAL = 330
NODE_INTERVAL = 132
FEED_INTERVAL = 66

#: A name that leads to this machine, in these tests only.
PUBLIC = "node.example"


def lists(value: object, *headers: str) -> Script:
    """
    A healthy provider that answers this to C{GET /models}.
    """
    return by_path({"/v1/models": answers(200, value, *headers)})


def by_path(scripts: dict[str, Script], otherwise: Script = serves) -> Script:
    """
    One script for each path.
    """

    def script(connection: Connection, request: Received) -> None:
        path = request.line.split(" ")[1].partition("?")[0]
        scripts.get(path, otherwise)(connection, request)

    return script


def asked_for(provider: FakeProvider, path: str) -> list[Received]:
    """
    The requests for a path.
    """
    return [
        each
        for each in provider.requests
        if each.line.split(" ")[1].partition("?")[0] == path
    ]


@implementer(IHostnameResolver, IReactorPluggableNameResolver)
@frozen
class Resolving:
    """
    The reactor, for which L{PUBLIC} is this machine.
    """

    @property
    def nameResolver(self) -> IHostnameResolver:
        return self

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        *arguments: Any,
        **options: Any,
    ) -> IHostResolution:
        if hostName == PUBLIC:
            hostName = "127.0.0.1"
        resolution: IHostResolution = reactor.nameResolver.resolveHostName(
            resolutionReceiver, hostName, portNumber, *arguments, **options
        )
        return resolution

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)


class MarketTestCase(StoppedClockTestCase):
    """
    Starts a daemon and has it watch.  Its time stands still; each test says when
    it is to ask again.
    """

    def start_fake(self, fake: FakeProvider) -> None:
        """
        Start somebody who is not in the configuration.
        """
        fake.start(reactor)
        self.addCleanup(lambda: Deferred.fromCoroutine(fake.stop()))

    def open_market(self, *arguments: Any, **options: Any) -> Daemon:
        """
        Start the daemon; it asks when the test lets time pass, even none.
        """
        daemon = self.start(*arguments, **options)
        daemon.market.start()
        self.addCleanup(daemon.market.stop)
        return daemon

    async def settle(self, seconds: float = 0) -> None:
        """
        So much time passes, and what is asked for then is answered and used.
        """
        self.stopped.advance(seconds)
        await self.soon(lambda: not self.daemon.market.is_busy)

    async def providers_of(self) -> dict[str, Any]:
        """
        C{/providers}, by name.
        """
        answer = await self.get("/providers")
        return {each["name"]: each for each in answer.json()["providers"]}

    async def provider_of(self, name: str) -> Any:
        """
        What C{/providers} says of one of them.
        """
        return (await self.providers_of())[name]

    async def models(self) -> dict[str, Any]:
        """
        C{/v1/models}, by id.
        """
        answer = await self.get("/v1/models")
        return {each["id"]: each["arbstr"] for each in answer.json()["data"]}

    async def route(self, model: str, **fields: Any) -> dict[str, Any]:
        """
        C{/v1/route}, by provider.
        """
        messages = [{"role": "user", "content": "Hi"}]
        body = {"model": model, "messages": messages, **fields}
        answer = await self.request(
            "POST",
            "/v1/route",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        return {each["name"]: each for each in answer.json()["providers"]}


class FeedTestCase(MarketTestCase):
    """
    With a feed.

    @ivar quotes: the rows that it has.
    @ivar nodes: likewise.
    @ivar health: what it says of itself.
    @ivar broken: whether it fails.
    """

    def setUp(self) -> None:
        super().setUp()
        self.quotes: list[feed.Json] = []
        self.nodes: list[feed.Json] = []
        self.health = feed.health()
        self.broken = False
        self.feed = FakeProvider("feed", self._script)
        self.start_fake(self.feed)

    def daemon_reactor(self) -> Any:
        return Resolving()

    def quote(self, model: object = "gpt-4o", **fields: object) -> feed.Json:
        """
        A row that was observed just now.
        """
        fields.setdefault("observed_at", feed.moment(time.time()))
        return feed.quote(model, **fields)

    def feed_settings(self, **settings: object) -> dict[str, object]:
        """
        The section C{tokenstats}.
        """
        return {"url": self.feed.url.removesuffix("/v1"), **settings}

    async def market(self) -> Any:
        """
        What C{/providers} says of the feed.
        """
        return (await self.get("/providers")).json()["market"]

    def _script(self, connection: Connection, request: Received) -> None:
        if self.broken:
            answers(503, {"error": "down"})(connection, request)
            return
        found: dict[str, object] = {
            "/health": self.health,
            "/api/quotes": self.quotes,
            "/api/nodes": self.nodes,
        }
        path = request.line.split(" ")[1].partition("?")[0]
        answers(200, found[path])(connection, request)
