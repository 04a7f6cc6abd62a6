"""
Tests for L{arbstr.upstream.wire}: the beginnings of a prompt.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from .test_wire import IMAGE, parse, text, user

SYSTEM = {"role": "system", "content": "Be brief."}
QUESTION = {"role": "user", "content": "x" * 400}
ANSWER = {"role": "assistant", "content": "No."}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {}}}


class PrefixTests(SynchronousTestCase):
    """
    L{ChatRequest.prefixes} tells a conversation from others.
    """

    def last(self, *messages: object, **fields: Any) -> bytes:
        """
        The digest of a whole prompt.
        """
        return parse(messages, **fields).prefixes()[-1].digest

    def test_follow_up(self) -> None:
        """
        The next prompt begins with the one before.
        """
        before = parse([SYSTEM, QUESTION]).prefixes()
        after = parse([SYSTEM, QUESTION, ANSWER, user(text("Why?"))]).prefixes()
        self.assertEqual(len(after), 4)
        self.assertEqual(after[:2], before)

    def test_what_the_model_does_not_read(self) -> None:
        """
        How the answer is wanted does not matter.
        """
        self.assertEqual(
            self.last(QUESTION),
            self.last(QUESTION, stream=True, max_tokens=5, temperature=1, user="me"),
        )

    def test_model(self) -> None:
        """
        To another model it is another prompt.
        """
        self.assertNotEqual(self.last(QUESTION), self.last(QUESTION, model="o3"))

    def test_tools(self) -> None:
        """
        So it is with other tools, which come before all messages.
        """
        self.assertNotEqual(self.last(QUESTION), self.last(QUESTION, tools=[TOOL]))

    def test_tokens(self) -> None:
        """
        Each has the estimate for what it holds, the tools included.
        """
        request = parse([QUESTION, user(text("Hi"), IMAGE)], tools=[TOOL])
        first, second = request.prefixes()
        self.assertEqual(second.tokens - first.tokens, 1 + 4 + 1000)
        self.assertGreater(first.tokens, 104 + 10)
        self.assertLess(abs(second.tokens - request.input_tokens), 10)

    def test_without_messages(self) -> None:
        """
        What has no beginning has none.
        """
        self.assertEqual(parse([]).prefixes(), [])
