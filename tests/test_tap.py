"""
The daemon's command line.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any

from twisted.application.service import Application
from twisted.internet.task import deferLater
from twisted.logger import ILogObserver, Logger
from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase, TestCase

from arbstr.config.model import Config
from arbstr.service import ArbstrService
from arbstr.tap import Options, makeService
from tests.integration.harness import coroutine, reactor

FILE = """
server: {listen: "tcp:9000:interface=127.0.0.1"}
providers: [{name: from-the-file, kind: mock, input_rate: 1, output_rate: 1}]
logging: {format: json}
"""


class TapTestCase(SynchronousTestCase):
    """
    Works in an empty directory.
    """

    def setUp(self) -> None:
        self.addCleanup(gc.enable)
        self.addCleanup(os.chdir, os.getcwd())
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        os.chdir(self.directory)
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("ARBSTR_")
        }
        self.patch(os, "environ", environment)

    def make(self, *arguments: str, **twistd: Any) -> ArbstrService:
        """
        What C{twistd arbstr} makes of these arguments.

        @param twistd: twistd's own options.
        """
        options = Options()
        options.parent = usage.Options()
        options.parent.update(twistd)
        options.parseOptions(list(arguments))
        service = makeService(options)
        assert isinstance(service, ArbstrService)
        return service

    def file(self, text: str = FILE, name: str = "arbstr.yaml") -> str:
        """
        A configuration file.
        """
        path = self.directory / name
        path.parent.mkdir(exist_ok=True)
        path.touch(0o600)
        path.write_text(text, "utf-8")
        return str(path)


class MakeServiceTests(TapTestCase):
    """
    Which configuration the daemon is made from.
    """

    def names(self, *arguments: str) -> list[str]:
        """
        The providers of the daemon that is made.
        """
        service = self.make(*arguments, nodaemon=True)
        return [provider.name for provider in service.config.providers]

    def refusal(self, *arguments: str) -> str:
        """
        What is said instead of making one.
        """
        with self.assertRaises(SystemExit) as raised:
            self.make(*arguments, nodaemon=True)
        return str(raised.exception.code)

    def test_mock(self) -> None:
        self.assertEqual(self.names("--mock"), ["mock-cheap", "mock-expensive"])

    def test_file(self) -> None:
        self.assertEqual(self.names("--config", self.file()), ["from-the-file"])

    def test_file_from_the_working_directory(self) -> None:
        self.file(name="etc/arbstr.yaml")
        self.assertEqual(self.names(), ["from-the-file"])

    def test_no_file(self) -> None:
        self.assertEqual(
            self.refusal(),
            "expected --config FILE, ARBSTR_CONFIG, etc/arbstr.yaml or --mock, "
            "found none",
        )

    def test_mock_and_file(self) -> None:
        self.assertEqual(
            self.refusal("--mock", "--config", self.file()),
            "expected --mock or --config, found both",
        )

    def test_every_error_of_a_file(self) -> None:
        path = self.file("providers: []\ncolour: blue\n")
        self.assertEqual(len(self.refusal("--config", path).splitlines()), 2)

    def test_warnings_are_told(self) -> None:
        complaints = StringIO()
        self.patch(sys, "stderr", complaints)
        key = "api_key: sk-in-plain-text"
        self.make(
            "--config", self.file(FILE.replace("kind: mock", f"kind: mock, {key}"))
        )
        self.assertIn("providers[0].api_key: ", complaints.getvalue())

    def test_listen_of_the_file(self) -> None:
        service = self.make("--config", self.file(), nodaemon=True)
        self.assertEqual(
            service.config.server.listen, ("tcp:9000:interface=127.0.0.1",)
        )

    def test_listen_over_the_file(self) -> None:
        service = self.make(
            "--config", self.file(), "--listen", "127.0.0.1:9001", nodaemon=True
        )
        self.assertEqual(
            service.config.server.listen, ("tcp:9001:interface=127.0.0.1",)
        )

    def test_listen_keeps_the_rest_of_the_server(self) -> None:
        path = self.file(FILE.replace("server: {", "server: {auth_token: secret, "))
        service = self.make("--config", path, "--listen", "0.0.0.0:9001", nodaemon=True)
        token = service.config.server.auth_token
        assert token is not None
        self.assertEqual(token.get_secret_value(), "secret")

    def test_listen_that_makes_no_sense(self) -> None:
        self.assertEqual(
            self.refusal("--mock", "--listen", "nowhere"),
            "--listen: expected HOST:PORT or a Twisted endpoint such as "
            "tcp:8080:interface=127.0.0.1",
        )

    def test_listen_where_others_can_reach(self) -> None:
        self.assertEqual(
            self.refusal("--mock", "--listen", "0.0.0.0:9001"),
            "--listen: expected a token or a loopback interface, since "
            "'tcp:9001:interface=0.0.0.0' is reachable from other machines",
        )

    def test_stray_argument(self) -> None:
        with self.assertRaises(usage.UsageError):
            Options().parseOptions(["--mock", "etc/arbstr.yaml"])


class ReadAgainTests(TapTestCase):
    """
    How the daemon reads its file again.
    """

    def again(self, *arguments: str) -> Config:
        """
        Make a daemon, change directory and file, and let it read again.
        """
        path = self.file()
        service = self.make("--config", path, *arguments, nodaemon=True)
        self.file(FILE.replace("from-the-file", "new").replace("9000", "9002"))
        assert service.load is not None
        return service.load().config

    def test_new_settings(self) -> None:
        config = self.again()
        self.assertEqual(config.providers[0].name, "new")
        self.assertEqual(config.server.listen, ("tcp:9002:interface=127.0.0.1",))

    def test_listen_still_over_the_file(self) -> None:
        config = self.again("--listen", "127.0.0.1:9001")
        self.assertEqual(config.server.listen, ("tcp:9001:interface=127.0.0.1",))

    def test_same_file(self) -> None:
        """
        Wherever twistd goes.
        """
        self.file()
        service = self.make("--config", "arbstr.yaml", nodaemon=True)
        os.chdir("/")
        assert service.load is not None
        self.assertEqual(service.load().config, service.config)

    def test_warnings(self) -> None:
        """
        They are told again.
        """
        self.patch(sys, "stderr", StringIO())
        key = "kind: mock, api_key: sk-in-plain-text"
        path = self.file(FILE.replace("kind: mock", key))
        service = self.make("--config", path, nodaemon=True)
        assert service.load is not None
        self.assertEqual(len(service.load().warnings), 1)

    def test_mock(self) -> None:
        """
        There is no file.
        """
        self.assertIsNone(self.make("--mock", nodaemon=True).load)


class ObserverTests(TapTestCase):
    """
    Where twistd's options send the log.
    """

    def log(self, *arguments: str, told: str = "told", **twistd: Any) -> None:
        """
        Make a daemon, and log something.
        """
        application = Application("arbstr")
        self.make(*arguments, **twistd).setServiceParent(application)
        observer = application.getComponent(ILogObserver)
        Logger("test", observer=observer).info(told)

    def observer_with(self, **twistd: Any) -> object:
        """
        The daemon's own observer, if it has one.
        """
        application = Application("arbstr")
        self.make("--mock", **twistd).setServiceParent(application)
        return application.getComponent(ILogObserver)

    def test_foreground(self) -> None:
        out = StringIO()
        self.patch(sys, "stdout", out)
        self.log("--mock", nodaemon=True)
        self.assertRegex(out.getvalue(), "^[0-9T:.-]+Z info test told\n$")

    def test_foreground_without_every_character(self) -> None:
        """
        What the terminal does not have is told in another way.
        """
        written = BytesIO()
        self.patch(sys, "stdout", TextIOWrapper(written, "ascii"))
        self.log("--mock", nodaemon=True, told="modèle…")
        self.assertIn(rb"info test mod\xe8le\u2026", written.getvalue())

    def test_format_of_the_file(self) -> None:
        out = StringIO()
        self.patch(sys, "stdout", out)
        self.log("--config", self.file(), nodaemon=True)
        self.assertEqual(json.loads(out.getvalue())["message"], "told")

    def test_background(self) -> None:
        self.log("--mock")
        self.assertIn("info test told", Path("twistd.log").read_text())

    def test_named_file(self) -> None:
        self.log("--mock", nodaemon=True, logfile="named.log")
        self.assertIn("info test told", Path("named.log").read_text())

    def test_syslog(self) -> None:
        """
        twistd knows how to write to it; no file is made.
        """
        self.assertIsNone(self.observer_with(syslog=True))
        self.assertEqual(list(self.directory.iterdir()), [])

    def test_logger(self) -> None:
        """
        An observer of the user's own choice stands.
        """
        self.assertIsNone(self.observer_with(logger=print))
        self.assertEqual(list(self.directory.iterdir()), [])


class CollectorTests(TapTestCase, TestCase):
    """
    Garbage is not looked for while the daemon starts, nor ever among what the
    start has made.
    """

    @coroutine
    async def test_at_rest_until_running(self) -> None:
        self.addCleanup(gc.unfreeze)
        self.make("--mock", nodaemon=True)
        self.assertFalse(gc.isenabled())
        await deferLater(reactor, 0)
        self.assertTrue(gc.isenabled())
        self.assertGreater(gc.get_freeze_count(), 0)
