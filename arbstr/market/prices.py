"""
Prices as others tell them.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Literal

from attrs import frozen

from arbstr.routing.money import Rates

# More than anybody asks for a million tokens, in sats as in dollars: 10,000 BTC.
_MOST = Decimal(10) ** 12
_NUMBER = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,2})?")
_DIGITS = Decimal("1e-9")

MILLION = Decimal(10) ** 6


class BrokenPrice(ValueError):
    """
    What was told is no price.  Its text says what it is instead.
    """


def read_number(value: object, scale: Decimal = Decimal(1)) -> Decimal | None:
    """
    A number that is not negative, whether it came as one or as text.

    @param scale: what it is multiplied by, exactly.
    @return: C{None} where nothing was told.
    @raise BrokenPrice: it is something else.
    """
    if value is None or value == "":
        return None
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        number = Decimal(value)
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise BrokenPrice("a price is not a number")
    elif isinstance(value, int):
        number = Decimal(value)
    elif not math.isfinite(value):
        raise BrokenPrice("a price is not finite")
    else:
        number = Decimal(repr(value))
    if number < 0:
        raise BrokenPrice("a price is negative")
    if number > _MOST / scale:
        raise BrokenPrice("a price is beyond belief")
    return number * scale


@frozen
class Price:
    """
    What a model costs: for 1,000,000 tokens, C{base_fee} for a request.

    @ivar cached_input: C{None} is as much as C{input}.
    """

    unit: Literal["sats", "usd"]
    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    base_fee: Decimal = Decimal(0)

    def in_sats(self, usd_per_sat: Decimal | None) -> Rates | None:
        """
        @param usd_per_sat: US dollars for a sat, if that is known.
        @return: C{None} if they would be needed and are not, or if what comes
            of them cannot be.
        """
        if self.unit == "sats":
            divisor = Decimal(1)
        elif usd_per_sat is None or not usd_per_sat > 0:
            return None
        else:
            divisor = usd_per_sat
        cached = self.input if self.cached_input is None else self.cached_input
        told = (self.input, self.output, cached, self.base_fee)
        sats = [each / divisor for each in told]
        if max(sats) > _MOST:
            return None
        return Rates(*(float(each.quantize(_DIGITS)) for each in sats))


def make_price(
    unit: Literal["sats", "usd"],
    input: Decimal | None,
    output: Decimal | None,
    cached_input: Decimal | None = None,
    base_fee: Decimal | None = None,
) -> Price | None:
    """
    Both sides of a price, or none: half of one is not a price.  A cached rate of
    zero means, where the input has one, that none was stated.
    """
    if input is None or output is None:
        return None
    if not cached_input:
        cached_input = None
    return Price(unit, input, output, cached_input, base_fee or Decimal(0))


def usable_prices(sats: Price | None, usd: Price | None) -> tuple[Price, ...]:
    """
    What the same thing costs in sats and in dollars, the better source first.  It
    is not free in one and dear in the other: then nobody has put in the sats yet.
    """
    if sats is not None and usd is not None and _is_free(sats) and not _is_free(usd):
        sats = None
    return tuple(price for price in (sats, usd) if price is not None)


def _is_free(price: Price) -> bool:
    return price.input == price.output == 0
