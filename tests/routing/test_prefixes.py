"""
Tests for L{arbstr.routing.prefixes}.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from arbstr.routing.prefixes import MOST_PREFIXES, Part, digest_prefixes

texts = st.text(max_size=5) | st.just("\ud800")
contents = (
    texts
    | st.none()
    | st.lists(
        st.builds(lambda text: {"type": "text", "text": text}, texts)
        | st.just({"type": "image_url", "image_url": {"url": "data:"}}),
        max_size=3,
    )
)
messages = st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(["user", "assistant"]),
    contents,
)
conversations = st.lists(messages, min_size=1, max_size=4)


def digests(*messages: Any, head: str = "gpt-4o") -> list[bytes]:
    """
    Those of a conversation.
    """
    parts = [Part(message, 1) for message in messages]
    return [prefix.digest for prefix in digest_prefixes(head, 0, parts)]


def said(content: object, **fields: object) -> dict[str, object]:
    """
    A message of the user's.
    """
    return {"role": "user", "content": content, **fields}


class PrefixTests(SynchronousTestCase):
    """
    What makes two beginnings the same.
    """

    @given(conversations, conversations)
    def test_going_on(self, before: list[Any], after: list[Any]) -> None:
        """
        A conversation that goes on begins with what it was.
        """
        self.assertEqual(digests(*before), digests(*before, *after)[: len(before)])

    @given(conversations, conversations)
    def test_different(self, one: list[Any], other: list[Any]) -> None:
        """
        Only the same messages have the same digest.
        """
        same = [_plain(message) for message in one] == [
            _plain(message) for message in other
        ]
        self.assertEqual(digests(*one)[-1] == digests(*other)[-1], same)

    def test_head(self) -> None:
        """
        The same messages to another model, or with other tools, are something
        else.
        """
        self.assertNotEqual(
            digests(said("Hi"), head="gpt-4o"), digests(said("Hi"), head="o3")
        )

    def test_order_of_members(self) -> None:
        """
        How a client orders a message's members does not matter.
        """
        turned = {"content": "Hi", "role": "user"}
        self.assertEqual(digests(said("Hi")), digests(turned))

    def test_text_as_part(self) -> None:
        """
        A text is the same as a list with this one text.
        """
        parts = [{"type": "text", "text": "Hi"}]
        self.assertEqual(digests(said("Hi")), digests(said(parts)))

    def test_marks(self) -> None:
        """
        What is marked for the cache is the same when the mark has moved on.
        """
        mark = {"cache_control": {"type": "ephemeral"}}
        marked = said([{"type": "text", "text": "Hi", **mark}], **mark)
        self.assertEqual(digests(said("Hi")), digests(marked))

    def test_images(self) -> None:
        """
        Another image makes another prompt.
        """
        one, other = (
            said([{"type": "image_url", "image_url": {"url": url}}])
            for url in ("data:1", "data:2")
        )
        self.assertNotEqual(digests(one), digests(other))

    def test_tool_calls(self) -> None:
        """
        So do other calls of tools.
        """
        one, other = (
            {"role": "assistant", "content": None, "tool_calls": [{"id": name}]}
            for name in ("1", "2")
        )
        self.assertNotEqual(digests(one), digests(other))

    def test_no_text(self) -> None:
        """
        A digest has sixteen bytes, whatever was said.
        """
        self.assertEqual(len(digests(said("x" * 100_000))[0]), 16)


class LengthTests(SynchronousTestCase):
    """
    How long they are, and how many.
    """

    def test_tokens(self) -> None:
        """
        Each counts all that comes before its end.
        """
        parts = [Part(said("a"), 5), Part(said("b"), 7)]
        prefixes = digest_prefixes("gpt-4o", 100, parts)
        self.assertEqual([prefix.tokens for prefix in prefixes], [105, 112])

    def test_none(self) -> None:
        """
        Without messages there are none.
        """
        self.assertEqual(digest_prefixes("gpt-4o", 0, []), [])

    def test_many_messages(self) -> None:
        """
        Of many messages the first and the last ones count.
        """
        parts = [Part(said("a"), 1) for _ in range(1000)]
        tokens = [prefix.tokens for prefix in digest_prefixes("gpt-4o", 0, parts)]
        self.assertEqual(tokens, [1, *range(1002 - MOST_PREFIXES, 1001)])


def _plain(message: Any) -> str:
    """
    The message with its content as a list of parts.
    """
    content = message["content"]
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    return json.dumps({**message, "content": [None] if content is None else content})
