"""
Tests for L{arbstr.routing.money}.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from arbstr.routing.money import Rates, Usage, to_msats

# A slow machine is no failure.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

RATES = Rates(input=150.0, output=600.0, cached_input=75.0)

tokens = st.integers(0, 10**9)
written_rates = st.decimals(0, 10**6, allow_nan=False, places=6)


class CostTests(SynchronousTestCase):
    """
    L{Rates.cost} is exact, and counts every token once.
    """

    def test_worked_example(self) -> None:
        """
        What a Routstr node charged for this usage at these rates: 435 msats.
        """
        cost = RATES.cost(Usage(input=1000, cached=200, output=500, reasoning=10))
        self.assertEqual(cost, Decimal("0.435"))
        self.assertEqual(to_msats(cost), 435)

    def test_below_a_sat(self) -> None:
        """
        A tiny request on a cheap model costs a part of a sat.
        """
        rates = Rates(input=5000.0, output=7500.0, cached_input=5000.0)
        self.assertEqual(rates.cost(Usage(input=10, output=10)), Decimal("0.125"))

    def test_reasoning_is_output(self) -> None:
        """
        Reasoning tokens are part of the output, and are not charged again.
        """
        self.assertEqual(
            RATES.cost(Usage(input=10, output=100, reasoning=90)),
            RATES.cost(Usage(input=10, output=100)),
        )

    def test_cached_is_input(self) -> None:
        """
        Cached tokens are part of the input, and are charged at their own rate
        in place of the input's.
        """
        cost = RATES.cost(Usage(input=1_000_000, cached=1_000_000, output=0))
        self.assertEqual(cost, Decimal(75))

    def test_more_cached_than_input(self) -> None:
        """
        A provider that reports more cached tokens than it reports input is
        paid for the input.
        """
        self.assertEqual(
            RATES.cost(Usage(input=100, cached=5000, output=0)),
            RATES.cost(Usage(input=100, cached=100, output=0)),
        )

    def test_base_fee(self) -> None:
        """
        The fee is sats per request, whatever its size.
        """
        rates = Rates(input=10.0, output=10.0, cached_input=10.0, base_fee=0.3)
        self.assertEqual(rates.cost(Usage(input=0, output=0)), Decimal("0.3"))
        self.assertEqual(rates.cost(Usage(input=10**6, output=0)), Decimal("10.3"))

    def test_no_float_error(self) -> None:
        """
        A rate is the decimal number that was written, not the float nearest
        to it.
        """
        rates = Rates(input=0.1, output=0.2, cached_input=0.1)
        cost = rates.cost(Usage(input=1, output=1))
        self.assertEqual(cost, Decimal("0.0000003"))

    @unhurried
    @given(tokens, tokens, tokens, written_rates, written_rates, written_rates)
    def test_formula(
        self,
        uncached: int,
        cached: int,
        output: int,
        rate: Decimal,
        cached_rate: Decimal,
        output_rate: Decimal,
    ) -> None:
        """
        It is what rational numbers say.
        """
        rates = Rates(float(rate), float(output_rate), float(cached_rate), 0.25)
        usage = Usage(input=uncached + cached, cached=cached, output=output)
        parts = (uncached, rate), (cached, cached_rate), (output, output_rate)
        expected = sum(count * Fraction(each) for count, each in parts)
        self.assertEqual(
            Fraction(rates.cost(usage)), expected / 1_000_000 + Fraction(1, 4)
        )


class ExpectedTests(SynchronousTestCase):
    """
    L{Rates.expected_sats} is for ranking.
    """

    def test_formula(self) -> None:
        """
        Input and output at their rates per million tokens, and the fee.
        """
        rates = Rates(input=1000.0, output=3000.0, cached_input=0.0, base_fee=2.0)
        self.assertEqual(rates.expected_sats(500_000, 250_000), 500 + 750 + 2)


class MsatsTests(SynchronousTestCase):
    """
    L{to_msats} makes integers.
    """

    def test_whole(self) -> None:
        """
        Whole millisats stay.
        """
        self.assertEqual(to_msats(Decimal("1.500")), 1500)
        self.assertEqual(to_msats(Decimal(0)), 0)

    def test_rounds_up(self) -> None:
        """
        Any part of a millisat is one.
        """
        self.assertEqual(to_msats(Decimal("0.0000001")), 1)
        self.assertEqual(to_msats(Decimal("1.5000001")), 1501)

    @unhurried
    @given(st.decimals(0, 10**9, allow_nan=False, places=9))
    def test_never_less(self, sats: Decimal) -> None:
        """
        The result is the least integer that is not less.
        """
        msats = to_msats(sats)
        self.assertTrue(msats - 1 < Fraction(sats) * 1000 <= msats)
