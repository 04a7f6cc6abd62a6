"""
Tests for L{arbstr.market.shelf}.
"""

from __future__ import annotations

import json
from decimal import Decimal

from twisted.trial.unittest import SynchronousTestCase

from arbstr.market.models import read_models
from arbstr.market.shelf import GRACE, Shelf
from arbstr.routing.money import Rates

from . import recorded

USD_PER_SAT = Decimal("0.001")
MINI = recorded.openrouter("mini", "0.00000015", "0.0000006")
BROKEN = recorded.openrouter("mini", "-1", "-1")


class ShelfTests(SynchronousTestCase):
    """
    What is remembered of a list.
    """

    def setUp(self) -> None:
        self.shelf = Shelf()

    def told(self, *entries: recorded.Json, rate: Decimal | None = USD_PER_SAT) -> None:
        """
        These are listed now.
        """
        body = json.dumps({"data": entries}).encode()
        self.shelf = self.shelf.update(read_models(body), rate)

    def rates(self, rate: Decimal | None = None) -> Rates | None:
        """
        What the only model costs at an exchange rate.
        """
        (told,) = self.shelf.at(rate).models.values()
        return told.rates

    def test_grace(self) -> None:
        """
        A model that is missing stays for a while, and one answer with it makes up
        for all before.
        """
        for _ in range(2):
            self.told(MINI)
            for _ in range(GRACE - 1):
                self.told()
                self.assertEqual(set(self.shelf.models), {"mini"})
        self.told()
        self.assertEqual(self.shelf.models, {})

    def test_broken_entry(self) -> None:
        """
        It changes nothing, and does not make the model missing.
        """
        self.told(MINI)
        for _ in range(GRACE + 1):
            self.told(BROKEN, {"id": "other"})
        self.assertEqual(set(self.shelf.models), {"mini", "other"})
        rates = self.shelf.models["mini"].rates
        self.assertEqual(rates, Rates(150, 600, 150))

    def test_broken_from_the_beginning(self) -> None:
        """
        It never is a model.
        """
        self.told(BROKEN, {"id": "other"})
        self.assertEqual(set(self.shelf.models), {"other"})

    def test_exchange_rate(self) -> None:
        """
        Prices in dollars follow it; without one the last price in sats holds.
        """
        self.told(MINI)
        self.assertEqual(self.rates(Decimal("0.0005")), Rates(300, 1200, 300))
        self.assertEqual(self.rates(None), Rates(150, 600, 150))

    def test_exchange_rate_comes_later(self) -> None:
        """
        Until then the price is not known.
        """
        self.told(MINI, rate=None)
        self.assertIsNone(self.rates(None))
        self.assertEqual(self.rates(USD_PER_SAT), Rates(150, 600, 150))

    def test_price_withdrawn(self) -> None:
        """
        A list that says nothing of prices any more leaves it to the configuration;
        one that says that it does not know, to what it was.
        """
        self.told(MINI)
        self.told({"id": "mini", "pricing": {"prompt": None, "completion": None}})
        self.assertEqual(self.rates(), Rates(150, 600, 150))
        self.told({"id": "mini"})
        self.assertIsNone(self.rates())

    def test_answers_do_not_change(self) -> None:
        """
        What a thread is looking at stays as it is.
        """
        self.told(MINI)
        before = self.shelf
        self.told()
        self.assertEqual(before.models["mini"].missing, 0)
