"""
Streams that are whole as HTTP has it, but not as OpenAI's API has it; and odd
ones that are whole all the same.
"""

from __future__ import annotations

from typing import Any

from ..faults import Fault, for_each, pause
from ..harness import chat, coroutine
from ..providers import (
    DONE,
    FIRST,
    LAST,
    STREAM_HEAD,
    USAGE,
    chunk,
    delta,
    event,
    streams,
)
from .catalogue import BROKEN_STREAMS
from .misbehaving import RETRY, MisbehavingTestCase

HEL = delta("Hel")
STOP = delta(finish="stop")
FACTS = b": arbstr {"
# Faults that begin with content.
SAY_SOMETHING = ("one of two choices unfinished",)


@for_each(BROKEN_STREAMS)
class BrokenStreamTests(MisbehavingTestCase):
    """
    The events tell of a failure, or there are not enough of them.
    """

    async def check_before_the_first_byte(self, fault: Fault) -> None:
        """
        Another provider can take over.
        """
        self.misbehave(fault, STREAM_HEAD + chunk(FIRST))
        if fault.name in SAY_SOMETHING:
            # Which goes to the client.
            answer = await self.ask(chat(stream=True), {"X-Arbstr-Provider": "alpha"})
            self.assert_broken_off(answer, FIRST)
        else:
            await self.fails_over(stream=True)

    async def check_after_the_first_byte(self, fault: Fault) -> None:
        """
        The client has got a part of the stream.
        """
        begun = STREAM_HEAD + chunk(FIRST) + chunk(HEL)
        play = self.misbehave(fault, begun, pause)
        await self.breaks_off(play, FIRST + HEL)


class EmptyTests(MisbehavingTestCase):
    """
    Streams without a single event.
    """

    async def is_nothing(self, *body: bytes) -> None:
        self.misbehave(Fault("empty", "protocol"), STREAM_HEAD, *body, chunk(b""))
        await self.fails_over(stream=True)

    @coroutine
    async def test_no_event_at_all(self) -> None:
        """
        OpenAI's client takes that for an answer: it must not get to see it.
        """
        await self.is_nothing()

    @coroutine
    async def test_comments_alone(self) -> None:
        """
        A sign of life, but of nothing else.
        """
        await self.is_nothing(chunk(b": PROCESSING\n\n"))

    @coroutine
    async def test_dataless_events_alone(self) -> None:
        """
        OpenAI's client would stumble over each.
        """
        await self.is_nothing(chunk(b"event: ping\n\nretry: 3000\n\n"))


class OddStreamTests(MisbehavingTestCase):
    """
    Whole, though not as OpenAI would send them.
    """

    async def gets(self, sent: tuple[bytes, ...], relayed: bytes) -> Any:
        """
        A client gets this of a stream, and our facts and the end after it.

        @return: the row.
        """
        self.alpha.script = streams(*sent)
        self.start(retry=RETRY)
        answer = await self.ask(chat(stream=True))
        self.assertTrue(answer.whole)
        body, _, end = answer.body.partition(FACTS)
        self.assertTrue(body == relayed, (body[:1000], relayed[:1000]))
        self.assertTrue(end.endswith(b"}\n\n" + DONE), end)
        self.assertEqual((self.outcomes(), self.failures()), (["ok"], (0, 0)))
        self.assertTrue(self.row().success)
        return self.row()

    @coroutine
    async def test_no_done(self) -> None:
        """
        It is added.
        """
        await self.gets((FIRST, HEL, STOP, LAST), FIRST + HEL + STOP)

    @coroutine
    async def test_no_usage(self) -> None:
        """
        It is estimated.
        """
        row = await self.gets((FIRST, HEL, STOP, DONE), FIRST + HEL + STOP)
        self.assertTrue(row.tokens_estimated)

    @coroutine
    async def test_usage_early(self) -> None:
        """
        Before anything else.
        """
        row = await self.gets((LAST, FIRST, HEL, STOP, DONE), FIRST + HEL + STOP)
        self.assertEqual((row.input_tokens, row.output_tokens), (10, 20))

    @coroutine
    async def test_usage_often(self) -> None:
        """
        In every chunk: the last counts.
        """
        growing = [
            event({"choices": [{"index": 0, "delta": {"content": "x"}}]} | used(count))
            for count in (1, 2, 3)
        ]
        row = await self.gets((*growing, STOP, DONE), b"".join([*growing, STOP]))
        self.assertEqual((row.output_tokens, row.tokens_estimated), (3, False))

    @coroutine
    async def test_usage_null(self) -> None:
        """
        As OpenAI has it in all chunks but the last.
        """
        null = event({"choices": [{"index": 0, "delta": {}}], "usage": None})
        row = await self.gets((null, HEL, STOP, LAST, DONE), null + HEL + STOP)
        self.assertEqual(row.output_tokens, 20)

    @coroutine
    async def test_usage_of_null_tokens(self) -> None:
        """
        Unknown is not nothing.
        """
        unknown = event({"choices": [], "usage": {"completion_tokens": None}})
        row = await self.gets((HEL, STOP, unknown, DONE), HEL + STOP)
        self.assertTrue(row.tokens_estimated)

    @coroutine
    async def test_no_choices(self) -> None:
        """
        Without usage it is somebody else's extension, and passes.
        """
        other = event({"choices": [], "prompt_filter_results": []})
        await self.gets((other, HEL, STOP, DONE), other + HEL + STOP)

    @coroutine
    async def test_invalid_json_in_one_event(self) -> None:
        """
        It is left out, counted and logged.
        """
        odd = (b"data: {\n\n", b"event: ping\n\n", b"data: [1]\n\n", b"data: \xff\n\n")
        await self.gets((HEL, *odd, STOP, DONE), HEL + STOP)

    @coroutine
    async def test_line_of_10_mb(self) -> None:
        """
        It passes, though nobody looks into it.
        """
        huge = delta("x" * 10_000_000)
        await self.gets((FIRST, huge, STOP, DONE), FIRST + huge + STOP)

    @coroutine
    async def test_nothing_follows_done(self) -> None:
        """
        Whatever the provider says.
        """
        await self.gets((STOP, DONE, HEL, b"data: {\n\n", b": x\n\n"), STOP)


def used(count: int) -> dict[str, Any]:
    """
    Usage of so many tokens.
    """
    return {"usage": USAGE | {"completion_tokens": count}}
