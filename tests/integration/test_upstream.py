"""
Providers that misbehave below the level of JSON, and what is left of it after.
"""

from __future__ import annotations

import gzip
import json
from typing import Any

from .harness import (
    MODEL,
    Answer,
    DaemonTestCase,
    StoppedClockTestCase,
    chat,
    coroutine,
)
from .providers import (
    DONE,
    FIRST,
    STREAM_HEAD,
    WHOLE,
    Connection,
    FakeProvider,
    Received,
    Script,
    answers,
    chunk,
    completion,
    delta,
    fails,
    http,
    is_silent,
    serves,
    streams,
)

JSON = "Content-Type: application/json"
WHOLE_ANSWER = http(200, json.dumps(completion()).encode(), JSON)

CHUNKED = STREAM_HEAD.replace(b"text/event-stream", b"application/json")


def writes(data: bytes, close: bool = False) -> Script:
    """
    Answers every request with these very bytes.

    @param close: and closes the connection then.
    """

    def script(connection: Connection, request: Received) -> None:
        connection.write(data)
        if close:
            connection.close()

    return script


def resets(connection: Connection, request: Received) -> None:
    """
    Answers no request, with a TCP reset.
    """
    connection.reset()


class FaultTestCase(DaemonTestCase):
    """
    One provider that misbehaves once.
    """

    def start_faulty(self, script: Script, **settings: Any) -> FakeProvider:
        alpha = self.provider("alpha", script)
        self.start({"alpha": settings}, retry={"max_attempts": 1})
        return alpha

    def outcome(self) -> str:
        """
        What the only attempt of the last request came to.
        """
        (attempt,) = self.ledger.rows[-1].attempts
        return attempt.outcome

    async def assert_recovers(self) -> None:
        """
        Nothing is left of the failure: no request, no connection, and the
        next request is served.
        """
        alpha = self.providers["alpha"]
        await self.soon(lambda: len(self.daemon.in_flight) == 0)
        await self.soon(lambda: not alpha.connections)
        alpha.script = serves
        answer = await self.ask()
        self.assertEqual((answer.status, answer.json()), (200, completion()))

    async def assert_fails(
        self, script: Script, outcome: str, message: str, stream: bool = False
    ) -> Answer:
        """
        Such an answer is a failure of the provider's, of this kind.
        """
        self.start_faulty(script)
        answer = await self.ask(chat(stream=stream))
        self.assertEqual(answer.status, 502, answer.body)
        self.assertEqual(answer.error()["code"], "provider_error")
        self.assertIn(message, answer.error()["message"])
        self.assertEqual(self.outcome(), outcome)
        self.assertEqual(self.daemon.circuits.failure_count("alpha"), 1)
        await self.assert_recovers()
        return answer


class ConnectTests(FaultTestCase):
    """
    Faults before there is an answer.
    """

    @coroutine
    async def test_refused(self) -> None:
        alpha = self.provider("alpha")
        self.start(retry={"max_attempts": 1})
        await alpha.stop()
        answer = await self.ask()
        self.assertEqual(answer.status, 502)
        self.assertIn("refused", answer.error()["message"])
        self.assertEqual(self.outcome(), "connect")
        self.assertEqual(self.daemon.circuits.failure_count("alpha"), 1)

    @coroutine
    async def test_refused_goes_on_to_the_next(self) -> None:
        alpha = self.provider("alpha")
        self.provider("beta")
        self.start()
        await alpha.stop()
        answer = await self.ask()
        self.assertEqual(answer.header("X-Arbstr-Provider"), "beta")
        self.assertEqual(answer.header("X-Arbstr-Retries"), "1/alpha")

    @coroutine
    async def test_reset(self) -> None:
        await self.assert_fails(resets, "connect", "alpha: ")

    @coroutine
    async def test_closed_without_an_answer(self) -> None:
        await self.assert_fails(writes(b"", close=True), "connect", "alpha: ")

    @coroutine
    async def test_closed_within_the_head(self) -> None:
        script = writes(b"HTTP/1.1 200 OK\r\nContent-", close=True)
        await self.assert_fails(script, "connect", "alpha: ")


class FirstByteTests(FaultTestCase, StoppedClockTestCase):
    """
    Providers that take a request and leave it at that.
    """

    async def times_out(self, script: Script, stream: bool) -> None:
        alpha = self.start_faulty(script, timeouts={"first_byte": 3})
        asking = self.ask(chat(stream=stream))
        await alpha.asked()
        self.stopped.advance(2.9)
        self.assertFalse(asking.called)
        self.stopped.advance(0.1)
        answer = await asking
        self.assertEqual(answer.status, 504)
        self.assertIn("no answer within 3 seconds", answer.error()["message"])
        self.assertEqual(self.outcome(), "timeout")
        self.assertEqual(self.daemon.circuits.failure_count("alpha"), 1)
        await self.assert_recovers()

    @coroutine
    async def test_silence(self) -> None:
        await self.times_out(is_silent, stream=False)

    @coroutine
    async def test_silence_instead_of_a_stream(self) -> None:
        await self.times_out(is_silent, stream=True)

    @coroutine
    async def test_half_a_head(self) -> None:
        """
        What drips is not an answer yet.
        """
        half = writes(b"HTTP/1.1 200 OK\r\nContent-Type: appl")
        await self.times_out(half, stream=False)

    @coroutine
    async def test_another_protocol(self) -> None:
        """
        An upgrade that nobody asked for is no answer either.
        """
        upgrade = writes(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        await self.times_out(upgrade, stream=False)

    @coroutine
    async def test_body_that_stalls(self) -> None:
        alpha = self.start_faulty(
            writes(WHOLE_ANSWER[:-20]), timeouts={"idle": 7, "first_byte": 3}
        )
        asking = self.ask()
        await alpha.asked()
        await self.soon(lambda: len(self.stopped.getDelayedCalls()) >= 2)
        self.stopped.advance(7)
        answer = await asking
        self.assertEqual(answer.status, 504)
        self.assertIn("nothing came for 7 seconds", answer.error()["message"])
        self.assertEqual(self.outcome(), "timeout")
        await self.assert_recovers()


class ProtocolTests(FaultTestCase):
    """
    Answers that are not HTTP, or not as they should be.
    """

    @coroutine
    async def test_garbage(self) -> None:
        script = writes(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
        await self.assert_fails(script, "protocol", "malformed response")

    @coroutine
    async def test_garbage_instead_of_a_stream(self) -> None:
        script = writes(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
        await self.assert_fails(script, "protocol", "malformed response", stream=True)

    @coroutine
    async def test_absurd_status(self) -> None:
        self.start_faulty(is_silent)
        for status, told in (
            (-20, "malformed response"),
            (0, "malformed response"),
            (600, "HTTP 600"),
            (999, "HTTP 999"),
        ):
            self.providers["alpha"].script = answers(status, completion())
            answer = await self.ask()
            self.assertEqual(answer.status, 502)
            self.assertIn(f"alpha: {told}", answer.error()["message"])
            self.daemon.circuits.record_success("alpha")

    @coroutine
    async def test_informational_answers_are_skipped(self) -> None:
        early = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        self.start_faulty(writes(early * 3 + WHOLE_ANSWER))
        answer = await self.ask()
        self.assertEqual((answer.status, answer.json()), (200, completion()))

    @coroutine
    async def test_body_cut_short(self) -> None:
        script = writes(WHOLE_ANSWER[:-20], close=True)
        await self.assert_fails(script, "connect", "the connection was lost midway")

    @coroutine
    async def test_chunked_body_cut_short(self) -> None:
        body = json.dumps(completion()).encode()
        script = writes(CHUNKED + chunk(body), close=True)
        await self.assert_fails(script, "connect", "the connection was lost midway")

    @coroutine
    async def test_malformed_chunk(self) -> None:
        script = writes(CHUNKED + b"xyz\r\n{}\r\n0\r\n\r\n")
        await self.assert_fails(script, "protocol", "malformed response")

    @coroutine
    async def test_negative_chunk(self) -> None:
        script = writes(CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n")
        await self.assert_fails(script, "protocol", "malformed response")

    @coroutine
    async def test_body_shorter_than_json(self) -> None:
        """
        A content length that cuts the JSON off.
        """
        whole = http(200, json.dumps(completion()).encode()[:-2], JSON)
        await self.assert_fails(writes(whole, True), "protocol", "not a JSON object")

    @coroutine
    async def test_bytes_right_after_the_answer(self) -> None:
        """
        They belong to nobody: least of all to the next request.
        """
        smuggled = http(200, b'{"smuggled": true}', JSON)
        self.start_faulty(writes(WHOLE_ANSWER + smuggled))
        for _ in range(2):
            self.assertEqual((await self.ask()).json(), completion())

    @coroutine
    async def test_bytes_while_idle(self) -> None:
        """
        Such a connection is not used again.
        """
        alpha = self.start_faulty(serves)
        await self.ask()
        alpha.connections[0].write(http(200, b'{"smuggled": true}', JSON))
        await self.assert_recovers()
        self.assertEqual(alpha.connected, 2)

    @coroutine
    async def test_two_content_lengths(self) -> None:
        script = writes(
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}    "
        )
        await self.assert_fails(script, "protocol", "alpha: ")

    @coroutine
    async def test_endless_header(self) -> None:
        script = writes(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n")
        await self.assert_fails(script, "protocol", "malformed response")

    @coroutine
    async def test_gzip_that_nobody_asked_for(self) -> None:
        """
        It is not inflated, however small it looks.
        """
        body = gzip.compress(json.dumps(completion()).encode())
        script = writes(http(200, body, JSON, "Content-Encoding: gzip"))
        await self.assert_fails(script, "protocol", "Content-Encoding: gzip")

    @coroutine
    async def test_gzip_stream(self) -> None:
        head = STREAM_HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: br\r\n\r\n")
        script = writes(head + chunk(gzip.compress(DONE)))
        await self.assert_fails(script, "protocol", "Content-Encoding: br", stream=True)

    @coroutine
    async def test_identity_by_name(self) -> None:
        self.start_faulty(answers(200, completion(), "Content-Encoding: identity"))
        self.assertEqual((await self.ask()).json(), completion())

    @coroutine
    async def test_empty_body(self) -> None:
        await self.assert_fails(
            writes(http(200, b"", JSON), True), "protocol", "not a JSON object"
        )

    @coroutine
    async def test_body_far_too_long(self) -> None:
        """
        It is not kept: the connection is cut.
        """
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n"
        script = writes(head + b" " * 34_000_000)
        await self.assert_fails(script, "protocol", "over 33554432 bytes")


class RedirectTests(FaultTestCase):
    """
    A redirect would carry our key to another host.
    """

    @coroutine
    async def test_not_followed(self) -> None:
        target = self.provider("beta")
        location = f"Location: {target.url}/chat/completions"
        self.provider("alpha")
        self.start(retry={"max_attempts": 1})
        for status in (301, 302, 303, 307, 308):
            self.providers["alpha"].script = answers(status, {}, location)
            answer = await self.ask(headers={"X-Arbstr-Provider": "alpha"})
            self.assertEqual(answer.status, 502)
            self.assertIn(f"HTTP {status}", answer.error()["message"])
            self.assertIsNone(answer.header("Location"))
            self.daemon.circuits.record_success("alpha")
        self.assertEqual((target.requests, target.connected), ([], 0))

    @coroutine
    async def test_is_a_failure(self) -> None:
        script = answers(302, {}, "Location: http://127.0.0.1:1/")
        await self.assert_fails(script, "protocol", "redirects are not followed")


class TranslationTests(DaemonTestCase):
    """
    What differs from provider to provider.
    """

    async def sent(self, settings: dict[str, Any], **fields: Any) -> Any:
        """
        What a provider of these settings gets to see.
        """
        alpha = self.provider("alpha")
        self.start({"alpha": settings})
        answer = await self.ask(chat(**fields))
        self.assertEqual(answer.status, 200)
        (received,) = alpha.requests
        return received.json()

    @coroutine
    async def test_alias(self) -> None:
        """
        The provider's own id for the model is sent to it.
        """
        model = {"name": MODEL, "upstream": "openai/gpt-4o-2024"}
        sent = await self.sent({"models": [model]})
        self.assertEqual(sent, {**chat(), "model": "openai/gpt-4o-2024"})

    @coroutine
    async def test_each_its_own_alias(self) -> None:
        alpha, beta = self.provider("alpha", fails(500)), self.provider("beta")
        self.start(
            {"alpha": {"models": [{"name": MODEL, "upstream": "openai/gpt-4o"}]}}
        )
        await self.ask()
        models = [each.requests[0].json()["model"] for each in (alpha, beta)]
        self.assertEqual(models, ["openai/gpt-4o", MODEL])

    @coroutine
    async def test_bytes_as_they_came(self) -> None:
        """
        Where nothing has to be changed.
        """
        alpha = self.provider("alpha")
        self.start()
        body = (
            '{ "messages":[{"role":"user","content":"H\\u00e9 ü"}],\n'
            f'"seed": 12345678901234567890, "top_p": 1.50, "model":"{MODEL}" }}'
        ).encode()
        kind = {"Content-Type": "application/json"}
        answer = await self.request("POST", "/v1/chat/completions", body, kind)
        self.assertEqual(answer.status, 200)
        self.assertEqual(alpha.requests[0].body, body)

    @coroutine
    async def test_cap_for_routstr(self) -> None:
        """
        Its nodes reserve the whole context unless C{max_tokens} says less.
        """
        sent = await self.sent({"kind": "routstr"}, max_completion_tokens=5)
        self.assertEqual(sent, chat(max_tokens=5))

    @coroutine
    async def test_null_cap_for_routstr(self) -> None:
        """
        Its nodes refuse that.
        """
        sent = await self.sent({"kind": "routstr"}, max_tokens=None)
        self.assertEqual(sent, chat())

    @coroutine
    async def test_cap_for_others(self) -> None:
        sent = await self.sent({}, max_completion_tokens=5, max_tokens=None)
        self.assertEqual(sent, chat(max_completion_tokens=5, max_tokens=None))

    @coroutine
    async def test_base_url_with_a_path(self) -> None:
        alpha = self.provider("alpha")
        self.start({"alpha": {"url": alpha.url.replace("/v1", "/proxy/openai/")}})
        await self.ask()
        self.assertEqual(
            alpha.requests[0].line, "POST /proxy/openai/chat/completions HTTP/1.1"
        )


class ReuseTests(DaemonTestCase):
    """
    Connections to providers are used again where that is safe.
    """

    async def ask_twice(self, script: Script, stream: bool) -> FakeProvider:
        alpha = self.provider("alpha", script)
        self.start()
        for _ in range(2):
            answer = await self.ask(chat(stream=stream))
            self.assertEqual(answer.status, 200)
        return alpha

    @coroutine
    async def test_buffered(self) -> None:
        alpha = await self.ask_twice(serves, stream=False)
        self.assertEqual((alpha.connected, len(alpha.connections)), (1, 1))

    @coroutine
    async def test_streams(self) -> None:
        alpha = await self.ask_twice(serves, stream=True)
        self.assertEqual((alpha.connected, len(alpha.connections)), (1, 1))

    @coroutine
    async def test_after_bytes_that_follow_done(self) -> None:
        """
        Those are read and forgotten.
        """
        alpha = await self.ask_twice(
            streams(*WHOLE, b": bye\n\n", delta("more")), stream=True
        )
        self.assertEqual(alpha.connected, 1)

    @coroutine
    async def test_after_refusals(self) -> None:
        alpha = self.provider("alpha", fails(422))
        self.start()
        await self.ask()
        await self.ask()
        self.assertEqual(alpha.connected, 1)

    @coroutine
    async def test_not_if_the_provider_says_so(self) -> None:
        script = answers(200, completion(), "Connection: close")
        alpha = await self.ask_twice(script, stream=False)
        self.assertEqual(alpha.connected, 2)

    @coroutine
    async def test_not_after_a_stream_that_broke_off(self) -> None:
        """
        The provider might go on sending it.
        """
        error = b'data: {"error": {"message": "x"}}\n\n'
        begun = STREAM_HEAD + chunk(FIRST) + chunk(delta("x")) + chunk(error)
        alpha = await self.ask_twice(writes(begun), stream=True)
        await self.soon(lambda: not alpha.connections)
        self.assertEqual(alpha.connected, 2)

    @coroutine
    async def test_stale(self) -> None:
        """
        The provider has closed a connection that was kept.
        """
        alpha = self.provider("alpha")
        self.start(retry={"max_attempts": 1})
        await self.ask()
        (connection,) = alpha.connections
        connection.close()
        await connection.lost
        self.assertEqual((await self.ask()).status, 200)

    @coroutine
    async def test_many_at_once(self) -> None:
        alpha = self.provider("alpha", is_silent)
        self.start()
        asking = [self.ask() for _ in range(5)]
        await alpha.asked(5)
        self.assertEqual(alpha.connected, 5)
        for connection in list(alpha.connections):
            connection.write(WHOLE_ANSWER)
        statuses = [(await each).status for each in asking]
        self.assertEqual(statuses, [200] * 5)
