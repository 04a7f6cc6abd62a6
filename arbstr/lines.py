"""
Events as lines of a file.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock
from typing import IO, Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import ILogObserver, LogEvent, LogLevel
from zope.interface import implementer

# For how long the line of a request may wait for others, and how many lines.
_SECONDS = 0.05
_MOST = 32


@implementer(ILogObserver)
class Lines:
    """
    Writes events, in order.  Those of requests, which have a C{row}, are most of
    all: some are formatted and written together, which takes a fraction of the
    time.  Any other event is written at once, and with it what waits.

    Events of requests have to come in the reactor's thread.

    @param out: where they are written to.
    @param clock: measures how long they wait.
    """

    _format: Callable[[LogEvent], str | None]
    _levels: frozenset[Any]

    def __init__(self, out: IO[str], clock: IReactorTime) -> None:
        self._out = out
        self._clock = clock
        self._events: list[LogEvent] = []
        self._timer: IDelayedCall | None = None
        # What is logged while something is being written may come from the same
        # thread: the garbage collector reports what nobody has handled.
        self._lock = RLock()

    def configure(self, format: Callable[[LogEvent], str | None], level: str) -> None:
        """
        Go on in another way, with what comes now.

        @param format: makes a line of an event; C{None} where there is nothing
            to be told.
        @param level: what is less grave is not written.
        """
        self.flush()
        least = LogLevel.lookupByName(level)
        self._format = format
        self._levels = frozenset(
            each for each in LogLevel.iterconstants() if each >= least
        )

    def __call__(self, event: LogEvent) -> None:
        """
        See L{ILogObserver}.
        """
        if event.get("log_level") not in self._levels or not event.get("log_namespace"):
            return
        with self._lock:
            self._events.append(event)
            if "row" not in event or len(self._events) >= _MOST:
                self._write()
            elif self._timer is None:
                self._timer = self._clock.callLater(_SECONDS, self.flush)

    def flush(self) -> None:
        """
        Write at once what waits.
        """
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        with self._lock:
            self._write()

    def _write(self) -> None:
        # Made first: the collector may come with it, and log something.
        fresh: list[LogEvent] = []
        events, self._events = self._events, fresh
        lines = [line for each in events if (line := self._format(each))]
        if lines:
            self._out.write("".join(lines))
            self._out.flush()
