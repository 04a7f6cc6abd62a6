"""
Tests for L{arbstr.upstream.wire}: what a request says.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from arbstr.upstream.wire import ChatRequest

HELLO = [{"role": "user", "content": "hello"}]


def parse(messages: object = HELLO, **fields: Any) -> ChatRequest:
    """
    A request with these members.
    """
    body = {"model": "gpt-4o", "messages": messages, **fields}
    return ChatRequest.parse(json.dumps(body).encode())


def user(*content: object) -> dict[str, object]:
    """
    A user's message of several parts.
    """
    return {"role": "user", "content": content}


def text(content: str) -> dict[str, object]:
    """
    A part that is text.
    """
    return {"type": "text", "text": content}


IMAGE = {
    "type": "image_url",
    "image_url": {"url": "data:image/png;base64," + "A" * 999},
}


class ViewTests(SynchronousTestCase):
    """
    L{ChatRequest.parse} reads what routing and dispatch need to know.
    """

    def test_plain(self) -> None:
        """
        The least that a request can say.
        """
        request = parse()
        self.assertEqual(request.model, "gpt-4o")
        self.assertEqual(request.last_user_text, "hello")
        self.assertFalse(request.stream)
        self.assertFalse(request.usage_wanted)
        self.assertIsNone(request.output_cap)
        self.assertEqual(request.choices, 1)

    def test_body(self) -> None:
        """
        The bytes are kept as they came.
        """
        body = b' {"messages" : [], "model":"m"}\n'
        self.assertIs(ChatRequest.parse(body).body, body)

    def test_stream(self) -> None:
        """
        A stream has to be asked for.
        """
        self.assertTrue(parse(stream=True).stream)
        self.assertFalse(parse(stream=False).stream)

    def test_usage_wanted(self) -> None:
        """
        So has usage in it.
        """
        for options, wanted in (
            ({"include_usage": True}, True),
            ({"include_usage": False}, False),
            ({"include_usage": None}, False),
            ({}, False),
            (None, False),
        ):
            request = parse(stream=True, stream_options=options)
            self.assertIs(request.usage_wanted, wanted, options)

    def test_output_cap(self) -> None:
        """
        Either name of the limit counts; the newer one goes before.
        """
        self.assertEqual(parse(max_tokens=5).output_cap, 5)
        self.assertEqual(parse(max_completion_tokens=6).output_cap, 6)
        self.assertEqual(parse(max_tokens=5, max_completion_tokens=6).output_cap, 6)

    def test_null(self) -> None:
        """
        C{null} means that a member is absent.
        """
        request = parse(
            stream=None,
            stream_options=None,
            max_tokens=7,
            max_completion_tokens=None,
            n=None,
        )
        self.assertFalse(request.stream)
        self.assertEqual(request.output_cap, 7)
        self.assertEqual(request.choices, 1)

    def test_choices(self) -> None:
        """
        Several answers may be asked for.
        """
        self.assertEqual(parse(n=3).choices, 3)

    def test_last_of_repeated(self) -> None:
        """
        Of a member that is there twice, the last counts, as for most servers.
        """
        body = b'{"model":"m","messages":[],"stream":false,"stream":true}'
        self.assertTrue(ChatRequest.parse(body).stream)

    def test_unknown_members(self) -> None:
        """
        What it does not know is none of its business.
        """
        self.assertEqual(parse(temperature="hot", _x=[None]).model, "gpt-4o")

    def test_secrecy(self) -> None:
        """
        What people write does not get into logs by way of a C{repr}.
        """
        self.assertNotIn("hello", repr(parse()))


class LastUserTextTests(SynchronousTestCase):
    """
    Keywords are looked for in the last message of the user.
    """

    def test_last(self) -> None:
        """
        Neither in earlier ones nor in what others say after it.
        """
        request = parse(
            [
                {"role": "system", "content": "system"},
                {"role": "user", "content": "first"},
                {"role": "assistant", "content": "answer"},
                {"role": "user", "content": "second"},
                {"role": "tool", "content": "result"},
            ]
        )
        self.assertEqual(request.last_user_text, "second")

    def test_parts(self) -> None:
        """
        All of its parts that are text count, as lines.
        """
        request = parse([user(text("one"), IMAGE, text("two"))])
        self.assertEqual(request.last_user_text, "one\ntwo")

    def test_odd_parts(self) -> None:
        """
        Parts of another shape are passed over.
        """
        parts: tuple[object, ...] = (
            "bare",
            None,
            3,
            {"text": None},
            {"text": ["x"]},
            {},
            text("one"),
        )
        self.assertEqual(parse([user(*parts)]).last_user_text, "one")

    def test_none(self) -> None:
        """
        There may be no text, or no user.
        """
        for messages in (
            [],
            [{"role": "system", "content": "system"}],
            [{"role": "user", "content": None}],
            [{"role": "user"}],
            [{"role": ["user"], "content": "odd"}],
        ):
            self.assertEqual(parse(messages).last_user_text, "", messages)


class EstimateTests(SynchronousTestCase):
    """
    The prompt's tokens are estimated: a quarter of the characters, and 4 for
    each message.
    """

    def test_every_message(self) -> None:
        """
        The text of all messages counts.
        """
        messages = [{"role": role, "content": "x" * 40} for role in ("user", "tool")]
        self.assertEqual(parse(messages).input_tokens, 20 + 8)

    def test_every_part(self) -> None:
        """
        So does every part of a message that is text.
        """
        message = user(text("x" * 40), text("y" * 40))
        self.assertEqual(parse([message]).input_tokens, 20 + 4)

    def test_images(self) -> None:
        """
        An image counts a thousand, however long its data are.
        """
        self.assertEqual(
            parse([user(text("xxxx"), IMAGE, IMAGE)]).input_tokens, 1 + 4 + 2000
        )

    def test_schemas(self) -> None:
        """
        The model reads tools and schemas, too: they count as they are written.
        """
        for name in ("tools", "functions", "response_format"):
            schema = {"type": "x" * 390}
            request = parse([], **{name: schema})
            self.assertEqual(request.input_tokens, -(-len(json.dumps(schema)) // 4))

    def test_nothing(self) -> None:
        """
        There is no prompt without a token.
        """
        self.assertEqual(parse([]).input_tokens, 1)
