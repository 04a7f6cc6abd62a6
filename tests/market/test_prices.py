"""
Tests for L{arbstr.market.prices}.
"""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from arbstr.market.prices import MILLION, BrokenPrice, Price, make_price, read_number
from arbstr.routing.money import Rates

# At 100,000 dollars a bitcoin.
USD_PER_SAT = Decimal("0.001")


class NumberTests(SynchronousTestCase):
    """
    L{read_number}.
    """

    def test_numbers(self) -> None:
        """
        As they come in JSON, and as text.
        """
        for told, expected in (
            (0, "0"),
            (7, "7"),
            (0.00015, "0.00015"),
            (1.5e-07, "1.5E-7"),
            ("0.00000015", "1.5E-7"),
            ("0", "0"),
            ("6e-7", "6E-7"),
        ):
            self.assertEqual(read_number(told), Decimal(expected), told)

    def test_scale(self) -> None:
        """
        A price for a token becomes one for a million of them, to the last digit.
        """
        self.assertEqual(read_number(0.00015, MILLION), 150)
        self.assertEqual(read_number("0.00000015", MILLION), Decimal("0.15"))

    def test_nothing(self) -> None:
        """
        Nothing is not zero.
        """
        self.assertIsNone(read_number(None))
        self.assertIsNone(read_number(""))

    def test_broken(self) -> None:
        """
        Nothing else is a price.
        """
        for told, why in (
            (-1, "a price is negative"),
            ("-1", "a price is negative"),
            (-0.5, "a price is negative"),
            (float("nan"), "a price is not finite"),
            (float("inf"), "a price is not finite"),
            (1e308, "a price is beyond belief"),
            ("1e30", "a price is beyond belief"),
            (10**400, "a price is beyond belief"),
            (True, "a price is not a number"),
            ("free", "a price is not a number"),
            ("NaN", "a price is not a number"),
            ("1_000", "a price is not a number"),
            ("9" * 1000, "a price is not a number"),
            ([1], "a price is not a number"),
            ({"usd": 1}, "a price is not a number"),
        ):
            error = self.assertRaises(BrokenPrice, read_number, told, MILLION)
            self.assertEqual(str(error), why, str(told)[:20])

    @given(st.one_of(st.floats(), st.integers(), st.text(), st.booleans()))
    def test_never_negative(self, told: object) -> None:
        """
        Whatever is told, what is understood is a price.
        """
        try:
            number = read_number(told, MILLION)
        except BrokenPrice:
            return
        self.assertTrue(number is None or 0 <= number <= 10**12)


class PriceTests(SynchronousTestCase):
    """
    L{Price} and L{make_price}.
    """

    def price(self, **told: Decimal | None) -> Price:
        """
        A price in dollars.
        """
        numbers = {"input": Decimal("0.15"), "output": Decimal("0.6"), **told}
        price = make_price("usd", **numbers)
        assert price is not None
        return price

    def test_dollars(self) -> None:
        """
        They are converted.
        """
        self.assertEqual(
            self.price().in_sats(USD_PER_SAT), Rates(150.0, 600.0, 150.0, 0.0)
        )

    def test_all_parts(self) -> None:
        """
        Of the cached rate and the fee, too.
        """
        price = self.price(cached_input=Decimal("0.075"), base_fee=Decimal("0.005"))
        self.assertEqual(price.in_sats(USD_PER_SAT), Rates(150.0, 600.0, 75.0, 5.0))

    def test_unknown_exchange_rate(self) -> None:
        """
        Then dollars say nothing.
        """
        self.assertIsNone(self.price().in_sats(None))
        self.assertIsNone(self.price().in_sats(Decimal(0)))

    def test_impossible_exchange_rate(self) -> None:
        """
        It makes no price that nobody can pay.
        """
        self.assertIsNone(self.price().in_sats(Decimal("1e-15")))

    def test_sats(self) -> None:
        """
        They need no exchange rate.
        """
        price = make_price("sats", Decimal(1), Decimal(2))
        assert price is not None
        self.assertEqual(price.in_sats(None), Rates(1.0, 2.0, 1.0))

    def test_half(self) -> None:
        """
        A price has two sides.
        """
        self.assertIsNone(make_price("sats", Decimal(1), None))
        self.assertIsNone(make_price("sats", None, Decimal(1)))

    def test_cached_for_nothing(self) -> None:
        """
        That is how "not stated" is written.
        """
        price = self.price(cached_input=Decimal(0))
        self.assertEqual(price.cached_input, None)
