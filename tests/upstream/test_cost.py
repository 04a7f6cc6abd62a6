"""
Tests for L{arbstr.upstream.cost}.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from arbstr.upstream.cost import provider_cost, usd_per_sat

from .json_values import json_values, unhurried

# 100,000 US dollars for a bitcoin.
USD_PER_SAT = Decimal("0.001")


def routstr(usage: int, cost: int, metadata: int) -> dict[str, Any]:
    """
    What a Routstr node answers: the cost in msats, thrice.
    """
    return {
        "usage": {"prompt_tokens": 9, "cost": {"total_msats": usage}, "cost_sats": 0},
        "cost": {"total_msats": cost, "sats_cost": 0},
        "metadata": {"routstr": {"cost": {"total_msats": metadata}}},
    }


class RoutstrTests(SynchronousTestCase):
    """
    Routstr nodes tell the cost in msats.
    """

    def test_header(self) -> None:
        """
        The header comes first.
        """
        self.assertEqual(provider_cost("435", routstr(1, 2, 3)), Decimal("0.435"))

    def test_usage(self) -> None:
        """
        Then the usage.
        """
        self.assertEqual(provider_cost(None, routstr(1, 2, 3)), Decimal("0.001"))

    def test_cost(self) -> None:
        """
        Then the cost of its own.
        """
        answer = routstr(1, 2, 3) | {"usage": {"prompt_tokens": 9}}
        self.assertEqual(provider_cost(None, answer), Decimal("0.002"))

    def test_metadata(self) -> None:
        """
        Then what the metadata repeat.
        """
        answer = {"metadata": routstr(1, 2, 3)["metadata"]}
        self.assertEqual(provider_cost(None, answer), Decimal("0.003"))

    def test_wrong_header(self) -> None:
        """
        A header that is no number leaves it to the others.
        """
        for header in ("", "-1", "NaN", "Infinity", "1e3", "435, 435", "٤"):
            self.assertEqual(
                provider_cost(header, routstr(1, 2, 3)), Decimal("0.001"), header
            )

    def test_fractions(self) -> None:
        """
        No digit is lost.
        """
        cost = {"cost": {"total_msats": 0.1}}
        self.assertEqual(provider_cost("435.25", None), Decimal("0.43525"))
        self.assertEqual(provider_cost(None, cost), Decimal("0.0001"))

    def test_zero(self) -> None:
        """
        An answer may have cost nothing.
        """
        self.assertEqual(provider_cost("0", routstr(1, 2, 3)), 0)

    def test_text(self) -> None:
        """
        A number that came as text is one.
        """
        answer = {"cost": {"total_msats": "435"}}
        self.assertEqual(provider_cost(None, answer), Decimal("0.435"))

    def test_not_a_cost(self) -> None:
        """
        What cannot be a number of msats is ignored.
        """
        not_numbers: list[object] = [True, "a lot", None, [1], {}]
        for wrong in (-1, float("nan"), float("inf"), *not_numbers):
            answer = {"cost": {"total_msats": wrong}}
            self.assertIsNone(provider_cost(None, answer), repr(wrong))

    def test_beyond_belief(self) -> None:
        """
        Nothing costs more than there is.
        """
        for wrong in (2_100_000_000_000_000_001, 10**400, 1e300):
            self.assertIsNone(provider_cost(None, {"cost": {"total_msats": wrong}}))


class OpenRouterTests(SynchronousTestCase):
    """
    OpenRouter tells the cost in US dollars.
    """

    def cost(self, value: object, rate: Decimal | None = USD_PER_SAT) -> Decimal | None:
        """
        What is understood of C{usage.cost}.
        """
        return provider_cost(None, {"usage": {"cost": value}}, rate)

    def test_rate(self) -> None:
        """
        A sat is the hundred millionth part of a bitcoin.
        """
        self.assertEqual(usd_per_sat(100_000), Decimal("0.001"))
        self.assertIsNone(usd_per_sat(None))

    def test_with_rate(self) -> None:
        """
        Dollars are converted.
        """
        self.assertEqual(self.cost(0.000435), Decimal("0.435"))

    def test_without_rate(self) -> None:
        """
        Dollars are no sats.
        """
        self.assertIsNone(self.cost(0.000435, None))

    def test_impossible_rate(self) -> None:
        """
        Nor can they be converted by a rate that is none.
        """
        for rate in (Decimal(0), Decimal(-1)):
            self.assertIsNone(self.cost(0.000435, rate))

    def test_not_a_cost(self) -> None:
        """
        What cannot be a number of dollars is ignored.
        """
        for wrong in (-0.1, float("nan"), float("inf"), True, "free", None, 1e19):
            self.assertIsNone(self.cost(wrong), repr(wrong))

    def test_object(self) -> None:
        """
        Where the cost is an object, it holds msats, whatever the rate.
        """
        self.assertEqual(self.cost({"total_msats": 435}), Decimal("0.435"))


class AnythingTests(SynchronousTestCase):
    """
    Providers may say anything.
    """

    @unhurried
    @given(
        st.none() | st.text(max_size=9),
        json_values,
        json_values,
        st.none() | st.just(USD_PER_SAT),
    )
    def test_never_fails(
        self, header: str | None, usage: Any, cost: Any, rate: Decimal | None
    ) -> None:
        """
        What is understood is a cost; nothing is too strange to be read.
        """
        answer = {"usage": usage, "cost": cost, "metadata": {"routstr": usage}}
        found = provider_cost(header, answer, rate)
        if found is not None:
            self.assertTrue(found.is_finite() and found >= 0, found)
