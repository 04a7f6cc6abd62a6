"""
Tests for L{arbstr.upstream.wire}: what is no request.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from arbstr.errors import ApiError
from arbstr.upstream.wire import ChatRequest

from .json_values import json_values, unhurried

messages = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["user", "system"]),
        "content": st.text() | st.lists(st.fixed_dictionaries({"text": json_values})),
    },
)
requests = st.fixed_dictionaries(
    {
        "model": st.just("m") | json_values,
        "messages": st.lists(messages) | json_values,
    },
    optional={
        "stream": st.booleans() | json_values,
        "stream_options": json_values,
        "n": st.integers() | json_values,
        "max_tokens": st.integers() | json_values,
        "max_completion_tokens": st.integers() | json_values,
        "tools": json_values,
    },
)


class RefusalTests(SynchronousTestCase):
    """
    A request that cannot be understood is refused, and the error names the
    member.
    """

    def assertRefused(self, body: bytes, param: str | None, message: str) -> None:
        """
        The client is told exactly this.
        """
        error = self.assertRaises(ApiError, ChatRequest.parse, body)
        self.assertEqual(
            (error.status, error.type, error.param, error.message),
            (400, "invalid_request_error", param, message),
        )

    def assertWrong(self, member: str, expected: str, **values: Any) -> None:
        """
        Each of these is a wrong value of the member.

        @param values: by what is found, the value.
        """
        for found, value in values.items():
            body = {"model": "m", "messages": [], member: value}
            kind = found.replace("_", " ")
            self.assertRefused(
                json.dumps(body).encode(),
                member,
                f"'{member}': expected {expected}, found {kind}",
            )

    def test_not_an_object(self) -> None:
        """
        No member is to blame where there is no object.
        """
        self.assertRefused(
            b"[]", None, "The body: expected a JSON object, found another value"
        )

    def test_missing(self) -> None:
        """
        Both the model and the messages are needed.
        """
        self.assertRefused(
            b'{"messages":[]}',
            "model",
            "'model' is missing, expected a non-empty string",
        )
        self.assertRefused(
            b'{"model":"m"}', "messages", "'messages' is missing, expected an array"
        )

    def test_model(self) -> None:
        """
        A model is a string, and not an empty one.
        """
        self.assertWrong(
            "model",
            "a non-empty string",
            null=None,
            a_number=1,
            a_boolean=True,
            an_array=["gpt-4o"],
            an_object={},
            a_string="",
        )

    def test_model_twice(self) -> None:
        """
        Two models are refused: who knows which of them a provider would take?
        Even if they are the same, and however they are written.
        """
        for second in (b'"model":"b"', b'"model":"a"', rb'"mod\u0065l":"b"'):
            self.assertRefused(
                b'{"model":"a","messages":[],%s}' % second,
                "model",
                "'model' is given more than once",
            )

    def test_messages(self) -> None:
        """
        Messages are an array.
        """
        self.assertWrong(
            "messages",
            "an array",
            null=None,
            a_number=1.5,
            a_boolean=False,
            a_string="hi",
            an_object={},
        )

    def test_message(self) -> None:
        """
        Each of them is an object; the error tells which is not.
        """
        self.assertRefused(
            b'{"model":"m","messages":[{},"hi"]}',
            "messages[1]",
            "'messages[1]': expected an object, found a string",
        )

    def test_content(self) -> None:
        """
        Its content is text, parts or nothing.
        """
        self.assertRefused(
            b'{"model":"m","messages":[{"content":{}}]}',
            "messages[0].content",
            "'messages[0].content': expected a string, an array or null, "
            "found an object",
        )

    def test_stream(self) -> None:
        """
        C{stream} is a boolean, and nothing that looks like one.
        """
        self.assertWrong(
            "stream", "a boolean or null", a_number=1, a_string="true", an_array=[]
        )

    def test_stream_options(self) -> None:
        """
        C{stream_options} are an object.
        """
        self.assertWrong(
            "stream_options",
            "an object or null",
            a_boolean=True,
            an_array=[],
            a_string="",
        )

    def test_counts(self) -> None:
        """
        Counts are integers.
        """
        for member in ("n", "max_tokens", "max_completion_tokens"):
            self.assertWrong(
                member,
                "an integer or null",
                a_number=1.5,
                a_boolean=True,
                a_string="1",
                an_array=[1],
            )

    def test_no_count(self) -> None:
        """
        Counts are at least one.
        """
        for member in ("n", "max_tokens", "max_completion_tokens"):
            for value in (0, -1, -(10**400)):
                self.assertRefused(
                    json.dumps({"model": "m", "messages": [], member: value}).encode(),
                    member,
                    f"'{member}': expected at least 1, found {value}",
                )

    def test_both_limits(self) -> None:
        """
        A wrong limit is refused even where the other one counts.
        """
        error = self.assertRaises(
            ApiError,
            ChatRequest.parse,
            b'{"model":"m","messages":[],"max_tokens":"1","max_completion_tokens":1}',
        )
        self.assertEqual(error.param, "max_tokens")

    def test_too_many_choices(self) -> None:
        """
        So many answers that their cost could not be told are refused.
        """
        for n in (65_537, 10**400):
            self.assertRefused(
                json.dumps({"model": "m", "messages": [], "n": n}).encode(),
                "n",
                "'n': expected at most 65536",
            )

    def test_huge_limit(self) -> None:
        """
        A limit that never bites is no error.
        """
        body = {"model": "m", "messages": [], "max_tokens": 10**400}
        request = ChatRequest.parse(json.dumps(body).encode())
        self.assertEqual(request.output_cap, 10**400)

    @unhurried
    @given(st.binary())
    def test_any_bytes(self, body: bytes) -> None:
        """
        Whatever bytes come, they are refused: none of these is a request.
        """
        error = self.assertRaises(ApiError, ChatRequest.parse, body)
        self.assertEqual(error.status, 400)

    @unhurried
    @given(requests)
    def test_any_object(self, fields: dict[str, Any]) -> None:
        """
        Whatever is said in the members that it knows, the request is refused,
        or understood and can be sent to anybody.
        """
        try:
            request = ChatRequest.parse(json.dumps(fields).encode())
        except ApiError as error:
            self.assertEqual(error.status, 400)
        else:
            self.assertGreaterEqual(request.input_tokens, 1)
            sent = json.loads(request.encode("another", routstr=True))
            self.assertEqual(sent["model"], "another")
            self.assertEqual(sent["messages"], fields["messages"])
