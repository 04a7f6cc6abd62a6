"""
Tests for L{arbstr.upstream.stream}.
"""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from arbstr.routing.money import Usage
from arbstr.upstream.chunk import StreamError
from arbstr.upstream.sse import HOLD_LIMIT, LINE_LIMIT
from arbstr.upstream.stream import ChatStream, error_event

# A slow machine is no failure.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

FACTS = {"request_id": "r-1", "provider": "größe"}
FACTS_JSON = '{"request_id":"r-1","provider":"größe"}'.encode()
DONE = b"data: [DONE]\n\n"
END = b": arbstr " + FACTS_JSON + b"\n\n" + DONE
BOM = b"\xef\xbb\xbf"


def event(value: object) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


def chunk(
    delta: Mapping[str, object], finish: str | None = None, index: int = 0
) -> bytes:
    """
    An event with one choice.
    """
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return event({"choices": [choice], "usage": None})


def usage_event(prompt: object, completion: object) -> bytes:
    """
    An event with usage only.
    """
    usage = {"prompt_tokens": prompt, "completion_tokens": completion}
    return event({"choices": [], "usage": usage})


ROLE = chunk({"role": "assistant", "content": ""})
HELLO = chunk({"content": "Hello 😀"})
STOP = chunk({}, "stop")


# What a Routstr node sent, in four cases: without usage, without [DONE], when
# its provider died, and when its provider reported an error.


def routstr_chunk(delta: bytes, finish: bytes = b"null") -> bytes:
    return (
        b'data: {"id": "chatcmpl-up1", "created": 1795300375, '
        b'"model": "gpt-4o-mini", "system_fingerprint": "fp_x", '
        b'"object": "chat.completion.chunk", "choices": [{"index": 0, '
        b'"delta": %s, "finish_reason": %s, "logprobs": null}], '
        b'"provider": "generic"}\n\n'
    ) % (delta, finish)


ROUTSTR_NO_COST = (
    b'"cache_read_input_tokens": 0, "cache_creation_input_tokens": 0, '
    b'"cache_read_msats": 0, "cache_creation_msats": 0'
)
ROUTSTR_NO_MSATS = b'"base_msats": 0, "input_msats": 0, "output_msats": 0, '


def routstr_no_usage(balance: bytes) -> bytes:
    cost = (
        ROUTSTR_NO_MSATS
        + b'"total_msats": 0, "total_usd": 0.0, "input_tokens": 0, "output_tokens": 0, '
        + ROUTSTR_NO_COST
    )
    paid = b'"sats_cost": 0, "remaining_balance_msats": ' + balance
    return (
        b'data: {"id": "chatcmpl-a3cc3915-49bd-488e-8c8c-54a1ef22c6b1", '
        b'"object": "chat.completion.chunk", "model": "gpt-4o-mini-2024-07-18", '
        b'"choices": [], "usage": {"prompt_tokens": 0, "completion_tokens": 0, '
        b'"total_tokens": 0, "cost": {%s"total_msats": 0, %s}, "cost_sats": 0, '
        b'"remaining_balance_msats": %s}, "provider": "generic", '
        b'"metadata": {"routstr": {"cost": {%s}, %s}}, "cost": {%s, %s}}\n\n'
    ) % (ROUTSTR_NO_MSATS, ROUTSTR_NO_COST, balance, cost, paid, cost, paid)


ROUTSTR_MSATS = b'"base_msats": 0, "input_msats": 135, "output_msats": 300, '
ROUTSTR_CACHE = (
    b'"cache_read_input_tokens": 200, "cache_creation_input_tokens": 0, '
    b'"cache_read_msats": 15, "cache_creation_msats": 0'
)
ROUTSTR_COST = (
    ROUTSTR_MSATS
    + b'"total_msats": 435, "total_usd": 0.000435, "input_tokens": 800, '
    + b'"output_tokens": 500, '
    + ROUTSTR_CACHE
)
ROUTSTR_PAID = b'"sats_cost": 0, "remaining_balance_msats": 49998695'
ROUTSTR_USAGE = (
    b'data: {"id": "chatcmpl-up1", "created": 1795300375, "model": "gpt-4o-mini", '
    b'"system_fingerprint": "fp_x", "object": "chat.completion.chunk", '
    b'"choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": 500, '
    b'"total_tokens": 1500, "prompt_tokens_details": {"cached_tokens": 200}, '
    b'"completion_tokens_details": {"reasoning_tokens": 10}, '
    b'"cost": {%s"total_msats": 435, %s, "total_usd": 0.000435}, "cost_sats": 0, '
    b'"remaining_balance_msats": 49998695}, "provider": "generic", '
    b'"metadata": {"routstr": {"cost": {%s}, %s}}, "cost": {%s, %s}}\n\n'
) % (
    ROUTSTR_MSATS,
    ROUTSTR_CACHE,
    ROUTSTR_COST,
    ROUTSTR_PAID,
    ROUTSTR_COST,
    ROUTSTR_PAID,
)
ROUTSTR_STOP = routstr_chunk(b"{}", b'"stop"')

CUT = (
    routstr_chunk(b'{"role": "assistant", "content": ""}')
    + routstr_chunk(b'{"content": "Hel"}')
    + routstr_chunk(b'{"content": "lo"}')
    + routstr_chunk(b'{"content": "!"}')
)
NOUSAGE = routstr_no_usage(b"49999130") + DONE
NODONE = ROUTSTR_STOP + ROUTSTR_USAGE
MIDERR = (
    CUT
    + b'data: {"error": {"message": "provider died", "code": 502}, '
    + b'"provider": "generic", "model": "gpt-4o-mini", '
    + b'"id": "chatcmpl-a3cc3915-49bd-488e-8c8c-54a1ef22c6b1"}\n\n'
    + routstr_no_usage(b"49998695")
)

EVERYTHING = (
    b": keep-alive\n\n"
    + ROLE
    + b"event: ping\n\n"
    + HELLO
    + b'data: {"choices": [],\n: in between\ndata:"usage":{"prompt_tokens":7,\n'
    + b'data: "completion_tokens": 2}}\nid: {}\n\n'
    + b"data: not JSON\n\n"
    + b"data: \xff\n\n\n"
    + STOP
    + usage_event(7, 3)
    + b"data:[DONE]\n\n"
    + b": afterwards\n\n"
)

CORPORA = {
    "NOUSAGE": NOUSAGE,
    "NODONE": NODONE,
    "CUT": CUT,
    "MIDERR": MIDERR,
    "LF": EVERYTHING,
    "CRLF": EVERYTHING.replace(b"\n", b"\r\n"),
    "CR": EVERYTHING.replace(b"\n", b"\r"),
    "BOM": BOM + EVERYTHING,
    "BOM and usage": BOM + usage_event(1, 2) + STOP.rstrip(b"\n"),
    "id": b"id: 1\r\n" + HELLO + b": x\r\n\r\n\r\n" + STOP + b"\r\n: y\r",
    "no blank line": ROLE + HELLO + STOP + b"data: [DONE]\r",
}


# What random streams are made of.
WORDS = [
    *(b"\r", b"\n", b"\n\n", b"data: ", b"data:}", b": ", b"id", BOM),
    *(b"{}", b"[DONE]", b'{"usage":1,"choices":[', b"]}"),
    *(ROLE, HELLO, STOP, usage_event(1, 2), event({"error": 1})),
]


class Ended:
    """
    A stream that has ended, and what the client got of it.
    """

    def __init__(self, reads: Iterable[bytes], usage_wanted: bool = False) -> None:
        self.stream = ChatStream(usage_wanted, lambda: FACTS)
        self.relayed = b"".join([self.stream.feed(read) for read in reads])
        self.relayed += self.stream.close()

    def everything(self) -> tuple[object, ...]:
        """
        All that must not depend on how the stream was cut.
        """
        stream = self.stream
        return (
            self.relayed,
            stream.started,
            stream.done,
            stream.complete,
            stream.error,
            stream.usage,
            stream.usage_json,
            stream.output_chars,
            stream.dropped,
        )


def ended(*events: bytes, usage_wanted: bool = False) -> Ended:
    """
    A stream of these events, each in a read of its own.
    """
    return Ended(events, usage_wanted)


def split(body: bytes, offsets: Sequence[int]) -> list[bytes]:
    """
    The body in reads that end at these offsets.
    """
    return [body[start:end] for start, end in pairwise([0, *offsets, len(body)])]


class RelayTests(SynchronousTestCase):
    """
    L{ChatStream} passes on what clients understand.
    """

    def test_byte_for_byte(self) -> None:
        """
        What needs no change is not changed: spaces, comments, other fields.
        """
        for body in (
            b'data:{ "choices" : [ ] , "x":1e2, "x": 1E2 }\n\n',
            b': one\nid: 7\nevent: chunk\ndata: {"a":\r\ndata: "\\u00e9"}\r\n\r\n',
            b": keep-alive\r\r",
            BOM + ROLE,
            chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"'}}]}),
        ):
            self.assertEqual(ended(body).relayed, body)

    def test_at_once(self) -> None:
        """
        An event goes out with the read that completes it.
        """
        stream = ChatStream(False, lambda: FACTS)
        self.assertEqual(stream.feed(ROLE + HELLO[:-1]), ROLE)
        self.assertEqual(stream.feed(HELLO[-1:] + STOP[:9]), HELLO)
        self.assertEqual(stream.feed(b""), b"")

    def test_events_without_data(self) -> None:
        """
        Events without data are left out and counted.
        """
        result = ended(b"event: ping\n\n", HELLO, b"retry: 3000\n\n", b": x\nid: 1\n\n")
        self.assertEqual(result.relayed, HELLO)
        self.assertEqual(result.stream.dropped, 3)

    def test_data_that_is_no_object(self) -> None:
        """
        Events whose data is not a JSON object are left out and counted.
        """
        for data in (
            b"",
            b"hello",
            b"{",
            b"[1]",
            b"null",
            b'"text"',
            b"[DONE",
            b'{"a": NaN}',
            b'{"a": -Infinity}',
            b'{"a": "\xff"}',
            b'{"a": "\xed\xa0\x80"}',
            b'{"a": 1} {"b": 2}',
            b"\xef\xbb\xbf{}",
            b'{"a":' * 20_000,
            b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
            b'{"a": ' + b"1" * 5000 + b"}",
            '{"a": 1}'.encode("utf-16"),
        ):
            result = ended(b"data: " + data + b"\n\n", HELLO)
            self.assertEqual(result.relayed, HELLO, data[:20])
            self.assertEqual(result.stream.dropped, 1, data[:20])

    def test_comments(self) -> None:
        """
        Comments pass, and are not counted as left out.
        """
        result = ended(b": OPENROUTER PROCESSING\n\n", b"\n")
        self.assertEqual(result.relayed, b": OPENROUTER PROCESSING\n\n\n")
        self.assertEqual(result.stream.dropped, 0)

    def test_comments_after_id(self) -> None:
        """
        After an event with an C{id}, comments pass without their blank line:
        for OpenAI's Python client, a blank line would make an event of them.
        """
        identified = b"id: 1\n" + HELLO
        for comment, relayed in (
            (b": x\n\n", b": x\n"),
            (b": x\r\n\r\n", b": x\r\n"),
            (b": x\r\r", b": x\r"),
            (b"\n", b""),
        ):
            result = ended(identified, comment, STOP, DONE)
            end = END.replace(b"\n\n", b"\n", 1)
            self.assertEqual(result.relayed, identified + relayed + STOP + end)

    def test_comment_after_id_at_the_end(self) -> None:
        """
        So it is with a comment that lacks its blank line.
        """
        identified = b"id: 1\n" + HELLO
        for comment, relayed in (
            (b": x", b": x\n"),
            (b": x\n", b": x\n"),
            (b": x\r", b": x\r\n"),
        ):
            self.assertEqual(ended(identified, comment).relayed, identified + relayed)

    def test_comments_after_id_left_out(self) -> None:
        """
        An C{id} that the client has not got makes no difference.
        """
        result = ended(b"id: 1\n\n", b": x\n\n", DONE)
        self.assertEqual(result.relayed, b": x\n\n" + END)

    def test_last_event_without_blank_line(self) -> None:
        """
        The last event is given the blank line that it lacks.
        """
        unended = HELLO.rstrip(b"\n")
        for body, relayed in (
            (unended, unended + b"\n\n"),
            (unended + b"\n", unended + b"\n\n"),
            (unended + b"\r", unended + b"\r\n\n"),
            (b": x", b": x\n\n"),
            (b"event: ping", b""),
            (unended[:-1], b""),
        ):
            self.assertEqual(ended(body).relayed, relayed)


class EndTests(SynchronousTestCase):
    """
    L{ChatStream} knows whether an answer is whole.
    """

    def test_done(self) -> None:
        """
        Our facts go out before C{[DONE]}.
        """
        result = ended(HELLO, STOP, DONE)
        self.assertEqual(result.relayed, HELLO + STOP + END)
        self.assertTrue(result.stream.done and result.stream.complete)

    def test_forms_of_done(self) -> None:
        """
        C{[DONE]} may be written in other ways.
        """
        for done in (
            b"data:[DONE]\n\n",
            b"data: [DONE] \r\n\r\n",
            b"data: [DONE]\n",
            b"data: [DONE]",
            b": bye\nevent: done\ndata: [DONE]\n\n",
        ):
            result = ended(done)
            self.assertEqual(result.relayed, END)
            self.assertTrue(result.stream.done)

    def test_nothing_after_done(self) -> None:
        """
        Whatever follows C{[DONE]} is neither relayed nor understood.
        """
        result = ended(HELLO, DONE, HELLO, b": x\n\n", usage_event(1, 2), DONE, b"bad")
        self.assertEqual(result.relayed, HELLO + END)
        self.assertEqual(result.stream.output_chars, 7)
        self.assertIs(result.stream.usage, None)
        self.assertEqual(result.stream.dropped, 0)

    def test_finished_without_done(self) -> None:
        """
        A stream that has finished is given its C{[DONE]}.
        """
        result = ended(HELLO, STOP)
        self.assertEqual(result.relayed, HELLO + STOP + END)
        self.assertTrue(result.stream.complete)
        self.assertFalse(result.stream.done)

    def test_finished_in_last_event_without_blank_line(self) -> None:
        """
        The C{[DONE]} follows the last event.
        """
        self.assertEqual(ended(STOP.rstrip()).relayed, STOP + END)

    def test_closed_once(self) -> None:
        """
        Nothing follows the end.
        """
        result = ended(STOP)
        self.assertEqual(result.stream.close(), b"")
        self.assertEqual(result.stream.interrupt({"error": {}}), b"")

    def test_let_go(self) -> None:
        """
        Who tells the facts may know the stream: once it has ended, no cycle of
        references is left.
        """

        def ended_stream() -> weakref.ref[ChatStream]:
            stream = ChatStream(False, lambda: {"chars": stream.output_chars})
            stream.feed(DONE)
            return weakref.ref(stream)

        self.assertIsNone(ended_stream()())

    def test_unfinished(self) -> None:
        """
        A stream that only stops is not complete.
        """
        for events in ([], [b": x\n\n"], [ROLE, HELLO], [usage_event(1, 2)]):
            result = Ended(events)
            self.assertFalse(result.stream.complete)
            self.assertNotIn(b"[DONE]", result.relayed)

    def test_every_choice(self) -> None:
        """
        With several choices, each has to finish.
        """
        parts = [chunk({"content": "a"}, index=i) for i in (0, 1)]
        stops = [chunk({}, reason, i) for i, reason in ((1, "length"), (0, "stop"))]
        self.assertFalse(ended(*parts, stops[0]).stream.complete)
        self.assertTrue(ended(*parts, *stops).stream.complete)

    def test_choices_in_one_event(self) -> None:
        """
        Several choices may come in one event.
        """
        choices = [
            {"index": 0, "delta": {}, "finish_reason": "stop"},
            {"index": 1, "delta": {}, "finish_reason": None},
        ]
        self.assertFalse(ended(event({"choices": choices})).stream.complete)

    def test_finished_stays_finished(self) -> None:
        """
        A choice that comes again after its finish remains finished.
        """
        self.assertTrue(ended(STOP, chunk({})).stream.complete)

    def test_choices_without_sound_index(self) -> None:
        """
        A choice whose index makes no sense is the first.
        """
        indexes: list[object] = [None, "0", -1, 10**9]
        for index in indexes:
            stop = {"index": index, "delta": {}, "finish_reason": "stop"}
            stream = ended(ROLE, event({"choices": [stop]})).stream
            self.assertTrue(stream.complete, index)


class StartedTests(SynchronousTestCase):
    """
    L{ChatStream} knows whether the client has got anything yet.
    """

    def test_not_yet(self) -> None:
        """
        Comments, empty deltas and events about the prompt are no content.
        """
        for first in (
            b": x\n\n",
            ROLE,
            chunk({"role": "assistant", "content": None, "tool_calls": []}),
            event({"choices": [], "prompt_filter_results": [{"prompt_index": 0}]}),
            event({"choices": [None, {"text": "", "index": 0}]}),
            b"event: ping\n\n",
            b"data: nonsense\n\n",
            usage_event(1, 2),
        ):
            self.assertFalse(ended(first).stream.started, first)

    def test_content(self) -> None:
        """
        Anything that the model wrote is content, and so is the end.
        """
        for first in (
            chunk({"content": "a"}),
            chunk({"role": "assistant", "content": "a"}),
            chunk({"reasoning_content": "a"}),
            chunk({"refusal": "a"}),
            chunk({"tool_calls": [{"index": 0, "function": {"name": "f"}}]}),
            chunk({}, "stop"),
            event({"choices": [{"text": "a", "index": 0}]}),
            DONE,
        ):
            self.assertTrue(ended(first).stream.started, first)

    def test_usage_that_was_asked_for(self) -> None:
        """
        Usage counts once the client has been given it.
        """
        self.assertTrue(ended(usage_event(1, 2), usage_wanted=True).stream.started)

    def test_characters(self) -> None:
        """
        The characters of all that was relayed are counted.
        """
        call = {"index": 0, "function": {"name": "find", "arguments": '{"a"'}}
        result = ended(
            ROLE,
            HELLO,
            chunk({"reasoning": "so"}),
            chunk({"tool_calls": [call]}, index=1),
            event({"choices": [{"text": "abc"}]}),
        )
        self.assertEqual(result.stream.output_chars, 7 + 2 + 8 + 3)


class UsageTests(SynchronousTestCase):
    """
    L{ChatStream} takes note of usage.
    """

    def test_left_out(self) -> None:
        """
        A client that did not ask for it does not get the event of usage alone.
        """
        no_choices = event({"usage": {"prompt_tokens": 3, "completion_tokens": 4}})
        for usage in (usage_event(3, 4), no_choices):
            result = ended(HELLO, usage, STOP)
            self.assertEqual(result.relayed, HELLO + STOP + END)
            self.assertEqual(result.stream.usage, Usage(3, 4))
            self.assertEqual(result.stream.dropped, 0)

    def test_facts_with_usage(self) -> None:
        """
        A client that asked gets our facts with it, and no other byte changed.
        """
        for start, end in (
            (b'data: {"usage":{"a":{}}, "choices":[] ', b"}\n\n"),
            (b'data:{"choices":[],\r\ndata: "usage": 1 ', b"} \r\ndata:\r\n\r\n"),
            (b'data: {"usage": "}"', b"}\n: data:}\nevent: data:}\ndataset: }\n\n"),
            (b'event: }\rdata: {"usage": 1', b"}\r\r"),
            (BOM + b'data: {"usage": 1', b"}\n\n"),
        ):
            result = ended(start + end, usage_wanted=True)
            facts = b',"arbstr":' + FACTS_JSON
            self.assertEqual(result.relayed, start + facts + end)

    def test_facts_know_the_usage(self) -> None:
        """
        The facts are asked for when the usage is known already.
        """
        stream = ChatStream(True, lambda: {"known": stream.usage is not None})
        self.assertIn(b'"arbstr":{"known":true}', stream.feed(usage_event(1, 2)))

    def test_usage_with_content(self) -> None:
        """
        Usage beside a choice is noted, and the event passes as it is.
        """
        usage = {"prompt_tokens": 5, "completion_tokens": 1}
        choice = {"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}
        body = event({"choices": [choice], "usage": usage})
        for usage_wanted in (True, False):
            result = ended(body, usage_wanted=usage_wanted)
            self.assertEqual(result.relayed, body + END)
            self.assertEqual(result.stream.usage, Usage(5, 1))

    def test_last_one_wins(self) -> None:
        """
        Of several usages the last counts.
        """
        stream = ended(usage_event(1, 1), usage_event(1, 2), usage_event(3, 4)).stream
        self.assertEqual(stream.usage, Usage(3, 4))
        self.assertEqual(
            stream.usage_json, {"prompt_tokens": 3, "completion_tokens": 4}
        )

    def test_null_is_not_zero(self) -> None:
        """
        Null neither counts as zero nor undoes what was seen before.
        """
        null = event({"choices": [], "usage": None})
        self.assertIs(ended(null).stream.usage, None)
        self.assertEqual(ended(usage_event(1, 2), null).stream.usage, Usage(1, 2))
        self.assertEqual(ended(usage_event(0, 0)).stream.usage, Usage(0, 0))

    def test_event_with_null_usage_passes(self) -> None:
        """
        An event without choices and without usage is somebody else's matter.
        """
        body = event({"choices": [], "usage": None})
        self.assertEqual(ended(body).relayed, body)

    def test_unreadable_usage(self) -> None:
        """
        Counts that make no sense do not undo those seen before.
        """
        stream = ended(usage_event(1, 2), usage_event(1, None)).stream
        self.assertEqual(stream.usage, Usage(1, 2))
        self.assertEqual(
            stream.usage_json, {"prompt_tokens": 1, "completion_tokens": None}
        )


class ErrorTests(SynchronousTestCase):
    """
    L{ChatStream} recognises errors, and ends with our own.
    """

    def assertError(self, body: bytes, message: str, code: str | None) -> None:
        """
        This event, amidst a finished stream, makes it a failed one.
        """
        result = ended(HELLO, STOP, body, HELLO, usage_event(1, 2), DONE)
        self.assertEqual(result.stream.error, StreamError(message, code), body)
        self.assertEqual(result.relayed, HELLO + STOP)
        self.assertFalse(result.stream.complete or result.stream.done)
        self.assertIs(result.stream.usage, None)

    def test_openai(self) -> None:
        """
        OpenAI's: an object with a code or without one.
        """
        error = {"message": "overloaded", "type": "server_error", "code": None}
        self.assertError(event({"error": error}), "overloaded", None)
        error["code"] = "rate_limit_exceeded"
        self.assertError(event({"error": error}), "overloaded", "rate_limit_exceeded")

    def test_openrouter(self) -> None:
        """
        OpenRouter's: a chunk with an error at top level and a choice that
        ended with one.
        """
        choice = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
        error = {"code": 502, "message": "Provider disconnected"}
        body = {"id": "gen-1", "error": error, "choices": [choice]}
        self.assertError(event(body), "Provider disconnected", "502")

    def test_routstr(self) -> None:
        """
        Routstr's: the provider's error among fields of the node.
        """
        result = Ended([MIDERR])
        self.assertEqual(result.stream.error, StreamError("provider died", "502"))
        self.assertEqual(result.relayed, CUT)
        self.assertIs(result.stream.usage, None)

    def test_text(self) -> None:
        """
        The error may be a mere text.
        """
        self.assertError(event({"error": "no such model"}), "no such model", None)

    def test_finish_reason(self) -> None:
        """
        A choice that ends with an error is enough, if the others go on, too.
        """
        fine = {"index": 0, "delta": {"content": "a"}, "finish_reason": None}
        failed: dict[str, object] = {"index": 1, "finish_reason": "error"}
        message = "The provider broke off without saying why"
        self.assertError(event({"choices": [fine, failed]}), message, None)
        failed["error"] = {"message": "out of memory", "code": "oom"}
        self.assertError(event({"choices": [fine, failed]}), "out of memory", "oom")

    def test_without_message(self) -> None:
        """
        An error that says nothing is one, too.
        """
        message = "The provider broke off without saying why"
        errors: list[tuple[object, str | None]] = [
            (True, None),
            (["x"], None),
            ({"code": ""}, None),
            ({"code": True}, None),
            ({"code": 1.5, "message": {"text": "x"}}, None),
            ({"code": "1" * 100, "message": ""}, "1" * 61 + "…"),
        ]
        for error, code in errors:
            self.assertError(event({"error": error}), message, code)

    def test_no_error(self) -> None:
        """
        An error field without an error in it is none.
        """
        nothings: list[object] = [None, False, "", {}, []]
        for nothing in nothings:
            choice = {"index": 0, "delta": {"content": "a"}, "finish_reason": None}
            body = event({"choices": [choice], "error": nothing})
            result = ended(body)
            self.assertIs(result.stream.error, None)
            self.assertEqual(result.relayed, body)

    def test_redacted(self) -> None:
        """
        The message is made fit to be logged, and cut.
        """
        message = "Incorrect API key: sk-secret12345\n" + "long " * 1000
        error = ended(
            event({"error": {"message": message, "code": "a\nb"}})
        ).stream.error
        assert error is not None
        self.assertNotIn("secret", error.message)
        self.assertNotIn("\n", error.message)
        self.assertEqual(len(error.message.encode()), 2048)
        self.assertEqual(error.code, "a\\nb")

    def test_error_event(self) -> None:
        """
        An error of ours is one event, whatever it says.
        """
        body = {"error": {"message": "größe\r\n\ud83d", "code": None}}
        written = error_event(body)
        self.assertEqual(written.splitlines()[1:], [b""])
        self.assertIn("größe".encode(), written)
        self.assertEqual(json.loads(written.removeprefix(b"data: ")), body)

    def test_interrupt(self) -> None:
        """
        Our error ends the stream, and what was held back is forgotten.
        """
        body = {"error": {"message": "idle"}}
        stream = ChatStream(False, lambda: FACTS)
        stream.feed(HELLO + STOP[:-1])
        self.assertEqual(stream.interrupt(body), error_event(body))
        self.assertEqual(stream.feed(STOP[-1:] + DONE), b"")
        self.assertEqual(stream.close(), b"")
        self.assertEqual(stream.interrupt(body), b"")

    def test_interrupt_after_error(self) -> None:
        """
        What the provider reported is told by us.
        """
        stream = ended(HELLO, event({"error": "x"})).stream
        self.assertEqual(stream.interrupt({"error": {}}), error_event({"error": {}}))

    def test_interrupt_partial_event(self) -> None:
        """
        An event whose beginning has gone out is ended first.
        """
        body = {"error": {"message": "idle"}}
        for last, missing in ((b"x", b"\n\n"), (b"\r", b"\n\n"), (b"\n", b"\n")):
            stream = ChatStream(False, lambda: FACTS)
            stream.feed(b"data: ".ljust(HOLD_LIMIT, b"x") + last)
            self.assertEqual(stream.interrupt(body), missing + error_event(body))

    def test_interrupt_after_partial_event(self) -> None:
        """
        One that has been ended since is not ended again.
        """
        body = {"error": {"message": "idle"}}
        stream = ChatStream(False, lambda: FACTS)
        stream.feed(b"data: ".ljust(HOLD_LIMIT + 1, b"x"))
        stream.feed(b"\n\ndata: {")
        self.assertEqual(stream.interrupt(body), error_event(body))


class OversizedTests(SynchronousTestCase):
    """
    L{ChatStream} relays what is too long to be held.
    """

    def feed_slowly(self, body: bytes, usage_wanted: bool = False) -> Ended:
        """
        The same comes of it in one read as in small ones.
        """
        step = 1024
        reads = [body[i : i + step] for i in range(0, len(body), step)]
        result = Ended(reads, usage_wanted)
        self.assertEqual(result.everything(), Ended([body], usage_wanted).everything())
        return result

    def padded(self, value: object, size: int = HOLD_LIMIT + 10) -> bytes:
        """
        An event of a JSON value with so much space in front of it.
        """
        return b"data: " + b" " * size + event(value).removeprefix(b"data: ")

    def test_huge_line(self) -> None:
        """
        A line of 10 MB arrives to the byte, and the stream goes on behind it.
        """
        huge = chunk({"content": "x" * 10_000_000})
        result = self.feed_slowly(ROLE + huge + HELLO + STOP)
        self.assertEqual(result.relayed, ROLE + huge + HELLO + STOP + END)
        self.assertEqual(result.stream.output_chars, 7)
        self.assertEqual(result.stream.dropped, 0)

    def test_at_once(self) -> None:
        """
        Once an event is too long to be held, every read goes out as it is.
        """
        stream = ChatStream(False, lambda: FACTS)
        self.assertEqual(stream.feed(b"data: ".ljust(HOLD_LIMIT)), b"")
        self.assertFalse(stream.started)
        self.assertEqual(len(stream.feed(b"a")), HOLD_LIMIT + 1)
        self.assertTrue(stream.started)
        self.assertEqual(stream.feed(b"b"), b"b")

    def test_understood(self) -> None:
        """
        It is understood all the same, up to the limit of a line.
        """
        content = chunk({"content": "x" * HOLD_LIMIT}, "stop")
        result = self.feed_slowly(content + self.padded({"usage": {}, "choices": []}))
        self.assertEqual(result.stream.output_chars, HOLD_LIMIT)
        self.assertTrue(result.stream.complete)
        self.assertEqual(result.stream.usage_json, {})

    def test_passes_whatever_it_says(self) -> None:
        """
        It cannot be called back: usage and what is no JSON pass.
        """
        usage = {"usage": {"prompt_tokens": 1, "completion_tokens": 2}}
        for body in (
            self.padded(usage),
            b"data: ".ljust(HOLD_LIMIT + 1, b"x") + b"\n\n",
            b"event: ".ljust(HOLD_LIMIT + 1, b"x") + b"\r\n\r\n",
            b"data: ".ljust(LINE_LIMIT + 1, b"x") + b"\n\n",
        ):
            for usage_wanted in (True, False):
                result = self.feed_slowly(body + HELLO, usage_wanted)
                self.assertEqual(result.relayed, body + HELLO)
                self.assertEqual(result.stream.dropped, 0)

    def test_id(self) -> None:
        """
        Its C{id} matters to the comments after it.
        """
        body = b"id: 1\n" + self.padded({})
        self.assertEqual(self.feed_slowly(body + b": x\n\n").relayed, body + b": x\n")

    def test_error(self) -> None:
        """
        An error passes, and is the last that does.
        """
        body = self.padded({"error": {"message": "boom"}})
        result = self.feed_slowly(body + STOP + DONE)
        self.assertEqual(result.relayed, body)
        self.assertEqual(result.stream.error, StreamError("boom"))
        self.assertFalse(result.stream.complete)

    def test_done(self) -> None:
        """
        C{[DONE]} passes, and is the last that does.
        """
        body = b": ".ljust(HOLD_LIMIT + 10, b"x") + b"\r\ndata: [DONE]\r\n\r\n"
        result = self.feed_slowly(body + HELLO + DONE)
        self.assertEqual(result.relayed, body)
        self.assertTrue(result.stream.done and result.stream.complete)

    def test_late_line_feed_after_done(self) -> None:
        """
        Not even a line end of what comes after it passes.
        """
        body = b": ".ljust(HOLD_LIMIT + 10, b"x") + b"\ndata: [DONE]\n\n"
        self.assertEqual(ended(body, b": x\r\n\r", b"\n").relayed, body)

    def test_cut(self) -> None:
        """
        If the body ends inside of it, it is ended.
        """
        body = b"data: ".ljust(HOLD_LIMIT + 1, b"x")
        result = self.feed_slowly(body)
        self.assertEqual(result.relayed, body + b"\n\n")
        self.assertFalse(result.stream.complete)


class SplitTests(SynchronousTestCase):
    """
    How a stream is cut into reads makes no difference.
    """

    def test_routstr(self) -> None:
        """
        The recorded streams come out as they should, in one piece.
        """
        for name, relayed, usage in (
            ("NOUSAGE", END, Usage(0, 0)),
            ("NODONE", ROUTSTR_STOP + END, Usage(1000, 500, cached=200, reasoning=10)),
            ("CUT", CUT, None),
            ("MIDERR", CUT, None),
        ):
            result = Ended([CORPORA[name]])
            self.assertEqual(result.relayed, relayed, name)
            self.assertEqual(result.stream.usage, usage, name)

    def test_everything(self) -> None:
        """
        A stream with everything in it comes out as it should, in one piece.
        """
        result = Ended([EVERYTHING])
        self.assertEqual(
            result.relayed, b": keep-alive\n\n" + ROLE + HELLO + b"\n" + STOP + END
        )
        self.assertEqual(result.stream.dropped, 3)
        self.assertEqual(result.stream.usage, Usage(7, 3))

    def test_every_offset(self) -> None:
        """
        The same comes of any two reads.
        """
        for name, corpus in CORPORA.items():
            for usage_wanted in (True, False):
                whole = Ended([corpus], usage_wanted).everything()
                for offset in range(len(corpus) + 1):
                    halves = Ended(split(corpus, [offset]), usage_wanted)
                    self.assertEqual(halves.everything(), whole, (name, offset))

    def test_byte_by_byte(self) -> None:
        """
        The same comes of single bytes.
        """
        for name, corpus in CORPORA.items():
            for usage_wanted in (True, False):
                single = Ended(split(corpus, range(len(corpus))), usage_wanted)
                whole = Ended([corpus], usage_wanted)
                self.assertEqual(single.everything(), whole.everything(), name)

    @unhurried
    @given(
        st.lists(st.sampled_from(WORDS) | st.binary(max_size=3)).map(b"".join),
        st.lists(st.integers(0, 300)).map(sorted),
        st.booleans(),
    )
    def test_anything(
        self, body: bytes, offsets: Sequence[int], usage_wanted: bool
    ) -> None:
        """
        So it is with any bytes in any reads.
        """
        whole = Ended([body], usage_wanted)
        cut = Ended(split(body, offsets), usage_wanted)
        self.assertEqual(cut.everything(), whole.everything())

    @unhurried
    @given(
        st.lists(
            st.tuples(st.text(), st.sampled_from(["", "\n", "\ud83d"]), st.booleans()),
            min_size=3,
        ),
        st.sampled_from([{}, {"content": "x"}, {"usage": {"prompt_tokens": 1}}]),
    )
    def test_events_that_are_alike(
        self, pieces: list[tuple[str, str, bool]], more: Mapping[str, object]
    ) -> None:
        """
        So it is where only the content differs from event to event, however it is
        written.
        """
        events = []
        for text, letter, escaped in pieces:
            delta = {"content": text + letter}
            value = {"choices": [{"index": 0, "delta": delta}], **more}
            written = json.dumps(value, ensure_ascii=escaped or letter > "~")
            events.append(b"data: " + written.encode() + b"\n\n")
        body = b"".join(events)
        whole = Ended([body])
        self.assertEqual(whole.relayed, body)
        self.assertEqual(
            whole.stream.output_chars, sum(len(text + more) for text, more, _ in pieces)
        )
        single = Ended(split(body, range(len(body))))
        self.assertEqual(single.everything(), whole.everything())
