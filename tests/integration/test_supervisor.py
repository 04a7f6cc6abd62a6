"""
Tests for L{arbstr.supervisor}, whose socket is a real one.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from arbstr.supervisor import Supervisor

PID = 4711
WATCHDOG_SECONDS = 10


class SupervisorTests(SynchronousTestCase):
    """
    The test is the supervisor.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.addCleanup(self.assert_no_timers)
        # The names of sockets must be short.
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory)
        self.address = str(Path(directory, "notify"))
        self.listen()

    def assert_no_timers(self) -> None:
        """
        No timer is left.
        """
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def listen(self) -> None:
        """
        Have a socket, in the place of one that there was.
        """
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.setblocking(False)
        self.socket.bind(self.address)

    def supervisor(self, **environ: str) -> Supervisor:
        """
        What the daemon has of it.
        """
        environ.setdefault("NOTIFY_SOCKET", self.address)
        supervisor = Supervisor(environ, self.clock, lambda: 12_345, lambda: PID)
        self.addCleanup(supervisor.close)
        return supervisor

    def supervised(self, pid: str | None = None) -> Supervisor:
        """
        A daemon that serves, and has to show that it is alive.

        @param pid: which process has to.
        """
        environ = {} if pid is None else {"WATCHDOG_PID": pid}
        supervisor = self.supervisor(
            WATCHDOG_USEC=str(WATCHDOG_SECONDS * 1_000_000), **environ
        )
        supervisor.ready("Serving")
        list(self.messages())
        return supervisor

    def messages(self) -> Iterator[str]:
        """
        What has come.
        """
        while True:
            try:
                yield self.socket.recv(4096).decode()
            except BlockingIOError:
                return

    def assert_told(self, *messages: str) -> None:
        """
        Exactly this has come.
        """
        self.assertEqual(list(self.messages()), list(messages))

    def test_ready(self) -> None:
        supervisor = self.supervisor()
        supervisor.ready("Serving")
        self.assert_told("READY=1\nSTATUS=Serving\nMAINPID=4711")

    def test_reloading(self) -> None:
        supervisor = self.supervisor()
        supervisor.reloading()
        self.assert_told("RELOADING=1\nMONOTONIC_USEC=12345")

    def test_stopping(self) -> None:
        self.supervisor().stopping()
        self.assert_told("STOPPING=1\nSTATUS=Draining")

    def test_status_of_several_lines(self) -> None:
        """
        What stands in a file says nothing to the supervisor.
        """
        self.supervisor().ready("found 'a\nREADY=0'")
        (message,) = self.messages()
        self.assertEqual(len(message.split("\n")), 3)

    def test_nobody(self) -> None:
        supervisor = self.supervisor(NOTIFY_SOCKET="")
        with capturedLogs() as events:
            supervisor.ready("Serving")
        self.assertEqual(events, [])
        self.assert_told()

    def test_address_of_another_kind(self) -> None:
        """
        What this cannot be sent to is as good as none.
        """
        self.supervisor(NOTIFY_SOCKET="vsock:2:1").ready("Serving")
        self.assert_told()

    def test_watchdog(self) -> None:
        """
        Twice as often as it has to be.
        """
        self.supervised()
        self.clock.advance(WATCHDOG_SECONDS / 2 - 1)
        self.assert_told()
        self.clock.advance(1)
        self.assert_told("WATCHDOG=1")
        self.clock.advance(WATCHDOG_SECONDS / 2)
        self.assert_told("WATCHDOG=1")

    def test_watchdog_after_a_reload(self) -> None:
        """
        There is still but one.
        """
        supervisor = self.supervised()
        supervisor.reloading()
        supervisor.ready("Serving")
        list(self.messages())
        self.clock.advance(WATCHDOG_SECONDS / 2)
        self.assert_told("WATCHDOG=1")

    def test_watchdog_during_the_drain(self) -> None:
        """
        Draining is being alive.
        """
        supervisor = self.supervised()
        supervisor.stopping()
        list(self.messages())
        self.clock.advance(WATCHDOG_SECONDS / 2)
        self.assert_told("WATCHDOG=1")

    def test_watchdog_of_this_process(self) -> None:
        self.supervised(pid=str(PID))
        self.clock.advance(WATCHDOG_SECONDS / 2)
        self.assert_told("WATCHDOG=1")

    def test_watchdog_of_another_process(self) -> None:
        self.supervised(pid=str(PID + 1))
        self.clock.advance(WATCHDOG_SECONDS)
        self.assert_told()

    def test_watchdog_that_makes_no_sense(self) -> None:
        for told in ("", "0", "-1", "soon", "²"):
            self.supervisor(WATCHDOG_USEC=told).ready("Serving")
            self.assert_no_timers()

    def test_closed(self) -> None:
        """
        Nothing is told after the end.
        """
        supervisor = self.supervised()
        supervisor.close()
        supervisor.ready("Serving")
        self.clock.advance(WATCHDOG_SECONDS)
        self.assert_told()

    def test_queue_that_is_full(self) -> None:
        """
        What finds no room is told later, in order; nobody waits for that.
        """
        supervisor = self.supervisor()
        count = 0
        while not self.clock.getDelayedCalls():
            supervisor.reloading()
            count += 1
        supervisor.ready("Serving")
        self.assertEqual(len(list(self.messages())), count - 1)
        self.clock.advance(0.1)
        reloading, ready = self.messages()
        self.assertTrue(reloading.startswith("RELOADING=1"))
        self.assertTrue(ready.startswith("READY=1"))

    def test_closed_with_a_queue_that_is_full(self) -> None:
        supervisor = self.supervisor()
        while not self.clock.getDelayedCalls():
            supervisor.reloading()
        supervisor.close()
        self.assert_no_timers()

    def test_supervisor_that_comes_back(self) -> None:
        """
        What cannot be told is lost, but not what comes later.
        """
        supervisor = self.supervisor()
        supervisor.ready("Serving")
        self.socket.close()
        os.unlink(self.address)
        with capturedLogs() as events:
            supervisor.reloading()
        self.assertEqual(
            [event["log_format"] for event in events],
            ["Cannot tell the supervisor: {error}"],
        )
        self.listen()
        supervisor.ready("Serving")
        self.assertEqual(len(list(self.messages())), 1)
