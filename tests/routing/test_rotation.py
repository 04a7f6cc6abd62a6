"""
Tests for L{arbstr.routing.rotation}, and for what the router makes of it.
"""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from arbstr.routing.plan import RouteRequest
from arbstr.routing.rotation import Rotation
from arbstr.routing.router import Router

from .market import CHEAP, DEAR, MIDDLE, MODEL, ask, names, router

RULES = [{"name": "rule"}, {"name": "only", "providers": {"only": ["cheap", "dear"]}}]


class RotationTests(SynchronousTestCase):
    """
    Turns are remembered.
    """

    def test_order(self) -> None:
        """
        The later the turn, the greater its number.
        """
        rotation = Rotation()
        for name in ("a", "b", "a"):
            rotation.took(None, MODEL, name)
        turns = [rotation.last_turn(None, MODEL, name) for name in "abc"]
        self.assertEqual(turns, [3, 2, 0])

    def test_apart(self) -> None:
        """
        Each policy and each model has turns of its own.
        """
        rotation = Rotation()
        rotation.took("rule", MODEL, "a")
        self.assertEqual(rotation.last_turn(None, MODEL, "a"), 0)
        self.assertEqual(rotation.last_turn("rule", "llama", "a"), 0)

    def test_bounded(self) -> None:
        """
        The turns that are longest ago are forgotten.
        """
        rotation = Rotation(most_turns=2)
        for name in ("a", "b", "a", "c"):
            rotation.took(None, MODEL, name)
        turns = [rotation.last_turn(None, MODEL, name) for name in "abc"]
        self.assertEqual(turns, [3, 0, 4])


class RouterTests(SynchronousTestCase):
    """
    C{round_robin} in a router.
    """

    def market(self) -> Router:
        """
        A router that goes by turns.
        """
        return router(DEAR, CHEAP, MIDDLE, default_strategy="round_robin", rules=RULES)

    def serve(self, market: Router, request: RouteRequest) -> str:
        """
        Who is asked first; and it is.
        """
        plan = market.plan(request)
        first = names(plan)[0]
        market.rotation.took(plan.policy, plan.model, first)
        return first

    def test_turns(self) -> None:
        """
        One after the other.
        """
        market = self.market()
        served = [self.serve(market, ask()) for _ in range(7)]
        self.assertEqual(served[:3], ["cheap", "dear", "middle"])
        self.assertEqual(served[3:6], served[:3])
        self.assertEqual(served[6], "cheap")

    def test_planning_is_no_turn(self) -> None:
        """
        To ask for plans changes nothing.
        """
        market = self.market()
        for _ in range(3):
            self.assertEqual(names(market.plan(ask())), ["cheap", "dear", "middle"])
            market.survey(ask())

    def test_not_the_first(self) -> None:
        """
        Where the first was down, only who was asked has had its turn.
        """
        market = self.market()
        market.rotation.took(None, MODEL, "dear")
        self.assertEqual(names(market.plan(ask())), ["cheap", "middle", "dear"])

    def test_other_strategies(self) -> None:
        """
        Turns mean nothing to others.
        """
        market = router(CHEAP, DEAR)
        market.rotation.took(None, MODEL, "cheap")
        self.assertEqual(names(market.plan(ask())), ["cheap", "dear"])

    @given(st.lists(st.sampled_from([None, "rule", "only"])))
    def test_fair(self, policies: list[str | None]) -> None:
        """
        In whatever order requests come, under each policy all that may serve
        have had as many turns as each other, or one more.
        """
        market = self.market()
        turns: dict[str | None, Counter[str]] = {}
        for policy in policies:
            count = turns.setdefault(policy, Counter())
            eligible = names(market.plan(ask(policy=policy)))
            count.update(dict.fromkeys(eligible, 0))
            count[self.serve(market, ask(policy=policy))] += 1
        for count in turns.values():
            self.assertLessEqual(max(count.values()) - min(count.values()), 1)
