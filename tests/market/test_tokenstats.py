"""
Tests for L{arbstr.market.tokenstats}: what is made of the feed's answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from arbstr.config.market import TokenstatsSettings
from arbstr.market.groups import MOST_GROUPS, MOST_MODELS
from arbstr.market.quotes import read_nodes, read_quotes
from arbstr.market.sellers import Seller, Skipped, Verdict
from arbstr.market.shelf import GRACE
from arbstr.market.tokenstats import MOST_SELLERS, Feed
from arbstr.routing.money import Rates

from .feed import NOW, Json, moment, node, openrouter_quote, quote

USD_PER_SAT = Decimal("0.001")
NO_SATS: dict[str, object] = {"price_in_sats": None, "price_out_sats": None}
NO_PRICE: dict[str, object] = {**NO_SATS, "price_in_usd": None, "price_out_usd": None}
NODE = "https://node.example/v1"
KEY = "sk-canary-node"


class FeedTestCase(SynchronousTestCase):
    """
    A feed that answers as the test says.
    """

    def setUp(self) -> None:
        self.now = NOW
        self.configured: dict[str, str] = {}
        self.configure()

    def configure(self, **settings: Any) -> None:
        """
        Start anew with these settings.
        """
        keys = {"openrouter": "sk-canary-or", "routstr:one@node.example": KEY}
        given = {"keys": keys, **settings}
        self.feed = Feed(TokenstatsSettings.model_validate(given))

    def answer(
        self,
        *quotes: Json,
        nodes: Iterable[Json] | None = (),
        rate: Decimal | None = USD_PER_SAT,
    ) -> Verdict:
        """
        What is made of another answer.
        """
        self.feed.update(
            read_quotes(json.dumps(quotes).encode()),
            None if nodes is None else read_nodes(json.dumps(list(nodes)).encode()),
            rate,
            self.now,
            self.configured,
        )
        return self.judge()

    def judge(self) -> Verdict:
        """
        What is made of what is known.
        """
        return self.feed.judge(self.configured)

    def sellers(self, verdict: Verdict) -> list[str]:
        """
        The ids of those who may be added.
        """
        return [each.provider_id for each in verdict.sellers]

    def only(self, verdict: Verdict) -> Seller:
        """
        The only one who may be.
        """
        (seller,) = verdict.sellers
        return seller

    def skipped(self, verdict: Verdict) -> Skipped:
        """
        The only one who may not be.
        """
        (skipped,) = verdict.skipped
        return skipped


class GroupTests(FeedTestCase):
    """
    Quotes become providers.
    """

    def test_group(self) -> None:
        """
        One for each endpoint, with all its models.
        """
        seller = self.only(self.answer(quote("a"), quote("b", price_in_sats=1)))
        self.assertEqual(
            (seller.source, seller.provider, seller.provider_id, seller.endpoint),
            ("routstr", "Node One", "one", NODE),
        )
        self.assertEqual(
            seller.models,
            {"a": Rates(2500, 10000, 2500), "b": Rates(1, 10000, 1)},
        )
        assert seller.api_key is not None
        self.assertEqual(seller.api_key.get_secret_value(), KEY)
        self.assertNotIn("canary", repr(seller))

    def test_spellings_of_an_endpoint(self) -> None:
        """
        They are one.
        """
        verdict = self.answer(quote("a"), quote("b", endpoint=f"{NODE}/"))
        self.assertEqual(set(self.only(verdict).models), {"a", "b"})

    def test_same_id_elsewhere(self) -> None:
        """
        Ids are chosen by whoever announces himself: no key goes there.
        """
        verdict = self.answer(quote(), quote(endpoint="https://evil.example"))
        self.assertEqual(self.only(verdict).endpoint, NODE)
        self.assertEqual(self.skipped(verdict).endpoint, "https://evil.example/v1")

    def test_source(self) -> None:
        """
        Others than the configured one are passed over, in any case.
        """
        self.configure(source="OpenRouter")
        verdict = self.answer(quote(), openrouter_quote(source="OPENROUTER"))
        self.assertEqual(self.sellers(verdict), ["openrouter"])
        self.assertEqual(verdict.skipped, ())

    def test_newest(self) -> None:
        """
        Of two quotes for the same, the later one counts.
        """
        new = quote(price_in_sats=1)
        old = quote(price_in_sats=2, observed_at=moment(NOW - 60))
        for rows in ((old, new), (new, old)):
            (rates,) = self.only(self.answer(*rows)).models.values()
            assert rates is not None
            self.assertEqual(rates.input, 1)

    def test_newest_is_dated(self) -> None:
        """
        A quote of no time, or of one that is yet to come, is not newer than one
        that was observed.
        """
        dated = quote(price_in_sats=1)
        for told in (None, moment(NOW + 86_400)):
            other = quote(price_in_sats=2, observed_at=told)
            for rows in ((dated, other), (other, dated)):
                (rates,) = self.only(self.answer(*rows)).models.values()
                assert rates is not None
                self.assertEqual(rates.input, 1)

    def test_several_ids(self) -> None:
        """
        One endpoint is one provider, called what was observed last, with the
        newest price of each model.
        """
        self.configure(keys={"routstr@node.example": KEY})
        old = {"provider_id": "a", "observed_at": moment(NOW - 60)}
        rows = [
            quote("x", price_in_sats=1, **old),
            quote("y", price_in_sats=2, **old),
            quote("x", price_in_sats=3, provider_id="b"),
        ]
        for order in (rows, rows[::-1]):
            seller = self.only(self.answer(*order))
            self.assertEqual(seller.provider_id, "b")
            prices = {name: each and each.input for name, each in seller.models.items()}
            self.assertEqual(prices, {"x": 3, "y": 2})

    def test_id_without_a_key(self) -> None:
        """
        What somebody else announces for the endpoint is not its price.
        """
        verdict = self.answer(
            quote(price_in_sats=7), quote(price_in_sats=1, provider_id="stray")
        )
        self.assertEqual(self.only(verdict).models, {"gpt-4o": Rates(7, 10000, 7)})
        self.assertEqual(self.skipped(verdict).provider_id, "stray")

    def test_many_sellers(self) -> None:
        """
        There is an end to them.
        """
        self.configure(keys={"routstr@node.example": KEY})
        rows = [quote(endpoint=f"https://node.example/{n}") for n in range(501)]
        verdict = self.answer(*rows)
        self.assertEqual(len(verdict.sellers), MOST_SELLERS)
        self.assertEqual(
            verdict.notes, (f"501 providers, of which {MOST_SELLERS} are used",)
        )


class PriceTests(FeedTestCase):
    """
    Which price holds.
    """

    def price(self, verdict: Verdict) -> Rates | None:
        """
        That of the only model.
        """
        (rates,) = self.only(verdict).models.values()
        return rates

    def test_dollars(self) -> None:
        """
        They stand in for sats.
        """
        verdict = self.answer(quote(price_in_usd=5, **NO_SATS))
        self.assertEqual(self.price(verdict), Rates(5000, 10000, 5000))

    def test_last_known(self) -> None:
        """
        It stands in for dollars that cannot be converted.
        """
        self.answer(quote(price_in_sats=7))
        verdict = self.answer(quote(**NO_SATS), rate=None)
        self.assertEqual(self.price(verdict), Rates(7, 10000, 7))
        verdict = self.answer(quote(**NO_PRICE))
        self.assertEqual(self.price(verdict), Rates(7, 10000, 7))

    def test_unknown(self) -> None:
        """
        Without any it is not known, and not free.
        """
        self.assertIsNone(self.price(self.answer(quote(**NO_SATS), rate=None)))
        self.assertIsNone(self.price(self.answer(quote(**NO_PRICE))))

    def test_known_at_last(self) -> None:
        """
        It comes with the next answer.
        """
        self.answer(quote(**NO_PRICE))
        self.assertEqual(self.price(self.answer(quote())), Rates(2500, 10000, 2500))

    def test_negative(self) -> None:
        """
        It makes no offer, and does not change one.
        """
        self.answer(quote(price_in_sats=7))
        verdict = self.answer(quote(price_in_sats=-7))
        self.assertEqual(self.price(verdict), Rates(7, 10000, 7))
        self.assertEqual(
            verdict.notes, ("left out 1 of 1 quotes: a price is negative (1)",)
        )


class SkipTests(FeedTestCase):
    """
    Who is not used, and why.
    """

    def test_no_key(self) -> None:
        """
        The hint says what to write.
        """
        skipped = self.skipped(
            self.answer(quote("a", provider_id="two"), quote("b", provider_id="two"))
        )
        self.assertEqual(
            skipped,
            Skipped(
                source="routstr",
                provider="Node One",
                provider_id="two",
                endpoint=NODE,
                models_count=2,
                reason="missing_api_key",
                hint="add a key under tokenstats.keys as 'routstr:two@node.example'",
            ),
        )

    def test_unsafe(self) -> None:
        """
        Whatever keys there are.
        """
        self.configure(keys={"routstr:one@10.0.0.1": KEY})
        for endpoint in (
            "http://node.example",
            "http://abc.onion",
            "https://10.0.0.1",
            "https://169.254.169.254",
        ):
            skipped = self.skipped(self.answer(quote(endpoint=endpoint)))
            self.assertEqual(skipped.reason, "unsafe_endpoint", endpoint)
            self.setUp()

    def test_password_of_others(self) -> None:
        """
        It is not repeated.
        """
        verdict = self.answer(quote(endpoint="https://u:hunter2@node.example"))
        self.assertEqual(self.skipped(verdict).reason, "unsafe_endpoint")
        self.assertNotIn("hunter2", repr(verdict))

    def test_unreliable(self) -> None:
        """
        Less than the configured share of polls were answered.
        """
        verdict = self.answer(quote(), nodes=[node(reliability=0.49)])
        skipped = self.skipped(verdict)
        self.assertEqual(
            (skipped.reason, skipped.reliability, skipped.hint),
            (
                "low_reliability",
                0.49,
                "it answered 49% of the feed's polls, under the min_reliability of 50%",
            ),
        )
        verdict = self.answer(quote(), nodes=[node(reliability=0.5)])
        self.assertEqual(self.sellers(verdict), ["one"])

    def test_nodes_that_could_not_be_had(self) -> None:
        """
        Nobody becomes reliable by that.
        """
        self.answer(quote(), nodes=[node(reliability=0.1)])
        verdict = self.answer(quote(), nodes=None)
        self.assertEqual(self.skipped(verdict).reason, "low_reliability")
        self.assertEqual(self.feed.nodes_seen, 1)

    def test_no_samples(self) -> None:
        """
        A node that was never polled is not unreliable.
        """
        verdict = self.answer(quote(), nodes=[node(reliability=0.0, poll_total=0)])
        self.assertEqual(self.sellers(verdict), ["one"])

    def test_no_node(self) -> None:
        """
        Nor is one of which nothing is said.
        """
        self.assertEqual(self.sellers(self.answer(quote(), nodes=[])), ["one"])

    def test_others_failures(self) -> None:
        """
        Somebody else with the same id does not count.
        """
        other = node(reliability=0.0, endpoint="https://evil.example")
        own = node(reliability=1.0)
        for nodes in ((other, own), (own, other)):
            self.assertEqual(self.sellers(self.answer(quote(), nodes=nodes)), ["one"])

    def test_openrouter_is_no_node(self) -> None:
        """
        Whoever calls himself so.
        """
        row = node("openrouter", 0.0, endpoint=None)
        verdict = self.answer(openrouter_quote(), nodes=[row])
        self.assertEqual(self.sellers(verdict), ["openrouter"])

    def test_stale(self) -> None:
        """
        All of them are told once.
        """
        old = moment(NOW - 601)
        verdict = self.answer(
            quote("a", observed_at=old),
            openrouter_quote("b", observed_at=old),
            quote("c", observed_at=moment(NOW - 599)),
            quote("d", observed_at=None),
        )
        self.assertEqual(set(self.only(verdict).models), {"c", "d"})
        self.assertEqual(
            self.skipped(verdict),
            Skipped("*", "stale_quotes", "observed more than 600 seconds ago", 2),
        )

    def test_many(self) -> None:
        """
        Not all are shown.
        """
        rows = [quote(provider_id=f"p{number}") for number in range(300)]
        verdict = self.answer(*rows)
        self.assertEqual(len(verdict.skipped), 200)
        self.assertEqual(verdict.notes, ("300 skipped, of which 200 are shown",))


class OverlayTests(FeedTestCase):
    """
    Providers that are configured anyway.
    """

    def test_overlay(self) -> None:
        """
        They need no other key, and are where the configuration says.
        """
        local = "http://127.0.0.1:8000/v1"
        self.configured = {local: "mine"}
        verdict = self.answer(quote(endpoint="http://127.0.0.1:8000"))
        self.assertEqual(verdict.sellers, ())
        self.assertEqual(set(verdict.overlays[local].models), {"gpt-4o"})

    def test_unreliable(self) -> None:
        """
        They stay as they are configured.
        """
        self.configured = {NODE: "mine"}
        verdict = self.answer(quote(), nodes=[node(reliability=0.1)])
        self.assertEqual(verdict.overlays, {})
        self.assertEqual(self.skipped(verdict).reason, "low_reliability")

    def test_stray_id(self) -> None:
        """
        It does not hide what others say of the same endpoint.
        """
        self.configured = {NODE: "mine"}
        verdict = self.answer(quote("a"), quote("b", provider_id="0"))
        self.assertEqual(set(verdict.overlays[NODE].models), {"a", "b"})


class GapTests(FeedTestCase):
    """
    What the feed no longer tells.
    """

    def test_model(self) -> None:
        """
        It is gone after so many answers in a row.
        """
        self.answer(quote("a"), quote("b"))
        for _ in range(GRACE - 1):
            self.assertEqual(set(self.only(self.answer(quote("a"))).models), {"a", "b"})
        self.assertEqual(set(self.only(self.answer(quote("a"))).models), {"a"})

    def test_not_in_a_row(self) -> None:
        """
        One answer with it makes up for all before.
        """
        for _ in range(3):
            self.answer(quote())
            for _ in range(GRACE - 1):
                verdict = self.answer()
        self.assertEqual(self.sellers(verdict), ["one"])

    def test_all(self) -> None:
        """
        A gap does not empty the market at once.
        """
        self.answer(quote())
        self.now += 3600
        old = quote()
        for _ in range(GRACE - 1):
            self.assertEqual(self.sellers(self.answer(old)), ["one"])
        self.assertEqual(self.sellers(self.answer(old)), [])

    def test_full_page(self) -> None:
        """
        What may have been cut off is not missing, unless it gets too old.
        """
        dear = quote("dear")
        self.answer(dear)
        page = [openrouter_quote(f"m{number}") for number in range(2000)]
        for _ in range(GRACE + 1):
            verdict = self.answer(*page)
        self.assertEqual(self.sellers(verdict), ["openrouter", "one"])
        self.assertIn("the feed gives 2000 quotes at most", verdict.notes[0])
        self.now += 601
        page = [{**row, "observed_at": moment(self.now)} for row in page]
        for _ in range(GRACE):
            verdict = self.answer(*page)
        self.assertEqual(self.sellers(verdict), ["openrouter"])

    def test_full_page_without_times(self) -> None:
        """
        What has no time, or one that is yet to come, gets too old from when it
        was told.
        """
        self.answer(
            quote("a", observed_at=None), quote("b", observed_at=moment(NOW + 1e8))
        )
        self.now += 601
        page = [
            openrouter_quote(f"m{number}", observed_at=moment(self.now))
            for number in range(2000)
        ]
        for _ in range(GRACE):
            verdict = self.answer(*page)
        self.assertEqual(self.sellers(verdict), ["openrouter"])

    def test_memory(self) -> None:
        """
        It has an end, whatever is told; what is of use stays.
        """
        self.answer(quote())
        for start in range(0, 6000, 2000):
            numbers = range(start, start + 2000)
            rows = [quote(f"m{n}", provider_id=f"p{n}") for n in numbers]
            verdict = self.answer(*rows)
        self.assertEqual(len(self.feed._groups), MOST_GROUPS)
        self.assertEqual(self.sellers(verdict), ["one"])
        self.assertIn(
            f"3000 providers, of which {MOST_GROUPS} are remembered", verdict.notes
        )

    def test_memory_of_models(self) -> None:
        """
        The newest of a provider's stay.
        """
        for start in range(0, 3 * MOST_MODELS, MOST_MODELS):
            self.now += 1
            numbers = range(start, start + MOST_MODELS)
            rows = [quote(f"m{n}", observed_at=moment(self.now)) for n in numbers]
            models = self.only(self.answer(*rows)).models
            self.assertEqual(set(models), {row["model"] for row in rows})

    def test_other_settings(self) -> None:
        """
        What was told stays known.
        """
        self.answer(quote())
        self.feed.configure(TokenstatsSettings())
        self.assertEqual(self.skipped(self.judge()).reason, "missing_api_key")

    def test_seen(self) -> None:
        """
        How much the last answer held.
        """
        self.answer(quote(), quote(observed_at="never"), nodes=[node()])
        self.assertEqual((self.feed.quotes_seen, self.feed.nodes_seen), (2, 1))
