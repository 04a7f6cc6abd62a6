"""
Requests in the order in which they come, in old HTTP, by odd methods, for what is not
there.
"""

from __future__ import annotations

import json

from ..harness import chat, coroutine
from ..providers import completion, is_silent, serves
from ..telling import PATH, ErrorTestCase


class RouteTests(ErrorTestCase):
    """
    What is not there, or not like that.
    """

    @coroutine
    async def test_unknown_path(self) -> None:
        self.start_healthy()
        for path in ("/", "/v2/models", "/v1/chat/completions/", "/v1//models"):
            answer = await self.get(path)
            self.assert_error(
                answer, 404, "invalid_request_error", message="No such route: GET /"
            )

    @coroutine
    async def test_path_that_is_not_utf_8(self) -> None:
        self.start_healthy()
        answer = await self.get("/%ff")
        self.assert_error(answer, 400, "invalid_request_error", message="not UTF-8")

    @coroutine
    async def test_unknown_path_posted_to(self) -> None:
        self.start_healthy()
        answer = await self.post(b"{}", "/v1/nothing")
        self.assert_error(answer, 404, "invalid_request_error", message="/v1/nothing")

    @coroutine
    async def test_unknown_model(self) -> None:
        self.start_healthy()
        answer = await self.get("/v1/models/openai/gpt-9")
        self.assert_error(
            answer,
            404,
            "invalid_request_error",
            "model_not_found",
            "model",
            "The model 'openai/gpt-9' does not exist",
        )

    @coroutine
    async def test_wrong_method(self) -> None:
        self.start_healthy()
        for method in ("GET", "PUT", "DELETE", "OPTIONS", "PATCH"):
            answer = await self.request(method, PATH)
            self.assert_error(
                answer, 405, "invalid_request_error", message=f"{method} is not allowed"
            )
            self.assertEqual(answer.header("Allow"), "POST")

    @coroutine
    async def test_wrong_method_for_a_question(self) -> None:
        self.start_healthy()
        answer = await self.post(b"{}", "/health")
        self.assert_error(answer, 405, "invalid_request_error")
        self.assertEqual(answer.header("Allow"), "GET, HEAD")

    async def heads(self, path: str, status: bytes) -> bytes:
        """
        The head of the answer to a HEAD request, which must be all of it.
        """
        client = await self.exchange(
            f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\n".encode(),
            b"Connection: close\r\n\r\n",
        )
        head, end, body = client.data.partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 " + status), head)
        self.assertEqual((end, body), (b"\r\n\r\n", b""))
        self.assertIn(b"X-Arbstr-Request-Id: ", head)
        return head

    @coroutine
    async def test_head(self) -> None:
        """
        Headers as for GET, and no body.
        """
        self.start_healthy()
        head = await self.heads("/healthz", b"200")
        self.assertIn(b"\r\nContent-Length: 2", head)

    @coroutine
    async def test_head_of_what_is_not_there(self) -> None:
        self.start_healthy()
        await self.heads("/nothing", b"404")

    @coroutine
    async def test_head_of_what_wants_post(self) -> None:
        self.start_healthy()
        self.assertIn(b"\r\nAllow: POST", await self.heads(PATH, b"405"))

    @coroutine
    async def test_options_of_everything(self) -> None:
        """
        No route takes it, nor is there one of this name.
        """
        self.start_healthy()
        client = await self.exchange(
            b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        self.assertTrue(client.data.startswith(b"HTTP/1.1 405 "), client.data)
        self.assertIn(b"\r\nContent-Type: application/json\r\n", client.data)

    @coroutine
    async def test_absolute_target(self) -> None:
        """
        As for a proxy: the host in it counts, whatever the header says.
        """
        self.start_healthy()
        for host, status in ((b"localhost", b"200"), (b"evil.example", b"403")):
            client = await self.exchange(
                b"GET http://" + host + b"/healthz HTTP/1.1\r\nHost: localhost\r\n"
                b"Connection: close\r\n\r\n"
            )
            self.assertEqual(client.data.split()[1], status, client.data)

    @coroutine
    async def test_connect(self) -> None:
        """
        We are no such proxy.
        """
        self.start_healthy()
        client = await self.exchange(
            b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
        self.assertRegex(client.data, rb"\AHTTP/1.1 40[0-5] ")
        self.assertIn(b"\r\nContent-Type: application/json\r\n", client.data)

    @coroutine
    async def test_unknown_method(self) -> None:
        """
        Whether or not somebody knows it.
        """
        self.start_healthy()
        client = await self.exchange(
            b"BREW /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n",
            b"Connection: close\r\n\r\n",
        )
        self.assertRegex(client.data, rb"\AHTTP/1.1 40[05] ")
        self.assertIn(b"\r\nContent-Type: application/json\r\n", client.data)


def asked(*headers: bytes, version: bytes = b"1.1", stream: bool = False) -> bytes:
    """
    A whole chat completion request.
    """
    body = json.dumps(chat(stream)).encode()
    lines = [
        b"POST /v1/chat/completions HTTP/" + version,
        b"Host: localhost",
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(body),
        *headers,
    ]
    return b"\r\n".join([*lines, b"", body])


class PipeliningTests(ErrorTestCase):
    """
    Several requests in one go.
    """

    @coroutine
    async def test_in_order(self) -> None:
        """
        The first is slow, and the others wait for it.
        """
        alpha = self.provider("alpha", is_silent)
        self.start()
        client = await self.connect()
        health = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        client.socket.write(asked() + health + asked(b"Connection: close") + health)
        await alpha.asked()
        self.assertEqual(client.data, b"")
        alpha.script = serves
        serves(alpha.connections[0], alpha.requests[0])
        await client.lost
        first, second, third = client.data.split(b"HTTP/1.1 200 OK\r\n")[1:]
        self.assertIn(b"chat.completion", first)
        self.assertTrue(second.endswith(b"\r\n\r\nok"), second)
        self.assertIn(b"chat.completion", third)
        self.assertEqual(len(alpha.requests), 2)

    @coroutine
    async def test_behind_a_stream(self) -> None:
        """
        A stream ends before the next answer begins.
        """
        self.start_healthy()
        client = await self.exchange(asked(stream=True) + asked(b"Connection: close"))
        stream, answer = client.data.split(b"HTTP/1.1 200 OK\r\n")[1:]
        self.assertTrue(stream.endswith(b"\r\n0\r\n\r\n"), stream[-100:])
        self.assertIn(b'"chat.completion"', answer)

    @coroutine
    async def test_behind_a_bad_body(self) -> None:
        """
        The connection can be used on.
        """
        self.start_healthy()
        bad = b"Host: localhost\r\nContent-Type: application/json\r\n"
        client = await self.exchange(
            b"POST /v1/chat/completions HTTP/1.1\r\n" + bad,
            b"Content-Length: 2\r\n\r\n[]" + asked(b"Connection: close"),
        )
        statuses = [part[:3] for part in client.data.split(b"HTTP/1.1 ")[1:]]
        self.assertEqual(statuses, [b"400", b"200"])


class OldTests(ErrorTestCase):
    """
    HTTP/1.0 knows no chunks: the end of the connection is the end.
    """

    @coroutine
    async def test_buffered(self) -> None:
        """
        The length is told.
        """
        self.start_healthy()
        client = await self.exchange(asked(version=b"1.0"))
        head, _, body = client.data.partition(b"\r\n\r\n")
        self.assertRegex(head, rb"\AHTTP/1.[01] 200 ")
        self.assertNotIn(b"transfer-encoding", head.lower())
        self.assertEqual(json.loads(body), completion())

    @coroutine
    async def test_streamed(self) -> None:
        """
        C{[DONE]} tells that it is whole.
        """
        self.start_healthy()
        client = await self.exchange(asked(version=b"1.0", stream=True))
        head, _, body = client.data.partition(b"\r\n\r\n")
        self.assertRegex(head, rb"\AHTTP/1.[01] 200 ")
        self.assertNotIn(b"transfer-encoding", head.lower())
        self.assertTrue(body.startswith(b"data: {"), body[:100])
        self.assertTrue(body.endswith(b"data: [DONE]\n\n"), body[-100:])

    @coroutine
    async def test_error(self) -> None:
        """
        In JSON, too.
        """
        self.start_healthy()
        client = await self.exchange(b"GET /nothing HTTP/1.0\r\n\r\n")
        head, _, body = client.data.partition(b"\r\n\r\n")
        self.assertRegex(head, rb"\AHTTP/1.[01] 404 ")
        self.assertEqual(json.loads(body)["error"]["type"], "invalid_request_error")
