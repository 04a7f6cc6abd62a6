"""
Tests for L{arbstr.web.respond}.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

import arbstr.keyring as module
from arbstr.errors import ApiError, over_limit
from arbstr.keyring import Keyring
from arbstr.web.respond import (
    dump,
    hang_up,
    prepare,
    prepare_error,
    prepare_json,
    send,
)

from .incoming import Incoming


class RespondTests(SynchronousTestCase):
    """
    Answers, and what has to be said with them.
    """

    def setUp(self) -> None:
        self.incoming = Incoming.make(version=b"HTTP/1.0")
        self.request = self.incoming.request

    def answer_error(
        self, error: ApiError, headers: dict[str, str] | None = None
    ) -> None:
        """
        Answer with an error.
        """
        send(self.request, prepare_error(self.request, error, headers))

    def test_prepare(self) -> None:
        """
        Nothing goes out before the body does.
        """
        body = prepare(self.request, 418, b"tea", "text/plain", {"X-Pot": "small"})
        self.assertEqual(self.incoming.transport.value(), b"")
        send(self.request, body)
        self.assertEqual((self.incoming.status, self.incoming.body), (418, b"tea"))
        self.assertEqual(self.incoming.header("Content-Type"), "text/plain")
        self.assertEqual(self.incoming.header("Content-Length"), "3")
        self.assertEqual(self.incoming.header("X-Pot"), "small")
        self.assertTrue(self.request.finished)

    def test_json(self) -> None:
        """
        The length is that of the bytes, not of the text.
        """
        send(self.request, prepare_json(self.request, 200, {"größe": "😀"}))
        self.assertEqual(json.loads(self.incoming.body), {"größe": "😀"})
        self.assertEqual(self.incoming.header("Content-Type"), "application/json")
        self.assertEqual(
            self.incoming.header("Content-Length"), str(len(self.incoming.body))
        )

    def test_half_a_surrogate_pair(self) -> None:
        """
        It came from somebody's JSON, and goes out as that had it.
        """
        self.assertEqual(dump({"text": "\ud83d"}), b'{"text":"\\ud83d"}')

    def test_error(self) -> None:
        """
        Errors have OpenAI's shape.
        """
        self.answer_error(
            ApiError("No.", status=400, type="t", code="c", param="p"), {"X-Also": "1"}
        )
        self.assertEqual(self.incoming.status, 400)
        self.assertEqual(
            self.incoming.error(),
            {"message": "No.", "type": "t", "param": "p", "code": "c"},
        )
        self.assertEqual(self.incoming.header("X-Also"), "1")

    def test_providers_own_error(self) -> None:
        """
        A provider's body goes out as it came.
        """
        self.answer_error(ApiError("No.", status=422, raw=b'{ "detail" : [] }'))
        self.assertEqual(self.incoming.body, b'{ "detail" : [] }')
        self.assertEqual(self.incoming.header("Content-Length"), "17")

    def test_headers_of_the_error(self) -> None:
        """
        They come before those of the answer.
        """
        error = ApiError("No.", headers={"x-should-retry": "false"})
        self.answer_error(error, {"x-should-retry": "true"})
        self.assertEqual(self.incoming.header("x-should-retry"), "false")

    def test_retry_after_is_rounded_up(self) -> None:
        """
        HTTP wants whole seconds, and none too few.
        """
        self.answer_error(over_limit("Slow down", 2.1))
        self.assertEqual(self.incoming.header("Retry-After"), "3")

    def test_retry_after_is_never_zero(self) -> None:
        """
        At once would be a busy loop.
        """
        self.answer_error(over_limit("Slow down", 0))
        self.assertEqual(self.incoming.header("Retry-After"), "1")

    def test_no_retry_after(self) -> None:
        """
        Most errors do not get better.
        """
        self.answer_error(ApiError("No."))
        self.assertIsNone(self.incoming.header("Retry-After"))

    def test_hang_up(self) -> None:
        """
        The connection is closed without an end.
        """
        self.request.write(b"half")
        hang_up(self.request)
        self.assertTrue(self.incoming.transport.disconnecting)
        self.assertFalse(self.request.finished)

    def test_no_secret_in_headers(self) -> None:
        """
        What a provider said of a failure may go on in a header.
        """
        keyring = Keyring()
        keyring.add(["no-usual-shape-4711"])
        self.patch(module, "KEYRING", keyring)
        headers = {"Retry-After": "no-usual-shape-4711"}
        self.answer_error(ApiError("no", headers=headers))
        self.assertEqual(self.incoming.header("Retry-After"), "[redacted]")
