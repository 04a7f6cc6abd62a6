"""
L{ArbstrService}: how it starts and in which order it ends.
"""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any, Self, cast

from attrs import define
from twisted.application.service import Application
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import ILogObserver, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Site

from arbstr.config.builtin import builtin_config
from arbstr.config.load import Loaded
from arbstr.config.model import Config, LoggingSettings, ServerSettings
from arbstr.config.status import ConfigStatus
from arbstr.daemon import Daemon
from arbstr.ledger.database import Database
from arbstr.logs import LogObserver
from arbstr.routing.learned import Learned
from arbstr.service import ArbstrService
from arbstr.web.inflight import InFlight

GRACE = 30


@define
class Part:
    """
    Stands for a part of the daemon, and tells when it ends.
    """

    name: str
    told: list[str]

    def close(self) -> Deferred[None]:
        self.told.append(self.name)
        return succeed(None)

    drain = stopListening = close


class Books(Part):
    """
    A database with nothing in it.
    """

    def open(self) -> None:
        pass

    def read(self, query: object) -> Deferred[list[object]]:
        return succeed([])


@define
class Market(Part):
    """
    A market that never changes.
    """

    used: list[Config]

    def start(self) -> None:
        self.told.append("market begins")

    def stop(self) -> None:
        self.told.append("market")

    def use(self, config: Config) -> Deferred[None]:
        self.used.append(config)
        return succeed(None)


class Reactor(MemoryReactorClock):
    """
    Tells when a port is closed.  Its threads do their work when they are told to.
    """

    def __init__(self, told: list[str]) -> None:
        super().__init__()
        self.told = told
        self.threads: list[Callable[[], None]] = []

    def getThreadPool(self) -> Self:
        return self

    def callInThreadWithCallback(
        self, done: Callable[[bool, object], None], work: Callable[[], object]
    ) -> None:
        self.threads.append(lambda: done(True, work()))

    def callFromThread(self, call: Callable[..., object], *arguments: object) -> None:
        call(*arguments)

    def listenTCP(self, port: int, *arguments: Any, **options: Any) -> Any:
        listening = super().listenTCP(port, *arguments, **options)
        part = Part(f"port {port}" if port else "mock", self.told)
        listening.stopListening = part.stopListening
        return listening


class ServiceTests(SynchronousTestCase):
    """
    The service, with parts that only tell their ends.
    """

    def setUp(self) -> None:
        self.told: list[str] = []
        self.used: list[Config] = []
        self.status = ConfigStatus(0)
        self.reactor = Reactor(self.told)
        self.config = builtin_config().model_copy(
            update={
                "server": ServerSettings(
                    listen=("tcp:8080:interface=127.0.0.1",),
                    shutdown_grace_seconds=GRACE,
                )
            }
        )

    def build(
        self, config: Config, reactor: Any, clock: IReactorTime, database: Database
    ) -> Daemon:
        """
        See L{arbstr.daemon.build}.
        """
        self.built_from = config
        self.in_flight = InFlight(clock)
        return Daemon(
            site=Site(Resource(), reactor=self.reactor),
            guard=cast(Any, Part("guard", self.told)),
            in_flight=self.in_flight,
            circuits=cast(Any, None),
            connections=cast(Any, Part("connections", self.told)),
            ledger=cast(Any, Part("ledger", self.told)),
            learned=Learned(),
            live=cast(Any, None),
            market=cast(Any, Market("market", self.told, self.used)),
            status=self.status,
        )

    def start(self) -> ArbstrService:
        """
        A service that runs.
        """
        service = ArbstrService(
            self.config,
            self.reactor,
            build=self.build,
            make_database=lambda url, reactor: cast(Any, Books("database", self.told)),
        )
        service.privilegedStartService()
        service.startService()
        return service

    def reload(self, service: ArbstrService, **server: Any) -> None:
        """
        The file holds other settings of the server, and is read again.
        """
        wanted = self.config.model_copy(
            update={"server": self.config.server.model_copy(update=server)}
        )
        service.load = lambda: Loaded(wanted, "arbstr.yaml", {})
        service.reload()

    def serve(self) -> tuple[Deferred[None], Deferred[None]]:
        """
        Have a request in flight.

        @return: what it waits for, and what comes of it.
        """
        awaited: Deferred[None] = Deferred()

        async def serving() -> None:
            await awaited

        return awaited, self.in_flight.run(serving())

    def connect(self) -> StringTransport:
        """
        Have a client connected.
        """
        factory: Any = self.reactor.tcpServers[-1][1]
        transport = StringTransport()
        factory.buildProtocol(None).makeConnection(transport)
        return transport

    def test_mocks_get_addresses(self) -> None:
        """
        The daemon is built from a configuration in which every provider has a
        URL.
        """
        self.start()
        self.assertEqual(
            [provider.url for provider in self.built_from.providers],
            ["http://127.0.0.1:0/v1"] * 2,
        )

    def test_order_of_the_drain(self) -> None:
        """
        What is in flight needs providers, and leaves rows: those go last.
        """
        service = self.start()
        awaited, _ = self.serve()
        stopped = service.stopService()
        self.assertEqual(self.told, ["market begins", "guard", "market", "port 8080"])
        self.assertNoResult(stopped)
        awaited.callback(None)
        self.successResultOf(stopped)
        self.assertEqual(
            self.told[4:], ["connections", "ledger", "database", "mock", "mock"]
        )

    def test_grace(self) -> None:
        """
        After it, what is in flight is cancelled.
        """
        service = self.start()
        _, served = self.serve()
        stopped = service.stopService()
        self.reactor.advance(GRACE - 1)
        self.assertNoResult(served)
        self.reactor.advance(1)
        self.failureResultOf(served, CancelledError)
        self.successResultOf(stopped)

    def test_clients_get_what_was_written(self) -> None:
        """
        Their connections are closed, not cut, as long as the grace lasts.
        """
        service = self.start()
        transport = self.connect()
        stopped = service.stopService()
        self.assertTrue(transport.disconnecting)
        self.reactor.advance(GRACE - 1)
        self.assertFalse(transport.disconnected)
        self.assertNoResult(stopped)

    def test_clients_that_take_nothing_are_cut(self) -> None:
        service = self.start()
        transport = self.connect()
        service.stopService()
        self.reactor.advance(GRACE)
        self.assertTrue(transport.disconnected)

    def test_terminate(self) -> None:
        """
        The reactor stops, and with it the service.
        """
        self.start().terminate()
        self.assertTrue(self.reactor.hasStopped)

    def test_terminate_again(self) -> None:
        """
        Whoever asks twice does not want to wait for the grace.
        """
        service = self.start()
        _, served = self.serve()
        service.terminate()
        self.assertNoResult(served)
        service.terminate()
        self.failureResultOf(served, CancelledError)

    def test_terminate_once_more(self) -> None:
        """
        With nothing left to cancel, clients are cut off.
        """
        service = self.start()
        transport = self.connect()
        service.terminate()
        service.terminate()
        self.assertTrue(transport.disconnected)

    def test_terminate_while_clients_are_told(self) -> None:
        """
        Who is being told of the end is not cancelled twice, but cut off.
        """
        service = self.start()
        transport = self.connect()
        told: Deferred[None] = Deferred()

        async def tells() -> None:
            try:
                await Deferred()
            except CancelledError:
                await told

        served = self.in_flight.run(tells())
        for _ in range(3):
            self.assertFalse(transport.disconnected)
            service.terminate()
        self.assertNoResult(served)
        self.assertTrue(transport.disconnected)

    def test_reload(self) -> None:
        """
        The file is read in a thread; what it says is used with the mock
        providers' URLs.
        """
        service = self.start()
        self.reload(service, max_in_flight=7)
        self.assertEqual(self.used, [])
        self.reactor.threads.pop()()
        (config,) = self.used
        self.assertEqual(config.server.max_in_flight, 7)
        self.assertEqual(config.providers, self.built_from.providers)

    def test_grace_of_a_reload(self) -> None:
        service = self.start()
        self.reload(service, shutdown_grace_seconds=1)
        self.reactor.threads.pop()()
        _, served = self.serve()
        service.stopService()
        self.reactor.advance(1)
        self.failureResultOf(served, CancelledError)

    def test_reload_as_it_ends(self) -> None:
        """
        It would be of no use to anybody.
        """
        service = self.start()
        service.terminate()
        self.reload(service)
        self.assertEqual(self.reactor.threads, [])

    def test_end_as_it_reloads(self) -> None:
        service = self.start()
        self.reload(service)
        service.terminate()
        self.successResultOf(service.stopService())
        self.reactor.threads.pop()()
        self.assertEqual(self.used, [])

    def test_nothing_to_reload(self) -> None:
        service = self.start()
        with capturedLogs() as events:
            service.reload()
        self.assertEqual(
            [formatEvent(event) for event in events],
            ["SIGHUP: there is no file to be read again"],
        )


class LogObserverTests(SynchronousTestCase):
    """
    How the application comes by its log.
    """

    def test_given(self) -> None:
        observer = LogObserver(LoggingSettings(), StringIO(), MemoryReactorClock())
        application = Application("arbstr")
        service = ArbstrService(builtin_config(), None, observer)
        service.setServiceParent(application)
        self.assertIs(application.getComponent(ILogObserver), observer)

    def test_not_given(self) -> None:
        """
        The application is left to twistd.
        """
        application = Application("arbstr")
        ArbstrService(builtin_config(), None).setServiceParent(application)
        self.assertIsNone(application.getComponent(ILogObserver))
