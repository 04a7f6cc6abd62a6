"""
What a tokenstats feed answers.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal

from attrs import frozen

from arbstr.upstream.cost import usd_per_sat

from .endpoints import normalise
from .models import BadAnswer, decode
from .prices import BrokenPrice, Price, make_price, read_number, usable_prices
from .shapes import Rejected, is_name

PAGE = 2000
"""
How many quotes the feed gives at most.
"""

_MOST_ROWS = 5000
_MOST_BTC_USD = 10**9


@frozen
class Quote:
    """
    What a provider charges for a model, as the feed saw it.

    @ivar endpoint: the provider's URL, normalised.
    @ivar prices: in sats, in dollars, or in none, the better source first.
    @ivar observed_at: seconds since the epoch, if it says so.
    """

    source: str
    provider: str
    provider_id: str
    model: str
    endpoint: str
    prices: tuple[Price, ...]
    observed_at: float | None


@frozen
class Page:
    """
    A page of quotes.

    @ivar rows: how many rows there were, whatever they were.
    @ivar remark: what was left out, and why; C{None} if nothing was.
    """

    quotes: tuple[Quote, ...]
    rows: int
    remark: str | None = None

    @property
    def is_full(self) -> bool:
        """
        There may be more, which the feed did not say: the dearest.
        """
        return self.rows >= PAGE


@frozen
class Node:
    """
    How well a provider answered the feed.

    @ivar reliability: 0…1; C{None} where it was not asked.
    """

    provider_id: str
    endpoint: str | None
    reliability: float | None


def read_health(body: bytes) -> Decimal | None:
    """
    Dollars for a sat, if the feed knows.

    @raise BadAnswer: it is no feed.
    """
    answer = decode(body)
    if not isinstance(answer, Mapping) or answer.get("ok") is not True:
        raise BadAnswer("/health does not say that it is a feed")
    btc_usd = answer.get("btc_usd")
    if isinstance(btc_usd, bool) or not isinstance(btc_usd, int | float):
        return None
    if not 1 <= btc_usd <= _MOST_BTC_USD:
        return None
    return usd_per_sat(btc_usd)


def read_quotes(body: bytes) -> Page:
    """
    Understand C{/api/quotes}.  Rows that cannot be used are left out.

    @raise BadAnswer: it is no list.
    """
    rows = decode(body)
    if not isinstance(rows, list):
        raise BadAnswer("/api/quotes is not a list")
    quotes = []
    reasons: Counter[str] = Counter()
    for row in rows[:_MOST_ROWS]:
        try:
            quotes.append(_read_quote(row))
        except (Rejected, BrokenPrice) as rejected:
            reasons[str(rejected)] += 1
    if len(rows) > _MOST_ROWS:
        reasons["more than was asked for"] = len(rows) - _MOST_ROWS
    told = ", ".join(f"{why} ({count})" for why, count in sorted(reasons.items()))
    remark = f"left out {reasons.total()} of {len(rows)} quotes: {told}"
    return Page(tuple(quotes), len(rows), remark if reasons else None)


def read_nodes(body: bytes) -> tuple[Node, ...]:
    """
    Understand C{/api/nodes}.

    @raise BadAnswer: it is no list.
    """
    rows = decode(body)
    if not isinstance(rows, list):
        raise BadAnswer("/api/nodes is not a list")
    return tuple(_read_nodes(rows[:_MOST_ROWS]))


def _read_quote(row: object) -> Quote:
    """
    @raise Rejected: it cannot be used.
    @raise BrokenPrice: likewise.
    """
    if not isinstance(row, Mapping):
        raise Rejected("a quote is not an object")
    endpoint = row.get("endpoint")
    if not isinstance(endpoint, str) or not endpoint.strip():
        raise Rejected("no endpoint")
    provider_id = _name(row, "provider_id")
    provider = row.get("provider")
    return Quote(
        source=_name(row, "source").lower(),
        provider=provider
        if isinstance(provider, str) and is_name(provider)
        else provider_id,
        provider_id=provider_id,
        model=_name(row, "model"),
        endpoint=normalise(endpoint),
        prices=_prices(row),
        observed_at=_moment(row.get("observed_at")),
    )


def _name(row: Mapping[str, object], key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not is_name(value):
        raise Rejected(f"no usable {key}")
    return value


def _prices(row: Mapping[str, object]) -> tuple[Price, ...]:
    """
    Both are for a million tokens.
    """
    return usable_prices(
        make_price(
            "sats",
            read_number(row.get("price_in_sats")),
            read_number(row.get("price_out_sats")),
        ),
        make_price(
            "usd",
            read_number(row.get("price_in_usd")),
            read_number(row.get("price_out_usd")),
        ),
    )


def _moment(told: object) -> float | None:
    """
    @raise Rejected: nobody knows what time that is.
    """
    if told is None:
        return None
    try:
        if not isinstance(told, str):
            raise ValueError
        moment = datetime.fromisoformat(told)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return moment.timestamp()
    except (ValueError, OverflowError):
        raise Rejected("no usable observed_at") from None


def _read_nodes(rows: list[object]) -> Iterator[Node]:
    for row in rows:
        if not isinstance(row, Mapping):
            continue
        provider_id, endpoint = row.get("provider_id"), row.get("endpoint")
        if isinstance(provider_id, str):
            yield Node(
                provider_id=provider_id,
                endpoint=normalise(endpoint) if isinstance(endpoint, str) else None,
                reliability=_reliability(row),
            )


def _reliability(row: Mapping[str, object]) -> float | None:
    """
    Without a poll, the feed says 0: nobody has been asked.
    """
    polls, share = row.get("poll_total"), row.get("reliability")
    for value in (polls, share):
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
    assert isinstance(polls, int | float) and isinstance(share, int | float)
    if not polls > 0 or not math.isfinite(share):
        return None
    return min(1.0, max(0.0, float(share)))
