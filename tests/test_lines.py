"""
Tests for L{arbstr.lines}.
"""

from __future__ import annotations

from io import StringIO
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import LogEvent, LogLevel
from twisted.trial.unittest import SynchronousTestCase

from arbstr.lines import Lines

AT_ONCE = 32


class Written(StringIO):
    """
    A file that remembers what came together.
    """

    def __init__(self) -> None:
        super().__init__()
        self.together: list[list[str]] = []

    def write(self, text: str) -> int:
        self.together.append(text.splitlines())
        return super().write(text)


def event(text: str, **fields: Any) -> LogEvent:
    """
    Something that has happened.
    """
    return {
        "log_level": LogLevel.info,
        "log_namespace": "arbstr.test",
        "text": text,
        **fields,
    }


def plain(event: LogEvent) -> str | None:
    """
    An event as a line.
    """
    text: str = event["text"]
    return f"{text}\n" if text else None


class LinesTests(SynchronousTestCase):
    """
    L{Lines} writes the lines of requests together, and others at once.
    """

    def setUp(self) -> None:
        self.out = Written()
        self.clock = Clock()
        self.lines = Lines(self.out, self.clock)
        self.lines.configure(plain, "info")

    def request(self, *texts: str) -> None:
        """
        Requests have ended.
        """
        for text in texts:
            self.lines(event(text, row=text))

    def written(self, *together: list[str]) -> None:
        """
        These lines were written, and nothing else waits.
        """
        self.assertEqual(self.out.together, [*together])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_at_once(self) -> None:
        """
        What is not about a request is there when it has been logged.
        """
        self.lines(event("one"))
        self.written(["one"])

    def test_requests(self) -> None:
        """
        Lines of requests wait for each other, but not for long.
        """
        self.request("one")
        self.clock.advance(0.04)
        self.request("two")
        self.assertEqual(self.out.together, [])
        self.clock.advance(0.01)
        self.written(["one", "two"])

    def test_many(self) -> None:
        """
        Nor for many others.
        """
        texts = [str(number) for number in range(AT_ONCE + 1)]
        self.request(*texts)
        self.assertEqual(self.out.together, [texts[:-1]])
        self.clock.advance(0.05)
        self.written(texts[:-1], texts[-1:])

    def test_order(self) -> None:
        """
        What is logged later is not told earlier.
        """
        self.request("one", "two")
        self.lines(event("three"))
        self.request("four")
        self.clock.advance(0.05)
        self.written(["one", "two", "three"], ["four"])

    def test_flush(self) -> None:
        """
        At the end nothing waits any more.
        """
        self.request("one")
        self.lines.flush()
        self.written(["one"])

    def test_nothing_to_flush(self) -> None:
        self.lines.flush()
        self.written()

    def test_levels(self) -> None:
        """
        What is not grave enough is not waited for, nor is what nobody says.
        """
        self.lines(event("one", row="one", log_level=LogLevel.debug))
        self.lines(event("two", row="two", log_namespace=""))
        self.lines({"text": "three"})
        self.written()

    def test_configure(self) -> None:
        """
        What is logged before a change is told as it was logged.
        """
        self.request("one")
        self.lines.configure(lambda event: "changed\n", "warn")
        self.request("two")
        self.lines(event("three", log_level=LogLevel.warn))
        self.written(["one"], ["changed"])

    def test_nothing_to_tell(self) -> None:
        """
        An event without a line is none.
        """
        self.lines(event(""))
        self.written()

    def test_no_room(self) -> None:
        """
        What cannot be written is lost, and what comes later is told.
        """

        def refuse(text: str) -> int:
            raise OSError("No space left on device")

        patch = self.patch(self.out, "write", refuse)
        self.request("one")
        self.assertRaises(OSError, self.lines.flush)
        patch.restore()
        self.request("two")
        self.lines.flush()
        self.written(["two"])

    def test_logged_while_writing(self) -> None:
        """
        What comes of making a line of an event is told as well.
        """

        def format(about: LogEvent) -> str | None:
            if about["text"] == "one":
                self.lines(event("garbage"))
            return plain(about)

        self.lines.configure(format, "info")
        self.request("one", "two")
        self.lines.flush()
        self.written(["garbage"], ["one", "two"])
