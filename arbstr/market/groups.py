"""
What a feed has told of whom, remembered from one answer to the next, and never
more than so much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal

from attrs import define, evolve, field, frozen

from arbstr.routing.money import Rates

from .quotes import Quote
from .sellers import Key, Seller
from .shelf import GRACE

MOST_GROUPS = 1000
MOST_MODELS = 5000
"""
Of one group.
"""

_MOST_IN_ALL = 20_000


@define(order=True)
class Seen:
    """
    When a quote was observed.  What the feed does not say, or says of a time that
    is yet to come, is when we were told; of such and another, the other is newer.

    @ivar at: seconds since the epoch.
    """

    is_dated: bool
    at: float


@define
class Known:
    """
    A model of a provider's, and what it cost last.

    @ivar missing: in how many answers in a row it has been.
    """

    rates: Rates | None
    seen: Seen
    missing: int = 0


@define
class Group:
    """
    A provider that the feed names.
    """

    provider: str
    models: dict[str, Known] = field(factory=dict)

    def newest(self) -> Seen:
        """
        When something of it was observed last.
        """
        return max(known.seen for known in self.models.values())

    def shorten(self, most: int) -> None:
        """
        Keep only so many models, the newest.
        """
        if len(self.models) > most:
            newest = sorted(self.models, key=lambda name: self.models[name].seen)
            for name in newest[: len(newest) - most]:
                del self.models[name]


@frozen
class Announced:
    """
    A provider, and what is known of it.
    """

    seller: Seller
    group: Group


def make_one(several: Sequence[Announced]) -> Seller:
    """
    Those who announce the same endpoint are one provider.  It is called what the
    one that was observed last is called, and of two prices for a model the newer
    one is its price.
    """
    last = max(several, key=lambda each: (each.group.newest(), each.seller.key))
    rates: dict[str, Rates | None] = {}
    told = [item for each in several for item in each.group.models.items()]
    for name, known in sorted(told, key=lambda item: item[1].seen):
        if known.rates is not None or name not in rates:
            rates[name] = known.rates
    # In the order that its own have, then those of the others.
    order = list(dict.fromkeys([*last.group.models, *rates]))[:MOST_MODELS]
    return evolve(last.seller, models={name: rates[name] for name in order})


class Groups:
    """
    Those that the feed has named, by source, id and endpoint.
    """

    def __init__(self) -> None:
        self._groups: dict[Key, Group] = {}

    def __len__(self) -> int:
        return len(self._groups)

    def __iter__(self) -> Iterator[tuple[Key, Group]]:
        """
        In an order that does not depend on that of the answers.
        """
        return iter(sorted(self._groups.items()))

    def update(
        self,
        quotes: Iterable[Quote],
        usd_per_sat: Decimal | None,
        now: float,
        oldest: float,
        is_full: bool,
    ) -> None:
        """
        There is another answer.

        @param oldest: what was observed before is old, in seconds since the epoch.
        @param is_full: there may be more, which the feed did not say.
        """
        dated = [(_seen(each, now), each) for each in quotes]
        told: set[tuple[Key, str]] = set()
        # The newest of several for the same model comes last, and stays.
        for seen, quote in sorted(dated, key=lambda each: each[0]):
            self._remember(quote, seen, usd_per_sat)
            told.add((_key(quote), quote.model))
        self._miss(told, oldest, is_full)

    def shorten(self, is_of_use: Callable[[Key], bool]) -> int:
        """
        Forget what is too much: of those that are of no use before those that are,
        and of these the ones that have not been observed for longest.

        @return: how many groups were forgotten.
        """
        ranked = sorted(
            self._groups.items(),
            key=lambda each: (is_of_use(each[0]), each[1].newest(), each[0]),
            reverse=True,
        )
        left = _MOST_IN_ALL
        kept = {}
        for key, group in ranked[:MOST_GROUPS]:
            group.shorten(min(left, MOST_MODELS))
            left -= len(group.models)
            if group.models:
                kept[key] = group
        self._groups = kept
        return len(ranked) - len(kept)

    def _remember(self, quote: Quote, seen: Seen, usd_per_sat: Decimal | None) -> None:
        group = self._groups.setdefault(_key(quote), Group(quote.provider))
        told = (price.in_sats(usd_per_sat) for price in quote.prices)
        rates = next((each for each in told if each is not None), None)
        known = group.models.get(quote.model)
        if known is not None and rates is None:
            # For a while after each poll of its own the feed has none in sats.
            rates = known.rates
        group.models[quote.model] = Known(rates, seen)

    def _miss(self, told: set[tuple[Key, str]], oldest: float, is_full: bool) -> None:
        """
        Forget what has been missing for long enough.
        """
        for key, group in list(self._groups.items()):
            for model, known in list(group.models.items()):
                if (key, model) in told:
                    continue
                if is_full and known.seen.at >= oldest:
                    # It may be on the part of the list that was cut off.
                    continue
                known.missing += 1
                if known.missing >= GRACE:
                    del group.models[model]
            if not group.models:
                del self._groups[key]


def _key(quote: Quote) -> Key:
    return quote.source, quote.provider_id, quote.endpoint


def _seen(quote: Quote, now: float) -> Seen:
    if quote.observed_at is None or quote.observed_at > now:
        return Seen(False, now)
    return Seen(True, quote.observed_at)
