"""
What providers do that is odd, and no failure.
"""

from __future__ import annotations

from ..faults import Fault, Step, fin, pause
from ..harness import chat, coroutine
from ..providers import (
    DONE,
    FIRST,
    STREAM_HEAD,
    WHOLE,
    chunk,
    completion,
    delta,
    http,
)
from .catalogue import ANSWER, INTERIM, JSON, OK, WHOLE_ANSWER
from .misbehaving import RETRY, MisbehavingTestCase

HEL = delta("Hel")
STOP = delta(finish="stop")
WHOLE_STREAM = STREAM_HEAD + b"".join(map(chunk, (*WHOLE, b"")))
SMUGGLED = http(200, b'{"smuggled": true}', JSON)
UNDELIMITED = OK + b"Content-Type: text/event-stream\r\n\r\n"


class OddTestCase(MisbehavingTestCase):
    """
    The answer is none the worse for it.
    """

    async def is_served(self, *steps: Step, stream: bool = False) -> None:
        """
        One attempt was enough.
        """
        self.perform(*steps)
        self.start(retry=RETRY)
        answer = await self.ask(chat(stream))
        self.assertEqual((answer.status, answer.whole), (200, True), answer.body)
        self.assertIsNone(answer.header("X-Arbstr-Retries"))
        if stream:
            self.assertTrue(answer.body.startswith(FIRST))
            self.assertTrue(answer.body.endswith(DONE), answer.body)
        else:
            self.assertEqual(answer.json(), completion())
        self.assertEqual((self.outcomes(), self.failures()), (["ok"], (0, 0)))


class InterimTests(OddTestCase):
    """
    Interim answers are skipped.
    """

    @coroutine
    async def test_100(self) -> None:
        """
        Though nobody has to be told to go on.
        """
        await self.is_served(b"HTTP/1.1 100 Continue\r\n\r\n" + WHOLE_ANSWER)

    @coroutine
    async def test_103(self) -> None:
        """
        Its headers are not the answer's.
        """
        await self.is_served(INTERIM, WHOLE_STREAM, stream=True)

    @coroutine
    async def test_20_of_them(self) -> None:
        """
        That many there may be.
        """
        await self.is_served(INTERIM * 20 + WHOLE_ANSWER)


class IdentityTests(OddTestCase):
    """
    No encoding has a name, too.
    """

    @coroutine
    async def test_whole(self) -> None:
        """
        Such an answer can be read.
        """
        await self.is_served(http(200, ANSWER, JSON, "Content-Encoding: Identity"))


class UndelimitedTests(OddTestCase):
    """
    The end of the connection is the end of the body.
    """

    @coroutine
    async def test_whole(self) -> None:
        """
        The JSON shows it.
        """
        await self.is_served(OK + JSON.encode() + b"\r\n\r\n" + ANSWER, fin)

    @coroutine
    async def test_with_done(self) -> None:
        """
        A stream says so itself...
        """
        await self.is_served(UNDELIMITED + b"".join(WHOLE), fin, stream=True)

    @coroutine
    async def test_with_a_finish_reason(self) -> None:
        """
        ...in one way or another.
        """
        await self.is_served(UNDELIMITED + FIRST + HEL + STOP, fin, stream=True)

    @coroutine
    async def test_with_neither(self) -> None:
        """
        Then it is cut, after the first byte...
        """
        cut = Fault("cut", "protocol", fin)
        play = self.misbehave(cut, UNDELIMITED + FIRST + HEL, pause)
        await self.breaks_off(play, FIRST + HEL)

    @coroutine
    async def test_with_nothing(self) -> None:
        """
        ...or before.
        """
        self.misbehave(Fault("cut", "protocol", fin), UNDELIMITED + FIRST)
        await self.fails_over(stream=True)


class AfterwardsTests(OddTestCase):
    """
    What comes on a connection after its answer belongs to nobody.
    """

    @coroutine
    async def test_bytes_after_a_whole_answer(self) -> None:
        """
        They are not the answer to the next request.
        """
        await self.is_served(WHOLE_ANSWER + SMUGGLED)
        self.assertEqual((await self.ask()).json(), completion())

    @coroutine
    async def test_bytes_after_a_stream(self) -> None:
        """
        Nor here.
        """
        await self.is_served(WHOLE_STREAM + SMUGGLED, stream=True)
        self.perform(WHOLE_ANSWER)
        self.assertEqual((await self.ask()).json(), completion())

    @coroutine
    async def test_bytes_while_idle(self) -> None:
        """
        Such a connection is not used again.
        """
        await self.is_served(WHOLE_ANSWER)
        (connection,) = self.alpha.connections
        connection.write(SMUGGLED)
        await connection.lost
        self.assertEqual((await self.ask()).json(), completion())
        self.assertEqual(self.alpha.connected, 2)

    @coroutine
    async def test_closed_while_idle(self) -> None:
        """
        Nor such.
        """
        await self.is_served(WHOLE_ANSWER)
        (connection,) = self.alpha.connections
        connection.close()
        await connection.lost
        self.assertEqual((await self.ask()).json(), completion())
        self.assertEqual((len(self.alpha.requests), self.alpha.connected), (2, 2))

    @coroutine
    async def test_reset_while_idle(self) -> None:
        """
        Nor such.
        """
        await self.is_served(WHOLE_ANSWER)
        (connection,) = self.alpha.connections
        connection.reset()
        await connection.lost
        self.assertEqual((await self.ask()).json(), completion())
        self.assertEqual((len(self.alpha.requests), self.alpha.connected), (2, 2))
