"""
Providers whose HTTP only a strict reader sees through.
"""

from __future__ import annotations

from ..faults import Fault, for_each, pause
from ..providers import FIRST, STREAM_HEAD, chunk, delta
from .catalogue import ANSWER, CHUNKED, JSON, NO_CHUNK, NO_HTTP, OK
from .misbehaving import MisbehavingTestCase

HEL = delta("Hel")
HALF = ANSWER[: len(ANSWER) // 2]
CHUNKED_JSON = OK + JSON.encode() + b"\r\n" + CHUNKED + b"\r\n"


@for_each(NO_HTTP)
class HeadTests(MisbehavingTestCase):
    """
    What comes instead of an answer.
    """

    async def check_buffered(self, fault: Fault) -> None:
        """
        A whole answer was asked for.
        """
        self.misbehave(fault)
        await self.fails_over(stream=False)

    async def check_streamed(self, fault: Fault) -> None:
        """
        A stream was asked for.
        """
        self.misbehave(fault)
        await self.fails_over(stream=True)


@for_each(NO_CHUNK)
class ChunkTests(MisbehavingTestCase):
    """
    What comes where a chunk should.
    """

    async def check_buffered(self, fault: Fault) -> None:
        """
        Half of a whole answer has come.
        """
        self.misbehave(fault, CHUNKED_JSON + chunk(HALF))
        await self.fails_over(stream=False)

    async def check_stream_before_the_first_byte(self, fault: Fault) -> None:
        """
        A stream has begun, but there was nothing in it.
        """
        self.misbehave(fault, STREAM_HEAD + chunk(FIRST))
        await self.fails_over(stream=True)

    async def check_stream_after_the_first_byte(self, fault: Fault) -> None:
        """
        The client has got a part of the stream.
        """
        begun = STREAM_HEAD + chunk(FIRST) + chunk(HEL)
        play = self.misbehave(fault, begun, pause)
        await self.breaks_off(play, FIRST + HEL)
