"""
Tests for L{arbstr.upstream.failures}.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, get_args

from twisted.trial.unittest import SynchronousTestCase

from arbstr.upstream.failures import (
    AttemptFailed,
    ErrorObject,
    Head,
    Kind,
    Reply,
    describe,
    read_error,
)
from arbstr.upstream.strict import parse

STATUSES = (400, 401, 402, 403, 404, 405, 408, 409, 413, 418, 422, 429, 451)

# Recorded from a Routstr node.
BAD_KEY = {
    "message": "Invalid API key format. Expected an 'sk-...' API key or a "
    "'cashu...' token.",
    "type": "invalid_request_error",
    "code": "invalid_api_key",
}
ROUTSTR: dict[str, tuple[dict[str, Any], ErrorObject]] = {
    "made by the proxy": (
        {
            "error": {
                "message": "Model 'zzz' not found",
                "type": "invalid_model",
                "code": 400,
            },
            "request_id": "a782c3e6-a3b3-4890-8f68-8cf0441d8b2d",
        },
        ErrorObject("Model 'zzz' not found", "invalid_model", "400"),
    ),
    "with details": (
        {
            "error": {
                "message": "Rate limit reached for gpt-4o.",
                "type": "requests",
                "code": "UPSTREAM_RATE_LIMIT",
                "details": {"code": "X", "message": "Y", "retry_after_seconds": 1.5},
            }
        },
        ErrorObject(
            "Rate limit reached for gpt-4o.", "requests", "UPSTREAM_RATE_LIMIT"
        ),
    ),
    "authentication": (
        {"detail": {"error": BAD_KEY}, "error": BAD_KEY, "request_id": "0e41cb95"},
        ErrorObject(**BAD_KEY),
    ),
    "authentication, in detail only": (
        {"detail": {"error": BAD_KEY}, "request_id": "0e41cb95"},
        ErrorObject(**BAD_KEY),
    ),
    "detail as text": (
        {"detail": "Unauthorized", "request_id": "e15bdbf7"},
        ErrorObject("Unauthorized"),
    ),
    "detail as an object": (
        {
            "detail": {
                "reason": "Payment too small",
                "amount_required_msat": 61,
                "model": "gpt-4o",
                "type": "minimum_balance_required",
            },
            "request_id": "0a1b",
        },
        ErrorObject("Payment too small", "minimum_balance_required"),
    ),
    "error as text": (
        {
            "detail": {"error": "max_tokens must be an integer"},
            "error": "max_tokens must be an integer",
            "request_id": "55168bc5",
        },
        ErrorObject("max_tokens must be an integer"),
    ),
    "without a message": (
        {"error": {"type": "invalid_request_error", "code": "invalid_json"}},
        ErrorObject(None, "invalid_request_error", "invalid_json"),
    ),
    "validation": (
        {"detail": [{"loc": ["body"], "msg": "field required"}]},
        ErrorObject(),
    ),
}


def reply(status: int, body: bytes) -> Reply:
    """
    A provider's answer.
    """
    return Reply(Head(status, "application/json"), body, parse(body))


def refused(status: int, body: object = None) -> AttemptFailed:
    """
    What a 4xx with this body amounts to.
    """
    written = json.dumps(body).encode()
    return AttemptFailed("4xx", "no", status=status, reply=reply(status, written))


class ConsequenceTests(SynchronousTestCase):
    """
    What follows from a failure depends on what it was.
    """

    def statuses(self, follows: Callable[[AttemptFailed], bool]) -> set[int]:
        """
        The statuses from which something follows.
        """
        return {status for status in STATUSES if follows(refused(status))}

    def kinds(self, follows: Callable[[AttemptFailed], bool]) -> set[str]:
        """
        The kinds of failures, but 4xx, from which something follows.
        """
        others = set(get_args(Kind)) - {"4xx"}
        return {kind for kind in others if follows(AttemptFailed(kind, "no"))}

    def test_clients(self) -> None:
        """
        Of the 4xx, those are the client's that are not about our key, our
        balance, the provider's load or its models.
        """
        self.assertEqual(
            self.statuses(lambda failure: failure.is_clients),
            {400, 405, 409, 413, 418, 422, 451},
        )

    def test_not_the_clients(self) -> None:
        """
        No other failure is the client's.
        """
        self.assertEqual(self.kinds(lambda failure: failure.is_clients), set())

    def test_unknown_model(self) -> None:
        """
        Servers that answer 400 for a model that they do not have say nothing
        about the request: the next may have it.
        """
        routstr, _ = ROUTSTR["made by the proxy"]
        openai = {"error": {"message": "no", "code": "model_not_found"}}
        for body in (routstr, openai):
            self.assertFalse(refused(400, body).is_clients, body)

    def test_unknown_model_with_another_status(self) -> None:
        """
        The words alone do not do it.
        """
        body = {"error": {"message": "no", "code": "model_not_found"}}
        self.assertTrue(refused(422, body).is_clients)

    def test_without_a_reply(self) -> None:
        """
        A 400 whose body could not be read is the client's.
        """
        self.assertTrue(AttemptFailed("4xx", "no", status=400).is_clients)

    def test_retryable(self) -> None:
        """
        The same provider may do better after a time-out, a refused connection,
        a 5xx, a 408 or a 429, but not where it talked nonsense.
        """
        self.assertEqual(
            self.statuses(lambda failure: failure.is_retryable), {408, 429}
        )
        self.assertEqual(
            self.kinds(lambda failure: failure.is_retryable),
            {"connect", "timeout", "5xx"},
        )

    def test_passes_on(self) -> None:
        """
        The client sees a provider's 4xx, except those about our account there.
        """
        self.assertEqual(
            self.statuses(lambda failure: failure.passes_on),
            set(STATUSES) - {401, 402, 403},
        )
        self.assertEqual(self.kinds(lambda failure: failure.passes_on), set())

    def test_told(self) -> None:
        """
        As a string, it is its message.
        """
        self.assertEqual(str(AttemptFailed("connect", "refused")), "refused")


class ReadErrorTests(SynchronousTestCase):
    """
    L{read_error} finds the error in the shapes that are in use.
    """

    def test_routstr(self) -> None:
        """
        Those of Routstr nodes.
        """
        for shape, (body, expected) in ROUTSTR.items():
            self.assertEqual(read_error(body), expected, shape)

    def test_openai(self) -> None:
        """
        OpenAI's.
        """
        error = {"message": "bad", "type": "t", "param": "messages", "code": None}
        self.assertEqual(read_error({"error": error}), ErrorObject("bad", "t"))

    def test_flat(self) -> None:
        """
        An object that is the error itself, as older servers have it.
        """
        body = {"object": "error", "message": "bad", "type": "t", "code": 40303}
        self.assertEqual(read_error(body), ErrorObject("bad", "t", "40303"))

    def test_odd_members(self) -> None:
        """
        Members that are no text are not told.
        """
        error = {"message": {"a": 1}, "type": ["x"], "code": {}}
        self.assertEqual(read_error({"error": error}), ErrorObject())

    def test_nothing(self) -> None:
        """
        There may be none to be found.
        """
        bodies: tuple[object, ...] = (
            None,
            [],
            "text",
            7,
            {},
            {"error": True},
            {"error": [1]},
        )
        for body in bodies:
            self.assertEqual(read_error(body), ErrorObject(), body)


class DescribeTests(SynchronousTestCase):
    """
    L{describe} tells a failed response in a line.
    """

    def test_message(self) -> None:
        """
        The status, and what the provider said.
        """
        body = json.dumps(ROUTSTR["made by the proxy"][0]).encode()
        self.assertEqual(
            describe(400, reply(400, body)), "HTTP 400: Model 'zzz' not found"
        )

    def test_text(self) -> None:
        """
        What is not an error object is shown as it is, in one line.
        """
        self.assertEqual(
            describe(502, reply(502, b"<html>\nBad Gateway\xff")),
            "HTTP 502: <html>\\nBad Gateway\N{REPLACEMENT CHARACTER}",
        )

    def test_without_a_message(self) -> None:
        """
        So is an error object that has none.
        """
        body = b'{"error":{"code":"invalid_json"}}'
        self.assertEqual(describe(400, reply(400, body)), f"HTTP 400: {body.decode()}")

    def test_status_alone(self) -> None:
        """
        Where there was no body, the status has to do.
        """
        self.assertEqual(describe(500, None), "HTTP 500")
        self.assertEqual(describe(500, reply(500, b"")), "HTTP 500")

    def test_redacted(self) -> None:
        """
        Keys that providers quote back are removed.
        """
        key = "sk-abcdefgh12345678ijklmnop"
        body = json.dumps({"error": f"Incorrect API key provided: {key}"}).encode()
        told = describe(401, reply(401, body))
        self.assertNotIn(key, told)
        self.assertIn("[redacted]", told)

    def test_bounded(self) -> None:
        """
        A long one is cut at 2 KiB.
        """
        told = describe(500, reply(500, b"word " * 10_000))
        self.assertLessEqual(len(told.encode()), len("HTTP 500: ") + 2048)
