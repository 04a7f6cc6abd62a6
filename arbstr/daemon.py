"""
Puts the parts of the daemon together.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.threads import deferToThreadPool
from twisted.web.iweb import IPolicyForHTTPS
from twisted.web.server import Site

from arbstr.circuit import CircuitBreakerRegistry, CoolDowns
from arbstr.config.known import hide_secrets_of
from arbstr.config.model import Config
from arbstr.config.status import ConfigStatus
from arbstr.dispatch import Dispatcher
from arbstr.ledger.both import Both
from arbstr.ledger.database import Database
from arbstr.ledger.writer import DatabaseLedger, Ledger, LogLedger
from arbstr.live import Live
from arbstr.market.discovery import Tools
from arbstr.market.fetch import Fetcher
from arbstr.market.watch import Watch
from arbstr.routing.affinity import Affinity
from arbstr.routing.learned import Learned
from arbstr.routing.router import Router
from arbstr.upstream.client import ProviderClient
from arbstr.upstream.connections import Connections
from arbstr.upstream.cost import usd_per_sat
from arbstr.web.app import WebApp
from arbstr.web.chat import Chat
from arbstr.web.explain import Explain
from arbstr.web.guard import Guard
from arbstr.web.inflight import InFlight
from arbstr.web.reports import Reports, known_names
from arbstr.web.site import make_site
from arbstr.web.status import Status

T = TypeVar("T")


@frozen
class Daemon:
    """
    The parts of a running daemon that something outlives a request for.

    @ivar live: takes another configuration.
    @ivar market: puts it together with what the market says; is to be started
        and stopped.
    @ivar status: is told how that went.
    """

    site: Site
    guard: Guard
    in_flight: InFlight
    circuits: CircuitBreakerRegistry
    connections: Connections
    ledger: Ledger
    learned: Learned
    live: Live
    market: Watch
    status: ConfigStatus


def _in_thread(reactor: Any, work: Callable[[], T]) -> Deferred[T]:
    """
    Have something done that would take the reactor too long.
    """
    return deferToThreadPool(reactor, reactor.getThreadPool(), work)


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
    hide_secrets_of(config)
    router = Router(config, affinity=Affinity(clock.seconds))
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
        rotation=router.rotation,
    )
    log = LogLedger(config.logging.log_requests)
    ledger = ledger or log
    if database is not None:
        ledger = Both(ledger, DatabaseLedger(database, clock))
    in_flight = InFlight(clock)
    status = ConfigStatus(time.time())
    tools = Tools(Fetcher(connections, clock), partial(_in_thread, reactor), clock)
    market = Watch(config, tools, router, lambda *merged: live.use(*merged))
    web = WebApp(
        Chat(router, dispatcher, ledger, in_flight, clock),
        Status(router, circuits, cooldowns, ledger, int(time.time()), status, market),
        Explain(router, circuits, cooldowns),
        None if database is None else Reports(database, partial(known_names, router)),
    )
    guard = Guard(web.resource(), config.server, in_flight, ledger, clock)
    live = Live(config, router, circuits, dispatcher, log, guard)
    return Daemon(
        site=make_site(guard, guard, config.server.max_body_bytes, reactor),
        guard=guard,
        in_flight=in_flight,
        circuits=circuits,
        connections=connections,
        ledger=ledger,
        learned=router.learned,
        live=live,
        market=market,
        status=status,
    )
