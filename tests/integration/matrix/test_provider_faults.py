"""
Providers that misbehave before there is an answer, or in its body.
"""

from __future__ import annotations

from ..faults import Fault, for_each, pause
from ..harness import coroutine
from ..providers import FIRST, STREAM_HEAD, answers, chunk, delta
from .catalogue import ANSWER, BODY_ENDS, CHUNKED, JSON, NO_ANSWER, NO_JSON, OK
from .misbehaving import ALONE, RETRY, MisbehavingTestCase

HEL = delta("Hel")
HALF = ANSWER[: len(ANSWER) // 2]
HEAD = OK + JSON.encode() + b"\r\n"
MUCH = b"Content-Length: 100000\r\n\r\n"
EVENT_STREAM = OK + b"Content-Type: text/event-stream\r\n"


@for_each(NO_ANSWER, NO_JSON)
class NoAnswerTests(MisbehavingTestCase):
    """
    What comes instead of an answer, or of its JSON.
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


@for_each(BODY_ENDS)
class BodyTests(MisbehavingTestCase):
    """
    A body that began well.
    """

    timers = 2

    async def check_chunked(self, fault: Fault) -> None:
        """
        Half of a whole answer has come.
        """
        self.misbehave(fault, HEAD + CHUNKED + b"\r\n" + chunk(HALF))
        await self.fails_over(stream=False)

    async def check_content_length(self, fault: Fault) -> None:
        """
        It was told how much there would be.
        """
        self.misbehave(fault, HEAD + MUCH + HALF)
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

    async def check_stream_of_a_known_length(self, fault: Fault) -> None:
        """
        Nobody streams like that; it is cut all the same.
        """
        play = self.misbehave(fault, EVENT_STREAM + MUCH + FIRST + HEL, pause)
        await self.breaks_off(play, FIRST + HEL)


class RedirectTests(MisbehavingTestCase):
    """
    A redirect would carry our key to another host.
    """

    @coroutine
    async def test_not_followed(self) -> None:
        """
        Wherever it leads, and whatever it is called.
        """
        self.start(retry=RETRY)
        location = f"Location: {self.beta.url}/chat/completions"
        for status in (301, 302, 303, 307, 308):
            self.alpha.script = answers(status, {}, location)
            answer = await self.ask(headers=ALONE)
            self.assertEqual(answer.status, 502)
            self.assertIn(f"HTTP {status}", answer.error()["message"])
            self.assertIsNone(answer.header("Location"))
            self.daemon.circuits.record_success("alpha")
        self.assertEqual((self.beta.requests, self.beta.connected), ([], 0))
