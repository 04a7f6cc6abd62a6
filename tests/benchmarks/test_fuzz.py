"""
Tests for L{benchmarks.fuzz}: that it finds what is there to be found.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from arbstr.upstream import sse, wire
from arbstr.upstream.wire import ChatRequest
from benchmarks.fuzz import corpus, parsers
from benchmarks.fuzz.mutation import split
from benchmarks.fuzz.targets import Request, Stream

# A slow machine is no failure.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def inputs(tokens: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """
    Bytes with these words among them.
    """
    return st.lists(st.sampled_from(tokens) | st.binary(max_size=3)).map(b"".join)


class ParsersTests(SynchronousTestCase):
    """
    C{python -m benchmarks.fuzz parsers}.
    """

    def run_all(self) -> tuple[list[str], str]:
        """
        A few inputs for each parser.

        @return: what was wrong, and what was printed.
        """
        printed = io.StringIO()
        with redirect_stdout(printed):
            wrong = parsers.parsers(400)
        return wrong, printed.getvalue()

    def test_nothing_wrong(self) -> None:
        """
        The parsers are sound, and it is told how many inputs they read.
        """
        wrong, printed = self.run_all()
        self.assertEqual(wrong, [])
        counts = [line.split()[:2] for line in printed.splitlines()[1:]]
        self.assertEqual(
            counts, [["stream", "200"], ["request", "160"], ["configuration", "40"]]
        )

    def test_lost_byte(self) -> None:
        """
        A stream that is not relayed to the byte is told.
        """
        self.patch(sse, "_BOM", b"data")
        wrong, _ = self.run_all()
        self.assertIn("Wrong: ", wrong[0])

    def test_crash(self) -> None:
        """
        An exception that a parser lets out is told, with the input.
        """

        def crash(body: bytes) -> None:
            raise KeyError("nothing")

        self.patch(wire, "parse_object", crash)
        wrong, _ = self.run_all()
        self.assertTrue(wrong[0].startswith("KeyError: 'nothing'\n  of b'"), wrong[0])

    def test_changed_request(self) -> None:
        """
        A request that arrives as another one is told.
        """
        self.patch(wire, "rewrite", lambda *_: '{"model":"m","messages":[]}')
        wrong, _ = self.run_all()
        self.assertIn("Wrong: ", wrong[0])

    def test_hang(self) -> None:
        """
        What takes too long is told.
        """

        def endless(body: bytes) -> ChatRequest:
            while True:
                pass

        self.patch(parsers, "_MOST_SECONDS", 0.01)
        self.patch(wire.ChatRequest, "parse", endless)
        wrong, _ = self.run_all()
        self.assertTrue(wrong[0].startswith("Hang: "), wrong[0])


class SplitTests(SynchronousTestCase):
    """
    Reads are what they are cut from.
    """

    def test_whole(self) -> None:
        """
        No byte is lost, wherever it is cut.
        """
        chance = Random(1)
        for _ in range(200):
            data = chance.randbytes(chance.randrange(100))
            self.assertEqual(b"".join(split(data, chance)), data)


class PropertyTests(SynchronousTestCase):
    """
    What the fuzzers look for, on inputs that shrink to the smallest one.
    """

    @unhurried
    @given(inputs(corpus.STREAM_TOKENS), st.integers(0, 1000))
    def test_stream(self, body: bytes, seed: int) -> None:
        """
        What is relayed of a stream is what a plain reading of the rules says.
        """
        Stream().check(body, Random(seed))

    @unhurried
    @given(inputs(corpus.REQUEST_TOKENS), st.sampled_from(corpus.REQUESTS))
    def test_request(self, inserted: bytes, body: bytes) -> None:
        """
        A request with anything as its last member is refused, or arrives.
        """
        Request().check(body[:-1] + b',"x":' + inserted + b"}", Random(1))
