"""
Tests for L{arbstr.errors}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

import arbstr.keyring as module
from arbstr import errors
from arbstr.errors import ApiError
from arbstr.keyring import Keyring

#: What every error is told by: its status, type, code and param.
TABLE = (
    (errors.bad_request("no"), 400, "invalid_request_error", None, None),
    (
        errors.no_providers("m", []),
        400,
        "invalid_request_error",
        "model_not_found",
        "model",
    ),
    (
        errors.model_not_allowed("m", "p"),
        400,
        "invalid_request_error",
        "model_not_allowed",
        "model",
    ),
    (
        errors.no_policy_match("m", "a: no"),
        400,
        "invalid_request_error",
        "no_policy_match",
        None,
    ),
    (
        errors.max_cost_exceeded(1, 2),
        402,
        "invalid_request_error",
        "max_cost_exceeded",
        None,
    ),
    (errors.not_authenticated(), 401, "authentication_error", "invalid_api_key", None),
    (errors.not_permitted("no"), 403, "permission_error", None, None),
    (
        errors.no_such_model("m"),
        404,
        "invalid_request_error",
        "model_not_found",
        "model",
    ),
    (errors.no_such_route("GET", "/x"), 404, "invalid_request_error", None, None),
    (
        errors.method_not_allowed("GET", "/x", ["POST"]),
        405,
        "invalid_request_error",
        None,
        None,
    ),
    (errors.body_too_large(9), 413, "invalid_request_error", None, None),
    (errors.not_json(), 415, "invalid_request_error", None, "Content-Type"),
    (errors.over_limit("no", 1), 429, "rate_limit_error", None, None),
    (errors.server_error(), 500, "server_error", None, None),
    (errors.provider_error("no"), 502, "upstream_error", "provider_error", None),
    (errors.circuits_open("m", 1), 503, "upstream_error", "circuit_open", None),
    (errors.shutting_down(), 503, "server_error", "shutting_down", None),
    (errors.out_of_time("no"), 504, "upstream_error", "timeout", None),
)


class KindsTests(SynchronousTestCase):
    """
    What clients can tell errors by.
    """

    def test_table(self) -> None:
        """
        Each has the status, the type, the code and the param that are
        promised.
        """
        for error, *expected in TABLE:
            told = [error.status, error.type, error.code, error.param]
            self.assertEqual(told, expected, error.message)

    def test_left(self) -> None:
        """
        A client that has left is told nothing; the ledger gets nginx's number.
        """
        self.assertEqual(errors.client_left().status, 499)


class BodyTests(SynchronousTestCase):
    """
    What the body says.
    """

    def test_members(self) -> None:
        """
        OpenAI's four members, in an C{error}.
        """
        error = errors.bad_request("'n' is wrong", param="n", code="wrong")
        self.assertEqual(
            error.body(),
            {
                "error": {
                    "message": "'n' is wrong",
                    "type": "invalid_request_error",
                    "param": "n",
                    "code": "wrong",
                }
            },
        )

    def test_null(self) -> None:
        """
        All four are always there.
        """
        [inner] = errors.server_error().body().values()
        self.assertIsNone(inner["param"])
        self.assertIsNone(inner["code"])

    def test_string(self) -> None:
        """
        As a string, an error is its message.
        """
        self.assertEqual(str(ApiError("no")), "no")


class MessageTests(SynchronousTestCase):
    """
    Messages name the thing.
    """

    def test_no_models_at_all(self) -> None:
        """
        Where there are no models, none are named.
        """
        self.assertEqual(
            errors.no_providers("m", []).message,
            "No providers available for model 'm'",
        )

    def test_twenty_models(self) -> None:
        """
        Exactly twenty are all named.
        """
        models = [f"m{number}" for number in range(20)]
        self.assertEqual(
            errors.no_providers("x", models).message,
            f"No providers available for model 'x'. Available: {', '.join(models)}",
        )

    def test_circuits_open(self) -> None:
        """
        The model is named.
        """
        self.assertEqual(
            errors.circuits_open("gpt-4o", 3).message,
            "All providers have open circuits for model 'gpt-4o'",
        )

    def test_method(self) -> None:
        """
        What would have been allowed is told.
        """
        error = errors.method_not_allowed("PUT", "/health", ["GET", "HEAD"])
        self.assertEqual(
            error.message, "PUT is not allowed for /health, expected GET or HEAD"
        )

    def test_route(self) -> None:
        """
        What was asked for is told.
        """
        self.assertEqual(
            errors.no_such_route("GET", "/nope").message, "No such route: GET /nope"
        )

    def test_body_too_large(self) -> None:
        """
        The limit is told.
        """
        self.assertIn("1024 bytes", errors.body_too_large(1024).message)


class HeaderTests(SynchronousTestCase):
    """
    Some errors come with headers.
    """

    def test_authenticate(self) -> None:
        """
        A 401 tells how to authenticate.
        """
        headers = errors.not_authenticated().headers
        self.assertEqual(headers, {"WWW-Authenticate": "Bearer"})

    def test_allow(self) -> None:
        """
        A 405 tells what is allowed.
        """
        error = errors.method_not_allowed("PUT", "/health", ["GET", "HEAD"])
        self.assertEqual(error.headers, {"Allow": "GET, HEAD"})

    def test_shutting_down(self) -> None:
        """
        A daemon that stops does not keep connections.
        """
        self.assertEqual(errors.shutting_down().headers, {"Connection": "close"})

    def test_retry_after(self) -> None:
        """
        Errors that pass tell when.
        """
        self.assertEqual(errors.over_limit("no", 2.5).retry_after, 2.5)
        self.assertEqual(errors.circuits_open("m", 12).retry_after, 12)
        self.assertEqual(errors.shutting_down().retry_after, 1)

    def test_no_secret(self) -> None:
        """
        What the client is told holds none, wherever the error got it from.
        """
        keyring = Keyring()
        keyring.add(["no-usual-shape-4711"])
        self.patch(module, "KEYRING", keyring)
        text = "no-usual-shape-4711!"
        error = ApiError(text, param=text, code=text, raw=text.encode())
        self.assertEqual(
            error.body()["error"],
            {
                "message": "[redacted]!",
                "type": "server_error",
                "param": "[redacted]!",
                "code": "[redacted]!",
            },
        )
        self.assertEqual(error.raw_body(), b"[redacted]!")

    def test_not_shared(self) -> None:
        """
        Headers added to one error are not another's.
        """
        errors.server_error().headers["x-should-retry"] = "false"
        self.assertEqual(errors.server_error().headers, {})
