"""
Tests for L{arbstr.routing.prospects}, and of what is learned for it.
"""

from __future__ import annotations

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from arbstr.routing.affinity import Affinity
from arbstr.routing.learned import Service
from arbstr.routing.money import Usage
from arbstr.routing.plan import Plan
from arbstr.routing.prefixes import Prefix
from arbstr.routing.router import Router
from arbstr.routing.strategy import balanced, cheapest, lowest_latency

from .market import MODEL, ask, candidate, names, router, seller

# A prompt of 2000 tokens costs 10 sats at the one, of which 9 are saved once it
# is cached, and 6 at the other; the answer costs 1.024 at either.
CACHING = seller("caching", 5000, 1000, cached_input_rate=500)
PLAIN = seller("plain", 3000, 1000)

_PROMPT = [Prefix(b"prompt", 2000)]


class ProspectTestCase(SynchronousTestCase):
    """
    Conversations that go on, or do not.
    """

    def setUp(self) -> None:
        self.affinity = Affinity(lambda: 0.0)
        self.count = 0

    def converse(self, turns: int, by: str = "caching", tokens: int = 2000) -> None:
        """
        A conversation at a provider, which has cached all that it has read.
        """
        self.count += 1
        for turn in range(turns):
            prefix = Prefix(b"conversation %d" % self.count, tokens)
            cached = tokens if turn and by == "caching" else 0
            usage = Usage(tokens, 10, cached)
            self.affinity.observe(MODEL, [prefix], by, usage)

    def turns_ahead(self) -> float:
        """
        How many are expected.
        """
        return self.affinity.turns_ahead(MODEL)


class TurnsTests(ProspectTestCase):
    """
    How many turns are expected.
    """

    def test_single_requests(self) -> None:
        """
        None where no conversation ever went on.
        """
        for _ in range(100):
            self.converse(1)
        self.assertEqual(self.turns_ahead(), 0)

    def test_conversations(self) -> None:
        """
        Three after the first, where each has four.
        """
        for _ in range(100):
            self.converse(4)
        self.assertAlmostEqual(self.turns_ahead(), 3)

    def test_wherever(self) -> None:
        """
        What goes on elsewhere goes on.
        """
        for _ in range(100):
            self.converse(2, by="plain")
        self.assertAlmostEqual(self.turns_ahead(), 1)

    def test_by_tokens(self) -> None:
        """
        Long prompts that go on mean more than short ones that do not.
        """
        for _ in range(100):
            self.converse(2, tokens=10_000)
            self.converse(1, tokens=10)
        self.assertGreater(self.turns_ahead(), 0.9)

    def test_not_enough(self) -> None:
        """
        Few prompts say nothing.
        """
        self.converse(19)
        self.assertEqual(self.turns_ahead(), 0)

    def test_most(self) -> None:
        """
        Nobody sees further ahead than ten turns.
        """
        self.converse(1000)
        self.assertGreater(self.turns_ahead(), 9)
        self.assertLessEqual(self.turns_ahead(), 10)

    def test_other_model(self) -> None:
        """
        Each model has conversations of its own.
        """
        self.converse(100)
        self.assertEqual(self.affinity.turns_ahead("o3"), 0)

    def test_nothing_counted(self) -> None:
        """
        Prompts that have no tokens go nowhere.
        """
        self.converse(100, tokens=0)
        self.assertEqual(self.turns_ahead(), 0)


class PlanTests(ProspectTestCase):
    """
    What follows for a new conversation.
    """

    def plan(self, input_tokens: int = 2000) -> Plan:
        """
        What is planned for one.
        """
        return self.router().plan(
            ask(input_tokens=input_tokens, prefixes=lambda: _PROMPT)
        )

    def router(self) -> Router:
        """
        Between the two.
        """
        made = router(CACHING, PLAIN, routing={"later_turns": True})
        made.affinity = self.affinity
        return made

    def test_goes_on(self) -> None:
        """
        Where conversations go on once, it costs 4 sats more now to be read by
        the one with a cache, and 5 less later.
        """
        for _ in range(100):
            self.converse(2)
        plan = self.plan()
        self.assertEqual(names(plan), ["caching", "plain"])
        caching, plain = plan.candidates
        self.assertAlmostEqual(caching.expected_sats, 11.024)
        self.assertAlmostEqual(caching.later_saves, 5)
        self.assertAlmostEqual(caching.price, 6.024)
        self.assertEqual((plain.later_saves, plain.price), (0, plain.expected_sats))

    def test_ends(self) -> None:
        """
        Where they do not, this request alone counts.
        """
        self.converse(2)
        for _ in range(100):
            self.converse(1)
        self.assertEqual(names(self.plan()), ["plain", "caching"])

    def test_never_reported(self) -> None:
        """
        Who never reported cached tokens has no prospects.
        """
        for _ in range(100):
            self.converse(2, by="plain")
        plan = self.plan()
        self.assertEqual(names(plan), ["plain", "caching"])
        self.assertEqual([each.later_saves for each in plan.candidates], [0, 0])

    def test_short_prompts(self) -> None:
        """
        What is known of long prompts counts for long ones only.
        """
        for _ in range(100):
            self.converse(2)
        self.assertEqual(self.plan(input_tokens=500).candidates[0].later_saves, 0)

    def test_limits(self) -> None:
        """
        A limit of the cost is one of this request's.
        """
        for _ in range(100):
            self.converse(2)
        request = ask(input_tokens=2000, max_cost_sats=8, prefixes=lambda: _PROMPT)
        self.assertEqual(names(self.router().plan(request)), ["plain"])


class StrategyTests(SynchronousTestCase):
    """
    Who goes by the cost, goes by that of later turns, too.
    """

    def test_all(self) -> None:
        """
        It may even be worth more than it costs.
        """
        cheap = candidate("cheap", 1)
        good = evolve(candidate("good", 2), later_saves=3)
        for order in (cheapest, lowest_latency, balanced(1)):
            self.assertEqual(order([cheap, good]), [good, cheap])

    def test_failures(self) -> None:
        """
        Who fails does not save more for that.
        """
        service = Service(0.0, 0.5)
        failing = evolve(candidate("failing", 2, service), later_saves=3)
        ranked = balanced(1)([failing, candidate("sound", 0.5)])
        self.assertEqual([each.name for each in ranked], ["sound", "failing"])

    @given(st.lists(st.floats(0, 100), min_size=1, max_size=5))
    def test_without_later_turns(self, costs: list[float]) -> None:
        """
        Without prospects the least expected cost is first.
        """
        candidates = [candidate(f"{at}", cost) for at, cost in enumerate(costs)]
        self.assertEqual(cheapest(candidates)[0].expected_sats, min(costs))
