"""
What the supervisor of the process is told, on a socket as systemd has it.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import DatagramProtocol

from .harness import coroutine, reactor
from .process import DaemonProcess, ProcessTestCase


@define(eq=False)
class Messages(DatagramProtocol):
    """
    All that a daemon told, in order.
    """

    told: list[dict[str, str]] = field(factory=list)
    _waiters: list[tuple[str, int, Deferred[None]]] = field(factory=list)

    def datagramReceived(self, datagram: bytes, addr: object) -> None:
        lines = datagram.decode().split("\n")
        self.told.append(dict(line.split("=", 1) for line in lines))
        for name, count, waiting in list(self._waiters):
            if self.names().count(name) >= count:
                self._waiters.remove((name, count, waiting))
                waiting.callback(None)

    def names(self) -> list[str]:
        """
        What each message is first of all.
        """
        return [next(iter(each)) for each in self.told]

    def came(self, name: str, times: int = 1) -> Deferred[None]:
        """
        Fires when there have been so many of these.
        """
        if self.names().count(name) >= times:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._waiters.append((name, times, waiting))
        return waiting


class SupervisionTests(ProcessTestCase):
    """
    A daemon under a supervisor.
    """

    def listen(self, address: str | None = None) -> str:
        """
        Have a supervisor's socket.

        @return: what C{NOTIFY_SOCKET} says of it.
        """
        # The names of sockets must be short.
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory)
        address = address or str(Path(directory, "notify"))
        self.messages = Messages()
        port = reactor.listenUNIXDatagram(address, self.messages)
        self.addCleanup(port.stopListening)
        return address.replace("\0", "@")

    async def supervise(
        self, address: str | None = None, **environ: str
    ) -> DaemonProcess:
        """
        Start a daemon that tells its supervisor.
        """
        environ["NOTIFY_SOCKET"] = self.listen(address)
        self.provider("alpha")
        self.path = self.written()
        process = await self.serve("--config", self.path, environ=environ)
        await self.messages.came("READY")
        return process

    @coroutine
    async def test_ready(self) -> None:
        """
        Told when requests are served, by which process.
        """
        process = await self.supervise()
        self.assertEqual(
            self.messages.told,
            [
                {
                    "READY": "1",
                    "STATUS": f"Serving on 127.0.0.1:{self.port} for 1 providers",
                    "MAINPID": str(process.pid),
                }
            ],
        )

    @coroutine
    async def test_from_start_to_end(self) -> None:
        process = await self.supervise()
        process.signal("HUP")
        await self.messages.came("READY", 2)
        process.signal("TERM")
        self.assertEqual(await process.exited(), 0)
        await self.messages.came("STOPPING")
        self.assertEqual(
            self.messages.names(), ["READY", "RELOADING", "READY", "STOPPING"]
        )
        self.assertGreater(int(self.messages.told[1]["MONOTONIC_USEC"]), 0)

    @coroutine
    async def test_file_that_is_broken(self) -> None:
        """
        The reload is over, and the status tells how it went.
        """
        process = await self.supervise()
        Path(self.path).write_text("providers: []", "utf-8")
        process.signal("HUP")
        await self.messages.came("READY", 2)
        status = self.messages.told[-1]["STATUS"]
        self.assertTrue(
            status.startswith(f"Serving by an older configuration: {self.path}:1: "),
            status,
        )

    @coroutine
    async def test_watchdog(self) -> None:
        await self.supervise(WATCHDOG_USEC="40000")
        await self.messages.came("WATCHDOG", 3)

    @coroutine
    async def test_name_without_a_file(self) -> None:
        await self.supervise(f"\0arbstr-{self.id()}")

    @coroutine
    async def test_supervisor_that_is_gone(self) -> None:
        """
        Requests are served all the same.
        """
        self.provider("alpha")
        path = self.written()
        process = await self.serve(
            "--config", path, environ={"NOTIFY_SOCKET": "/nowhere/notify"}
        )
        await process.logged("Cannot tell the supervisor: ")
        self.assertEqual((await self.ask()).status, 200)
