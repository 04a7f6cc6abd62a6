"""
Tests for L{arbstr.upstream.sse}.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Sequence
from itertools import pairwise

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from arbstr.upstream.sse import (
    HOLD_LIMIT,
    LINE_LIMIT,
    Event,
    EventParser,
    Fragment,
    Piece,
    Tail,
)

# A slow machine is no failure.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

CORPUS = (
    b": hello\n\n"
    b"data: {}\n\n"
    b"event: ping\nid: 1\nretry: 3000\nwhatever\n\n"
    b"data:no space\ndata:  two\ndata\n: a comment between\ndata: \xf0\x9f\x98\x80\n\n"
    b"\n\n"
    b"data: caf\xc3\xa9 \xff\xfe\n\n"
    b"database: no\n\n"
    b"data: last"
)

LINE_ENDS = (b"\n", b"\r\n", b"\r")

CORPORA = [
    start + CORPUS.replace(b"\n", line_end)
    for line_end in LINE_ENDS
    for start in (b"", b"\xef\xbb\xbf")
]

# Bytes that matter to the parser are more likely than others.
streams = st.lists(
    st.sampled_from([b"\r", b"\n", b"data:", b" ", b":", b"id", b"\xef\xbb\xbf", b"x"])
    | st.binary(max_size=3)
).map(b"".join)


def parse(reads: Iterable[bytes]) -> list[Piece]:
    """
    All the pieces of a body that arrives in these reads.
    """
    parser = EventParser()
    pieces = [piece for read in reads for piece in parser.feed(read)]
    return pieces + parser.close()


def events(*reads: bytes) -> list[Event]:
    return [piece for piece in parse(reads) if isinstance(piece, Event)]


def said(pieces: Iterable[Piece]) -> list[tuple[object, ...]]:
    """
    All of the events that may not depend on how they were split.
    """
    return [
        (piece.data, piece.comment, piece.oversized, piece.identified)
        for piece in pieces
        if isinstance(piece, Event)
    ]


def raw(pieces: Iterable[Piece]) -> bytes:
    return b"".join(piece.raw for piece in pieces)


def split(body: bytes, offsets: Sequence[int]) -> list[bytes]:
    """
    The body in reads that end at these offsets.
    """
    bounds = [0, *sorted(offsets), len(body)]
    return [body[start:end] for start, end in pairwise(bounds)]


class EventParserTests(SynchronousTestCase):
    """
    L{EventParser} understands the event stream format.
    """

    def assertData(self, body: bytes, *expected: bytes | None) -> None:
        """
        The body has events with these data.
        """
        self.assertEqual([event.data for event in events(body)], list(expected))

    def test_line_ends(self) -> None:
        """
        LF, CRLF and CR all end a line, and two of them an event.
        """
        for line_end in LINE_ENDS:
            body = b"data: a\n\ndata: b\n\n".replace(b"\n", line_end)
            self.assertData(body, b"a", b"b")

    def test_mixed_line_ends(self) -> None:
        """
        Every line may end in its own way.
        """
        self.assertData(b"data: a\r\n\ndata: b\n\rdata: c\r\r\n", b"a", b"b", b"c")

    def test_one_space_is_removed(self) -> None:
        """
        One space after the colon is not part of the value, a second one is.
        """
        self.assertData(b"data:a\n\ndata: b\n\ndata:  c\n\n", b"a", b"b", b" c")

    def test_data_lines_are_joined(self) -> None:
        """
        Several data lines in one event are joined with LF, whatever is between.
        """
        self.assertData(b"data: a\nid: 1\ndata\n:\r\ndata:b\n\n", b"a\n\nb")

    def test_empty_data(self) -> None:
        """
        Data that is empty is not the same as no data.
        """
        self.assertData(b"data:\n\nid: 1\n\n", b"", None)

    def test_other_fields(self) -> None:
        """
        Other fields are no data, and no comment either.
        """
        for field in (
            b"event: ping",
            b"id: 1",
            b"retry: 1",
            b"database: x",
            b" data: x",
        ):
            (event,) = events(field + b"\n\n")
            self.assertEqual((event.data, event.comment), (None, False), field)

    def test_identified(self) -> None:
        """
        An event with an C{id} line is told apart.
        """
        first, second, third = events(b"id\ndata: x\n\ndata: x\n\nidea: 1\n\n")
        self.assertTrue(first.identified)
        self.assertFalse(second.identified or third.identified)

    def test_without_blank_line(self) -> None:
        """
        An event can be left open for what follows it.
        """
        for line_end in LINE_ENDS:
            (event,) = events(b": x" + line_end * 2)
            self.assertEqual(event.without_blank_line, b": x" + line_end)
        (event,) = events(b": x")
        self.assertEqual(event.without_blank_line, b": x\n")

    def test_comment_block(self) -> None:
        """
        A block of nothing but comments is told apart.
        """
        (event,) = events(b": one\n:two\n\n")
        self.assertEqual((event.data, event.comment), (None, True))

    def test_comment_beside_data(self) -> None:
        """
        A comment beside data leaves the event what it is.
        """
        (event,) = events(b": one\ndata: x\n\n")
        self.assertEqual((event.data, event.comment), (b"x", False))

    def test_blank_line_alone(self) -> None:
        """
        A further blank line is a block of its own, with nothing in it.
        """
        first, second = events(b"data: x\n\n\n")
        self.assertEqual(first.raw, b"data: x\n\n")
        self.assertEqual((second.raw, second.comment), (b"\n", True))

    def test_byte_order_mark(self) -> None:
        """
        A leading byte order mark is no part of the first field's name.
        """
        (event,) = events(b"\xef\xbb\xbfdata: x\n\n")
        self.assertEqual(event.data, b"x")
        self.assertEqual(event.raw, b"\xef\xbb\xbfdata: x\n\n")

    def test_byte_order_mark_later(self) -> None:
        """
        Anywhere else a byte order mark is a part of the field's name.
        """
        for before in (b"data: a\n\n", b": a\n"):
            *_, event = events(before + b"\xef\xbb\xbfdata: x\n\n")
            self.assertIs(event.data, None)

    def test_events_come_at_once(self) -> None:
        """
        No event waits for bytes that come after it.
        """
        for line_end in LINE_ENDS:
            parser = EventParser()
            end = line_end * 2
            (event,) = parser.feed(b"data: x" + end)
            self.assertEqual(event.raw, b"data: x" + end)

    def test_late_line_feed(self) -> None:
        """
        The LF of a CRLF whose CR has ended an event is told apart from the
        next event.
        """
        pieces = parse([b"data: a\r\n\r", b"\ndata: b\r\n\r\n"])
        self.assertEqual(
            pieces,
            [
                Event(b"data: a\r\n\r", b"a"),
                Tail(),
                Event(b"data: b\r\n\r\n", b"b"),
            ],
        )

    def test_no_empty_pieces(self) -> None:
        """
        An empty read yields nothing and changes nothing.
        """
        pieces = parse([b"", b"data: a\r\n\r", b"", b"\n", b""])
        self.assertEqual(pieces, [Event(b"data: a\r\n\r", b"a"), Tail()])

    def test_unended_event(self) -> None:
        """
        The end of the body ends the last event, which says what it lacks.
        """
        for body, missing in (
            (b"data: x", b"\n\n"),
            (b"data: x\n", b"\n"),
            (b"data: x\r\n", b"\n"),
            # One LF would only make a CRLF of it.
            (b"data: x\r", b"\n\n"),
        ):
            (event,) = events(body)
            self.assertEqual((event.data, event.missing), (b"x", missing), body)
            self.assertEqual(event.ended, body + missing)
            (completed,) = events(body + missing)
            self.assertEqual((completed.data, completed.missing), (b"x", b""), body)

    def test_missing_while_under_way(self) -> None:
        """
        One can ask at any time how to end the event under way.
        """
        parser = EventParser()
        seen = [parser.missing]
        for read in (b"data: x", b"\r", b"\n", b"\n"):
            parser.feed(read)
            seen.append(parser.missing)
        self.assertEqual(seen, [b"", b"\n\n", b"\n\n", b"\n", b""])

    def test_nothing_left(self) -> None:
        """
        A body that ends with a blank line, or has no bytes, leaves nothing.
        """
        for body in (b"", b"data: x\n\n", b": x\r\r"):
            parser = EventParser()
            parser.feed(body)
            self.assertEqual(parser.close(), [], body)


class SplitTests(SynchronousTestCase):
    """
    Where the reads are split makes no difference.
    """

    def test_every_offset(self) -> None:
        """
        The same events come of any two reads, and no byte is lost.
        """
        for corpus in CORPORA:
            whole = said(parse([corpus]))
            for offset in range(len(corpus) + 1):
                pieces = parse(split(corpus, [offset]))
                self.assertEqual(said(pieces), whole, (corpus, offset))
                self.assertEqual(raw(pieces), corpus, (corpus, offset))

    def test_byte_by_byte(self) -> None:
        """
        The same events come of single bytes, and no byte is lost.
        """
        for corpus in CORPORA:
            pieces = parse(corpus[i : i + 1] for i in range(len(corpus)))
            self.assertEqual(said(pieces), said(parse([corpus])))
            self.assertEqual(raw(pieces), corpus)

    @unhurried
    @given(streams, st.lists(st.integers(0, 60)))
    @example(b"\r\n\r\n", [3])
    def test_anything(self, body: bytes, offsets: list[int]) -> None:
        """
        So it is with any bytes in any reads.
        """
        pieces = parse(split(body, offsets))
        self.assertEqual(raw(pieces), body)
        self.assertEqual(said(pieces), said(parse([body])))

    @unhurried
    @given(streams)
    def test_missing_completes(self, body: bytes) -> None:
        """
        With what was missing, any body ends in a whole event.
        """
        parser = EventParser()
        parser.feed(body)
        missing = parser.missing
        self.assertEqual(
            [event.data for event in events(body + missing) if not event.comment],
            [event.data for event in events(body) if not event.comment],
        )
        parser.feed(missing)
        self.assertEqual(parser.close(), [])


class SkipTests(SynchronousTestCase):
    """
    L{EventParser.skip_plain} takes the short way with what is as usual.
    """

    def assert_skipped(
        self,
        body: bytes,
        skipped: bytes,
        *told: bytes,
        parser: EventParser | None = None,
    ) -> None:
        """
        So much is skipped of a body, and what it says is told.
        """
        seen: list[bytes] = []

        def known(data: bytes) -> bool:
            seen.append(data)
            return data != b" no"

        parser = parser or EventParser()
        self.assertEqual(body[: parser.skip_plain(body, 0, known)], skipped)
        self.assertEqual(seen, list(told))

    def test_plain(self) -> None:
        """
        Events of one data line are skipped, with or without a space.
        """
        body = b"data: a\n\ndata:b\n\n"
        self.assert_skipped(body, body, b" a", b"b")

    def test_up_to_another(self) -> None:
        """
        The first that is something else is not, nor what follows it.
        """
        plain = b"data: a\n\n"
        for other in (
            b": comment\n\n",
            b"event: x\ndata: b\n\n",
            b"data: b\ndata: c\n\n",
            b"data\n\n",
            b"\n",
            b" ",
        ):
            self.assert_skipped(plain + other + plain, plain, b" a")

    def test_up_to_the_end(self) -> None:
        """
        Nor is one that is not complete.
        """
        for rest in (b"d", b"data: b", b"data: b\n"):
            self.assert_skipped(b"data: a\n\n" + rest, b"data: a\n\n", b" a")

    def test_unknown(self) -> None:
        """
        Who is told may say no.
        """
        self.assert_skipped(b"data: a\n\ndata: no\n\n", b"data: a\n\n", b" a", b" no")

    def test_from_somewhere(self) -> None:
        """
        It begins where it is told to.
        """
        body = b"data: a\n\ndata: b\n\n"
        self.assertEqual(
            EventParser().skip_plain(body, 9, lambda data: True), len(body)
        )

    def test_amidst_an_event(self) -> None:
        """
        Nothing is skipped before the event under way has ended.
        """
        for start in (b"id: 1\n", b"data: a\n", b"d", b"data: x\r\r"):
            parser = EventParser()
            parser.feed(start)
            self.assert_skipped(b"data: a\n\n", b"", parser=parser)

    def test_too_long(self) -> None:
        """
        An oversized one is another matter.
        """
        plain = b"data: ".ljust(HOLD_LIMIT - 2, b"x") + b"\n\n"
        self.assert_skipped(plain, plain, plain[5:-2])
        self.assert_skipped(plain.replace(b"data:", b"data: "), b"")

    def test_mark_only_at_the_beginning(self) -> None:
        """
        What was skipped was the beginning.
        """
        parser = EventParser()
        self.assert_skipped(b"data: a\n\n", b"data: a\n\n", b" a", parser=parser)
        [event] = parser.feed(b"\xef\xbb\xbfdata: b\n\n")
        self.assertEqual(event, Event(event.raw, None))


class LimitTests(SynchronousTestCase):
    """
    L{EventParser} needs bounded memory and linear time.
    """

    def feed_slowly(self, body: bytes, step: int = 1024) -> list[Piece]:
        return parse(body[i : i + step] for i in range(0, len(body), step))

    def test_held_up_to_the_limit(self) -> None:
        """
        An event of just the limit is held until it is whole.
        """
        body = b"data: ".ljust(HOLD_LIMIT - 1, b"x") + b"\n\n"
        self.assertEqual(
            self.feed_slowly(body), [Event(body, body[6:-2], oversized=False)]
        )

    def test_handed_out_beyond_the_limit(self) -> None:
        """
        A longer one is handed out as it comes, and still parsed.
        """
        body = b"data: ".ljust(HOLD_LIMIT + 1024, b"x") + b"\n\n"
        *fragments, event = self.feed_slowly(body)
        self.assertEqual([type(piece) for piece in fragments], [Fragment])
        self.assertEqual(event, Event(b"\n\n", body[6:-2], oversized=True))
        self.assertEqual(raw(fragments) + event.raw, body)

    def test_oversized_however_it_comes(self) -> None:
        """
        Whether an event is oversized does not depend on the reads.
        """
        for size in (HOLD_LIMIT - 1, HOLD_LIMIT, LINE_LIMIT, LINE_LIMIT + 1):
            body = b"data: ".ljust(size, b"x") + b"\r\n\r\n: next\r\n\r\n"
            self.assertEqual(said(self.feed_slowly(body)), said(parse([body])), size)

    def test_line_beyond_the_limit(self) -> None:
        """
        A line over the limit is passed on and not parsed, the one after it is.
        """
        for size, parsed in ((LINE_LIMIT, True), (LINE_LIMIT + 1, False)):
            line = b"data: ".ljust(size, b"x")
            pieces = self.feed_slowly(line + b"\n\ndata: y\n\n")
            first, second = [piece for piece in pieces if isinstance(piece, Event)]
            self.assertEqual(first.data, line[6:] if parsed else None)
            self.assertFalse(first.comment)
            self.assertEqual(second.data, b"y")

    def test_long_comment_is_not_taken_for_a_comment(self) -> None:
        """
        What was not parsed could be anything.
        """
        *_, event = parse([b":".ljust(LINE_LIMIT + 1, b"x") + b"\n\n"])
        self.assertEqual(event, Event(event.raw, comment=False, oversized=True))

    def test_many_data_lines(self) -> None:
        """
        The limit holds for all the data lines of an event together.
        """
        line = b"data: ".ljust(1024, b"x") + b"\n"
        for count, parsed in ((1024, True), (1025, False)):
            pieces = parse([line * count + b"\n", b"data: y\n\n"])
            first, second = [piece for piece in pieces if isinstance(piece, Event)]
            self.assertEqual(first.data is not None, parsed)
            self.assertEqual(second.data, b"y")

    def test_huge_line_in_small_reads(self) -> None:
        """
        A line of 10 MB in reads of 1 KB is handed out read by read once it is
        too long to be held, so no byte is touched again and again, and is never
        kept whole.
        """
        step = 1024
        reads = 10 * 1024
        parser = EventParser()
        parser.feed(b"data: ")
        handed_out: list[int] = []
        tracemalloc.start()
        try:
            for _ in range(reads):
                handed_out += [len(p.raw) for p in parser.feed(b"x" * step)]
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        self.assertEqual(sum(handed_out), 6 + reads * step)
        self.assertEqual(set(handed_out[1:]), {step})
        self.assertEqual(len(handed_out), reads - HOLD_LIMIT // step + 1)
        self.assertTrue(peak < 3 * LINE_LIMIT, peak)
