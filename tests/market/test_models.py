"""
Answers to C{GET /models} that are broken, or hostile.
"""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from arbstr.market.models import MOST_MODELS, BadAnswer, read_models
from arbstr.market.routstr import balance_url, read_balance

from . import recorded

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
ENTRY = st.dictionaries(
    st.sampled_from(["id", "pricing", "sats_pricing", "payment", "aliases", "enabled"]),
    JSON | st.dictionaries(st.sampled_from(["prompt", "completion", "offers"]), JSON),
)


class AnswerTests(SynchronousTestCase):
    """
    L{read_models}.
    """

    def assert_bad(self, body: bytes | object, why: str) -> None:
        """
        Nothing of it is used.
        """
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        error = self.assertRaises(BadAnswer, read_models, body)
        self.assertEqual(str(error), why)

    def test_not_json(self) -> None:
        """
        Whatever else it is.
        """
        for body in (
            b"",
            b"<html>nope</html>",
            b'{"data": [',
            b'{"data": [NaN]}',
            b"\xff\xfe",
            b"[" * 100_000,
            b'{"data": [' + b"9" * 5000 + b"]}",
        ):
            self.assert_bad(body, "the answer is not JSON")

    def test_not_an_object(self) -> None:
        """
        Of any other type.
        """
        values: list[object] = [[], None, 4, "data"]
        for value in values:
            self.assert_bad(value, "the answer is not a JSON object")

    def test_no_data(self) -> None:
        """
        An error, or another server.
        """
        values: list[object] = [{}, {"models": []}, {"error": {"message": "no"}}]
        for value in values:
            self.assert_bad(value, "the answer has no 'data'")

    def test_null(self) -> None:
        """
        Ollama says so where no model is installed.
        """
        self.assert_bad(
            recorded.OLLAMA_EMPTY, "the answer lists no models: 'data' is null"
        )

    def test_data_of_another_type(self) -> None:
        """
        An object, a text.
        """
        values: list[object] = [{"gpt-4o": {}}, "gpt-4o", 4]
        for data in values:
            self.assert_bad({"data": data}, "the answer's 'data' is not a list")

    def test_nothing_usable(self) -> None:
        """
        A list of which nothing is left is no list.
        """
        data: list[object] = [
            None,
            4,
            {"id": 4},
            {"id": ""},
            {"id": "a\nb"},
            {"id": "x" * 257},
        ]
        self.assert_bad(
            {"data": data},
            "left out 6 of 6 models: an entry is not an object (2), an id is empty, "
            "not printable or too long (3), an id is not text (1)",
        )

    def test_empty(self) -> None:
        """
        A list of nothing is one.
        """
        self.assertEqual(read_models(b'{"data": []}').models, ())

    def test_bad_entries(self) -> None:
        """
        The others stand.
        """
        data: list[object] = [
            {"id": "a\x00"},
            {"id": " a"},
            {"id": "\ud800"},
            {"id": "a"},
            [],
        ]
        listing = read_models(json.dumps({"data": data}).encode())
        self.assertEqual([each.id for each in listing.models], ["a"])
        self.assertEqual(
            listing.remark,
            "left out 4 of 5 models: an entry is not an object (1), an id is empty, "
            "not printable or too long (3)",
        )

    def test_twice(self) -> None:
        """
        The first counts, whatever comes after it.
        """
        first = recorded.openrouter("a", "0.1", "0.1")
        data = [first, recorded.openrouter("a", "0", "0"), {"id": "a", "pricing": None}]
        data.append(recorded.openrouter("a", "-1", "-1"))
        listing = read_models(json.dumps({"data": data}).encode())
        self.assertEqual(len(listing.models), 1)
        self.assertEqual(listing.models[0].prices[0].input, 100_000)
        self.assertEqual(listing.unclear, frozenset())

    def test_too_many(self) -> None:
        """
        The first ones are enough.
        """
        data = [{"id": f"m{number}"} for number in range(100_000)]
        listing = read_models(json.dumps({"data": data}).encode())
        self.assertEqual(len(listing.models), MOST_MODELS)
        self.assertEqual(
            listing.remark, "100000 models, of which the first 5000 are taken"
        )

    def test_byte_order_mark(self) -> None:
        """
        Some write one.
        """
        self.assertEqual(
            len(read_models(b'\xef\xbb\xbf{"data": [{"id": "a"}]}').models), 1
        )

    @given(st.dictionaries(st.sampled_from(["data", "object"]), JSON | st.lists(ENTRY)))
    def test_anything(self, answer: object) -> None:
        """
        Whatever comes, it is understood or refused.
        """
        try:
            listing = read_models(json.dumps(answer).encode())
        except BadAnswer:
            return
        for model in listing.models:
            self.assertTrue(model.id.isprintable())
            for price in model.prices:
                self.assertGreaterEqual(min(price.input, price.output), 0)


class BalanceTests(SynchronousTestCase):
    """
    L{read_balance} and where it is.
    """

    def test_balance(self) -> None:
        """
        Msats.
        """
        body = json.dumps(recorded.BALANCE).encode()
        self.assertEqual(read_balance(body), 50_000_000)

    def test_overdrawn(self) -> None:
        """
        Then there is nothing.
        """
        self.assertEqual(read_balance(b'{"balance": -61}'), 0)

    def test_not_told(self) -> None:
        """
        That is not nothing.
        """
        for body in (
            b"{}",
            b"[]",
            b'{"balance": null}',
            b'{"balance": "100"}',
            b'{"balance": 1.5}',
            b'{"balance": true}',
            b'{"detail": "Unauthorized"}',
        ):
            error = self.assertRaises(BadAnswer, read_balance, body)
            self.assertEqual(str(error), "the answer has no 'balance' in whole msats")

    def test_where(self) -> None:
        """
        Below /v1, which may be part of the URL.
        """
        for base in ("https://node.example", "https://node.example/v1"):
            self.assertEqual(balance_url(base), "https://node.example/v1/balance/info")
