"""
The log: as text for people or as JSON for programs, one line an event, with
the id of the request that it belongs to, and without any secret.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from typing import IO

from twisted.internet.interfaces import IReactorTime
from twisted.logger import ILogObserver, LogEvent, formatEvent
from zope.interface import implementer

from arbstr.config.model import LoggingSettings
from arbstr.flood import Flood
from arbstr.keyring import hide, hide_all
from arbstr.lines import Lines
from arbstr.redact import escape

_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


@contextmanager
def request_context(request_id: str) -> Iterator[None]:
    """
    What is logged inside, by the same coroutine, belongs to this request.
    """
    token = _request_id.set(request_id)
    try:
        yield
    finally:
        _request_id.reset(token)


@implementer(ILogObserver)
class LogObserver:
    """
    The log, whose settings can change while it is written.  A warning that comes
    again and again is told once a second.

    @param out: where it is written to.
    @param clock: measures the second.
    """

    def __init__(
        self, settings: LoggingSettings, out: IO[str], clock: IReactorTime
    ) -> None:
        self._lines = Lines(out, clock)
        self._flood = Flood(self._lines, clock)
        self.configure(settings)

    def configure(self, settings: LoggingSettings) -> None:
        """
        Write by other settings from now on.
        """
        formats = {"text": format_text, "json": format_json}
        self._lines.configure(formats[settings.format], settings.level)

    def __call__(self, event: LogEvent) -> None:
        """
        See L{ILogObserver.__call__}.
        """
        self._flood(event)

    def flush(self) -> None:
        """
        Write at once what is held back.
        """
        self._flood.flush()
        self._lines.flush()


def format_text(event: LogEvent) -> str | None:
    """
    C{2026-11-22T10:00:00.123Z info dispatch [request id] message}.
    """
    message = hide(_message(event))
    if not message and "log_failure" not in event:
        return None
    request_id = _id_of(event)
    whose = f"[{request_id}] " if request_id else ""
    name = str(event.get("log_namespace", "-")).removeprefix("arbstr.")
    line = f"{_timestamp(event)} {_level(event)} {name} {whose}{escape(message)}\n"
    # Indented, since what an exception says may look like a line of the log.
    traceback = [f"  {escape(each)}\n" for each in _traceback(event).splitlines()]
    return "".join([line, *traceback]) if traceback else line


def format_json(event: LogEvent) -> str | None:
    """
    One JSON object a line: C{time}, C{level}, C{logger}, C{request_id},
    C{message}, and C{request} for the row of a request, C{traceback} for a
    failure.
    """
    message = hide(_message(event))
    if not message and "log_failure" not in event:
        return None
    line: dict[str, object] = {
        "time": _timestamp(event),
        "level": _level(event),
        "logger": event.get("log_namespace"),
        "request_id": _id_of(event),
        "message": message,
    }
    if "row" in event:
        line["request"] = hide_all(event["row"].as_json())
    traceback = _traceback(event)
    if traceback:
        line["traceback"] = traceback
    return json.dumps(line, default=str) + "\n"


def _message(event: LogEvent) -> str:
    # Of all lines the most are those of requests: they are told the short way.
    summary = event.get("summary")
    return str(summary()) if callable(summary) else formatEvent(event)


def _id_of(event: LogEvent) -> str | None:
    return event.get("request_id") or _request_id.get()


def _timestamp(event: LogEvent) -> str:
    second, part = divmod(event.get("log_time", 0), 1)
    return f"{_second(second)}.{int(part * 1000):03}Z"


@lru_cache(maxsize=4)
def _second(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _level(event: LogEvent) -> str:
    level = event.get("log_level")
    return "info" if level is None else str(level.name)


def _traceback(event: LogEvent) -> str:
    if "log_failure" not in event:
        return ""
    return hide(str(event["log_failure"].getTraceback()).rstrip("\n"))
