"""
The main job, when all goes well.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import gatherResults

from .harness import MODEL, DaemonTestCase, chat, coroutine
from .providers import (
    FIRST,
    WHOLE,
    Connection,
    Received,
    answers,
    completion,
    delta,
    fails,
    http,
    serves,
    streams,
)


def says(text: str, stream: bool = False) -> dict[str, Any]:
    """
    A request with this question.
    """
    return chat(stream, messages=[{"role": "user", "content": text}])


def echoes(connection: Connection, request: Received) -> None:
    """
    A provider that says what it was told.
    """
    told = request.json()["messages"][-1]["content"]
    if request.json().get("stream"):
        streams(FIRST, delta(told), delta(finish="stop"))(connection, request)
    else:
        answers(200, completion(told))(connection, request)


class AnswerTests(DaemonTestCase):
    """
    Buffered answers.
    """

    @coroutine
    async def test_byte_for_byte(self) -> None:
        """
        Whatever the provider's way of writing JSON is.
        """
        body = (
            b'\n{"choices" : [ {"message":{"content":"H\\u00e9 \xc3\xbc"}}],\n"x":1.50,'
            b'"usage":{"cost":1.50}, "x_groq": {"id": 12345678901234567890}}\n'
        )
        kind = "application/json; charset=utf-8"
        whole = http(200, body, f"Content-Type: {kind}")
        self.provider("alpha", lambda connection, _: connection.write(whole))
        self.start()
        answer = await self.ask()
        self.assertEqual((answer.status, answer.body), (200, body))
        self.assertEqual(answer.header("Content-Type"), kind)

    @coroutine
    async def test_chunked(self) -> None:
        body = json.dumps(completion()).encode()
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        parts = (b"%x\r\n%b\r\n" % (1, body[at : at + 1]) for at in range(len(body)))
        whole = head + b"".join(parts) + b"0\r\n\r\n"
        self.provider("alpha", lambda connection, _: connection.write(whole))
        self.start()
        self.assertEqual((await self.ask()).body, body)

    @coroutine
    async def test_until_the_connection_is_closed(self) -> None:
        """
        Without a length, JSON itself tells whether it is whole.
        """
        body = json.dumps(completion()).encode()

        def script(connection: Connection, request: Received) -> None:
            connection.write(b"HTTP/1.0 200 OK\r\n\r\n" + body)
            connection.close()

        self.provider("alpha", script)
        self.start()
        self.assertEqual((await self.ask()).body, body)

    @coroutine
    async def test_megabytes(self) -> None:
        """
        In both directions.
        """
        self.provider("alpha", echoes)
        self.start()
        text = "x" * 3_000_000
        answer = await self.ask(says(text))
        self.assertTrue(answer.json() == completion(text))

    @coroutine
    async def test_everybody_gets_their_own(self) -> None:
        self.provider("alpha", echoes)
        self.start()
        texts = [f"text {number}" for number in range(40)]
        asked = [self.ask(says(text, stream=True)) for text in texts[:20]]
        asked += [self.ask(says(text)) for text in texts[20:]]
        for text, answer in zip(texts, await gatherResults(asked), strict=True):
            self.assertIn(f'"content": "{text}"'.encode(), answer.body)
        ids = {row.request_id for row in self.ledger.rows}
        self.assertEqual(len(ids), 40)


class RowTests(DaemonTestCase):
    """
    What is remembered of a request that was served.
    """

    @coroutine
    async def test_row(self) -> None:
        self.provider("alpha", answers(200, completion(), "X-Request-Id: up-1"))
        self.start({"alpha": {"tier": "local"}})
        answer = await self.ask()
        (row,) = self.ledger.rows
        told = row.as_json()
        self.assertEqual(told.pop("request_id"), answer.header("X-Arbstr-Request-Id"))
        for name in ("timestamp", "latency_ms", "attempts"):
            self.assertIsNotNone(told.pop(name))
        self.assertEqual(
            {name: value for name, value in told.items() if value is not None},
            {
                "streaming": False,
                "success": True,
                "model": MODEL,
                "provider": "alpha",
                "tier": "local",
                "complexity_score": 1.0,
                "input_tokens": 10,
                "cached_tokens": 0,
                "output_tokens": 20,
                "reasoning_tokens": 0,
                "tokens_estimated": False,
                "choices": 1,
                "input_chars": 20,
                "cost_sats": 0.03,
                "baseline_cost_sats": 0.03,
                "upstream_request_id": "up-1",
            },
        )

    @coroutine
    async def test_attempts(self) -> None:
        self.provider("alpha", fails(503))
        self.provider("beta", fails(401))
        self.provider("gamma")
        self.start()
        await self.ask()
        (row,) = self.ledger.rows
        outcomes = [(each.provider, each.outcome) for each in row.attempts]
        self.assertEqual(outcomes, [("alpha", "5xx"), ("beta", "4xx"), ("gamma", "ok")])
        starts = [each.start_ms for each in row.attempts]
        self.assertEqual(starts, sorted(starts))
        self.assertEqual((row.success, row.provider), (True, "gamma"))

    async def booked(
        self, usage: dict[str, Any]
    ) -> tuple[int | None, int | None, float]:
        """
        Tokens in and out, and the cost in sats, where a cached token costs a
        tenth of another.
        """
        self.provider("alpha", answers(200, completion(usage=usage)))
        rates = {"input_rate": 1000, "cached_input_rate": 100, "output_rate": 2000}
        self.start({"alpha": rates})
        answer = await self.ask()
        (row,) = self.ledger.rows
        self.assertFalse(row.tokens_estimated)
        cost = float(answer.header("X-Arbstr-Cost-Sats") or "nan")
        self.assertEqual(cost, float(row.cost_sats or "nan"))
        return row.input_tokens, row.output_tokens, cost

    @coroutine
    async def test_cached_and_reasoning_tokens(self) -> None:
        """
        They are part of the others: 800 + 200 in, 500 out.
        """
        usage = {
            "prompt_tokens": 1000,
            "completion_tokens": 500,
            "prompt_tokens_details": {"cached_tokens": 200},
            "completion_tokens_details": {"reasoning_tokens": 10},
        }
        self.assertEqual(await self.booked(usage), (1000, 500, 1.82))

    @coroutine
    async def test_usage_of_routstr(self) -> None:
        """
        Its own idea of the cost is an object, of OpenRouter's a number.
        """
        usage = {
            "prompt_tokens": 1000,
            "completion_tokens": 500,
            "cost": {"total_msats": 435},
            "cost_sats": 0,
        }
        self.assertEqual(await self.booked(usage), (1000, 500, 2))

    @coroutine
    async def test_usage_of_anthropic(self) -> None:
        """
        Its cached tokens come on top.
        """
        usage = {
            "input_tokens": 800,
            "cache_read_input_tokens": 200,
            "output_tokens": 500,
        }
        self.assertEqual(await self.booked(usage), (1000, 500, 1.82))

    @coroutine
    async def test_estimate(self) -> None:
        """
        Without usage it is made from the text, and called by that name.
        """
        self.provider("alpha", answers(200, completion("x" * 400, usage=None)))
        self.start()
        await self.ask()
        (row,) = self.ledger.rows
        self.assertTrue(row.tokens_estimated)
        self.assertEqual(row.output_tokens, 100)


class ConnectionTests(DaemonTestCase):
    """
    What clients may do with a connection.
    """

    def post(
        self, body: dict[str, Any], *headers: bytes, version: bytes = b"1.1"
    ) -> bytes:
        """
        A request in bytes.
        """
        data = json.dumps(body).encode()
        lines = [
            b"POST /v1/chat/completions HTTP/" + version,
            b"Host: localhost",
            b"Content-Type: application/json",
            b"Content-Length: %d" % len(data),
            *headers,
        ]
        return b"\r\n".join(lines) + b"\r\n\r\n" + data

    @coroutine
    async def test_pipelining(self) -> None:
        """
        Answers come in the order of the requests.
        """
        self.provider("alpha", echoes)
        self.start()
        client = await self.exchange(
            self.post(says("first")),
            self.post(says("second", stream=True)),
            self.post(says("third"), b"Connection: close"),
        )
        places = [client.data.find(text) for text in (b"first", b"second", b"third")]
        self.assertNotIn(-1, places)
        self.assertEqual(places, sorted(places))
        self.assertEqual(client.data.count(b"HTTP/1.1 200 OK\r\n"), 3)

    @coroutine
    async def test_one_connection_for_many(self) -> None:
        """
        A stream's end leaves it usable.
        """
        self.provider("alpha", serves)
        self.start()
        client = await self.connect()
        for _ in range(3):
            client.data = b""
            client.socket.write(self.post(chat(stream=True)))
            await self.soon(lambda: client.data.endswith(b"\r\n0\r\n\r\n"))
            self.assertTrue(client.data.startswith(b"HTTP/1.1 200 OK\r\n"))
            self.assertIn(b"data: [DONE]\n\n", client.data)

    @coroutine
    async def test_chunked_request(self) -> None:
        self.provider("alpha", serves)
        self.start()
        body = json.dumps(chat()).encode()
        client = await self.exchange(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n",
            b"Content-Type: application/json\r\nConnection: close\r\n",
            b"Transfer-Encoding: chunked\r\n\r\n",
            b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body),
        )
        self.assertIn(b"HTTP/1.1 200 OK\r\n", client.data)
        (received,) = self.providers["alpha"].requests
        self.assertEqual(received.body, body)
        self.assertEqual(received.headers["content-length"], str(len(body)))

    @coroutine
    async def test_http_1_0(self) -> None:
        """
        Its streams are not chunked: the connection's end is theirs.
        """
        self.provider("alpha", streams(*WHOLE))
        self.start()
        client = await self.exchange(self.post(chat(stream=True), version=b"1.0"))
        head, _, body = client.data.partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.0 200 OK\r\n"), head)
        self.assertNotIn(b"Transfer-Encoding", head)
        self.assertTrue(body.startswith(FIRST))
        self.assertTrue(body.endswith(b"\n\ndata: [DONE]\n\n"))
