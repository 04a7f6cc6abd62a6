"""
Every error that a client can be told, as it arrives.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import implementer

from arbstr.logs import format_json
from arbstr.routing.router import Router
from arbstr.web.status import Status

from .harness import (
    MODEL,
    Answer,
    StoppedClockTestCase,
    chat,
    coroutine,
)
from .providers import (
    Script,
    answers,
    fails,
    http,
    is_silent,
)
from .telling import PATH, ErrorTestCase


class RoutingErrorTests(ErrorTestCase):
    """
    Requests that nobody may serve.
    """

    @coroutine
    async def test_unknown_model(self) -> None:
        self.provider("alpha")
        models = [f"model-{number:02}" for number in range(25)]
        self.start({"alpha": {"models": models}})
        answer = await self.ask(chat(model="gpt-9"))
        known = ", ".join(models[:20])
        self.assert_error(
            answer,
            400,
            "invalid_request_error",
            "model_not_found",
            "model",
            f"No providers available for model 'gpt-9'. Available: {known} and 5 more",
        )

    @coroutine
    async def test_model_not_allowed(self) -> None:
        rule = {"name": "cheap", "allowed_models": ["other"]}
        self.start_healthy(policies={"rules": [rule]})
        answer = await self.ask(headers={"X-Arbstr-Policy": "cheap"})
        self.assert_error(
            answer,
            400,
            "invalid_request_error",
            "model_not_allowed",
            "model",
            f"Policy 'cheap' does not allow model '{MODEL}'",
        )

    @coroutine
    async def test_no_policy_match(self) -> None:
        rule = {"name": "cheap", "max_sats_per_1m_output": 10}
        self.start_healthy(policies={"rules": [rule]})
        answer = await self.ask(headers={"X-Arbstr-Policy": "cheap"})
        self.assert_error(
            answer,
            400,
            "invalid_request_error",
            "no_policy_match",
            message="alpha: output rate of 1000 sats per 1M tokens is over the 10",
        )

    @coroutine
    async def test_unknown_policy(self) -> None:
        self.start_healthy()
        answer = await self.ask(headers={"X-Arbstr-Policy": "cheap"})
        self.assert_error(
            answer,
            400,
            "invalid_request_error",
            "policy_not_found",
            "X-Arbstr-Policy",
            "Unknown policy 'cheap'",
        )

    @coroutine
    async def test_policy_that_is_not_utf_8(self) -> None:
        self.start_healthy(policies={"rules": [{"name": "cheap"}]})
        body = json.dumps(chat()).encode()
        client = await self.exchange(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n",
            b"Content-Type: application/json\r\nConnection: close\r\n",
            b"X-Arbstr-Policy: ch\xe9ap\r\nContent-Length: %d\r\n\r\n" % len(body),
            body,
        )
        self.assertTrue(client.data.startswith(b"HTTP/1.1 400 Bad Request\r\n"))
        self.assertIn(b'"code":"policy_not_found"', client.data)

    @coroutine
    async def test_unknown_provider(self) -> None:
        self.start_healthy()
        answer = await self.ask(headers={"X-Arbstr-Provider": "delta"})
        self.assert_error(
            answer,
            400,
            "invalid_request_error",
            "provider_not_found",
            "X-Arbstr-Provider",
            "Unknown provider 'delta'",
        )

    @coroutine
    async def test_max_cost(self) -> None:
        self.start_healthy()
        answer = await self.ask(headers={"X-Arbstr-Max-Cost-Sats": "0.001"})
        self.assert_error(
            answer,
            402,
            "invalid_request_error",
            "max_cost_exceeded",
            message="over the limit of 0.001 sats",
        )
        self.assertEqual(self.providers["alpha"].requests, [])

    @coroutine
    async def test_max_cost_is_no_number(self) -> None:
        self.start_healthy()
        for value in ("cheap", "-1", "nan", "inf"):
            answer = await self.ask(headers={"X-Arbstr-Max-Cost-Sats": value})
            self.assert_error(
                answer,
                400,
                "invalid_request_error",
                param="X-Arbstr-Max-Cost-Sats",
                message=f"found '{value}'",
            )


class GuardTests(ErrorTestCase):
    """
    What never reaches a route.
    """

    def assert_unauthenticated(self, answer: Answer) -> None:
        self.assert_error(answer, 401, "authentication_error", "invalid_api_key")
        self.assertEqual(answer.header("WWW-Authenticate"), "Bearer")

    @coroutine
    async def test_token_missing(self) -> None:
        self.start_healthy(server={"auth_token": "secret-token"})
        self.assert_unauthenticated(await self.ask())
        self.assert_unauthenticated(await self.get("/v1/models"))
        self.assertEqual(self.providers["alpha"].requests, [])

    @coroutine
    async def test_token_wrong(self) -> None:
        self.start_healthy(server={"auth_token": "secret-token"})
        for wrong in ("Bearer secret-toke", "Bearer", "Basic secret-token", "\xe9"):
            self.assert_unauthenticated(
                await self.ask(headers={"Authorization": wrong})
            )

    @coroutine
    async def test_token_right(self) -> None:
        self.start_healthy(server={"auth_token": "secret-token"})
        for right in ("Bearer secret-token", "bearer  secret-token"):
            answer = await self.ask(headers={"Authorization": right})
            self.assertEqual(answer.status, 200)

    @coroutine
    async def test_healthz_needs_no_token(self) -> None:
        self.start_healthy(server={"auth_token": "secret-token"})
        answer = await self.get("/healthz")
        self.assertEqual((answer.status, answer.body), (200, b"ok"))

    @coroutine
    async def test_foreign_origin(self) -> None:
        self.start_healthy()
        for origin in ("http://evil.example", "null", "http://localhost.evil.example"):
            answer = await self.ask(headers={"Origin": origin})
            self.assert_error(answer, 403, "permission_error", message=origin)

    @coroutine
    async def test_own_origin(self) -> None:
        self.start_healthy()
        answer = await self.ask(headers={"Origin": "http://localhost:3000"})
        self.assertEqual(answer.status, 200)

    @coroutine
    async def test_foreign_host(self) -> None:
        self.start_healthy()
        answer = await self.get("/v1/models", Host="evil.example:8080")
        self.assert_error(answer, 403, "permission_error", message="evil.example")

    async def status_for_host(self, host: bytes) -> bytes:
        """
        How a request under this name is answered.
        """
        client = await self.exchange(
            b"GET /health HTTP/1.1\r\nConnection: close\r\nHost: " + host,
            b"\r\n\r\n",
        )
        self.assertIn(b"\r\nContent-Type: application/json\r\n", client.data)
        return client.data.partition(b"\r\n")[0]

    @coroutine
    async def test_host_that_is_no_name(self) -> None:
        self.start_healthy()
        for host in (b"loc\xe9alhost", b"localhost:x]", b"a..b"):
            status = await self.status_for_host(host)
            self.assertEqual(status, b"HTTP/1.1 403 Forbidden", host)
        # Nor may any header hold such a character.
        self.assertEqual(
            await self.status_for_host(b"\x7f"), b"HTTP/1.1 400 Bad Request"
        )

    @coroutine
    async def test_any_host(self) -> None:
        self.start_healthy(server={"allowed_hosts": ["*"]})
        for host in (b"arbstr.lan", b"loc\xe9alhost", b"a..b"):
            status = await self.status_for_host(host)
            self.assertEqual(status, b"HTTP/1.1 200 OK", host)

    @coroutine
    async def test_allowed_host(self) -> None:
        self.start_healthy(server={"allowed_hosts": ["arbstr.lan"]})
        answer = await self.get("/v1/models", Host="ARBSTR.lan:8080")
        self.assertEqual(answer.status, 200)

    @coroutine
    async def test_not_announced_as_json(self) -> None:
        self.start_healthy()
        body = json.dumps(chat()).encode()
        for kind in ("text/plain", "application/x-www-form-urlencoded"):
            answer = await self.request("POST", PATH, body, {"Content-Type": kind})
            self.assert_error(
                answer, 415, "invalid_request_error", param="Content-Type"
            )

    @coroutine
    async def test_not_announced_at_all(self) -> None:
        self.start_healthy()
        answer = await self.request("POST", PATH, json.dumps(chat()).encode())
        self.assert_error(answer, 415, "invalid_request_error", param="Content-Type")


class ProviderErrorTests(ErrorTestCase):
    """
    Failures of the last candidate.
    """

    async def told(self, script: Script, **sections: Any) -> Answer:
        """
        What the client is told if its only provider does this.
        """
        self.provider("alpha", script)
        self.start(**sections)
        return await self.ask()

    async def is_provider_error(self, script: Script, message: str) -> Answer:
        answer = await self.told(script)
        self.assert_error(
            answer, 502, "upstream_error", "provider_error", message=message
        )
        self.assertEqual(answer.header("x-should-retry"), "false")
        return answer

    @coroutine
    async def test_server_error(self) -> None:
        answer = await self.is_provider_error(fails(500), "alpha: HTTP 500: boom")
        self.assertEqual(answer.header("X-Arbstr-Retries"), "3/alpha")

    @coroutine
    async def test_our_key(self) -> None:
        await self.is_provider_error(fails(401, "who?"), "alpha: HTTP 401: who?")

    @coroutine
    async def test_our_balance(self) -> None:
        await self.is_provider_error(fails(402, "broke"), "alpha: HTTP 402: broke")

    @coroutine
    async def test_our_permissions(self) -> None:
        await self.is_provider_error(fails(403, "no"), "alpha: HTTP 403: no")

    @coroutine
    async def test_redirect(self) -> None:
        script = answers(302, {}, "Location: http://127.0.0.1:1/")
        await self.is_provider_error(script, "alpha: HTTP 302: redirects are not")

    @coroutine
    async def test_html(self) -> None:
        whole = http(200, b"<html>Welcome!</html>", "Content-Type: text/html")
        await self.is_provider_error(
            lambda connection, _: connection.write(whole), "not a JSON object"
        )

    @coroutine
    async def test_error_in_200(self) -> None:
        refusal = {"error": {"message": "overloaded", "code": 502}}
        await self.is_provider_error(
            answers(200, refusal), "alpha: HTTP 200 with an error: overloaded"
        )

    @coroutine
    async def test_story_of_all(self) -> None:
        """
        The message tells of every candidate.
        """
        self.provider("alpha", fails(500))
        self.provider("beta", fails(401, "who?"))
        self.start()
        answer = await self.ask()
        message = answer.error()["message"]
        self.assertIn("alpha: HTTP 500: boom", message)
        self.assertIn("beta: HTTP 401: who?", message)

    @coroutine
    async def test_keys_are_not_told(self) -> None:
        """
        Some providers quote the key that they refuse.
        """
        refusal = fails(401, "Incorrect API key provided: sk-alpha-key-0123456789")
        answer = await self.is_provider_error(refusal, "Incorrect API key provided")
        self.assertNotIn(b"0123456789", answer.body)
        (row,) = self.ledger.rows
        self.assertNotIn("0123456789", row.error_message or "")

    @coroutine
    async def test_long_messages_are_cut(self) -> None:
        answer = await self.is_provider_error(
            fails(500, "so sorry " * 1000), "so sorry"
        )
        self.assertLess(len(answer.body), 2048 + 256)

    @coroutine
    async def test_clients_own(self) -> None:
        """
        The provider's answer, to the byte, and no other is asked.
        """
        body = b'{ "error" : {"message":"no such role", "extra": 1.50} }'
        refusal = http(422, body, "Content-Type: application/json")
        self.provider("alpha", lambda connection, _: connection.write(refusal))
        beta = self.provider("beta")
        self.start()
        for stream in (False, True):
            answer = await self.ask(chat(stream=stream))
            self.assertEqual((answer.status, answer.body), (422, body))
            self.assertEqual(answer.header("X-Arbstr-Provider"), "alpha")
            self.assertIsNone(answer.header("x-should-retry"))
            self.assertIsNotNone(answer.header("X-Arbstr-Request-Id"))
        self.assertEqual(beta.requests, [])

    @coroutine
    async def test_clients_own_but_too_long(self) -> None:
        refusal = {"error": {"message": "x " * 40_000}}
        answer = await self.told(answers(400, refusal))
        self.assert_error(answer, 400, "invalid_request_error", message="HTTP 400")

    @coroutine
    async def test_clients_own_but_not_json(self) -> None:
        refusal = http(400, b"<h1>Bad Request</h1>", "Content-Type: text/html")
        answer = await self.told(lambda connection, _: connection.write(refusal))
        self.assert_error(
            answer, 400, "invalid_request_error", message="<h1>Bad Request</h1>"
        )

    @coroutine
    async def test_rate_limited_there(self) -> None:
        """
        The client gets it, and may believe when to come back.
        """
        limited = {"error": {"message": "slow down", "type": "x", "code": "y"}}
        answer = await self.told(answers(429, limited, "Retry-After: 7"))
        self.assertEqual((answer.status, answer.json()), (429, limited))
        self.assertEqual(answer.header("Retry-After"), "7")
        self.assertIsNone(answer.header("x-should-retry"))

    @coroutine
    async def test_model_unknown_there(self) -> None:
        """
        Nobody has it: that is what the client is told.
        """
        unknown = {"error": {"message": "no such model", "type": "invalid_model"}}
        answer = await self.told(answers(400, unknown))
        self.assertEqual((answer.status, answer.json()), (400, unknown))

    @coroutine
    async def test_circuit_open(self) -> None:
        self.start_healthy()
        self.trip("alpha")
        answer = await self.ask()
        self.assert_error(
            answer,
            503,
            "upstream_error",
            "circuit_open",
            message=f"All providers have open circuits for model '{MODEL}'",
        )

    @coroutine
    async def test_one_attempt_is_no_retry(self) -> None:
        """
        Then SDKs may do it.
        """
        answer = await self.told(fails(500), retry={"max_attempts": 1})
        self.assertEqual(answer.status, 502)
        self.assertIsNone(answer.header("x-should-retry"))


class TimeoutTests(ErrorTestCase, StoppedClockTestCase):
    """
    The time budget.
    """

    @coroutine
    async def test_budget_ran_out(self) -> None:
        alpha = self.provider("alpha", is_silent)
        self.start(retry={"total_seconds": 10})
        asking = self.ask()
        await alpha.asked()
        self.stopped.advance(10)
        answer = await asking
        self.assert_error(
            answer,
            504,
            "upstream_error",
            "timeout",
            message="alpha: no answer within 10 seconds",
        )
        self.assertEqual(answer.header("X-Arbstr-Retries"), "1/alpha")
        self.assertEqual(answer.header("x-should-retry"), "false")

    @coroutine
    async def test_budget_ran_out_in_a_body(self) -> None:
        half = http(200, b'{"choices": []}')[:-5]
        alpha = self.provider("alpha", lambda connection, _: connection.write(half))
        self.start(retry={"total_seconds": 10})
        asking = self.ask()
        await alpha.asked()
        await self.soon(lambda: len(self.stopped.getDelayedCalls()) >= 2)
        self.stopped.advance(10)
        answer = await asking
        self.assert_error(
            answer,
            504,
            "upstream_error",
            "timeout",
            message="alpha: the answer took too long",
        )

    @coroutine
    async def test_every_provider_timed_out(self) -> None:
        """
        There would be time left, but no attempts.
        """
        alpha = self.provider("alpha", is_silent)
        self.start(
            {"alpha": {"timeouts": {"first_byte": 2}}}, retry={"max_attempts": 1}
        )
        asking = self.ask()
        await alpha.asked()
        self.stopped.advance(2)
        answer = await asking
        self.assert_error(answer, 504, "upstream_error", "timeout")
        self.assertIsNone(answer.header("x-should-retry"))


class BugTests(ErrorTestCase):
    """
    A bug of our own says nothing to the client and everything to the log.
    """

    @contextmanager
    def logged(self) -> Iterator[list[Any]]:
        """
        The lines with a traceback that are logged meanwhile.
        """
        lines: list[Any] = []

        @implementer(ILogObserver)
        def observe(event: LogEvent) -> None:
            if "log_failure" in event:
                lines.append(json.loads(format_json(event) or "null"))

        globalLogPublisher.addObserver(observe)
        try:
            yield lines
        finally:
            globalLogPublisher.removeObserver(observe)

    async def is_hidden(self, ask: Callable[[], Any]) -> None:
        with self.logged() as lines:
            answer = await ask()
        self.assert_error(answer, 500, "server_error")
        self.assertNotIn(b"secret", answer.body)
        self.assertNotIn(b"ZeroDivision", answer.body)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        (line,) = lines
        self.assertEqual(line["request_id"], answer.header("X-Arbstr-Request-Id"))
        self.assertIn("ZeroDivisionError: secret", line["traceback"])
        self.assertIn("in broken", line["traceback"])

    def break_down(self, owner: type, name: str) -> None:
        def broken(*args: object) -> NoReturn:
            raise ZeroDivisionError("secret")

        self.start_healthy()
        self.patch(owner, name, broken)

    @coroutine
    async def test_in_a_request(self) -> None:
        self.break_down(Router, "plan")
        await self.is_hidden(self.ask)
        (row,) = self.ledger.rows
        self.assertEqual((row.success, row.error_status), (False, 500))

    @coroutine
    async def test_in_a_stream(self) -> None:
        self.break_down(Router, "plan")
        await self.is_hidden(lambda: self.ask(chat(stream=True)))

    @coroutine
    async def test_in_another_route(self) -> None:
        self.break_down(Status, "models")
        await self.is_hidden(lambda: self.get("/v1/models"))
