"""
Tests for L{benchmarks.fuzz.answers}: what a daemon must not answer is told.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.fuzz.answers import Answer, Unfinished, read
from benchmarks.fuzz.targets import Wrong

ID = b"X-Arbstr-Request-Id: 6b0f1c3e-7c3f-4f57-9d3a-1f7b7c2a9f10\r\n"
JSON = b"Content-Type: application/json\r\n"
STREAM = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    b"Transfer-Encoding: chunked\r\n" + ID + b"\r\n"
)
ERROR = b'{"error":{"message":"m","type":"t","param":null,"code":null}}'
DONE = b"data: [DONE]\n\n"


def response(status: int, body: bytes, headers: bytes = ID + JSON) -> bytes:
    """
    A response of a given length.
    """
    head = b"HTTP/1.1 %d Whatever\r\n%bContent-Length: %d\r\n\r\n"
    return head % (status, headers, len(body)) + body


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class AnswerTests(SynchronousTestCase):
    """
    What is read of a connection that has been closed.
    """

    def assert_good(self, data: bytes) -> list[Answer]:
        """
        Nothing is wrong with these answers.
        """
        answers = read(data, closed=True)
        for answer in answers:
            answer.check()
        return answers

    def assert_wrong(self, data: bytes, told: str) -> None:
        """
        Something is, and what it is.
        """
        error = self.assertRaises(Wrong, self.assert_good, data)
        self.assertIn(told, str(error))

    def test_several(self) -> None:
        """
        Answers follow each other, interim ones do not count.
        """
        answers = self.assert_good(
            response(200, b"{}")
            + b"HTTP/1.1 100 Continue\r\n\r\n"
            + response(404, ERROR)
            + STREAM
            + chunk(DONE)
            + chunk(b"")
        )
        self.assertEqual([answer.status for answer in answers], [200, 404, 200])

    def test_own_bug(self) -> None:
        """
        500 is never right.
        """
        self.assert_wrong(response(500, ERROR), "Status 500")

    def test_no_http(self) -> None:
        """
        Lines that are none.
        """
        self.assert_wrong(b"HTTP/1.1 2000 OK\r\n\r\n", "No status line")
        self.assert_wrong(b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "No header")
        self.assert_wrong(b"<html>", "No head")

    def test_request_id(self) -> None:
        """
        Every answer has one.
        """
        self.assert_wrong(response(200, b"{}", JSON), "No request id")
        self.assert_wrong(response(200, b"{}", ID + ID + JSON), "2 headers")

    def test_error_in_html(self) -> None:
        """
        Errors are JSON, in OpenAI's shape.
        """
        html = ID + b"Content-Type: text/html\r\n"
        self.assert_wrong(response(404, b"<h1>", html), "no JSON")
        self.assert_wrong(response(404, b"{}"), "another shape")
        self.assert_wrong(response(404, b"{"), "no JSON")

    def test_client_s_own_fault(self) -> None:
        """
        What a provider says of it may be any JSON.
        """
        provider = ID + JSON + b"X-Arbstr-Provider: p1\r\n"
        self.assert_good(response(422, b'{"detail":[]}', provider))

    def test_broken_off(self) -> None:
        """
        Only streams may, and they say so.
        """
        self.assert_wrong(response(200, b"{}")[:-1], "It broke off")
        self.assert_wrong(STREAM + chunk(b"data: {}\n\n"), "does not say so")
        self.assert_good(STREAM + chunk(b"data: " + ERROR + b"\n\n"))

    def test_truncated_but_whole(self) -> None:
        """
        A truncated stream must not look complete.
        """
        self.assert_wrong(
            STREAM + chunk(b"data: {}\n\n") + chunk(b""), "without its end"
        )

    def test_events_without_data(self) -> None:
        """
        No client may stumble.
        """
        events = b"event: ping\n\n" + DONE
        self.assert_wrong(STREAM + chunk(events) + chunk(b""), "stumble")

    def test_bad_chunk(self) -> None:
        """
        Chunks end where they say.
        """
        self.assert_wrong(STREAM + b"3\r\nabcd\r\n", "without its end")
        self.assert_wrong(STREAM + b"x\r\nabcd\r\n", "No chunk")

    def test_unfinished(self) -> None:
        """
        While the connection is open, more may come.
        """
        whole = STREAM + chunk(DONE) + chunk(b"")
        for end in (5, len(STREAM), len(STREAM) + 4, len(whole) - 1):
            self.assertRaises(Unfinished, read, whole[:end], False)
        self.assertEqual(len(read(whole, False)), 1)

    def test_head_only(self) -> None:
        """
        The answer to HEAD speaks of a body that does not come.
        """
        head = response(404, ERROR).removesuffix(ERROR)
        (first, second) = read(head + response(200, b"{}"), True, heads=True)
        self.assertEqual((first.body, second.body), (b"", b"{}"))
