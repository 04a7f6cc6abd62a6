"""
Clients that do not wait for their answer: nobody goes on working for them.
"""

from __future__ import annotations

import json

from ..faults import Step
from ..harness import chat, coroutine
from ..providers import FIRST, STREAM_HEAD, chunk, delta
from ..wire import RawClient
from .catalogue import WHOLE_ANSWER
from .misbehaving import RETRY, MisbehavingTestCase

HEL = delta("Hel")
BEGUN = STREAM_HEAD + chunk(FIRST) + chunk(HEL)


def leave(client: RawClient) -> None:
    """
    Reset the connection.
    """
    client.socket.abortConnection()


def close(client: RawClient) -> None:
    """
    Close the connection.
    """
    client.socket.loseConnection()


def half_close(client: RawClient) -> None:
    """
    Promise to send nothing more.
    """
    client.socket.loseWriteConnection()


class LeavingTests(MisbehavingTestCase):
    """
    The provider's connection is cut, its permit and its slot are free, and it
    is not to blame.
    """

    async def begins(self, stream: bool, *steps: Step) -> RawClient:
        """
        A client has asked, and alpha has done this so far.
        """
        self.perform(*steps)
        self.start({"alpha": {"max_in_flight": 1}}, retry=RETRY)
        body = json.dumps(chat(stream)).encode()
        client = await self.connect()
        client.socket.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        client.socket.write(body)
        await self.alpha.asked()
        return client

    async def is_given_up(self, status: int = 499) -> None:
        """
        Time does not have to pass for that.
        """
        await self.soon(lambda: not self.alpha.connections)
        await self.soon(lambda: len(self.ledger.rows) == 1)
        self.assertEqual((self.row().success, self.row().error_status), (False, status))
        self.assertEqual(self.outcomes(), ["cancelled"])
        self.assertEqual(self.failures(), (0, 0))
        self.assertEqual(self.beta.requests, [])

    async def leaves_before_headers(self, stream: bool) -> None:
        """
        Alpha has said nothing yet.
        """
        leave(await self.begins(stream))
        await self.is_given_up()

    @coroutine
    async def test_before_headers_buffered(self) -> None:
        """
        A whole answer was asked for.
        """
        await self.leaves_before_headers(stream=False)

    @coroutine
    async def test_before_headers_streamed(self) -> None:
        """
        A stream was asked for.
        """
        await self.leaves_before_headers(stream=True)

    @coroutine
    async def test_within_a_whole_answer(self) -> None:
        """
        Of which the client has got nothing yet.
        """
        client = await self.begins(False, WHOLE_ANSWER[:-20])
        await self.soon(lambda: len(self.stopped.getDelayedCalls()) >= 2)
        leave(client)
        await self.is_given_up()

    @coroutine
    async def test_mid_stream(self) -> None:
        """
        What it has got has to be paid.
        """
        client = await self.begins(True, BEGUN)
        await self.soon(lambda: HEL in client.data)
        leave(client)
        await self.is_given_up()
        self.assertGreater(self.row().cost_sats or 0, 0)

    @coroutine
    async def test_politely_mid_stream(self) -> None:
        """
        With a FIN.
        """
        client = await self.begins(True, BEGUN)
        await self.soon(lambda: HEL in client.data)
        close(client)
        await self.is_given_up()

    @coroutine
    async def test_half_closes_before_headers(self) -> None:
        """
        There is no telling it from a client that has left.
        """
        half_close(await self.begins(False))
        await self.is_given_up()

    @coroutine
    async def test_half_closes_mid_stream(self) -> None:
        """
        Nor here.
        """
        client = await self.begins(True, BEGUN)
        await self.soon(lambda: HEL in client.data)
        half_close(client)
        await self.is_given_up()
        await client.lost

    @coroutine
    async def test_while_another_is_waiting(self) -> None:
        """
        A request behind the first, on the same connection, goes with it.
        """
        client = await self.begins(False)
        client.socket.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        leave(client)
        await self.is_given_up()
        self.assertEqual(client.data, b"")

    @coroutine
    async def test_within_its_own_body(self) -> None:
        """
        Nobody has been asked, and there is no request to write down.
        """
        self.start()
        client = await self.connect()
        client.socket.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        client.socket.loseConnection()
        await client.lost
        self.assertEqual((self.alpha.requests, self.ledger.rows), ([], []))
