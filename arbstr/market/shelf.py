"""
What a provider lists, remembered from one answer to the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from attrs import evolve, field, frozen

from arbstr.routing.money import Rates

from .models import Listing
from .shapes import Listed

GRACE = 3
"""
In how many answers in a row something has to be missing until it is gone.
"""


@frozen
class Told:
    """
    A model that a provider lists.

    @ivar rates: what it costs; C{None} where nobody knows, or where nothing is
        said of it at all.
    @ivar missing: in how many answers in a row it has been.
    """

    listed: Listed
    rates: Rates | None = None
    missing: int = 0


@frozen
class Shelf:
    """
    The models of one provider, by its own ids.
    """

    models: Mapping[str, Told] = field(factory=dict)

    def update(self, listing: Listing, usd_per_sat: Decimal | None) -> Shelf:
        """
        What there is after another answer.

        @param usd_per_sat: what a sat is worth, if anybody says so.
        """
        models = {
            each.id: _price(Told(each, self._last_rates(each.id)), usd_per_sat)
            for each in listing.models
        }
        for id, told in self.models.items():
            if id not in models:
                # What is broken changes nothing.
                missing = 0 if id in listing.unclear else told.missing + 1
                if missing < GRACE:
                    models[id] = evolve(told, missing=missing)
        return Shelf(models)

    def at(self, usd_per_sat: Decimal | None) -> Shelf:
        """
        The same, at another exchange rate.
        """
        return Shelf(
            {id: _price(told, usd_per_sat) for id, told in self.models.items()}
        )

    def _last_rates(self, id: str) -> Rates | None:
        told = self.models.get(id)
        return None if told is None else told.rates


def _price(told: Told, usd_per_sat: Decimal | None) -> Told:
    """
    With the price that it states; where that cannot be had, with the last that
    could.
    """
    if not told.listed.states_price:
        return told if told.rates is None else evolve(told, rates=None)
    prices = (price.in_sats(usd_per_sat) for price in told.listed.prices)
    rates = next((each for each in prices if each is not None), told.rates)
    return told if rates == told.rates else evolve(told, rates=rates)
