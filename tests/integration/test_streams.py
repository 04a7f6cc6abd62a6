"""
Streamed answers: what of a provider's stream a client gets, and when.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred

from tests.upstream.test_stream import CORPORA, ROUTSTR_STOP

from .harness import (
    Answer,
    Begun,
    DaemonTestCase,
    StoppedClockTestCase,
    chat,
    coroutine,
)
from .providers import (
    DONE,
    FIRST,
    LAST,
    STREAM_HEAD,
    USAGE,
    WHOLE,
    FakeProvider,
    Script,
    answers,
    chunk,
    completion,
    delta,
    event,
    http,
    streams,
)

HEL = delta("Hel")
STOP = delta(finish="stop")
ERROR = event({"error": {"message": "provider died", "code": 502}})
FACTS = b": arbstr "


def usage_wanted(**fields: Any) -> dict[str, Any]:
    """
    A request for a stream with usage.
    """
    return chat(stream=True, stream_options={"include_usage": True}, **fields)


def begins(*events: bytes) -> Script:
    """
    Begins a stream; the rest is up to the test.
    """
    begun = STREAM_HEAD + b"".join(map(chunk, events))
    return lambda connection, _: connection.write(begun)


class StreamTestCase(DaemonTestCase):
    """
    Looks at streams.
    """

    def facts(self, answer: Answer) -> tuple[bytes, dict[str, Any]]:
        """
        A complete answer: what was relayed, and our own facts after it.
        """
        relayed, found, end = answer.body.partition(FACTS)
        self.assertTrue(found, answer.body)
        facts, _, done = end.partition(b"\n\n")
        self.assertEqual(done, DONE)
        self.assertTrue(answer.whole)
        return relayed, json.loads(facts)

    def failure(self, answer: Answer) -> tuple[bytes, dict[str, Any]]:
        """
        An answer that broke off: what was relayed, and the error after it.
        """
        self.assertEqual(answer.status, 200)
        self.assertFalse(answer.whole)
        self.assertNotIn(b"[DONE]", answer.body)
        relayed, found, end = answer.body.rpartition(b'data: {"error":')
        self.assertTrue(found, answer.body)
        self.assertTrue(end.endswith(b"}\n\n"), end)
        error: dict[str, Any] = json.loads(end[:-3])
        self.assertEqual(error["type"], "upstream_error")
        return relayed, error

    async def streamed(
        self, script: Script, body: dict[str, Any] | None = None
    ) -> Answer:
        """
        What a client gets from a provider that does this.
        """
        self.provider("alpha", script)
        self.start(retry={"max_attempts": 1})
        return await self.ask(body or chat(stream=True))

    async def relayed(self, *events: bytes) -> bytes:
        """
        What a client gets of a stream that turns out to be complete.
        """
        return self.facts(await self.streamed(streams(*events)))[0]

    async def broken(self, *events: bytes) -> tuple[bytes, str]:
        """
        What a client gets of a stream that does not, and the error's message.
        """
        answer = await self.streamed(streams(*events))
        relayed, error = self.failure(answer)
        (row,) = self.ledger.rows
        self.assertEqual((row.success, row.error_status), (False, 502))
        return relayed, error["message"]


class UsageTests(StreamTestCase):
    """
    Usage is always asked of the provider, and shown to those who want it.
    """

    async def options(self, body: dict[str, Any]) -> Any:
        """
        The C{stream_options} that reach the provider.
        """
        await self.streamed(streams(*WHOLE), body)
        (received,) = self.providers["alpha"].requests
        return received.json()["stream_options"]

    @coroutine
    async def test_always_asked_for(self) -> None:
        self.assertEqual(await self.options(chat(stream=True)), {"include_usage": True})

    @coroutine
    async def test_asked_for_against_the_clients_will(self) -> None:
        options = {"include_usage": False, "include_obfuscation": False}
        self.assertEqual(
            await self.options(chat(stream=True, stream_options=options)),
            {"include_usage": True, "include_obfuscation": False},
        )

    @coroutine
    async def test_not_asked_for_without_stream(self) -> None:
        """
        OpenAI refuses the option then.
        """
        self.provider("alpha")
        self.start()
        await self.ask()
        (received,) = self.providers["alpha"].requests
        self.assertNotIn("stream_options", received.json())

    @coroutine
    async def test_left_out(self) -> None:
        """
        Naive clients look at C{choices[0]} of every chunk.
        """
        relayed = await self.relayed(FIRST, HEL, STOP, LAST, DONE)
        self.assertEqual(relayed, FIRST + HEL + STOP)

    @coroutine
    async def test_kept_with_facts(self) -> None:
        answer = await self.streamed(
            streams(FIRST, HEL, STOP, LAST, DONE), usage_wanted()
        )
        relayed, facts = self.facts(answer)
        self.assertTrue(relayed.startswith(FIRST + HEL + STOP))
        data = relayed.removeprefix(FIRST + HEL + STOP).removeprefix(b"data: ")
        last = json.loads(data)
        # A moment may have passed between the two.
        self.assertLessEqual(last["arbstr"].pop("latency_ms"), facts.pop("latency_ms"))
        self.assertEqual(last, {"choices": [], "usage": USAGE, "arbstr": facts})

    @coroutine
    async def test_on_a_chunk_with_content(self) -> None:
        """
        Some providers put it there: it stays where it is.
        """
        last = json.loads(STOP.removeprefix(b"data: "))
        finish = event({**last, "usage": USAGE})
        self.assertEqual(await self.relayed(FIRST, finish, DONE), FIRST + finish)
        self.assertEqual(self.ledger.rows[0].output_tokens, 20)

    @coroutine
    async def test_recorded(self) -> None:
        await self.relayed(*WHOLE)
        (row,) = self.ledger.rows
        self.assertTrue(row.success)
        self.assertTrue(row.streaming)
        self.assertEqual((row.input_tokens, row.output_tokens), (10, 20))
        self.assertFalse(row.tokens_estimated)
        self.assertEqual(float(row.cost_sats or 0), 0.03)
        self.assertEqual(row.upstream_request_id, "up-1")

    @coroutine
    async def test_estimated(self) -> None:
        """
        Where the provider reports none.
        """
        await self.relayed(FIRST, delta("x" * 400), STOP, DONE)
        (row,) = self.ledger.rows
        self.assertTrue(row.tokens_estimated)
        self.assertEqual(row.output_tokens, 100)


class FactsTests(StreamTestCase):
    """
    The comment before C{[DONE]}.
    """

    @coroutine
    async def test_facts(self) -> None:
        answer = await self.streamed(streams(*WHOLE))
        _, facts = self.facts(answer)
        self.assertGreaterEqual(facts.pop("latency_ms"), 0)
        self.assertEqual(
            facts,
            {
                "request_id": answer.header("X-Arbstr-Request-Id"),
                "provider": "alpha",
                "cost_sats": 0.03,
                "complexity_score": 1.0,
                "tier": "standard",
            },
        )

    @coroutine
    async def test_unknown_cost(self) -> None:
        _, facts = self.facts(await self.streamed(streams(FIRST, STOP, DONE)))
        self.assertIsNone(facts["cost_sats"])

    @coroutine
    async def test_of_the_provider_that_took_over(self) -> None:
        self.provider("alpha", streams(FIRST, ERROR))
        self.provider("beta")
        self.start()
        _, facts = self.facts(await self.ask(chat(stream=True)))
        self.assertEqual((facts["provider"], facts["cost_sats"]), ("beta", 0.06))


class RelayTests(StreamTestCase):
    """
    Bytes pass as they came, but for what clients stumble over.
    """

    async def passes(self, *events: bytes) -> None:
        """
        These events reach the client as they are.
        """
        relayed = await self.relayed(*events, DONE)
        self.assertEqual(relayed, b"".join(events))

    @coroutine
    async def test_at_once(self) -> None:
        alpha = self.provider("alpha", begins(FIRST, HEL))
        self.start()
        begun = await self.begin_stream()
        await self.soon(lambda: begun.body.data == FIRST + HEL)
        (connection,) = alpha.connections
        connection.write(chunk(STOP))
        await self.soon(lambda: begun.body.data == FIRST + HEL + STOP)
        connection.write(chunk(DONE) + chunk(b""))
        self.facts(await begun.ended())

    @coroutine
    async def test_unknown_fields_and_spacing(self) -> None:
        await self.passes(
            b'data:{"choices":[{"index":0, "delta":{"content":"H\\u00e9"},'
            b'"logprobs":{"content":[]},"x":1.50}]  ,"system_fingerprint":"fp"}\n\n',
            STOP,
        )

    @coroutine
    async def test_event_names(self) -> None:
        await self.passes(b"event: message\nretry: 10\n" + HEL, STOP)

    @coroutine
    async def test_data_in_several_lines(self) -> None:
        await self.passes(b'data: {"choices":\ndata:[{"delta":{"content":"x"}}]}\n\n')

    @coroutine
    async def test_comments(self) -> None:
        await self.passes(b": OPENROUTER PROCESSING\n\n", FIRST, b":\n\n", STOP)

    @coroutine
    async def test_tool_calls(self) -> None:
        call = {"index": 0, "function": {"arguments": '{"a":'}}
        choice = {"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}
        await self.passes(event({"choices": [choice]}), delta(finish="tool_calls"))

    @coroutine
    async def test_several_choices(self) -> None:
        def of_choice(index: int, finish: str | None) -> bytes:
            choice = {"index": index, "delta": {}, "finish_reason": finish}
            return event({"choices": [choice]})

        await self.passes(
            of_choice(1, "stop"), of_choice(0, None), of_choice(0, "stop")
        )

    @coroutine
    async def test_missing_blank_line_is_added(self) -> None:
        self.assertEqual(await self.relayed(FIRST, STOP[:-2]), FIRST + STOP)

    @coroutine
    async def test_done_without_blank_line(self) -> None:
        """
        Routstr nodes that are paid in ecash end like that.
        """
        self.assertEqual(
            await self.relayed(FIRST, STOP, b"data: [DONE]\n"), FIRST + STOP
        )

    @coroutine
    async def test_done_alone(self) -> None:
        self.assertEqual(await self.relayed(DONE), b"")


class NotAStreamTests(StreamTestCase):
    """
    An answer to C{stream: true} that is none is judged by its own type.
    """

    @coroutine
    async def test_json(self) -> None:
        answer = await self.streamed(answers(200, completion()))
        self.assertEqual((answer.status, answer.json()), (200, completion()))
        self.assertEqual(answer.header("Content-Type"), "application/json")
        self.assertIsNone(answer.header("X-Arbstr-Streaming"))
        self.assertEqual(answer.header("X-Arbstr-Cost-Sats"), "0.03")
        self.assertTrue(self.ledger.rows[0].success)

    @coroutine
    async def test_error_in_json(self) -> None:
        answer = await self.streamed(answers(200, {"error": {"message": "sorry"}}))
        self.assertEqual(answer.status, 502)
        self.assertIn("sorry", answer.error()["message"])

    @coroutine
    async def test_something_else(self) -> None:
        whole = http(200, b"".join(WHOLE), "Content-Type: text/plain")
        answer = await self.streamed(lambda connection, _: connection.write(whole))
        self.assertEqual(answer.status, 502)
        self.assertEqual(answer.error()["code"], "provider_error")

    @coroutine
    async def test_parameters_of_the_type(self) -> None:
        head = STREAM_HEAD.replace(
            b"text/event-stream", b"Text/Event-Stream; charset=utf-8"
        )
        whole = head + b"".join(map(chunk, (*WHOLE, b"")))
        answer = await self.streamed(lambda connection, _: connection.write(whole))
        self.facts(answer)
        self.assertEqual(
            answer.header("Content-Type"), "Text/Event-Stream; charset=utf-8"
        )


class BrokenTests(StreamTestCase):
    """
    A truncated answer never looks complete.
    """

    @coroutine
    async def test_error(self) -> None:
        """
        It is told in our own words, and nothing that follows it is relayed.
        """
        relayed, message = await self.broken(FIRST, HEL, ERROR, STOP, LAST, DONE)
        self.assertEqual(relayed, FIRST + HEL)
        self.assertIn("alpha: provider died", message)

    @coroutine
    async def test_finish_reason_error(self) -> None:
        choice = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
        error = {"code": 502, "message": "Provider disconnected"}
        failed = event({"error": error, "choices": [choice]})
        relayed, message = await self.broken(FIRST, HEL, failed)
        self.assertNotIn(b'finish_reason": "error', relayed)
        self.assertIn("Provider disconnected", message)

    @coroutine
    async def test_in_the_middle_of_an_event(self) -> None:
        """
        What has gone out of it is ended, lest it swallow the error.
        """
        half = delta("x" * 300_000)[:-100]
        relayed, message = await self.broken(FIRST, half)
        self.assertEqual(relayed, FIRST + half + b"\n\n")
        self.assertIn("broke off", message)


class RoutstrTests(StreamTestCase):
    """
    What a Routstr node was recorded to send.
    """

    async def recorded(self, name: str) -> Answer:
        """
        A recorded stream: its HTTP body always ends well.
        """
        return await self.streamed(streams(CORPORA[name]))

    @coroutine
    async def test_without_done(self) -> None:
        relayed, facts = self.facts(await self.recorded("NODONE"))
        self.assertEqual(relayed, ROUTSTR_STOP)
        (row,) = self.ledger.rows
        self.assertEqual((row.input_tokens, row.cached_tokens), (1000, 200))
        self.assertEqual((row.output_tokens, row.reasoning_tokens), (500, 10))
        self.assertEqual(facts["cost_sats"], 1.5)

    @coroutine
    async def test_without_usage(self) -> None:
        relayed, facts = self.facts(await self.recorded("NOUSAGE"))
        self.assertEqual((relayed, facts["cost_sats"]), (b"", 0))

    @coroutine
    async def test_whose_provider_died(self) -> None:
        relayed, error = self.failure(await self.recorded("CUT"))
        self.assertIn(CORPORA["CUT"], relayed)
        self.assertIn("broke off", error["message"])

    @coroutine
    async def test_whose_provider_failed(self) -> None:
        relayed, error = self.failure(await self.recorded("MIDERR"))
        self.assertIn(CORPORA["CUT"], relayed)
        self.assertIn("provider died", error["message"])


class TimeTests(StreamTestCase, StoppedClockTestCase):
    """
    Streams that take their time.
    """

    def start_stream(self, *events: bytes, **timeouts: float) -> FakeProvider:
        """
        A provider that begins a stream and leaves the rest to the test.
        """
        alpha = self.provider("alpha", begins(*events))
        self.start({"alpha": {"timeouts": timeouts}}, retry={"max_attempts": 1})
        return alpha

    async def seen(self, begun: Begun, data: bytes) -> None:
        """
        Wait until the client has got this last.
        """
        await self.soon(lambda: begun.body.data.endswith(data))

    async def assert_timed_out(self, begun: Begun, why: str) -> None:
        relayed, error = self.failure(await begun.ended())
        self.assertTrue(relayed.startswith(FIRST + HEL))
        self.assertEqual(error["message"], f"The answer broke off: alpha: {why}")
        await self.soon(lambda: not self.providers["alpha"].connections)
        self.assertEqual(self.ledger.rows[0].attempts[0].outcome, "timeout")

    @coroutine
    async def test_stall(self) -> None:
        self.start_stream(FIRST, HEL, idle=7)
        begun = await self.begin_stream()
        await self.seen(begun, HEL)
        self.stopped.advance(6.9)
        self.assertEqual(len(self.providers["alpha"].connections), 1)
        self.stopped.advance(0.1)
        await self.assert_timed_out(begun, "nothing came for 7 seconds")

    @coroutine
    async def test_any_byte_is_a_sign_of_life(self) -> None:
        """
        Keep-alive comments, too.
        """
        alpha = self.start_stream(FIRST, HEL, idle=7)
        begun = await self.begin_stream()
        await self.seen(begun, HEL)
        for number in range(5):
            self.stopped.advance(6)
            comment = b": %d\n\n" % number
            alpha.connections[0].write(chunk(comment))
            await self.seen(begun, comment)
        alpha.connections[0].write(chunk(STOP + DONE) + chunk(b""))
        self.facts(await begun.ended())

    @coroutine
    async def test_total(self) -> None:
        """
        Signs of life do not help for ever.
        """
        alpha = self.start_stream(FIRST, HEL, idle=7, total=10)
        begun = await self.begin_stream()
        await self.seen(begun, HEL)
        self.stopped.advance(6)
        alpha.connections[0].write(chunk(b": alive\n\n"))
        await self.seen(begun, b": alive\n\n")
        self.stopped.advance(4)
        await self.assert_timed_out(begun, "the answer took too long")

    @coroutine
    async def test_budget_is_for_the_first_byte(self) -> None:
        """
        C{retry.total_seconds} does not cut a stream.
        """
        alpha = self.provider("alpha", begins(FIRST, HEL))
        self.start(retry={"max_attempts": 1, "total_seconds": 5})
        begun = await self.begin_stream()
        await self.seen(begun, HEL)
        self.stopped.advance(50)
        alpha.connections[0].write(chunk(STOP + DONE) + chunk(b""))
        self.facts(await begun.ended())

    @coroutine
    async def test_comments_are_held_back_for_a_while(self) -> None:
        """
        So that another provider can still take over; then the client gets a
        sign of life, which is not the first content.
        """
        alpha = self.start_stream(b": queued\n\n", FIRST)
        asking = Deferred.fromCoroutine(self.begin_stream())
        await alpha.asked()
        await self.soon(lambda: len(self.stopped.getDelayedCalls()) >= 3)
        self.stopped.advance(4.9)
        self.assertFalse(asking.called)
        self.stopped.advance(0.1)
        begun = await asking
        await self.seen(begun, FIRST)
        self.stopped.advance(2)
        alpha.connections[0].write(chunk(HEL + STOP + DONE) + chunk(b""))
        self.facts(await begun.ended())
        self.assertEqual(self.ledger.rows[0].ttft_ms, 7000)

    @coroutine
    async def test_provider_that_does_not_hang_up(self) -> None:
        """
        The body is left open after C{[DONE]}: the answer is complete.
        """
        alpha = self.start_stream(FIRST, HEL, STOP, DONE)
        begun = await self.begin_stream()
        await self.seen(begun, DONE)
        self.stopped.advance(1)
        self.facts(await begun.ended())
        await self.soon(lambda: not alpha.connections)
        self.assertTrue(self.ledger.rows[0].success)
