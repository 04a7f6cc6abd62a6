"""
What the supervisor of the process is told, by systemd's protocol C{sd_notify}.
"""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from arbstr.redact import escape

_RETRY_SECONDS = 0.1
_MOST_WAITING = 16
_MICROSECOND = 1e-6


class Supervisor:
    """
    Whoever has started the process and wants to know how it is: as datagrams to
    the socket that C{NOTIFY_SOCKET} names.  Without it nobody is told.

    @param clock: when to try again, and when to show that the reactor is alive.
    @param monotonic_us: the monotonic time of the machine in microseconds, by
        which the supervisor relates what it asked to what it is told.
    @param pid: this process.  Asked late: becoming a daemon changes it.
    """

    _log = Logger()

    def __init__(
        self,
        environ: Mapping[str, str],
        clock: IReactorTime,
        monotonic_us: Callable[[], int] = lambda: time.monotonic_ns() // 1000,
        pid: Callable[[], int] = os.getpid,
    ) -> None:
        self._environ = environ
        self._clock = clock
        self._monotonic_us = monotonic_us
        self._pid = pid
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._socket: socket.socket | None = None
        # What its queue has no room for yet.  The latest is what matters.
        self._waiting: deque[bytes] = deque(maxlen=_MOST_WAITING)
        self._retry: IDelayedCall | None = None
        self._watchdog = LoopingCall(self._tell, "WATCHDOG=1")
        self._watchdog.clock = clock

    def ready(self, status: str) -> None:
        """
        The process serves, for the first time or after it was L{reloading}.

        @param status: a line for people.
        """
        self._tell("READY=1", f"STATUS={escape(status)}", f"MAINPID={self._pid()}")
        seconds = self._watchdog_seconds()
        if seconds and not self._watchdog.running:
            # Half of what it waits, so that one may be late.
            self._watchdog.start(seconds / 2, now=False).addErrback(
                lambda failure: self._log.failure(
                    "The watchdog is fed no more", failure
                )
            )

    def reloading(self) -> None:
        """
        The configuration is being read again.
        """
        self._tell("RELOADING=1", f"MONOTONIC_USEC={self._monotonic_us()}")

    def stopping(self) -> None:
        """
        The drain has begun.
        """
        self._tell("STOPPING=1", "STATUS=Draining")

    def close(self) -> None:
        """
        Tell nothing any more.
        """
        if self._watchdog.running:
            self._watchdog.stop()
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self._disconnect()
        self._address = None

    def _watchdog_seconds(self) -> float:
        """
        How long it waits for a sign of life; 0 if it does not.
        """
        told = self._environ.get("WATCHDOG_USEC", "")
        meant = self._environ.get("WATCHDOG_PID", "")
        if self._address is None or not (told.isascii() and told.isdecimal()):
            return 0.0
        if meant and meant != str(self._pid()):
            return 0.0
        return int(told) * _MICROSECOND

    def _tell(self, *lines: str) -> None:
        if self._address is not None:
            self._waiting.append("\n".join(lines).encode())
            if self._retry is None:
                self._send()

    def _send(self) -> None:
        """
        Send what waits, as far as there is room for it.
        """
        self._retry = None
        try:
            while self._waiting:
                self._connected().send(self._waiting[0])
                self._waiting.popleft()
        except BlockingIOError:
            self._retry = self._clock.callLater(_RETRY_SECONDS, self._send)
        except OSError as error:
            self._waiting.clear()
            self._disconnect()
            self._log.warn("Cannot tell the supervisor: {error}", error=error)

    def _connected(self) -> socket.socket:
        if self._socket is None:
            opened = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            opened.setblocking(False)
            try:
                opened.connect(self._address or "")
            except OSError:
                opened.close()
                raise
            self._socket = opened
        return self._socket

    def _disconnect(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _address(named: str) -> str | None:
    """
    Where to send to: a file, or (C{@}) a name without one; C{None} for nowhere.
    """
    if named.startswith("/"):
        return named
    return f"\0{named[1:]}" if named.startswith("@") else None
