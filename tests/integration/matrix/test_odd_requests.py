"""
Requests in the order in which they come, in old HTTP, by odd methods, for what is not
there.
"""

from __future__ import annotations

from ..harness import coroutine
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
