"""
Tests for L{arbstr.logs}.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from io import StringIO
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

import arbstr.keyring as module
from arbstr.config.model import LoggingSettings
from arbstr.keyring import Keyring
from arbstr.logs import (
    LogObserver,
    format_json,
    format_text,
    request_context,
)

WHEN = datetime(2026, 11, 22, 10, 0, 0, 123456, UTC)


def event(text: str, **fields: Any) -> dict[str, Any]:
    """
    An event as a logger makes it.
    """
    return {
        "log_format": text,
        "log_level": LogLevel.info,
        "log_namespace": "arbstr.dispatch",
        "log_time": WHEN.timestamp(),
        **fields,
    }


def text_of(text: str, **fields: Any) -> str:
    """
    The line for an event.
    """
    return format_text(event(text, **fields)) or ""


def json_of(text: str, **fields: Any) -> dict[str, Any]:
    """
    The JSON object for an event.
    """
    line = format_json(event(text, **fields)) or ""
    decoded: dict[str, Any] = json.loads(line)
    return decoded


def failure(message: str) -> Failure:
    """
    Something that went wrong.
    """
    try:
        raise ValueError(message)
    except ValueError:
        return Failure()


@frozen
class Row:
    """
    Stands for the row of a request.
    """

    told: dict[str, object]

    def as_json(self) -> dict[str, object]:
        return self.told


class LogObserverTests(SynchronousTestCase):
    """
    A log whose settings change.
    """

    def setUp(self) -> None:
        self.out = StringIO()
        self.clock = Clock()
        self.observer = LogObserver(LoggingSettings(), self.out, self.clock)

    def test_at_first(self) -> None:
        self.observer(event("told"))
        self.assertTrue(self.out.getvalue().endswith(" info dispatch told\n"))

    def test_level(self) -> None:
        self.observer.configure(LoggingSettings(level="warn"))
        self.observer(event("told"))
        self.assertEqual(self.out.getvalue(), "")

    def test_format(self) -> None:
        self.observer.configure(LoggingSettings(format="json"))
        self.observer(event("told"))
        self.assertEqual(json.loads(self.out.getvalue())["message"], "told")

    def warn_often(self) -> None:
        for number in range(5):
            warning = {"log_level": LogLevel.warn, "provider": "alpha"}
            self.observer(event("told {n}", n=number, **warning))

    def test_flood(self) -> None:
        """
        Warnings are held back, and told in the format that holds by then.
        """
        self.warn_often()
        self.observer.configure(LoggingSettings(format="json"))
        self.clock.advance(1)
        first, rest = self.out.getvalue().splitlines()
        self.assertTrue(first.endswith(" warn dispatch told 0"), first)
        self.assertEqual(json.loads(rest)["message"], "told 4 … (3 more like it)")

    def test_flush(self) -> None:
        """
        At the end they are told at once, and so are the lines of requests.
        """
        self.observer(event("served", row=Row({})))
        self.warn_often()
        self.observer(event("served later", row=Row({})))
        self.observer.flush()
        told = [
            line.split(" dispatch ")[1] for line in self.out.getvalue().splitlines()
        ]
        self.assertEqual(
            told, ["served", "told 0", "served later", "told 4 … (3 more like it)"]
        )
        self.assertEqual(self.clock.getDelayedCalls(), [])


class TextTests(SynchronousTestCase):
    """
    L{format_text} is for people.
    """

    def test_line(self) -> None:
        """
        Time, level, part and message.
        """
        self.assertEqual(
            text_of("{name} failed", name="alpha", log_level=LogLevel.warn),
            "2026-11-22T10:00:00.123Z warn dispatch alpha failed\n",
        )

    def test_request_id(self) -> None:
        """
        And the request that it belongs to.
        """
        self.assertEqual(
            text_of("hello", request_id="r1"),
            "2026-11-22T10:00:00.123Z info dispatch [r1] hello\n",
        )

    def test_foreign(self) -> None:
        """
        Events of others keep their whole namespace; those that say neither
        where they are from nor how grave they are get along without.
        """
        self.assertIn(" info twisted.web ", text_of("x", log_namespace="twisted.web"))
        self.assertEqual(
            format_text({"log_format": "x"}), "1970-01-01T00:00:00.000Z info - x\n"
        )

    def test_forgery(self) -> None:
        """
        Nothing in a message begins another line, steers the terminal, turns
        text around or cannot be encoded.
        """
        line = text_of("{it}", it="a\nb\r\x1b[31m\x9b\u2028\u202e\ud800é")
        self.assertTrue(
            line.endswith(" a\\nb\\r\\x1b[31m\\x9b\\u2028\\u202e\\ud800é\n"), line
        )

    def test_traceback(self) -> None:
        """
        A failure is told with its traceback.
        """
        first, *rest = text_of("it broke", log_failure=failure("boom")).splitlines()
        self.assertTrue(first.endswith(" it broke"), first)
        self.assertEqual(rest[0], "  Traceback (most recent call last):")
        self.assertEqual(rest[-1], "  builtins.ValueError: boom")

    def test_forgery_in_traceback(self) -> None:
        """
        Lines of a traceback cannot be taken for lines of the log, nor can what
        the exception says, nor those of the message.
        """
        forged = "x\n2026-11-22T10:00:00.123Z info forged\x1b"
        text = text_of("{it}", it=forged, log_failure=failure(forged))
        lines = text.removesuffix("\n").split("\n")
        self.assertGreater(len(lines), 3)
        for line in lines[1:]:
            self.assertTrue(line.startswith("  "), line)
        self.assertNotIn("\x1b", text)

    def test_empty(self) -> None:
        """
        An event that says nothing is no line.
        """
        self.assertIsNone(format_text({"log_level": LogLevel.info}))


class JsonTests(SynchronousTestCase):
    """
    L{format_json} is for programs.
    """

    def test_object(self) -> None:
        """
        What there is to an event, and no more.
        """
        self.assertEqual(
            json_of("{name} failed", name="alpha", log_level=LogLevel.warn),
            {
                "time": "2026-11-22T10:00:00.123Z",
                "level": "warn",
                "logger": "arbstr.dispatch",
                "request_id": None,
                "message": "alpha failed",
            },
        )

    def test_request_id(self) -> None:
        """
        The request that it belongs to.
        """
        self.assertEqual(json_of("hello", request_id="r1")["request_id"], "r1")

    def test_row(self) -> None:
        """
        A request's row is an object of its own.
        """
        told = {"model": "gpt-4o", "cost_sats": 0.5}
        self.assertEqual(json_of("ok", row=Row(told))["request"], told)

    def test_one_line(self) -> None:
        """
        Whatever an event says, it is one line of ASCII.
        """
        said = "a\nb\u2028\x1b\ud800é"
        line = format_json(event("{it}", it=said, log_failure=failure(said)))
        assert line is not None
        self.assertTrue(line.isascii())
        self.assertEqual(line.count("\n"), 1)
        self.assertTrue(line.endswith("\n"))
        self.assertEqual(json.loads(line)["message"], said)

    def test_traceback(self) -> None:
        """
        A failure is told with its traceback.
        """
        traceback = json_of("it broke", log_failure=failure("boom"))["traceback"]
        self.assertTrue(traceback.startswith("Traceback (most recent call last):\n"))
        self.assertTrue(traceback.endswith("\nbuiltins.ValueError: boom"), traceback)

    def test_odd_values(self) -> None:
        """
        What JSON does not know is told as text.
        """
        told = json_of("ok", row=Row({"at": WHEN}))["request"]
        self.assertEqual(told["at"], str(WHEN))

    def test_empty(self) -> None:
        """
        An event that says nothing is no line.
        """
        self.assertIsNone(format_json({"log_level": LogLevel.info}))


class SecretTests(SynchronousTestCase):
    """
    No line holds a secret.
    """

    def setUp(self) -> None:
        keyring = Keyring()
        keyring.add(["no-usual-shape-4711"])
        self.patch(module, "KEYRING", keyring)

    def test_anywhere(self) -> None:
        """
        Be it in a message, in a traceback or in the row of a request.
        """
        text = "no-usual-shape-4711"
        row = Row({"error_message": text, "attempts": [{"outcome": text}]})
        told = event("{it!r}", it=text, row=row, log_failure=failure(text))
        for format in (format_text, format_json):
            line = format(told) or ""
            self.assertIn("[redacted]", line)
            self.assertNotIn("4711", line)


class RequestContextTests(SynchronousTestCase):
    """
    L{request_context} tells to whom a line belongs.
    """

    def id_of(self, **fields: Any) -> object:
        """
        The id that an event is told with.
        """
        return json_of("hello", **fields)["request_id"]

    def test_inside(self) -> None:
        """
        What is logged inside belongs to the request, what is logged later does
        not.
        """
        with request_context("r1"):
            self.assertEqual(self.id_of(), "r1")
            self.assertIn(" [r1] ", text_of("hello"))
        self.assertIsNone(self.id_of())

    def test_left_by_an_error(self) -> None:
        """
        Nor where it was left by an exception.
        """
        with self.assertRaises(ValueError), request_context("r1"):
            raise ValueError
        self.assertIsNone(self.id_of())

    def test_nested(self) -> None:
        """
        The innermost counts, and the outer one again after it.
        """
        with request_context("r1"):
            with request_context("r2"):
                self.assertEqual(self.id_of(), "r2")
            self.assertEqual(self.id_of(), "r1")

    def test_events_own(self) -> None:
        """
        An event that names a request belongs to that.
        """
        with request_context("r1"):
            self.assertEqual(self.id_of(request_id="r2"), "r2")

    def test_coroutines(self) -> None:
        """
        Requests that are served in turns are not taken for each other.
        """

        async def serve(request_id: str, waiting: Deferred[None]) -> object:
            with request_context(request_id):
                await waiting
                return self.id_of()

        first: Deferred[None] = Deferred()
        second: Deferred[None] = Deferred()
        one = Deferred.fromCoroutine(serve("r1", first))
        two = Deferred.fromCoroutine(serve("r2", second))
        self.assertIsNone(self.id_of())
        first.callback(None)
        self.assertEqual(self.successResultOf(one), "r1")
        second.callback(None)
        self.assertEqual(self.successResultOf(two), "r2")


class ObserverTests(SynchronousTestCase):
    """
    L{LogObserver} does as the configuration says.
    """

    def written(self, **settings: Any) -> list[str]:
        """
        The lines for one event of every level, said in its own name.
        """
        out = StringIO()
        wanted = LoggingSettings.model_validate(settings)
        log = Logger("arbstr.test", observer=LogObserver(wanted, out, Clock()))
        for level in LogLevel.iterconstants():
            log.emit(level, level.name)
        return out.getvalue().splitlines()

    def test_level(self) -> None:
        """
        Less grave events are left out.
        """
        names = ["debug", "info", "warn", "error", "critical"]
        for position, name in enumerate(names):
            lines = self.written(level=name)
            self.assertEqual([line.split()[-1] for line in lines], names[position:])

    def test_default(self) -> None:
        """
        Unless told otherwise, it is text, and without what is for debugging.
        """
        self.assertRegex(self.written()[0], r"^\S+Z info test info$")

    def test_json(self) -> None:
        """
        It can be JSON.
        """
        lines = self.written(format="json", level="error")
        self.assertEqual(
            [json.loads(line)["message"] for line in lines], ["error", "critical"]
        )

    def test_says_nothing(self) -> None:
        """
        An event without a message leaves no empty line.
        """
        out = StringIO()
        observer = LogObserver(LoggingSettings(), out, Clock())
        observer({"log_level": LogLevel.error, "log_namespace": "arbstr.test"})
        self.assertEqual(out.getvalue(), "")
