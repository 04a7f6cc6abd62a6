"""
The log of a daemon in a process of its own: floods, forged lines, and who may
read it.
"""

from __future__ import annotations

import os
import re
import stat

from twisted.internet.defer import gatherResults

from .harness import MODEL, chat, coroutine
from .process import IN_FOREGROUND, LOOPBACK, DaemonProcess, ProcessTestCase
from .providers import answers, fails

REQUESTS = 200
FORGED = "x\n2026-11-22T10:00:00.123Z error forged \x1b[31m\x9b\u2028\u202e"


class FloodTests(ProcessTestCase):
    """
    The log does not grow with what somebody does wrong.
    """

    async def end(self, process: DaemonProcess) -> None:
        process.signal("TERM")
        self.assertEqual(await process.exited(), 0)

    def warnings(self, log: str, said: str) -> list[int]:
        """
        How many there were like each of the lines that say this.
        """
        lines = [line for line in log.splitlines() if f" warn {said}" in line]
        more = [re.search(r" … \(([0-9]+) more like it\)$", line) for line in lines]
        return [1 if each is None else 1 + int(each[1]) for each in more]

    @coroutine
    async def test_provider_that_refuses(self) -> None:
        """
        Its warnings are told once a second, and counted; every request has its
        line.
        """
        self.provider("alpha", fails(422))
        settings = self.settings({"alpha": {"max_in_flight": REQUESTS}})
        process = await self.serve("--config", self.written(**settings))
        begun = self.clock.seconds()
        await gatherResults([self.ask() for _ in range(REQUESTS)])
        await self.end(process)
        seconds = self.clock.seconds() - begun
        told = self.warnings(process.log, "dispatch.Dispatcher ")
        self.assertEqual(sum(told), REQUESTS)
        self.assertLessEqual(len(told), seconds + 2)
        self.assertEqual(process.log.count(" 422 model="), REQUESTS)

    @coroutine
    async def test_stranger(self) -> None:
        """
        So are the refusals of those who may not ask.
        """
        self.provider("alpha")
        process = await self.serve("--config", self.written(server={"auth_token": "t"}))
        begun = self.clock.seconds()
        for _ in range(REQUESTS // 4):
            await self.ask()
        await self.end(process)
        told = self.warnings(process.log, "web.guard.Guard ")
        self.assertEqual(sum(told), REQUESTS // 4)
        self.assertLessEqual(len(told), self.clock.seconds() - begun + 2)


class ForgeryTests(ProcessTestCase):
    """
    Nobody but the daemon writes its lines.
    """

    @coroutine
    async def test_forged_lines(self) -> None:
        """
        Whatever providers and clients choose is escaped.
        """
        self.provider("alpha", fails(422, FORGED))
        refusing = answers(500, {"error": {"message": FORGED, "code": FORGED}})
        self.provider("beta", refusing)
        path = self.written(logging={"level": "debug"}, retry={"max_attempts": 1})
        process = await self.serve("--config", path)
        for name in ("alpha", "beta"):
            await self.ask(headers={"X-Arbstr-Provider": name})
        await self.ask(chat(model=f"{MODEL}{FORGED}"))
        await self.ask(headers={"X-Arbstr-Policy": "\x1b[31m\x9b"})
        await self.get("/providers", Host="\x1b[31m\x9b")
        await self.get("/%0A%1B[31m/" + "%E2%80%A8", Origin="\x1b[31m")
        process.signal("TERM")
        self.assertEqual(await process.exited(), 0)
        self.assertIn("forged", process.log)
        for line in process.log.removesuffix("\n").split("\n"):
            self.assertRegex(line, r"^[0-9T:.-]{23}Z (info|warn|debug) [a-zA-Z_.]+ ")
            self.assertTrue(line.isprintable(), ascii(line))


class FileModeTests(ProcessTestCase):
    """
    What the daemon writes is for its owner only.
    """

    @coroutine
    async def test_modes(self) -> None:
        """
        Though whoever starts it lets everybody read and write.
        """
        self.provider("alpha")
        process = self.spawn_without_umask("--listen", LOOPBACK)
        log = process.directory / "twistd.log"
        await self.soon(lambda: log.exists() and " providers" in log.read_text())
        process.outReceived(log.read_bytes())
        self.port = process.listening_port()
        self.assertEqual((await self.ask()).status, 200)
        modes = {
            file.name: stat.S_IMODE(file.stat().st_mode)
            for file in process.directory.iterdir()
        }
        names = ("arbstr.db", "arbstr.db-wal", "arbstr.db-shm", "twistd.log")
        self.assertEqual(modes, dict.fromkeys(names, 0o600))

    def spawn_without_umask(self, *arguments: str) -> DaemonProcess:
        """
        Run a daemon that logs into a file.
        """
        path = self.written()
        before = os.umask(0)
        try:
            return self.spawn(
                "--config",
                path,
                *arguments,
                twistd=(*IN_FOREGROUND, "--logfile=twistd.log"),
            )
        finally:
            os.umask(before)
