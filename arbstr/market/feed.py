"""
Asking the feed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from threading import Lock
from urllib.parse import urlencode

from attrs import asdict
from twisted.internet.defer import Deferred

from arbstr.config.market import TokenstatsSettings
from arbstr.upstream.failures import AttemptFailed

from .discovery import Tools
from .models import BadAnswer
from .poller import Poller, Watcher
from .quotes import PAGE, Node, Page, read_health, read_nodes, read_quotes
from .report import Report, shown
from .sellers import Verdict
from .tokenstats import Feed

_HEALTH_SECONDS = 10
_QUOTES_SECONDS = 30
_NODES_SECONDS = 15
_USUAL_RATIO = 3


class Feeding(Watcher):
    """
    Watches a feed.

    @ivar settings: by which.
    @ivar verdict: what was made of what is known; C{None} before the first time.
    @ivar usd_per_sat: dollars for a sat, as it told them last.
    @param endpoints: of the providers that are configured now.
    @param changed: is called after something has changed.
    @param fallback: dollars for a sat by the configuration, if it says so.
    """

    def __init__(
        self,
        settings: TokenstatsSettings,
        tools: Tools,
        endpoints: Callable[[], Mapping[str, str]],
        changed: Callable[[], None],
        fallback: Callable[[], Decimal | None],
    ) -> None:
        self.settings = settings
        self.verdict: Verdict | None = None
        self.usd_per_sat: Decimal | None = None
        self._tools = tools
        self._endpoints = endpoints
        self._changed = changed
        self._fallback = fallback
        self._feed = Feed(settings)
        self._report = Report("the feed of prices", tools.now)
        # Only threads take it: the reactor must not wait for one of them.
        self._lock = Lock()
        self._poller = self._make_poller()

    def use(self, settings: TokenstatsSettings) -> None:
        """
        Ask anew, by these settings; the URL stays, and so does what is known.
        """
        self._poller.stop()
        self.settings = settings
        self._poller = self._make_poller()
        self._poller.start()

    def judge(
        self, settings: TokenstatsSettings, configured: Mapping[str, str]
    ) -> Verdict:
        """
        What is made of what is known, by these settings; for a thread.

        @param configured: the endpoints of configured providers.
        """
        with self._lock:
            self._feed.configure(settings)
            return self._feed.judge(configured)

    def as_json(self, routable: int) -> dict[str, object]:
        """
        For C{/providers}.

        @param routable: how many providers of its are in use.
        """
        verdict = self.verdict or Verdict({}, (), (), ())
        return {
            "enabled": True,
            "url": self.settings.url,
            "last_poll_at": shown(self._report.last_poll_at),
            "last_success_at": shown(self._report.last_success_at),
            "last_error": self._report.last_error,
            "quotes_seen": self._feed.quotes_seen,
            "nodes_seen": self._feed.nodes_seen,
            "routable_market_providers": routable,
            "skipped": [asdict(each) for each in verdict.skipped],
            "notes": list(verdict.notes),
        }

    async def _ask(self) -> bool:
        try:
            page = await self._fetch()
        except (AttemptFailed, BadAnswer) as error:
            self._report.failed(str(error))
            self._changed()
            return False
        nodes, failure = await self._fetch_nodes()
        await self._tools.in_thread(
            partial(
                self._learn,
                self.settings,
                page,
                nodes,
                self.usd_per_sat or self._fallback(),
                self._endpoints(),
            )
        )
        self._report.succeeded(failure)
        self._changed()
        return True

    async def _fetch(self) -> Page:
        """
        @raise AttemptFailed: there is no answer.
        @raise BadAnswer: it is none.
        """
        body = await self._get("/health", _HEALTH_SECONDS)
        usd_per_sat = await self._tools.in_thread(partial(read_health, body))
        if usd_per_sat is not None:
            self.usd_per_sat = usd_per_sat
        query: dict[str, object] = {"limit": PAGE}
        if self.settings.source is not None:
            query["source"] = self.settings.source
        if self.settings.blend_ratio not in (0, _USUAL_RATIO):
            query["ratio"] = f"{self.settings.blend_ratio:g}"
        body = await self._get(f"/api/quotes?{urlencode(query)}", _QUOTES_SECONDS)
        page: Page = await self._tools.in_thread(partial(read_quotes, body))
        return page

    async def _fetch_nodes(self) -> tuple[tuple[Node, ...] | None, str | None]:
        """
        Those, or why they could not be had.
        """
        try:
            body = await self._get("/api/nodes", _NODES_SECONDS)
            nodes = await self._tools.in_thread(partial(read_nodes, body))
        except (AttemptFailed, BadAnswer) as error:
            return None, f"no nodes: {error}"
        return nodes, None

    def _learn(
        self,
        settings: TokenstatsSettings,
        page: Page,
        nodes: tuple[Node, ...] | None,
        usd_per_sat: Decimal | None,
        endpoints: Mapping[str, str],
    ) -> None:
        with self._lock:
            self._feed.configure(settings)
            self._feed.update(page, nodes, usd_per_sat, self._tools.now(), endpoints)

    def _make_poller(self) -> Poller:
        interval = self.settings.poll_interval_secs
        return Poller(self._ask, interval, self._tools.clock)

    def _get(self, path: str, seconds: float) -> Deferred[bytes]:
        return Deferred.fromCoroutine(
            self._tools.fetcher.get(f"{self.settings.url}{path}", seconds)
        )
