"""
What a provider says that an answer has cost.
"""

from __future__ import annotations

import re
from decimal import Decimal

#: The header in which Routstr nodes tell the cost of a buffered answer.
COST_HEADER = b"x-routstr-cost-msats"

_MSATS_PER_SAT = 1000
_NUMBER = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?")
_LARGEST = 10**20
_SATS_PER_BTC = 100_000_000
# All the bitcoin that there will ever be.
_MOST_SATS = Decimal(21_000_000) * _SATS_PER_BTC
_MOST_MSATS = _MOST_SATS * _MSATS_PER_SAT
# What Routstr nodes call it.
_MSATS = "total_msats"


def usd_per_sat(btc_usd: float | None) -> Decimal | None:
    """
    What a sat is worth, if that is known.

    @param btc_usd: US dollars for a bitcoin.
    """
    return None if btc_usd is None else Decimal(repr(btc_usd)) / _SATS_PER_BTC


def provider_cost(
    header: str | None, answer: object, rate: Decimal | None = None
) -> Decimal | None:
    """
    The cost that a provider reports, in sats.

    Routstr nodes tell it in msats; the first of their sources that holds a
    number counts.  OpenRouter's C{usage.cost}, where theirs is an object, is a
    number of US dollars.

    @param header: the value of L{COST_HEADER}, if there was one.
    @param answer: the JSON of a buffered answer, or the chunk of a stream that
        has the usage.
    @param rate: L{usd_per_sat}; without it, dollars are not understood.
    @return: C{None} where nobody says so.  Zero is a price, too.
    """
    cost = _member(answer, "usage", "cost")
    # Routstr nodes repeat the cost; in streams they have no header for it.
    told = (
        header,
        _member(cost, _MSATS),
        _member(answer, "cost", _MSATS),
        _member(answer, "metadata", "routstr", "cost", _MSATS),
    )
    for value in told:
        msats = _number(value)
        if msats is not None and msats <= _MOST_MSATS:
            return msats / _MSATS_PER_SAT
    usd = _number(cost)
    if usd is None or rate is None or not rate > 0:
        return None
    sats = usd / rate
    return sats if sats <= _MOST_SATS else None


def _member(value: object, *path: str) -> object:
    """
    What is found by these keys, one inside the other.
    """
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def _number(value: object) -> Decimal | None:
    """
    A number that is not negative, as it was written.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return Decimal(value) if _NUMBER.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # The comparison is false for NaN.
    return Decimal(repr(value)) if 0 <= value <= _LARGEST else None
