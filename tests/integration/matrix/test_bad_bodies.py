"""
Bodies that are no request.
"""

from __future__ import annotations

import json
from typing import Any

from ..harness import chat, coroutine
from ..telling import ErrorTestCase


class BadRequestTests(ErrorTestCase):
    """
    Requests that cannot be understood.
    """

    async def refused(
        self, body: bytes, message: str, param: str | None = None
    ) -> None:
        self.start_healthy()
        answer = await self.post(body)
        self.assert_error(
            answer, 400, "invalid_request_error", param=param, message=message
        )
        self.assertEqual(self.providers["alpha"].requests, [])

    async def refused_field(self, message: str, param: str, **fields: Any) -> None:
        request = {**chat(), **fields}
        given = {name: value for name, value in request.items() if value is not None}
        await self.refused(json.dumps(given).encode(), message, param)

    @coroutine
    async def test_empty(self) -> None:
        await self.refused(b"", "The body is not valid JSON")

    @coroutine
    async def test_not_json(self) -> None:
        await self.refused(b'{"model": gpt-4o}', "The body is not valid JSON")

    @coroutine
    async def test_not_an_object(self) -> None:
        await self.refused(b"[]", "expected a JSON object")

    @coroutine
    async def test_nan(self) -> None:
        body = json.dumps(chat(temperature=float("nan"))).encode()
        await self.refused(body, "NaN is not JSON")

    @coroutine
    async def test_not_utf_8(self) -> None:
        await self.refused(b'{"model": "\xff"}', "invalid byte at offset 11")

    @coroutine
    async def test_too_deep(self) -> None:
        deep = "[" * 64 + "]" * 64
        body = json.dumps(chat(metadata="DEEP")).replace('"DEEP"', deep)
        await self.refused(body.encode(), "nested deeper than 64 levels")

    @coroutine
    async def test_far_too_deep(self) -> None:
        await self.refused(b"[" * 100_000, "nested deeper than 64 levels")

    @coroutine
    async def test_model_missing(self) -> None:
        await self.refused_field("'model' is missing", "model", model=None)

    @coroutine
    async def test_model_of_wrong_type(self) -> None:
        await self.refused_field("found a number", "model", model=4)

    @coroutine
    async def test_model_twice(self) -> None:
        body = json.dumps(chat()).replace("{", '{"model": "other", ', 1)
        await self.refused(body.encode(), "'model' is given more than once", "model")

    @coroutine
    async def test_messages_missing(self) -> None:
        await self.refused_field("'messages' is missing", "messages", messages=None)

    @coroutine
    async def test_messages_of_wrong_type(self) -> None:
        await self.refused_field("found a string", "messages", messages="Hi")

    @coroutine
    async def test_message_of_wrong_type(self) -> None:
        await self.refused_field("found a string", "messages[0]", messages=["Hi"])

    @coroutine
    async def test_stream_of_wrong_type(self) -> None:
        await self.refused_field("expected a boolean", "stream", stream="yes")

    @coroutine
    async def test_limit_of_wrong_type(self) -> None:
        await self.refused_field("an integer", "max_tokens", max_tokens="5")

    @coroutine
    async def test_row(self) -> None:
        """
        They are in the log, too.
        """
        self.start_healthy()
        answer = await self.post(b"{}")
        (row,) = self.ledger.rows
        self.assertEqual(row.request_id, answer.header("X-Arbstr-Request-Id"))
        self.assertEqual((row.success, row.error_status), (False, 400))

    @coroutine
    async def test_huge_integer(self) -> None:
        """
        Python alone would take it for a bug of its own.
        """
        body = json.dumps(chat(seed="HUGE")).replace('"HUGE"', "9" * 5000)
        await self.refused(body.encode(), "The body is not valid JSON")

    @coroutine
    async def test_negative_limit(self) -> None:
        """
        That is not less than nothing.
        """
        await self.refused_field("at least 1", "max_tokens", max_tokens=-1)

    @coroutine
    async def test_fraction_of_an_answer(self) -> None:
        """
        Answers are whole.
        """
        await self.refused_field("an integer", "n", n=1.5)

    @coroutine
    async def test_too_many_answers(self) -> None:
        """
        Nobody could pay them.
        """
        await self.refused_field("at most 65536", "n", n=10**9)

    @coroutine
    async def test_options_of_wrong_type(self) -> None:
        """
        They are an object.
        """
        await self.refused_field(
            "an object", "stream_options", stream=True, stream_options="usage"
        )

    @coroutine
    async def test_infinity(self) -> None:
        """
        No more than NaN.
        """
        body = json.dumps(chat(temperature=float("inf"))).encode()
        await self.refused(body, "Infinity is not JSON")

    @coroutine
    async def test_something_after_it(self) -> None:
        """
        One object is a request.
        """
        await self.refused(json.dumps(chat()).encode() * 2, "not valid JSON")


class ForwardedTests(ErrorTestCase):
    """
    What is none of our business reaches the provider as it came.
    """

    async def passes(self, body: bytes) -> None:
        self.start_healthy()
        self.assertEqual((await self.post(body)).status, 200)
        (received,) = self.providers["alpha"].requests
        self.assertEqual(received.body, body)

    @coroutine
    async def test_unknown_fields(self) -> None:
        """
        With numbers that Python would write in another way.
        """
        more = b'{"x": 1.50, "y": {"z": [1E400, 12345678901234567890]}, '
        await self.passes(json.dumps(chat()).encode().replace(b"{", more, 1))

    @coroutine
    async def test_duplicate_keys(self) -> None:
        """
        Whichever of them the provider will believe.
        """
        twice = b'{"seed": 1, "seed": 2, '
        await self.passes(json.dumps(chat()).encode().replace(b"{", twice, 1))

    @coroutine
    async def test_deep_but_not_too_deep(self) -> None:
        """
        64 levels in all.
        """
        deep = b'{"x": %b%b, ' % (b"[" * 63, b"]" * 63)
        await self.passes(json.dumps(chat()).encode().replace(b"{", deep, 1))

    @coroutine
    async def test_huge_limit(self) -> None:
        """
        Providers know theirs.
        """
        await self.passes(json.dumps(chat(max_tokens=10**30)).encode())
