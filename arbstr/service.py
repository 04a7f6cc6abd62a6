"""
Starts the daemon, lets it follow its configuration, and drains it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import ILogObserver, Logger

from arbstr import signals
from arbstr.clock import MonotonicClock
from arbstr.config.change import change
from arbstr.config.load import Loaded
from arbstr.config.model import Config
from arbstr.daemon import Daemon, build
from arbstr.ledger.database import Database, DatabaseError
from arbstr.ledger.retention import Retention
from arbstr.logs import LogObserver
from arbstr.reload import Reloader
from arbstr.remembering import Remembering
from arbstr.supervisor import Supervisor
from arbstr.upstream.mocks import Mocks
from arbstr.web.clients import Clients
from arbstr.web.listening import CannotStart, Listening

# After the grace, clients still have to be told that their answers end here.
_LEAST_SECONDS_TO_SEND = 1


class ArbstrService(MultiService):
    """
    The daemon as twistd knows it.

    @ivar config: the one in use.
    @ivar load: reads the configuration again; without it that cannot be done.
    @param log_observer: becomes the application's own, unless twistd's
        command line names another.
    @param environ: says how to reach the supervisor of the process.
    @param build: puts the parts together.
    @param make_database: of a URL and a reactor, one to be opened.
    """

    _log = Logger()
    _daemon: Daemon
    _database: Database
    _clients: Clients
    _listening: Listening
    _reloader: Reloader
    _remembering: Remembering

    def __init__(
        self,
        config: Config,
        reactor: Any,
        log_observer: LogObserver | None = None,
        load: Callable[[], Loaded] | None = None,
        environ: Mapping[str, str] | None = None,
        build: Callable[..., Daemon] = build,
        make_database: Callable[[str, Any], Database] = Database,
    ) -> None:
        MultiService.__init__(self)
        self.config = config
        self._reactor = reactor
        self._clock = MonotonicClock(reactor)
        self._log_observer = log_observer
        self.load = load
        self._supervisor = Supervisor(environ or {}, self._clock)
        self._build = build
        self._make_database = make_database
        self._mocks = Mocks(reactor)
        self._retention: Retention | None = None
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
        config = self._mocks.use(self.config)
        self._daemon = self._build(
            config, self._reactor, self._clock, database=self._database
        )
        self._reloader = Reloader(
            self._read_again, self._use, self._daemon.status, self._supervisor
        )
        self._remembering = Remembering(
            self._database, self._daemon.learned, self._reactor
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
        self._remembering.start()
        self._daemon.market.start()
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

    def reload(self) -> None:
        """
        Read the configuration again, and follow it from now on.
        """
        if self.load is None:
            self._log.warn("SIGHUP: there is no file to be read again")
        elif not self._ending:
            self._reloader.reload()

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
        self._supervisor.stopping()
        self._reloader.stop()
        daemon.market.stop()
        await MultiService.stopService(self)
        self._log.info("Draining {count} requests", count=len(daemon.in_flight))
        await daemon.in_flight.drain(grace)
        left = deadline - self._clock.seconds()
        await self._clients.close(max(left, _LEAST_SECONDS_TO_SEND))
        await daemon.connections.close()
        self._remembering.stop()
        if self._retention is not None:
            self._retention.stop()
        await daemon.ledger.drain()
        await self._database.close()
        await self._mocks.stop()
        self._supervisor.close()

    def _open_database(self) -> Database:
        try:
            database = self._make_database(self.config.database.url, self._reactor)
            database.open()
        except DatabaseError as error:
            raise CannotStart(f"arbstr: {error}") from None
        return database

    def _serving(self) -> None:
        signals.listen(self._reactor, self.terminate, self.reload)
        addresses, count = self._listening.addresses(), len(self.config.providers)
        self._log.info(
            "Serving on {addresses} for {count} providers",
            addresses=addresses,
            count=count,
        )
        self._supervisor.ready(f"Serving on {addresses} for {count} providers")

    def _read_again(self) -> Deferred[Loaded]:
        assert self.load is not None
        pool = self._reactor.getThreadPool()
        return deferToThreadPool(self._reactor, pool, self.load)

    def _use(self, wanted: Config) -> Deferred[list[str]]:
        return Deferred.fromCoroutine(self._follow(wanted))

    async def _follow(self, wanted: Config) -> list[str]:
        """
        Follow another configuration as far as that is possible.

        @return: the names of the settings in which that takes a new start.
        @raise ConfigError: the daemon as it was started makes it unsafe.
        """
        config, kept = change(self.config, wanted)
        await self._daemon.market.use(self._mocks.use(config))
        self._mocks.stop_others(config)
        if self._log_observer is not None:
            self._log_observer.configure(config.logging)
        self.config = config
        return kept
