"""
A daemon in this process, on a real socket, between fake providers and a client.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.interfaces import (
    IOpenSSLServerConnectionCreator,
    IReactorTime,
)
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import TestCase
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.http_headers import Headers
from twisted.web.iweb import IPolicyForHTTPS

from arbstr.config.model import Config
from arbstr.daemon import Daemon, build
from arbstr.ledger.database import Database
from arbstr.web.clients import Clients
from tests.fakes import ListLedger

from .aftermath import Baseline
from .clocks import SkippingClock
from .providers import FakeProvider, Script, serves
from .wire import Answer, Begun, Body, Collected, RawClient

__all__ = [
    "MODEL",
    "RATES",
    "Answer",
    "Begun",
    "DaemonTestCase",
    "ListLedger",
    "SkippingClock",
    "StoppedClockTestCase",
    "chat",
    "coroutine",
    "reactor",
]

reactor: Any = global_reactor

# Longer than any circuit stays open, and any provider is left alone.
_LONG_AFTER = 3601

# Rates in sats per 1M tokens: alpha before beta before gamma.
RATES = {"alpha": 1000, "beta": 2000, "gamma": 3000}
MODEL = "gpt-4o"


def coroutine(
    test: Callable[..., Coroutine[Deferred[Any], Any, None]],
) -> Callable[..., Deferred[None]]:
    """
    Let trial run a test that awaits.
    """

    @wraps(test)
    def run(*args: Any) -> Deferred[None]:
        return Deferred.fromCoroutine(test(*args))

    return run


def chat(stream: bool = False, **fields: Any) -> dict[str, Any]:
    """
    A chat completion request.
    """
    messages = [{"role": "user", "content": "Hi"}]
    request = {"model": MODEL, "messages": messages, **fields}
    return {**request, "stream": True} if stream else request


class DaemonTestCase(TestCase):
    """
    Starts and stops it all.
    """

    timeout = 20

    def setUp(self) -> None:
        self.providers: dict[str, FakeProvider] = {}
        self.clock = SkippingClock()
        self.ledger = ListLedger()
        self._pool = HTTPConnectionPool(reactor, persistent=False)
        self._agent = Agent(reactor, pool=self._pool)

    def provider(
        self,
        name: str,
        script: Script = serves,
        tls: IOpenSSLServerConnectionCreator | None = None,
    ) -> FakeProvider:
        """
        Add a provider, before the daemon is started.
        """
        provider = FakeProvider(name, script, tls)
        provider.start(reactor)
        self.addCleanup(lambda: Deferred.fromCoroutine(provider.stop()))
        self.providers[name] = provider
        return provider

    def configure(
        self, providers: dict[str, dict[str, Any]] | None = None, **sections: Any
    ) -> Config:
        """
        A configuration of all providers added so far.

        @param providers: settings of single providers, by name.
        @param sections: other sections.
        """
        return Config.model_validate(self.settings(providers, **sections))

    def settings(
        self, providers: dict[str, dict[str, Any]] | None = None, **sections: Any
    ) -> dict[str, Any]:
        """
        The same, as it would be written into a file.
        """
        entries = [
            {
                "name": provider.name,
                "url": provider.url,
                "api_key": f"sk-{provider.name}-key",
                "input_rate": RATES.get(provider.name, 5000),
                "output_rate": RATES.get(provider.name, 5000),
                "models": [MODEL],
                **(providers or {}).get(provider.name, {}),
            }
            for provider in self.providers.values()
        ]
        return {
            "providers": entries,
            "retry": {"backoff_seconds": [0.01]},
            "streaming": {"failover": True},
            **sections,
        }

    def daemon_clock(self) -> IReactorTime:
        """
        What the daemon measures time by.
        """
        return self.clock

    def daemon_reactor(self) -> Any:
        """
        What the daemon connects to providers by.
        """
        return reactor

    def start(
        self,
        providers: dict[str, dict[str, Any]] | None = None,
        tls_policy: IPolicyForHTTPS | None = None,
        database: Database | None = None,
        **sections: Any,
    ) -> Daemon:
        """
        Start the daemon.

        @param database: its books, open; whoever opened it closes it.
        """
        self.config = self.configure(providers, **sections)
        self._database = database
        clock = self.daemon_clock()
        self.daemon = build(
            self.config,
            self.daemon_reactor(),
            clock,
            self.ledger,
            tls_policy,
            database,
        )
        self.addCleanup(self.daemon.ledger.drain)
        self.clients = Clients(self.daemon.site, clock)
        port = reactor.listenTCP(0, self.clients, interface="127.0.0.1")
        self.port = port.getHost().port
        self.baseline = Baseline.take(self.daemon)
        self.addCleanup(port.stopListening)
        self.addCleanup(self._unharmed)
        return self.daemon

    async def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """
        Send one request on a connection of its own, and read the answer.
        """
        begun = await self.begin(method, path, body, headers)
        return await begun.ended()

    async def begin(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Begun:
        """
        Send one request on a connection of its own, and wait for the headers
        of the answer.
        """
        response = await self._agent.request(
            method.encode(),
            f"http://127.0.0.1:{self.port}{path}".encode(),
            Headers({name: [value] for name, value in (headers or {}).items()}),
            None if body is None else Body(body),
        )
        collected = Collected()
        response.deliverBody(collected)
        return Begun(response.code, response.headers, collected)

    def get(self, path: str, **headers: str) -> Deferred[Answer]:
        """
        GET.
        """
        return Deferred.fromCoroutine(self.request("GET", path, headers=headers))

    def ask(
        self, body: dict[str, Any] | None = None, headers: dict[str, str] | None = None
    ) -> Deferred[Answer]:
        """
        POST a chat completion.
        """
        return Deferred.fromCoroutine(
            self.request(
                "POST",
                "/v1/chat/completions",
                json.dumps(chat() if body is None else body).encode(),
                {"Content-Type": "application/json", **(headers or {})},
            )
        )

    async def begin_stream(self, **fields: Any) -> Begun:
        """
        POST a chat completion to be streamed, and wait for the headers.
        """
        body = json.dumps(chat(stream=True, **fields)).encode()
        headers = {"Content-Type": "application/json"}
        return await self.begin("POST", "/v1/chat/completions", body, headers)

    async def connect(self) -> RawClient:
        """
        Connect to the daemon, to write to it byte by byte.
        """
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self.port)
        client: RawClient = await connectProtocol(endpoint, RawClient())
        self.addCleanup(client.hang_up)
        return client

    async def exchange(self, *written: bytes) -> RawClient:
        """
        Write to a connection of its own, and wait until the daemon closes it.
        """
        client = await self.connect()
        for data in written:
            client.socket.write(data)
        await client.lost
        return client

    def trip(self, name: str) -> None:
        """
        Open a provider's circuit.
        """
        for _ in range(3):
            self.daemon.circuits.record_failure(name, "5xx", "test")

    async def soon(self, holds: Callable[[], bool]) -> None:
        """
        Wait until something holds, a turn of the reactor at a time; trial's
        time-out is what ends it if it never does.
        """
        while not holds():
            await deferLater(reactor, 0)

    def long_after(self) -> None:
        """
        Let so much time pass that every circuit and cool-down is over.
        """
        self.clock.skip(_LONG_AFTER)

    def _unharmed(self) -> Deferred[None]:
        checking = Deferred.fromCoroutine(self._is_unharmed())
        # trial does not limit the time of cleanups.
        return checking.addTimeout(self.timeout, reactor)

    async def _is_unharmed(self) -> None:
        """
        Nothing is in flight, no permit is out, providers that behave are asked
        again, and but for idle connections nothing more is open than before.
        """
        await self.soon(self.baseline.nothing_in_flight)
        self.assertEqual(self.baseline.unresolved(), [])
        self.long_after()
        for provider in self.providers.values():
            provider.recover(reactor)
        token = self.config.server.auth_token
        headers = {} if token is None else _bearer(token.get_secret_value())
        models = [each for named in self.config.providers for each in named.models]
        # Others may have come from a market, and have gone with it.
        for stream in (False, True) if models else ():
            answer = await self.ask(chat(stream, model=models[0].name), headers)
            self.assertEqual((answer.status, answer.whole), (200, True), answer.body)
        await self.daemon.connections.close()
        if self._database is None:
            # Its connections are its own affair.
            await self.soon(self.baseline.nothing_more_open)


class StoppedClockTestCase(DaemonTestCase):
    """
    The daemon's time stands still until a test moves it on; the sockets do not
    wait for it.
    """

    def setUp(self) -> None:
        super().setUp()
        self.stopped = Clock()
        self.addCleanup(self._no_timers_left)

    def daemon_clock(self) -> IReactorTime:
        clock: IReactorTime = self.stopped
        return clock

    def long_after(self) -> None:
        """
        See L{DaemonTestCase.long_after}.
        """
        self._no_timers_left()
        self.stopped.advance(_LONG_AFTER)

    def _no_timers_left(self) -> None:
        self.assertEqual(self.stopped.getDelayedCalls(), [])


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
