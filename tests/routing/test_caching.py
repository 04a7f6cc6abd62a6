"""
What the router makes of what providers have in their caches.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from arbstr.routing.affinity import Affinity
from arbstr.routing.money import Rates, Usage
from arbstr.routing.plan import Candidate, Plan, RouteRequest
from arbstr.routing.prefixes import Prefix
from arbstr.routing.router import Router

from .market import MODEL, ask, names, router, seller

# For the 1000 tokens of a prompt and the 1024 that are expected of its answer,
# the one without a cache costs 9.024 sats and the other 11.024, and of these
# 0.009 less for each token that is cached.
CACHING = seller("caching", 10_000, 1000, cached_input_rate=1000)
PLAIN = seller("plain", 8000, 1000)

BEGINNING = Prefix(b"beginning", 100)
WHOLE = Prefix(b"whole", 1000)


class CachingTestCase(SynchronousTestCase):
    """
    A conversation whose beginning one provider has read.
    """

    def router(self, cached_tokens: int, **policies: Any) -> Router:
        """
        @param cached_tokens: how many that provider has in its cache.
        """
        affinity = Affinity(lambda: 0.0)
        usage = Usage(cached_tokens, 1, cached_tokens)
        affinity.observe(MODEL, [BEGINNING], "caching", usage)
        made = router(CACHING, PLAIN, **policies)
        made.affinity = affinity
        return made

    def ask(self, *prefixes: Prefix, **fields: Any) -> RouteRequest:
        """
        The request that goes on.
        """
        given = prefixes or (BEGINNING, WHOLE)
        return ask(input_tokens=1000, prefixes=lambda: given, **fields)

    def plan(self, cached_tokens: int, **policies: Any) -> Plan:
        """
        What is planned for it.
        """
        return self.router(cached_tokens, **policies).plan(self.ask())


class PriceTests(CachingTestCase):
    """
    The cached part of a prompt is priced at its own rate.
    """

    def test_goes_back(self) -> None:
        """
        With 300 tokens cached it costs 2.7 sats less, and so less than elsewhere.
        """
        plan = self.plan(300)
        self.assertEqual(names(plan), ["caching", "plain"])
        self.assertAlmostEqual(plan.candidates[0].expected_sats, 8.324)

    def test_moves(self) -> None:
        """
        With 200 it costs 1.8 sats less, which is not enough.
        """
        plan = self.plan(200)
        self.assertEqual(names(plan), ["plain", "caching"])
        self.assertAlmostEqual(plan.candidates[1].expected_sats, 9.224)

    def test_told(self) -> None:
        """
        A candidate knows what it has cached, and what that saves.
        """
        caching, plain = self.plan(300).candidates
        self.assertEqual((caching.cached_tokens, plain.cached_tokens), (300, 0))
        self.assertAlmostEqual(caching.cache_saves, 2.7)
        self.assertEqual(plain.cache_saves, 0)

    def test_balanced(self) -> None:
        """
        All strategies that go by the cost take account of it.
        """
        self.assertEqual(
            names(self.plan(300, default_strategy="balanced")), ["caching", "plain"]
        )

    def test_limits(self) -> None:
        """
        So do limits of the cost.
        """
        plan = self.router(300).plan(self.ask(max_cost_sats=9))
        self.assertEqual(names(plan), ["caching"])

    def test_no_more_than_the_prompt(self) -> None:
        """
        Of a prompt no more is cached than there is.
        """
        caching = self.plan(5000).candidates[0]
        self.assertEqual(caching.cached_tokens, 1000)

    @given(
        st.integers(0, 10**6),
        st.integers(0, 10**6),
        st.integers(0, 10**6),
        st.builds(Rates, *[st.integers(0, 10**5)] * 3),
    )
    def test_expectation_and_books(
        self, uncached: int, cached: int, output: int, rates: Rates
    ) -> None:
        """
        What is expected of so many tokens is what they cost in the end.
        """
        usage = Usage(uncached + cached, output, cached)
        self.assertAlmostEqual(
            rates.expected_sats(uncached + cached, output, cached),
            float(rates.cost(usage)),
        )


class PrefixTests(CachingTestCase):
    """
    Which beginnings of a prompt are looked at, and when.
    """

    def test_kept(self) -> None:
        """
        They are in the plan, for who learns from what comes of it.
        """
        self.assertEqual(self.plan(300).prefixes, (BEGINNING, WHOLE))

    def test_other_conversation(self) -> None:
        """
        What is cached of one conversation is nothing to another.
        """
        plan = self.router(300).plan(self.ask(WHOLE))
        self.assertEqual(names(plan), ["plain", "caching"])

    def test_nobody_rewards_it(self) -> None:
        """
        Where cached tokens cost as much as others nothing is read twice.
        """

        def prefixes() -> list[Prefix]:
            raise AssertionError("It would have been for nothing")

        plan = router(PLAIN).plan(ask(prefixes=prefixes))
        self.assertEqual(plan.prefixes, ())

    def test_dearer_when_cached(self) -> None:
        """
        A cache that costs more is no saving.
        """
        dear = seller("dear", 1000, 1000, cached_input_rate=2000)
        candidate = Candidate(router(dear).catalog.offers(MODEL)[0], 1.0, None, 0, 1000)
        self.assertEqual(candidate.cache_saves, -1)
