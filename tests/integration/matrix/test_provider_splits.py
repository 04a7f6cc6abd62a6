"""
However a provider's stream is split, it is relayed to the byte.
"""

from __future__ import annotations

from ..faults import Step
from ..harness import Answer, chat, coroutine
from ..providers import DONE, STREAM_HEAD, chunk
from .misbehaving import MisbehavingTestCase

FACTS = b": arbstr {"
EVENTS = (
    ": wärmt auf\n\n"
    'data: {"choices":[{"index":0,"delta":{"content":"Grüße 😀"}}]}\n\n'
    'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
).encode()
LF, CRLF, CR = (EVENTS.replace(b"\n", line_end) for line_end in (b"\n", b"\r\n", b"\r"))


def whole(body: bytes) -> bytes:
    """
    A response with this in one chunk, and the end in another.
    """
    return STREAM_HEAD + chunk(body) + chunk(DONE) + chunk(b"")


class SplitTests(MisbehavingTestCase):
    """
    With any of the three line ends, also within a character.
    """

    async def streamed(self, *steps: Step) -> Answer:
        """
        What a client gets.
        """
        self.perform(*steps)
        answer = await self.ask(chat(stream=True))
        self.assertTrue(answer.whole)
        self.assertTrue(answer.body.endswith(b"}\n\n" + DONE), answer.body)
        return answer

    async def every_split(self, body: bytes) -> None:
        """
        The stream is split in two, at every offset.
        """
        self.start()
        for at in range(1, len(body)):
            answer = await self.streamed(
                STREAM_HEAD + chunk(body[:at]),
                chunk(body[at:]) + chunk(DONE) + chunk(b""),
            )
            self.assertEqual(answer.body.partition(FACTS)[0], body, at)

    async def every_byte(self, *steps: bytes) -> None:
        """
        The stream is split everywhere.
        """
        self.start()
        answer = await self.streamed(*steps)
        self.assertEqual(answer.body.partition(FACTS)[0], CRLF)

    @coroutine
    async def test_utf_8_split_at_every_offset(self) -> None:
        """
        Between LFs.
        """
        await self.every_split(LF)

    @coroutine
    async def test_crlf_split_at_every_offset(self) -> None:
        """
        Between the CR and its LF, too.
        """
        await self.every_split(CRLF)

    @coroutine
    async def test_cr_split_at_every_offset(self) -> None:
        """
        Nobody knows whether an LF follows.
        """
        await self.every_split(CR)

    @coroutine
    async def test_chunks_of_a_byte(self) -> None:
        """
        In one read.
        """
        single = [chunk(CRLF[at : at + 1]) for at in range(len(CRLF))]
        end = chunk(DONE) + chunk(b"")
        await self.every_byte(b"".join([STREAM_HEAD, *single, end]))

    @coroutine
    async def test_every_byte_by_itself(self) -> None:
        """
        Of the response's head and its framing, too.
        """
        await self.every_byte(*(bytes([byte]) for byte in whole(CRLF)))
