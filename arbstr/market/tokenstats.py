"""
A market as a feed of quotes tells of it: pure, and remembered from one answer to
the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from attrs import define, field

from arbstr.config.market import OPENROUTER, TokenstatsSettings
from arbstr.routing.money import Rates

from .bindings import Bindings, hint
from .endpoints import why_unsafe
from .quotes import PAGE, Node, Page, Quote
from .sellers import Key, Seller, Skipped, Verdict, skip
from .shelf import GRACE

_MOST_SKIPPED = 200


@define
class _Known:
    """
    A model of a provider's, and what it cost last.

    @ivar observed_at: seconds since the epoch, if the feed said so.
    @ivar missing: in how many answers in a row it has been.
    """

    rates: Rates | None
    observed_at: float | None
    missing: int = 0


@define
class _Group:
    """
    A provider that the feed names.
    """

    provider: str
    models: dict[str, _Known] = field(factory=dict)


class Feed:
    """
    Remembers what the feed told.

    @ivar quotes_seen: rows in the last answer.
    @ivar nodes_seen: likewise.
    """

    def __init__(self, settings: TokenstatsSettings) -> None:
        self.quotes_seen = 0
        self.nodes_seen = 0
        self._groups: dict[Key, _Group] = {}
        self._reliability: dict[str, float] = {}
        self._stale = 0
        self._notes: tuple[str, ...] = ()
        self.configure(settings)

    def configure(self, settings: TokenstatsSettings) -> None:
        """
        Judge by these settings from now on; what was told stays known.
        """
        self._settings = settings
        self._bindings = Bindings(settings.keys)

    def update(
        self,
        page: Page,
        nodes: Iterable[Node],
        usd_per_sat: Decimal | None,
        now: float,
    ) -> None:
        """
        The feed has answered.

        @param nodes: none, where they could not be had.
        @param usd_per_sat: what a sat is worth, if anybody says so.
        @param now: the wall clock's seconds since the epoch.
        """
        nodes = list(nodes)
        self.quotes_seen, self.nodes_seen = page.rows, len(nodes)
        self._reliability = dict(_reliabilities(nodes))
        self._notes = tuple(_notes(page))
        oldest = now - self._settings.stale_after_secs
        wanted = [each for each in page.quotes if self._is_wanted(each)]
        fresh = [each for each in wanted if not _is_older(each.observed_at, oldest)]
        self._stale = len(wanted) - len(fresh)
        seen: set[tuple[Key, str]] = set()
        # The newest of several for the same model comes last, and stays.
        for quote in sorted(fresh, key=lambda each: each.observed_at or now):
            self._remember(quote, usd_per_sat)
            seen.add((_key(quote), quote.model))
        self._miss(seen, oldest, page.is_full)

    def judge(self, configured: Mapping[str, str]) -> Verdict:
        """
        Who of those that are known is of use.

        @param configured: the endpoints, normalised, of configured providers.
        """
        overlays: dict[str, Seller] = {}
        sellers: list[Seller] = []
        skipped = list(self._stale_ones())
        for key, group in sorted(self._groups.items()):
            seller = self._seller(key, group)
            why_not = self._why_not(seller, seller.endpoint in configured)
            if why_not is not None:
                skipped.append(why_not)
            elif seller.endpoint in configured:
                overlays.setdefault(seller.endpoint, seller)
            else:
                sellers.append(seller)
        notes = list(self._notes)
        if len(skipped) > _MOST_SKIPPED:
            notes.append(f"{len(skipped)} skipped, of which {_MOST_SKIPPED} are shown")
        return Verdict(
            overlays, tuple(sellers), tuple(skipped[:_MOST_SKIPPED]), tuple(notes)
        )

    def _is_wanted(self, quote: Quote) -> bool:
        source = self._settings.source
        return source is None or quote.source == source.lower()

    def _remember(self, quote: Quote, usd_per_sat: Decimal | None) -> None:
        group = self._groups.setdefault(_key(quote), _Group(quote.provider))
        told = (price.in_sats(usd_per_sat) for price in quote.prices)
        rates = next((each for each in told if each is not None), None)
        known = group.models.get(quote.model)
        if known is not None and rates is None:
            # For a while after each poll of its own the feed has none in sats.
            rates = known.rates
        group.models[quote.model] = _Known(rates, quote.observed_at)

    def _miss(self, seen: set[tuple[Key, str]], oldest: float, is_full: bool) -> None:
        """
        Forget what has been missing for long enough.
        """
        for key, group in list(self._groups.items()):
            for model, known in list(group.models.items()):
                if (key, model) in seen:
                    continue
                if is_full and not _is_older(known.observed_at, oldest):
                    # It may be on the part of the list that was cut off.
                    continue
                known.missing += 1
                if known.missing >= GRACE:
                    del group.models[model]
            if not group.models:
                del self._groups[key]

    def _seller(self, key: Key, group: _Group) -> Seller:
        source, provider_id, endpoint = key
        return Seller(
            source=source,
            provider=group.provider,
            provider_id=provider_id,
            endpoint=endpoint,
            models={name: known.rates for name, known in group.models.items()},
            api_key=self._bindings.find(source, provider_id, endpoint),
        )

    def _why_not(self, seller: Seller, is_configured: bool) -> Skipped | None:
        """
        Why a provider is of no use; C{None} if it is of some.
        """
        reliability = self._reliability_of(seller)
        least = self._settings.min_reliability
        if reliability is not None and reliability < least:
            return skip(
                seller,
                "low_reliability",
                f"it answered {reliability:.0%} of the feed's polls, under the "
                f"min_reliability of {least:.0%}",
                reliability,
            )
        if is_configured:
            return None
        unsafe = why_unsafe(seller.endpoint)
        if unsafe is not None:
            advice = "to use it all the same, configure it as a provider"
            return skip(seller, "unsafe_endpoint", f"{unsafe}; {advice}")
        if seller.api_key is None:
            advice = hint(seller.source, seller.provider_id, seller.endpoint)
            return skip(seller, "missing_api_key", advice)
        return None

    def _reliability_of(self, seller: Seller) -> float | None:
        if seller.source == OPENROUTER:
            # It is no node, and nobody polls it.
            return None
        by_endpoint = self._reliability.get(seller.endpoint)
        if by_endpoint is not None:
            return by_endpoint
        return self._reliability.get(seller.provider_id)

    def _stale_ones(self) -> Iterator[Skipped]:
        if self._stale:
            seconds = self._settings.stale_after_secs
            advice = f"observed more than {seconds:g} seconds ago"
            yield Skipped("*", "stale_quotes", advice, self._stale)


def _key(quote: Quote) -> Key:
    return quote.source, quote.provider_id, quote.endpoint


def _is_older(moment: float | None, oldest: float) -> bool:
    return moment is not None and moment < oldest


def _reliabilities(nodes: Iterable[Node]) -> Iterator[tuple[str, float]]:
    """
    By endpoint and, since not every node has one, by id; ids are not unique, and
    then the best counts: a stranger's failures are not held against anybody.
    """
    best: dict[str, float] = {}
    for node in nodes:
        if node.reliability is None:
            continue
        for name in (node.endpoint, node.provider_id):
            if name is not None:
                best[name] = max(node.reliability, best.get(name, 0.0))
    return iter(best.items())


def _notes(page: Page) -> Iterator[str]:
    if page.remark is not None:
        yield page.remark
    if page.is_full:
        yield (
            f"the feed gives {PAGE} quotes at most, the cheapest: dearer models may "
            "be missing (tokenstats.source narrows it)"
        )
