"""
Tests for L{arbstr.reload}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from arbstr.config.builtin import builtin_config
from arbstr.config.load import ConfigError, Loaded
from arbstr.config.model import Config
from arbstr.config.status import ConfigStatus
from arbstr.reload import Reloader

NOON = 43_200.0


@define
class FakeSupervisor:
    """
    Remembers what it is told.
    """

    told: list[str] = field(factory=list)

    def reloading(self) -> None:
        self.told.append("reloading")

    def ready(self, status: str) -> None:
        self.told.append(status)


class ReloaderTests(SynchronousTestCase):
    """
    A reloader whose files the test reads.
    """

    def setUp(self) -> None:
        self.reads: list[Deferred[Loaded]] = []
        self.used: list[Config] = []
        self.kept: list[str] = []
        self.status = ConfigStatus(0)
        self.supervisor = FakeSupervisor()
        self.reloader = self.make(self.use)

    def make(self, use: Callable[[Config], Deferred[list[str]]]) -> Reloader:
        """
        A reloader of which C{use} is told what to use.
        """
        supervisor = cast(Any, self.supervisor)
        return Reloader(self.read, use, self.status, supervisor, lambda: NOON)

    def read(self) -> Deferred[Loaded]:
        """
        The file is being read.
        """
        self.reads.append(Deferred())
        return self.reads[-1]

    def use(self, config: Config) -> Deferred[list[str]]:
        """
        It is to be used.
        """
        self.used.append(config)
        return succeed(self.kept)

    def loads(self, *warnings: str) -> Config:
        """
        The file has been read.
        """
        config = builtin_config()
        self.reads[-1].callback(Loaded(config, "arbstr.yaml", {}, warnings))
        return config

    def logged(self, *warnings: str) -> list[str]:
        """
        What is logged of a file that has been read.
        """
        with capturedLogs() as events:
            self.reloader.reload()
            self.loads(*warnings)
        return [formatEvent(event) for event in events]

    def test_used(self) -> None:
        self.reloader.reload()
        self.assertEqual(self.used, [])
        config = self.loads()
        self.assertIs(self.used[0], config)
        self.assertEqual(self.status, ConfigStatus(NOON))

    def test_supervisor(self) -> None:
        self.reloader.reload()
        self.assertEqual(self.supervisor.told, ["reloading"])
        self.loads()
        self.assertEqual(self.supervisor.told[1:], ["Serving for 2 providers"])

    def test_logged(self) -> None:
        self.assertEqual(self.logged(), ["Read arbstr.yaml again: 2 providers"])

    def test_warnings_of_the_file(self) -> None:
        self.assertEqual(self.logged("careful", "hot")[:2], ["careful", "hot"])

    def test_settings_that_stay(self) -> None:
        self.kept = ["server.listen"]
        self.assertEqual(
            self.logged()[0],
            "server.listen has changed in arbstr.yaml, which takes effect when arbstr "
            "is started again",
        )

    def test_broken(self) -> None:
        """
        Nothing is used, and every error is told.
        """
        self.reloader.reload()
        with capturedLogs() as events:
            self.reads[0].errback(ConfigError(["one", "two"]))
        self.assertEqual(self.used, [])
        self.assertEqual(self.status, ConfigStatus(0, "one\ntwo"))
        self.assertEqual(
            [formatEvent(event) for event in events],
            ["one", "two", "Nothing has changed: the configuration cannot be used"],
        )
        self.assertEqual({event["log_level"] for event in events}, {LogLevel.error})
        self.assertEqual(
            self.supervisor.told[1:], ["Serving by an older configuration: one"]
        )

    def test_mended(self) -> None:
        self.test_broken()
        self.reloader.reload()
        self.loads()
        self.assertEqual(self.status, ConfigStatus(NOON))

    def test_not_in_use_yet(self) -> None:
        """
        It is told of when it is.
        """
        used: Deferred[list[str]] = Deferred()
        self.reloader = self.make(lambda config: used)
        self.reloader.reload()
        self.loads()
        self.assertEqual(self.supervisor.told, ["reloading"])
        used.callback([])
        self.assertEqual(self.supervisor.told[1:], ["Serving for 2 providers"])

    def test_refused(self) -> None:
        """
        It can be read, but not be used by this daemon.
        """

        def refuse(config: Config) -> Deferred[list[str]]:
            return fail(ConfigError(["unsafe"]))

        self.make(refuse).reload()
        self.loads()
        self.assertEqual(self.status, ConfigStatus(0, "unsafe"))

    def test_bug(self) -> None:
        """
        The daemon goes on, and can be told again.
        """
        self.reloader.reload()
        self.reads[0].errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.status.error, "a bug of arbstr's own: ZeroDivisionError")
        self.reloader.reload()
        self.loads()
        self.assertEqual(len(self.used), 1)

    def test_told_while_it_is_read(self) -> None:
        """
        It may have changed since it was read: it is read once more.
        """
        self.reloader.reload()
        self.reloader.reload()
        self.reloader.reload()
        self.assertEqual(len(self.reads), 1)
        self.loads()
        self.assertEqual(len(self.reads), 2)
        self.loads()
        self.assertEqual(len(self.reads), 2)
        self.assertEqual(len(self.used), 2)

    def test_told_while_a_broken_one_is_read(self) -> None:
        self.reloader.reload()
        self.reloader.reload()
        self.reads[0].errback(ConfigError(["one"]))
        self.loads()
        self.assertEqual(self.status, ConfigStatus(NOON))

    def test_stop(self) -> None:
        """
        What was being read is not used, and nobody complains.
        """
        self.reloader.reload()
        self.reloader.stop()
        self.loads()
        self.assertEqual(self.used, [])
        self.assertIsNone(self.status.error)

    def test_stop_when_idle(self) -> None:
        self.reloader.stop()
        self.assertEqual(self.supervisor.told, [])
