"""
Headers: what providers get to see, what comes back, and what stays here.
"""

from __future__ import annotations

import json
from uuid import UUID

from arbstr import __version__

from .harness import MODEL, Answer, DaemonTestCase, chat, coroutine
from .providers import (
    STREAM_HEAD,
    WHOLE,
    Connection,
    Received,
    answers,
    chunk,
    completion,
    fails,
    http,
    streams,
)

# What a request for a provider has besides its framing.
SENT = {
    "accept",
    "accept-encoding",
    "authorization",
    "content-type",
    "idempotency-key",
    "user-agent",
}
FRAMING = {"host", "content-length", "connection"}
# What the web server says of itself with every answer.
SERVER = {"server", "date"}

# Nobody else's business.
PRIVATE = {
    "Authorization": "Bearer private",
    "Cookie": "session=private",
    "OpenAI-Organization": "org-private",
    "OpenAI-Project": "proj-private",
    "X-Api-Key": "private",
    "X-Cashu": "cashuAprivate",
    "X-Stainless-Lang": "private",
    "X-Stainless-Retry-Count": "private",
    "X-Forwarded-For": "private",
    "X-Forwarded-Host": "private",
    "X-Real-IP": "private",
    "Forwarded": "for=private",
    "Via": "1.1 private",
    "Referer": "http://localhost/private",
    "User-Agent": "private",
    "Idempotency-Key": "private",
    "X-Request-Id": "private",
    "X-Arbstr-Policy": "private",
    "X-Arbstr-Provider": "alpha",
    "X-Arbstr-Max-Cost-Sats": "100",
    "X-Arbstr-Complexity": "private",
    "X-Arbstr-Unknown": "private",
    "X-Unknown": "private",
    "Accept-Encoding": "gzip, private",
    "Keep-Alive": "timeout=5, private",
    "TE": "trailers, private",
    "Trailer": "private",
    "Upgrade": "private",
    "Proxy-Authorization": "Basic private",
    "Proxy-Connection": "private",
}

# What providers are known to send besides what a client should get.
STAYS = (
    "Set-Cookie: session=provider",
    "X-Cashu: cashuAchange",
    "X-RateLimit-Remaining-Requests: 9",
    "Access-Control-Allow-Origin: *",
    "OpenAI-Organization: ours",
    "X-Routstr-Cost-Msats: 435",
    "Strict-Transport-Security: max-age=1",
    "Alt-Svc: h3",
    "Server: uvicorn",
    "Retry-After: 9",
    "Keep-Alive: timeout=5",
)
COMES_BACK = ("X-Request-Id: up-1", "OpenAI-Processing-Ms: 42")


def streams_with(*headers: str) -> bytes:
    """
    A whole stream, with more headers.
    """
    more = "".join(f"{header}\r\n" for header in headers).encode()
    head = STREAM_HEAD.replace(b"X-Request-Id: up-1\r\n", more)
    return head + b"".join(map(chunk, (*WHOLE, b"")))


def verbose(connection: Connection, request: Received) -> None:
    """
    A healthy provider that sends every header there is.
    """
    headers = (*COMES_BACK, *STAYS)
    if request.json().get("stream"):
        connection.write(streams_with(*headers))
    else:
        answers(200, completion(), *headers)(connection, request)


def names(answer: Answer) -> set[str]:
    """
    The names of the headers that a client got.
    """
    raw = answer.headers.getAllRawHeaders()
    return {name.decode().lower() for name, _ in raw}


class TowardsTheProviderTests(DaemonTestCase):
    """
    What a request for a provider consists of.
    """

    async def sent(
        self, headers: dict[str, str] | None = None, stream: bool = False
    ) -> Received:
        """
        What reaches a provider when a client sends these headers too.
        """
        self.provider("alpha")
        self.start(policies={"rules": [{"name": "private"}]})
        answer = await self.ask(chat(stream=stream), headers)
        self.assertEqual(answer.status, 200)
        (received,) = self.providers["alpha"].requests
        return received

    @coroutine
    async def test_path_and_body(self) -> None:
        received = await self.sent()
        self.assertEqual(received.line, "POST /v1/chat/completions HTTP/1.1")
        self.assertEqual(received.json(), chat())

    def assert_nothing_private(self, received: Received) -> None:
        self.assertEqual(set(received.headers) - FRAMING, SENT)
        self.assertNotIn("private", "\n".join(received.head))

    @coroutine
    async def test_nothing_private_leaves(self) -> None:
        self.assert_nothing_private(await self.sent(PRIVATE))

    @coroutine
    async def test_nothing_private_leaves_streaming(self) -> None:
        self.assert_nothing_private(await self.sent(PRIVATE, stream=True))

    @coroutine
    async def test_forwarded(self) -> None:
        given = {
            "accept": "application/json",
            "openai-beta": "assistants=v2",
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "tracestate": "vendor=value",
        }
        received = await self.sent(given)
        found = {name: received.headers.get(name) for name in given}
        self.assertEqual(found, given)

    @coroutine
    async def test_for_the_next_hop_only(self) -> None:
        """
        A client may say of any header that it is for us alone.
        """
        given = {"openai-beta": "assistants=v2", "connection": "close, OpenAI-Beta"}
        received = await self.sent(given)
        self.assertNotIn("openai-beta", received.headers)

    @coroutine
    async def test_content_type(self) -> None:
        kind = "application/json; charset=utf-8"
        received = await self.sent({"Content-Type": kind})
        self.assertEqual(received.headers["content-type"], kind)

    @coroutine
    async def test_stream_is_asked_for(self) -> None:
        """
        Where the client does not say what it accepts.
        """
        received = await self.sent(stream=True)
        self.assertEqual(received.headers["accept"], "text/event-stream")

    @coroutine
    async def test_identity_exactly_once(self) -> None:
        received = await self.sent({"Accept-Encoding": "gzip"})
        encodings = [
            line for line in received.head if line.lower().startswith("accept-encoding")
        ]
        self.assertEqual(len(encodings), 1)
        self.assertEqual(received.headers["accept-encoding"], "identity")

    @coroutine
    async def test_user_agent(self) -> None:
        received = await self.sent({"User-Agent": "OpenAI/Python 9"})
        self.assertEqual(received.headers["user-agent"], f"arbstr/{__version__}")

    @coroutine
    async def test_idempotency_key_is_the_request_id(self) -> None:
        self.provider("alpha")
        self.start()
        for stream in (False, True):
            answer = await self.ask(chat(stream=stream), {"Idempotency-Key": "mine"})
            received = self.providers["alpha"].requests[-1]
            self.assertEqual(
                received.headers["idempotency-key"],
                answer.header("X-Arbstr-Request-Id"),
            )

    @coroutine
    async def test_attempts_share_one_idempotency_key(self) -> None:
        alpha = self.provider("alpha", fails(500))
        beta = self.provider("beta")
        self.start()
        await self.ask()
        (first,), (second,) = alpha.requests, beta.requests
        self.assertEqual(
            first.headers["idempotency-key"], second.headers["idempotency-key"]
        )

    @coroutine
    async def test_each_provider_gets_its_own_key(self) -> None:
        alpha = self.provider("alpha", fails(500))
        beta = self.provider("beta")
        self.start()
        await self.ask(headers={"Authorization": "Bearer of-the-client"})
        keys = [each.requests[0].headers["authorization"] for each in (alpha, beta)]
        self.assertEqual(keys, ["Bearer sk-alpha-key", "Bearer sk-beta-key"])

    @coroutine
    async def test_no_key_no_authorization(self) -> None:
        self.provider("alpha")
        self.start({"alpha": {"api_key": None}})
        await self.ask(headers={"Authorization": "Bearer of-the-client"})
        (received,) = self.providers["alpha"].requests
        self.assertNotIn("authorization", received.headers)

    @coroutine
    async def test_cookies_are_not_kept(self) -> None:
        alpha = self.provider("alpha", verbose)
        self.start()
        for stream in (False, True, False):
            await self.ask(chat(stream=stream))
        sent = ["cookie" in request.headers for request in alpha.requests]
        self.assertEqual(sent, [False, False, False])


class TowardsTheClientTests(DaemonTestCase):
    """
    What an answer for a client consists of.
    """

    @coroutine
    async def test_buffered(self) -> None:
        self.provider("alpha", verbose)
        self.start()
        answer = await self.ask()
        self.assertEqual(answer.json(), completion())
        self.assertEqual(
            names(answer) - SERVER,
            {
                "content-type",
                "openai-processing-ms",
                "x-arbstr-complexity-score",
                "x-arbstr-cost-sats",
                "x-arbstr-latency-ms",
                "x-arbstr-provider",
                "x-arbstr-request-id",
                "x-arbstr-tier",
                "x-request-id",
                "x-upstream-request-id",
            },
        )
        self.assertEqual(answer.header("Content-Type"), "application/json")
        self.assertEqual(answer.header("OpenAI-Processing-Ms"), "42")
        self.assertEqual(answer.header("X-Upstream-Request-Id"), "up-1")
        self.assertEqual(answer.header("X-Arbstr-Provider"), "alpha")
        self.assertEqual(answer.header("X-Arbstr-Tier"), "standard")

    @coroutine
    async def test_no_content_type(self) -> None:
        """
        What was read as JSON is told to be.
        """
        body = json.dumps(completion()).encode()
        self.provider("alpha", lambda connection, _: connection.write(http(200, body)))
        self.start()
        answer = await self.ask()
        self.assertEqual(answer.header("Content-Type"), "application/json")

    @coroutine
    async def test_streaming(self) -> None:
        self.provider("alpha", verbose)
        self.start({"alpha": {"tier": "local"}})
        answer = await self.ask(chat(stream=True))
        self.assertEqual(
            names(answer) - SERVER,
            {
                "cache-control",
                "content-type",
                "openai-processing-ms",
                "x-accel-buffering",
                "x-arbstr-complexity-score",
                "x-arbstr-provider",
                "x-arbstr-request-id",
                "x-arbstr-streaming",
                "x-arbstr-tier",
                "x-request-id",
                "x-upstream-request-id",
            },
        )
        self.assertEqual(answer.header("Content-Type"), "text/event-stream")
        self.assertEqual(answer.header("Cache-Control"), "no-cache")
        self.assertEqual(answer.header("X-Accel-Buffering"), "no")
        self.assertEqual(answer.header("X-Arbstr-Streaming"), "true")
        self.assertEqual(answer.header("X-Arbstr-Tier"), "local")

    @coroutine
    async def test_providers_server_is_not_ours(self) -> None:
        self.provider("alpha", verbose)
        self.start()
        self.assertNotEqual((await self.ask()).header("Server"), "uvicorn")

    @coroutine
    async def test_request_id(self) -> None:
        """
        A UUID of its own for every request, under both of its names.
        """
        self.provider("alpha")
        self.start()
        seen = set()
        for stream in (False, True):
            answer = await self.ask(chat(stream=stream), {"X-Request-Id": "mine"})
            request_id = answer.header("X-Arbstr-Request-Id")
            self.assertEqual(str(UUID(request_id)), request_id)
            self.assertEqual(answer.header("X-Request-Id"), request_id)
            seen.add(request_id)
        self.assertEqual(len(seen), 2)

    @coroutine
    async def test_cost(self) -> None:
        """
        10 tokens in and 20 out, at rates of their own, and a fee.
        """
        self.provider("alpha")
        rates = {"input_rate": 1000, "output_rate": 4000, "base_fee": 0.5}
        self.start({"alpha": rates})
        answer = await self.ask()
        self.assertEqual(answer.header("X-Arbstr-Cost-Sats"), "0.59")

    @coroutine
    async def test_tiny_cost_has_no_exponent(self) -> None:
        self.provider("alpha")
        self.start({"alpha": {"input_rate": 0.001, "output_rate": 0}})
        answer = await self.ask()
        self.assertEqual(answer.header("X-Arbstr-Cost-Sats"), "0.00000001")

    @coroutine
    async def test_whole_cost_has_no_fraction(self) -> None:
        self.provider("alpha")
        self.start({"alpha": {"input_rate": 0, "output_rate": 0, "base_fee": 20}})
        answer = await self.ask()
        self.assertEqual(answer.header("X-Arbstr-Cost-Sats"), "20")

    @coroutine
    async def test_unknown_cost_is_not_told(self) -> None:
        self.provider("alpha", answers(200, completion(usage=None)))
        self.start()
        answer = await self.ask()
        self.assertEqual(answer.status, 200)
        self.assertIsNone(answer.header("X-Arbstr-Cost-Sats"))

    @coroutine
    async def test_latency_is_a_whole_number(self) -> None:
        self.provider("alpha")
        self.start()
        latency = (await self.ask()).header("X-Arbstr-Latency-Ms")
        self.assertTrue(latency and latency.isdecimal(), latency)

    @coroutine
    async def test_retries(self) -> None:
        """
        Failed attempts per provider, in order of first failure.
        """
        self.provider("alpha", fails(500))
        self.provider("beta", fails(503))
        self.provider("gamma")
        self.start(retry={"max_attempts": 3, "backoff_seconds": [0.01]})
        answer = await self.ask()
        self.assertEqual(answer.header("X-Arbstr-Provider"), "gamma")
        self.assertEqual(answer.header("X-Arbstr-Retries"), "1/alpha, 1/beta")

    @coroutine
    async def test_retries_of_a_failure(self) -> None:
        self.provider("alpha", fails(500))
        self.provider("beta", fails(500))
        self.start(retry={"max_attempts": 3, "backoff_seconds": [0.01]})
        answer = await self.ask()
        self.assertEqual(answer.status, 502)
        self.assertEqual(answer.header("X-Arbstr-Retries"), "2/alpha, 1/beta")

    @coroutine
    async def test_retries_of_a_stream(self) -> None:
        self.provider("alpha", fails(500))
        self.provider("beta", streams(*WHOLE))
        self.start()
        answer = await self.ask(chat(stream=True))
        self.assertEqual(answer.header("X-Arbstr-Retries"), "1/alpha")

    @coroutine
    async def test_retry_after_of_a_final_failure(self) -> None:
        """
        Whatever its form; the rest of what the provider said stays here.
        """
        when = "Sat, 21 Nov 2026 22:32:55 GMT"
        refusal = {"error": {"message": "slow down", "type": "x", "code": "y"}}
        self.provider("alpha", answers(429, refusal, f"Retry-After: {when}", *STAYS))
        self.start(retry={"max_attempts": 1})
        answer = await self.ask()
        self.assertEqual(answer.status, 429)
        self.assertEqual(answer.header("Retry-After"), when)
        self.assertEqual(
            names(answer) - SERVER,
            {
                "content-type",
                "retry-after",
                "x-arbstr-complexity-score",
                "x-arbstr-latency-ms",
                "x-arbstr-provider",
                "x-arbstr-request-id",
                "x-arbstr-retries",
                "x-arbstr-tier",
                "x-request-id",
            },
        )

    @coroutine
    async def test_routstr_request_id(self) -> None:
        """
        Routstr nodes, OpenRouter and mesh-llm name theirs differently.
        """
        self.provider("alpha", answers(200, completion(), "X-Routstr-Request-Id: r-1"))
        self.provider("beta", answers(200, completion(), "X-Generation-Id: gen-1"))
        self.start()
        for name, expected in (("alpha", "r-1"), ("beta", "gen-1")):
            answer = await self.ask(headers={"X-Arbstr-Provider": name})
            self.assertEqual(answer.header("X-Upstream-Request-Id"), expected)
            self.assertNotEqual(answer.header("X-Request-Id"), expected)

    @coroutine
    async def test_providers_duplicate_headers(self) -> None:
        """
        Routstr nodes send some of their headers twice.
        """
        self.provider(
            "alpha",
            answers(200, completion(), "Date: now", "Date: then", *COMES_BACK * 2),
        )
        self.start()
        answer = await self.ask()
        self.assertEqual(answer.header("X-Upstream-Request-Id"), "up-1")
        self.assertEqual(answer.header("OpenAI-Processing-Ms"), "42")


class OtherRoutesTests(DaemonTestCase):
    """
    Every answer carries the id of its request.
    """

    @coroutine
    async def test_request_id_everywhere(self) -> None:
        self.provider("alpha")
        self.start()
        for path in ("/v1/models", f"/v1/models/{MODEL}", "/providers", "/health"):
            answer = await self.get(path)
            self.assertEqual(answer.status, 200, path)
            self.assertEqual(answer.header("Content-Type"), "application/json", path)
            request_id = answer.header("X-Arbstr-Request-Id")
            self.assertEqual(str(UUID(request_id)), request_id, path)
