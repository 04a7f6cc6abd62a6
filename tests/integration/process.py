"""
A daemon in a process of its own, started and stopped as people do it.
"""

from __future__ import annotations

import json
import os
import re
import sys
from codecs import IncrementalDecoder, getincrementaldecoder
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ProcessTerminated
from twisted.internet.interfaces import IProcessTransport
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from .harness import DaemonTestCase, reactor

ROOT = Path(__file__).parents[2]
TWISTD = Path(sys.executable).with_name("twistd")
_LEVEL = re.compile(r"^[0-9T:.-]+Z ([a-z]+) ", re.M)
IN_FOREGROUND = ("-n", "--pidfile=")
LOOPBACK = "tcp:0:interface=127.0.0.1"


@define(eq=False)
class DaemonProcess(ProcessProtocol):
    """
    A process, and what it has said so far.

    @ivar directory: where it runs.
    @ivar complaints: what it wrote to its standard error.
    """

    directory: Path
    _log: list[str] = field(factory=list)
    complaints: str = ""
    _decoder: IncrementalDecoder = field(factory=getincrementaldecoder("utf-8"))
    _code: int | None = None
    _exit_waiters: list[Deferred[int]] = field(factory=list)
    _log_waiters: dict[tuple[str, int], Deferred[None]] = field(factory=dict)

    def outReceived(self, data: bytes) -> None:
        self._log.append(self._decoder.decode(data))
        for text, times in list(self._log_waiters):
            if self.log.count(text) >= times:
                self._log_waiters.pop((text, times)).callback(None)

    def errReceived(self, data: bytes) -> None:
        self.complaints += data.decode()

    def processEnded(self, reason: Failure) -> None:
        self._code = _exit_code(reason.value)
        for waiting in self._exit_waiters:
            waiting.callback(self._code)
        for (text, _), unheard in self._log_waiters.items():
            unheard.errback(
                AssertionError(f"It ended without {text!r}:\n{self.everything}")
            )

    @property
    def log(self) -> str:
        """
        What it wrote to its standard output, where C{twistd -n} logs.
        """
        # Put together when somebody looks: a log may become long.
        self._log = ["".join(self._log)]
        return self._log[0]

    @property
    def everything(self) -> str:
        """
        All that it wrote.
        """
        return self.log + self.complaints

    @property
    def pid(self) -> int:
        """
        The process's id.
        """
        pid: int = self._process.pid
        return pid

    def logged(self, text: str, times: int = 1) -> Deferred[None]:
        """
        Fires when this text is in the log so many times.
        """
        if self.log.count(text) >= times:
            return succeed(None)
        return self._log_waiters.setdefault((text, times), Deferred())

    def exited(self) -> Deferred[int]:
        """
        Fires with the exit code, negative for a signal, when the process has
        ended and all that it wrote is here.
        """
        if self._code is not None:
            return succeed(self._code)
        self._exit_waiters.append(Deferred())
        return self._exit_waiters[-1]

    def signal(self, name: str) -> None:
        """
        Send a signal, such as C{TERM}.
        """
        self._process.signalProcess(name)

    def kill(self) -> Deferred[int]:
        """
        End it, if it has not ended.
        """
        if self._code is None:
            self.signal("KILL")
        return self.exited()

    @property
    def _process(self) -> IProcessTransport:
        return cast(IProcessTransport, self.transport)

    def listening_port(self) -> int:
        """
        The port it says it serves on.
        """
        told = re.search(r"Serving on 127\.0\.0\.1:([0-9]+) ", self.log)
        assert told is not None, self.log
        return int(told[1])

    def levels(self) -> set[str]:
        """
        The levels of everything in a log of text.
        """
        return set(_LEVEL.findall(self.log))

    def events(self) -> list[dict[str, Any]]:
        """
        The lines of a log of JSON.
        """
        return [json.loads(line) for line in self.log.splitlines()]


def _exit_code(ended: BaseException | None) -> int:
    if not isinstance(ended, ProcessTerminated):
        return 0
    code: int = ended.exitCode if ended.signal is None else -ended.signal
    return code


def start(
    directory: Path,
    *arguments: str,
    twistd: Sequence[str] = IN_FOREGROUND,
    environ: Mapping[str, str] | None = None,
) -> DaemonProcess:
    """
    Run C{twistd arbstr}, with nothing of arbstr's or of a supervisor's in its
    environment.

    @param directory: where it runs.
    @param arguments: those of C{arbstr}.
    @param twistd: those of C{twistd}.
    @param environ: what its environment has besides.
    """
    process = DaemonProcess(directory)
    command = [str(TWISTD), *twistd, "arbstr", *arguments]
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ARBSTR_", "NOTIFY_", "WATCHDOG_"))
    }
    environment |= environ or {}
    reactor.spawnProcess(process, command[0], command, environment, str(directory))
    return process


class ProcessTestCase(DaemonTestCase):
    """
    Starts daemons in processes of their own, and sees that none survives.
    """

    timeout = 60

    def spawn(
        self,
        *arguments: str,
        twistd: Sequence[str] = IN_FOREGROUND,
        environ: Mapping[str, str] | None = None,
    ) -> DaemonProcess:
        """
        See L{start}.
        """
        directory = Path(self.mktemp()).absolute()
        directory.mkdir(parents=True)
        process = start(directory, *arguments, twistd=twistd, environ=environ)
        self.addCleanup(process.kill)
        return process

    async def serve(
        self, *arguments: str, environ: Mapping[str, str] | None = None
    ) -> DaemonProcess:
        """
        Run C{twistd arbstr} on a port that is free, and wait until requests
        can be sent to it.
        """
        process = self.spawn("--listen", LOOPBACK, *arguments, environ=environ)
        await process.logged(" providers")
        self.port = process.listening_port()
        return process

    def written(self, **sections: Any) -> str:
        """
        Write a configuration of all providers added so far into a file.

        @param sections: sections to write instead.
        @return: the file's name.
        """
        return self.write_file(json.dumps({**self.settings(), **sections}))

    def write_file(self, text: str) -> str:
        """
        Write a file that only its owner can read.

        @return: its name.
        """
        path = Path(self.mktemp()).absolute()
        path.touch(0o600)
        path.write_text(text, "utf-8")
        return str(path)
