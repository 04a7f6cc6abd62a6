"""
Tests for L{arbstr.routing.strategy}.
"""

from __future__ import annotations

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from arbstr.config.model import Strategy
from arbstr.routing.learned import Service
from arbstr.routing.plan import Candidate
from arbstr.routing.strategy import (
    STRATEGIES,
    balanced,
    cheapest,
    lowest_latency,
    round_robin,
)

from .market import candidate

services = st.none() | st.builds(
    Service, st.none() | st.floats(0, 100), st.floats(0, 1)
)


def ordered(candidates: list[Candidate]) -> str:
    """
    Names of one letter, in order.
    """
    return "".join(each.name for each in candidates)


class CheapestTests(SynchronousTestCase):
    """
    L{cheapest} looks at the expected cost.
    """

    def test_cost(self) -> None:
        """
        The least expected cost comes first.
        """
        found = cheapest([candidate("a", 3), candidate("b", 1), candidate("c", 2)])
        self.assertEqual(ordered(found), "bca")

    def test_ties(self) -> None:
        """
        Equal costs are ordered by name.
        """
        found = cheapest([candidate("c", 1), candidate("a", 1), candidate("b", 1)])
        self.assertEqual(ordered(found), "abc")


class LowestLatencyTests(SynchronousTestCase):
    """
    L{lowest_latency} looks at the time to the first byte.
    """

    def test_latency(self) -> None:
        """
        The quickest comes first, whatever it costs.
        """
        quick = candidate("b", 9, Service(0.1, 1))
        slow = candidate("a", 1, Service(0.2, 1))
        self.assertEqual(ordered(lowest_latency([slow, quick])), "ba")

    def test_unknown(self) -> None:
        """
        Of whom nothing is known, is tried first; who was tried and has never
        answered, last.
        """
        known = candidate("a", 1, Service(0.1, 1))
        mute = candidate("b", 1, Service(None, 0.9))
        unknown = candidate("c", 1)
        self.assertEqual(ordered(lowest_latency([known, mute, unknown])), "cab")

    def test_ties(self) -> None:
        """
        Ties are ordered by cost, then by name.
        """
        found = lowest_latency(
            [candidate("b", 2), candidate("c", 1), candidate("a", 2)]
        )
        self.assertEqual(ordered(found), "cab")


class BalancedTests(SynchronousTestCase):
    """
    L{balanced} weighs cost, success and time.
    """

    def test_success(self) -> None:
        """
        Who succeeds half the time costs twice as much.
        """
        sure = candidate("a", 5, Service(0, 1))
        self.assertEqual(
            ordered(balanced(1)([sure, candidate("b", 3, Service(0, 0.5))])), "ab"
        )
        self.assertEqual(
            ordered(balanced(1)([sure, candidate("b", 2, Service(0, 0.5))])), "ba"
        )

    def test_time(self) -> None:
        """
        A second is worth what the policy says.
        """
        cheap_and_slow = candidate("a", 1, Service(2, 1))
        quick = candidate("b", 5, Service(0, 1))
        self.assertEqual(ordered(balanced(1)([cheap_and_slow, quick])), "ab")
        self.assertEqual(ordered(balanced(3)([cheap_and_slow, quick])), "ba")

    def test_unknown(self) -> None:
        """
        The best is expected of whom nothing is known.
        """
        known = candidate("a", 1, Service(0.5, 1))
        self.assertEqual(ordered(balanced(1)([known, candidate("b", 1)])), "ba")

    def test_always_failing(self) -> None:
        """
        No success at all makes it dear, not impossible.
        """
        failing = candidate("a", 1, Service(None, 0))
        found = balanced(1)([failing, candidate("b", 99), candidate("c", 101)])
        self.assertEqual(ordered(found), "bac")

    def test_ties(self) -> None:
        """
        Ties are ordered by name.
        """
        found = balanced(1)([candidate("b", 1), candidate("a", 1)])
        self.assertEqual(ordered(found), "ab")


class RoundRobinTests(SynchronousTestCase):
    """
    L{round_robin} looks at whose turn it was.
    """

    def test_turns(self) -> None:
        """
        Who waits longest comes first, who had no turn yet before all others.
        """
        found = round_robin(
            [
                candidate("a", 1, last_turn=8),
                candidate("b", 9, last_turn=3),
                candidate("c", 9),
            ]
        )
        self.assertEqual(ordered(found), "cba")

    def test_ties(self) -> None:
        """
        Ties are ordered by name.
        """
        found = round_robin([candidate("b", 1), candidate("a", 2)])
        self.assertEqual(ordered(found), "ab")


class StrategyTests(SynchronousTestCase):
    """
    All strategies.
    """

    def test_every_strategy(self) -> None:
        """
        There is an order for every strategy that can be configured.
        """
        self.assertEqual(set(STRATEGIES), set(get_args(Strategy)))

    def test_lowest_cost(self) -> None:
        """
        C{lowest_cost} is another name for C{cheapest}.
        """
        self.assertIs(STRATEGIES["lowest_cost"](1), STRATEGIES["cheapest"](1))

    @given(
        st.sampled_from(get_args(Strategy)),
        st.dictionaries(
            st.sampled_from("abcdef"),
            st.tuples(st.floats(0, 1e6), services, st.integers(0, 9)),
        ),
        st.floats(0, 1e6),
    )
    def test_total_order(
        self,
        strategy: Strategy,
        market: dict[str, tuple[float, Service | None, int]],
        sats_per_second: float,
    ) -> None:
        """
        Each strategy keeps everybody, and its order does not depend on the
        order in which they come.
        """
        candidates = [candidate(name, *seen) for name, seen in market.items()]
        order = STRATEGIES[strategy](sats_per_second)
        found = order(candidates)
        self.assertEqual(sorted(ordered(found)), sorted(market))
        self.assertEqual(order(reversed(candidates)), found)

    @given(
        st.dictionaries(
            st.sampled_from("abcdef"),
            st.tuples(st.floats(0, 1e6), services, st.integers(0, 9)),
            min_size=1,
        ),
    )
    def test_least(self, market: dict[str, tuple[float, Service | None, int]]) -> None:
        """
        C{cheapest} puts first who is expected to cost least, whatever else is
        known of it.
        """
        candidates = [candidate(name, *seen) for name, seen in market.items()]
        least = min(each.expected_sats for each in candidates)
        self.assertEqual(cheapest(candidates)[0].expected_sats, least)
