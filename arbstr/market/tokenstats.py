"""
A market as a feed of quotes tells of it: pure, and remembered from one answer to
the next.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from decimal import Decimal

from arbstr.config.market import OPENROUTER, TokenstatsSettings

from .bindings import Bindings, hint
from .endpoints import why_unsafe
from .groups import Announced, Group, Groups, make_one
from .quotes import PAGE, Node, Page, Quote
from .sellers import Key, Seller, Skipped, Verdict, skip

MOST_SELLERS = 500
_MOST_SKIPPED = 200


class Feed:
    """
    Remembers what the feed told.

    @ivar quotes_seen: rows in the last answer.
    @ivar nodes_seen: likewise.
    """

    def __init__(self, settings: TokenstatsSettings) -> None:
        self.quotes_seen = 0
        self.nodes_seen = 0
        self._groups = Groups()
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
        nodes: Collection[Node] | None,
        usd_per_sat: Decimal | None,
        now: float,
        configured: Collection[str] = (),
    ) -> None:
        """
        The feed has answered.

        @param nodes: C{None} where they could not be had: then providers are as
            reliable as they were.
        @param usd_per_sat: what a sat is worth, if anybody says so.
        @param now: the wall clock's seconds since the epoch.
        @param configured: the endpoints, normalised, of configured providers.
        """
        self.quotes_seen = page.rows
        if nodes is not None:
            self.nodes_seen = len(nodes)
            self._reliability = dict(_reliabilities(nodes))
        oldest = now - self._settings.stale_after_secs
        wanted = [each for each in page.quotes if self._is_wanted(each)]
        fresh = [each for each in wanted if not _is_older(each.observed_at, oldest)]
        self._stale = len(wanted) - len(fresh)
        self._groups.update(fresh, usd_per_sat, now, oldest, page.is_full)
        forgotten = self._groups.shorten(
            lambda key: key[2] in configured or self._bindings.find(*key) is not None
        )
        self._notes = tuple(_notes(page, len(self._groups), forgotten))

    def judge(self, configured: Collection[str]) -> Verdict:
        """
        Who of those that are known is of use.  All that have the same endpoint
        are one provider.

        @param configured: the endpoints, normalised, of configured providers.
        """
        of_use: dict[str, list[Announced]] = {}
        skipped = list(self._stale_ones())
        for key, group in self._groups:
            announced = Announced(self._seller(key, group), group)
            endpoint = announced.seller.endpoint
            why_not = self._why_not(announced.seller, endpoint in configured)
            if why_not is None:
                of_use.setdefault(endpoint, []).append(announced)
            else:
                skipped.append(why_not)
        overlays, sellers = {}, []
        for endpoint, several in of_use.items():
            if endpoint in configured:
                overlays[endpoint] = make_one(several)
            else:
                sellers.append(make_one(several))
        sellers.sort(key=lambda each: (each.source, each.endpoint))
        notes = list(self._notes)
        if len(sellers) > MOST_SELLERS:
            notes.append(f"{len(sellers)} providers, of which {MOST_SELLERS} are used")
        if len(skipped) > _MOST_SKIPPED:
            notes.append(f"{len(skipped)} skipped, of which {_MOST_SKIPPED} are shown")
        return Verdict(
            overlays,
            tuple(sellers[:MOST_SELLERS]),
            tuple(skipped[:_MOST_SKIPPED]),
            tuple(notes),
        )

    def _is_wanted(self, quote: Quote) -> bool:
        source = self._settings.source
        return source is None or quote.source == source.lower()

    def _seller(self, key: Key, group: Group) -> Seller:
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


def _notes(page: Page, kept: int, forgotten: int) -> Iterator[str]:
    if page.remark is not None:
        yield page.remark
    if page.is_full:
        yield (
            f"the feed gives {PAGE} quotes at most, the cheapest: dearer models may "
            "be missing (tokenstats.source narrows it)"
        )
    if forgotten:
        yield f"{kept + forgotten} providers, of which {kept} are remembered"
