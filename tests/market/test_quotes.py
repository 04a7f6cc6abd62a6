"""
Tests for L{arbstr.market.quotes}.
"""

from __future__ import annotations

import json
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from arbstr.market.models import BadAnswer
from arbstr.market.quotes import Page, Quote, read_health, read_nodes, read_quotes
from arbstr.routing.money import Rates

from .feed import NOW, health, node, openrouter_quote, quote

USD_PER_SAT = Decimal("0.001")


def encode(value: object) -> bytes:
    """
    As it comes.
    """
    return json.dumps(value).encode()


class HealthTests(SynchronousTestCase):
    """
    L{read_health}.
    """

    def test_rate(self) -> None:
        """
        Dollars for a bitcoin are a hundred millionth for a sat.
        """
        self.assertEqual(read_health(encode(health())), USD_PER_SAT)

    def test_no_rate(self) -> None:
        """
        The feed may not know, or talk nonsense.
        """
        values: list[object] = [None, 0, -1, 0.5, 1e308, True, "100000", []]
        for told in values:
            self.assertIsNone(read_health(encode(health(told))), told)

    def test_no_feed(self) -> None:
        """
        Somebody else answers there: arbstr's default port is the feed's.
        """
        values: list[object] = [[], {}, None, {"status": "ok"}, {"ok": False}]
        for value in values:
            self.assertRaises(BadAnswer, read_health, encode(value))
        self.assertRaises(BadAnswer, read_health, b"<html>")


class QuoteTests(SynchronousTestCase):
    """
    L{read_quotes}.
    """

    def page(self, *rows: object) -> Page:
        """
        A page of these rows.
        """
        return read_quotes(encode(rows))

    def one(self, **fields: object) -> Quote:
        """
        The quote in a row that differs in these fields.
        """
        (found,) = self.page(quote(**fields)).quotes
        return found

    def rates(self, **fields: object) -> list[Rates | None]:
        """
        The prices in a row that differs in these fields.
        """
        return [price.in_sats(USD_PER_SAT) for price in self.one(**fields).prices]

    def assert_left_out(self, row: object, why: str) -> None:
        """
        It is of no use, and that is told.
        """
        page = self.page(row, quote("other"))
        self.assertEqual([each.model for each in page.quotes], ["other"])
        self.assertEqual(page.remark, f"left out 1 of 2 quotes: {why} (1)")

    def test_row(self) -> None:
        """
        All of it.
        """
        found = self.one()
        self.assertEqual(
            (found.source, found.provider, found.provider_id, found.model),
            ("routstr", "Node One", "one", "gpt-4o"),
        )
        self.assertEqual(found.endpoint, "https://node.example/v1")
        self.assertAlmostEqual(found.observed_at or 0, NOW, places=3)

    def test_openrouter(self) -> None:
        """
        Its endpoint is complete.
        """
        (found,) = self.page(openrouter_quote()).quotes
        self.assertEqual(found.endpoint, "https://openrouter.ai/api/v1")

    def test_sats(self) -> None:
        """
        They go first; dollars stand by.
        """
        self.assertEqual(
            self.rates(price_in_usd=1, price_out_usd=1),
            [Rates(2500, 10000, 2500), Rates(1000, 1000, 1000)],
        )

    def test_no_sats(self) -> None:
        """
        For a quarter of each minute the feed has none; that is not free.
        """
        for fields in (
            {"price_in_sats": None, "price_out_sats": None},
            {"price_in_sats": None},
            {"price_out_sats": None},
        ):
            self.assertEqual(self.rates(**fields), [Rates(2500, 10000, 2500)])

    def test_no_price(self) -> None:
        """
        It has one that is not known.
        """
        fields = dict.fromkeys(
            ("price_in_sats", "price_out_sats", "price_in_usd", "price_out_usd")
        )
        self.assertEqual(self.rates(**fields), [])

    def test_free(self) -> None:
        """
        Zero in both is zero; in sats alone it is a null that somebody filled.
        """
        free = dict.fromkeys(
            ("price_in_sats", "price_out_sats", "price_in_usd", "price_out_usd"), 0
        )
        self.assertEqual(self.rates(**free)[0], Rates(0, 0, 0))
        self.assertEqual(
            self.rates(price_in_sats=0, price_out_sats=0),
            [Rates(2500, 10000, 2500)],
        )

    def test_negative(self) -> None:
        """
        OpenRouter's routers: minus one for a token.
        """
        row = openrouter_quote(
            "openrouter/auto", price_in_usd=-1_000_000, price_out_usd=-1_000_000
        )
        self.assert_left_out(row, "a price is negative")
        self.assert_left_out(quote(price_in_sats=-1), "a price is negative")

    def test_impossible(self) -> None:
        """
        Nor other numbers that are none.
        """
        self.assert_left_out(quote(price_in_sats=1e308), "a price is beyond belief")
        self.assert_left_out(quote(price_in_sats=[1]), "a price is not a number")

    def test_no_endpoint(self) -> None:
        """
        There is nowhere to go.
        """
        for endpoint in (None, "", "  ", 4):
            self.assert_left_out(quote(endpoint=endpoint), "no endpoint")

    def test_names(self) -> None:
        """
        They have to be names.
        """
        for key in ("source", "provider_id", "model"):
            for value in (None, "", 4, "a\nb", "x" * 257):
                self.assert_left_out(quote(**{key: value}), f"no usable {key}")

    def test_no_provider(self) -> None:
        """
        Then its id is its name.
        """
        self.assertEqual(self.one(provider=None).provider, "one")

    def test_observed(self) -> None:
        """
        It may not be told, but not be told wrongly.
        """
        self.assertIsNone(self.one(observed_at=None).observed_at)
        self.assertEqual(self.one(observed_at="1970-01-01T00:01:00").observed_at, 60)
        for told in ("now", 4, "9999-99-99", ""):
            self.assert_left_out(quote(observed_at=told), "no usable observed_at")

    def test_not_a_list(self) -> None:
        """
        A bare list, or nothing.
        """
        values: list[object] = [{"data": []}, None, "a"]
        for value in values:
            self.assertRaises(BadAnswer, read_quotes, encode(value))

    def test_not_objects(self) -> None:
        """
        Rows are objects.
        """
        self.assert_left_out(4, "a quote is not an object")

    def test_full(self) -> None:
        """
        At the most that the feed gives, there may be more.
        """
        rows = [quote(f"m{number}") for number in range(2000)]
        self.assertTrue(self.page(*rows).is_full)
        self.assertFalse(self.page(*rows[1:]).is_full)

    def test_too_many(self) -> None:
        """
        A feed that gives more than that is not read to its end.
        """
        page = read_quotes(b"[" + b",".join([encode(quote())] * 5001) + b"]")
        self.assertEqual(len(page.quotes), 5000)
        self.assertEqual(
            page.remark, "left out 1 of 5001 quotes: more than was asked for (1)"
        )

    @given(
        st.dictionaries(
            st.sampled_from([*quote()]),
            st.none() | st.booleans() | st.floats() | st.text() | st.lists(st.none()),
        )
    )
    def test_anything(self, fields: dict[str, object]) -> None:
        """
        Whatever a row says, it is understood or left out.
        """
        try:
            page = self.page({**quote(), **fields})
        except BadAnswer:
            return
        for found in page.quotes:
            for price in found.prices:
                self.assertGreaterEqual(min(price.input, price.output), 0)


class NodeTests(SynchronousTestCase):
    """
    L{read_nodes}.
    """

    def reliability(self, **fields: object) -> float | None:
        """
        What is made of a row.
        """
        (found,) = read_nodes(encode([node(**fields)]))  # type: ignore[arg-type]
        return found.reliability

    def test_row(self) -> None:
        """
        Who, where and how well.
        """
        (found,) = read_nodes(encode([node(reliability=0.25)]))
        self.assertEqual(
            (found.provider_id, found.endpoint, found.reliability),
            ("one", "https://node.example/v1", 0.25),
        )

    def test_no_samples(self) -> None:
        """
        Zero of zero is not bad.
        """
        self.assertIsNone(self.reliability(reliability=0.0, poll_total=0))
        self.assertEqual(self.reliability(reliability=0.0, poll_total=1), 0)

    def test_nonsense(self) -> None:
        """
        It is no verdict.
        """
        for fields in (
            {"poll_total": None},
            {"poll_total": "60"},
            {"reliability": None},
            {"reliability": True},
            {"poll_total": -1},
        ):
            self.assertIsNone(self.reliability(**fields))
        self.assertEqual(self.reliability(reliability=7), 1)

    def test_no_rows(self) -> None:
        """
        What is no node is passed over; what is no list is an error.
        """
        self.assertEqual(read_nodes(encode([4, None, {}, {"provider_id": 4}])), ())
        self.assertRaises(BadAnswer, read_nodes, b"{}")
