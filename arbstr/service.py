"""
Builds the daemon from a configuration, starts it, and drains it.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import frozen
from sqlalchemy import Connection
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Cooperator, SchedulerStopped
from twisted.logger import ILogObserver, Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IPolicyForHTTPS
from twisted.web.server import Site

from arbstr.circuit import CircuitBreakerRegistry, CoolDowns
from arbstr.clock import MonotonicClock
from arbstr.config.model import Config
from arbstr.dispatch import Dispatcher
from arbstr.ledger.both import Both
from arbstr.ledger.database import Database, DatabaseError
from arbstr.ledger.learning import newest
from arbstr.ledger.retention import Retention
from arbstr.ledger.writer import DatabaseLedger, Ledger, LogLedger
from arbstr.live import Live
from arbstr.routing.learned import Learned
from arbstr.routing.observation import Observation, read_row
from arbstr.routing.router import Router
from arbstr.upstream.agent import Connections
from arbstr.upstream.client import ProviderClient
from arbstr.upstream.cost import usd_per_sat
from arbstr.upstream.mock import MockProvider
from arbstr.web.app import WebApp
from arbstr.web.chat import Chat
from arbstr.web.clients import Clients
from arbstr.web.explain import Explain
from arbstr.web.guard import Guard
from arbstr.web.inflight import InFlight
from arbstr.web.listening import CannotStart, Listening
from arbstr.web.reports import Reports, known_names
from arbstr.web.site import make_site
from arbstr.web.status import Status

# After the grace, clients still have to be told that their answers end here.
_LEAST_SECONDS_TO_SEND = 1


@frozen
class Daemon:
    """
    The parts of a running daemon that something outlives a request for.

    @ivar live: takes another configuration.
    """

    site: Site
    guard: Guard
    in_flight: InFlight
    circuits: CircuitBreakerRegistry
    connections: Connections
    ledger: Ledger
    learned: Learned
    live: Live


def build(
    config: Config,
    reactor: Any,
    clock: IReactorTime,
    ledger: Ledger | None = None,
    tls_policy: IPolicyForHTTPS | None = None,
    database: Database | None = None,
) -> Daemon:
    """
    Put the parts together.  Nothing is opened yet.

    @param config: every provider in it has a URL.
    @param reactor: connects to providers.
    @param clock: all intervals are measured by it.
    @param ledger: where rows go; by default to the log.
    @param tls_policy: which of the providers' certificates are trusted; by
        default those that the platform trusts.
    @param database: where rows go as well, and reports come from.
    """
    router = Router(config)
    circuits = CircuitBreakerRegistry(router.catalog.providers, config.circuit, clock)
    cooldowns = CoolDowns(clock)
    connections = Connections(reactor, tls_policy)
    dispatcher = Dispatcher(
        ProviderClient(connections, clock),
        circuits,
        cooldowns,
        config.retry,
        config.streaming,
        clock,
        usd_per_sat=usd_per_sat(config.btc_usd),
    )
    log = LogLedger(config.logging.log_requests)
    ledger = ledger or log
    if database is not None:
        ledger = Both(ledger, DatabaseLedger(database, clock))
    in_flight = InFlight(clock)
    web = WebApp(
        Chat(router, dispatcher, ledger, in_flight, clock),
        Status(router, circuits, cooldowns, ledger, int(time.time())),
        Explain(router, circuits, cooldowns),
        None if database is None else Reports(database, partial(known_names, router)),
    )
    guard = Guard(web.app.resource(), config.server, in_flight, ledger, clock)
    return Daemon(
        site=make_site(guard, guard, config.server.max_body_bytes, reactor),
        guard=guard,
        in_flight=in_flight,
        circuits=circuits,
        connections=connections,
        ledger=ledger,
        learned=router.learned,
        live=Live(config, router, circuits, dispatcher, log, guard),
    )


class ArbstrService(MultiService):
    """
    The daemon as twistd knows it.

    @ivar config: what it was built from.
    @param log_observer: becomes the application's own, unless twistd's
        command line names another.
    @param build: puts the parts together.
    @param make_database: of a URL and a reactor, one to be opened.
    """

    _log = Logger()
    _daemon: Daemon
    _database: Database
    _clients: Clients
    _listening: Listening

    def __init__(
        self,
        config: Config,
        reactor: Any,
        log_observer: ILogObserver | None = None,
        build: Callable[..., Daemon] = build,
        make_database: Callable[[str, Any], Database] = Database,
    ) -> None:
        MultiService.__init__(self)
        self.config = config
        self._reactor = reactor
        self._clock = MonotonicClock(reactor)
        self._log_observer = log_observer
        self._build = build
        self._make_database = make_database
        self._mocks: list[MockProvider] = []
        self._retention: Retention | None = None
        self._cooperator = Cooperator(
            scheduler=lambda work: reactor.callLater(0, work), started=True
        )
        self._ending = False

    def setServiceParent(self, parent: Any) -> None:
        """
        Become part of twistd's application.
        """
        MultiService.setServiceParent(self, parent)
        if self._log_observer is not None:
            parent.setComponent(ILogObserver, self._log_observer)

    def privilegedStartService(self) -> None:
        """
        Put everything together, and listen.

        @raise CannotStart: the database cannot be used, or an address cannot
            be listened on.
        """
        self._database = self._open_database()
        config = self._start_mocks()
        self._daemon = self._build(
            config, self._reactor, self._clock, database=self._database
        )
        self._clients = Clients(self._daemon.site, self._clock)
        self._listening = Listening(config.server.listen, self._clients, self._reactor)
        self.addService(self._listening)  # type: ignore[no-untyped-call]
        MultiService.privilegedStartService(self)

    def startService(self) -> None:
        """
        Serve.
        """
        MultiService.startService(self)
        self._reactor.callWhenRunning(self._serving)
        self._remember()
        keep_days = self.config.database.keep_days
        if keep_days is not None:
            self._retention = Retention(self._database, self._clock, keep_days)
            self._retention.start()

    def terminate(self) -> None:
        """
        End the process after a drain.  Asked again, cut short what is in
        flight; asked once more, cut off clients that take their time.
        """
        if not self._ending:
            self._ending = True
            self._reactor.stop()
        elif not self._daemon.in_flight.cancel():
            self._clients.cut()

    def stopService(self) -> Deferred[None]:
        """
        Drain: take nothing new, listen no more, let what is in flight finish
        or cut it short after the grace, and only then close what it used.
        """
        return Deferred.fromCoroutine(self._drain())

    async def _drain(self) -> None:
        daemon = self._daemon
        grace = self.config.server.shutdown_grace_seconds
        deadline = self._clock.seconds() + grace
        daemon.guard.close()
        await MultiService.stopService(self)
        self._log.info("Draining {count} requests", count=len(daemon.in_flight))
        await daemon.in_flight.drain(grace)
        left = deadline - self._clock.seconds()
        await self._clients.close(max(left, _LEAST_SECONDS_TO_SEND))
        await daemon.connections.close()
        self._cooperator.stop()
        if self._retention is not None:
            self._retention.stop()
        await daemon.ledger.drain()
        await self._database.close()
        await gatherResults([mock.stop() for mock in self._mocks])

    def _open_database(self) -> Database:
        try:
            database = self._make_database(self.config.database.url, self._reactor)
            database.open()
        except DatabaseError as error:
            raise CannotStart(f"arbstr: {error}") from None
        return database

    def _remember(self) -> None:
        """
        Learn once more what was learned before the last stop.
        """
        before_ms = int(time.time() * 1000)

        def observations(connection: Connection) -> list[Observation]:
            found = map(read_row, newest(connection, before_ms))
            return [each for each in found if each is not None]

        def learn(seen: list[Observation]) -> Deferred[Any]:
            # A little at a time: requests are being served already.
            observing = map(self._daemon.learned.observe, seen)
            return self._cooperator.coiterate(observing)

        self._database.read(observations).addCallback(learn).addErrback(
            self._learned_nothing
        )

    def _learned_nothing(self, failure: Failure) -> None:
        # A process that ends at once breaks it off, in the database too.
        if not self._ending and not failure.check(SchedulerStopped):
            self._log.failure("Nothing is learned of the log", failure)

    def _serving(self) -> None:
        # With the reactor's own handlers twistd would, after the drain, die of
        # the signal, and a second one would be an error.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._signalled)
        # Left alone it would kill the process without a drain.
        signal.signal(signal.SIGHUP, self._hung_up)
        self._log.info(
            "Serving on {addresses} for {count} providers",
            addresses=self._listening.addresses(),
            count=len(self.config.providers),
        )

    def _signalled(self, number: int, frame: object) -> None:
        self._reactor.callFromThread(self.terminate)

    def _hung_up(self, number: int, frame: object) -> None:
        self._reactor.callFromThread(
            self._log.warn, "SIGHUP: to read the configuration again, restart arbstr"
        )

    def _start_mocks(self) -> Config:
        """
        Start the mock providers.

        @return: the configuration with their URLs in it.
        """
        providers = []
        for provider in self.config.providers:
            if provider.kind == "mock":
                mock = MockProvider(provider, self._reactor)
                self._mocks.append(mock)
                provider = provider.model_copy(update={"url": mock.start()})
            providers.append(provider)
        return self.config.model_copy(update={"providers": tuple(providers)})
