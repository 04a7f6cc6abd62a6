"""
Keeps what is routed by up to date with the market, while requests are served.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from arbstr.config.known import hide_secrets_of
from arbstr.config.market import source_of
from arbstr.config.model import Config, ProviderSettings
from arbstr.routing.balances import Balances
from arbstr.routing.prepared import Prepared
from arbstr.routing.router import Router
from arbstr.upstream.cost import usd_per_sat

from .discovery import Discovery, Tools, is_watched
from .feed import Feeding
from .merge import endpoints
from .names import Names
from .outcome import Outcome, Sources, work_out
from .shelf import Shelf


class Watch:
    """
    Asks providers and the feed, and puts what they say together with the
    configuration.

    @ivar config: the baseline, in which every provider has a URL.
    @param tools: what it takes to ask.
    @param router: is told of balances.
    @param put: has the outcome used, from then on.
    """

    _log = Logger()

    def __init__(
        self,
        config: Config,
        tools: Tools,
        router: Router,
        put: Callable[[Config, Prepared | None], None],
    ) -> None:
        self.config = config
        self._tools = tools
        self._router = router
        self._put = put
        self._in_use = config
        self._names = Names()
        self._discoveries: dict[str, Discovery] = {}
        self._feeding: Feeding | None = None
        self._started = False
        self._dirty = False
        self._merging: Deferred[None] | None = None
        self._waiting: list[Deferred[None]] = []

    @property
    def is_busy(self) -> bool:
        """
        Somebody is being asked, or what he says is on its way into use.
        """
        return (
            self._merging is not None
            or (self._feeding is not None and self._feeding.is_busy)
            or any(each.is_busy for each in self._discoveries.values())
        )

    def start(self) -> None:
        """
        Begin to ask; nobody waits for the answers.
        """
        self._started = True
        self._watch()

    def stop(self) -> None:
        """
        Ask nobody any more.
        """
        self._started = False
        for discovery in self._discoveries.values():
            discovery.stop()
        if self._feeding is not None:
            self._feeding.stop()
        if self._merging is not None:
            self._merging.cancel()

    def use(self, config: Config) -> Deferred[None]:
        """
        Another baseline: what is known of the market stays known.

        @return: fires when it is in use.
        """
        # All that is put together with it has its keys from it.
        hide_secrets_of(config)
        self.config = config
        self._watch()
        used: Deferred[None] = Deferred()
        self._waiting.append(used)
        self._merge_soon()
        return used

    def describe(self, provider: ProviderSettings) -> dict[str, object]:
        """
        What C{/providers} tells of a provider: where it comes from, and how it
        went to ask it.
        """
        discovery = self._discoveries.get(provider.name)
        return {
            "source": source_of(provider),
            "discovery": None if discovery is None else discovery.models_as_json(),
            "balance": None if discovery is None else discovery.balance_as_json(),
        }

    def as_json(self) -> dict[str, object] | None:
        """
        What it tells of the feed.
        """
        if self._feeding is None:
            return None
        return self._feeding.as_json(len(_from_feed(self._in_use)))

    def _watch(self) -> None:
        """
        Ask those who are there now, and nobody else.
        """
        if self._started:
            self._watch_feed()
            self._watch_providers(self._in_use.providers + self.config.providers)

    def _watch_feed(self) -> None:
        settings, feeding = self.config.tokenstats, self._feeding
        if feeding is not None and (
            settings is None or settings.url != feeding.settings.url
        ):
            feeding.stop()
            self._feeding = feeding = None
        if feeding is not None and settings is not None:
            feeding.use(settings)
        elif settings is not None:
            self._feeding = Feeding(
                settings,
                self._tools,
                lambda: endpoints(self.config),
                self._changed,
                lambda: usd_per_sat(self.config.btc_usd),
            )
            self._feeding.start()

    def _watch_providers(self, providers: tuple[ProviderSettings, ...]) -> None:
        wanted = {each.name: each for each in providers if is_watched(each)}
        before = dict(self._discoveries)
        for name, discovery in before.items():
            if name not in wanted or not discovery.is_of(wanted[name]):
                discovery.stop()
                del self._discoveries[name]
        for name, provider in wanted.items():
            if name not in self._discoveries:
                self._discoveries[name] = Discovery(
                    provider,
                    self._tools,
                    self._changed,
                    self._usd_per_sat,
                    _shelf_of(provider, before.get(name)),
                )
                self._discoveries[name].start()

    def _usd_per_sat(self) -> Decimal | None:
        """
        The configuration knows better than the feed.
        """
        configured = usd_per_sat(self.config.btc_usd)
        if configured is None and self._feeding is not None:
            return self._feeding.usd_per_sat
        return configured

    def _sources(self) -> Sources:
        shelves = {
            name: each.shelf
            for name, each in self._discoveries.items()
            if each.shelf is not None
        }
        feeding = self._feeding
        judge = None if feeding is None else partial(feeding.judge, feeding.settings)
        return Sources(self.config, shelves, judge, self._usd_per_sat())

    def _changed(self) -> None:
        """
        Somebody has answered, or not.
        """
        self._tell_balances()
        if self._started:
            self._merge_soon()

    def _merge_soon(self) -> None:
        self._dirty = True
        if self._merging is None:
            self._merging = Deferred.fromCoroutine(self._merge())
            self._merging.addBoth(self._merged)

    async def _merge(self) -> None:
        while self._dirty:
            self._dirty = False
            sources, waiting = self._sources(), len(self._waiting)
            outcome = await self._tools.in_thread(
                partial(work_out, sources, self._names, self._in_use)
            )
            if sources.config is not self.config:
                self._dirty = True
                continue
            self._use(outcome)
            # However much is told meanwhile, their baseline is in use.
            for each in [self._waiting.pop(0) for _ in range(waiting)]:
                each.callback(None)

    def _merged(self, result: Failure | None) -> None:
        self._merging = None
        waiting, self._waiting = self._waiting, []
        if isinstance(result, Failure):
            if not waiting and not result.check(CancelledError):
                self._log.failure("A bug of arbstr's own", result)
            for each in waiting:
                each.errback(result)
        else:
            for each in waiting:
                each.callback(None)

    def _use(self, outcome: Outcome) -> None:
        """
        Route by this from now on.
        """
        if self._feeding is not None:
            self._feeding.verdict = outcome.verdict
        config = outcome.config
        if config is None:
            return
        self._put(config, outcome.prepared)
        self._tell(config)
        self._in_use = config
        if self._started:
            self._watch_providers(config.providers)
        self._tell_balances()

    def _tell_balances(self) -> None:
        self._router.balances = Balances(
            {
                name: each.balance
                for name, each in self._discoveries.items()
                if each.balance is not None
            }
        )

    def _tell(self, config: Config) -> None:
        before, after = _from_feed(self._in_use), _from_feed(config)
        for name in sorted(after - before):
            self._log.info("{provider} has come to the market", provider=name)
        for name in sorted(before - after):
            self._log.info("{provider} has left the market", provider=name)


def _from_feed(config: Config) -> set[str]:
    """
    The names of those that only the feed knows.
    """
    return {each.name for each in config.providers if source_of(each) == "tokenstats"}


def _shelf_of(provider: ProviderSettings, before: Discovery | None) -> Shelf | None:
    """
    With another key, a server serves what it did until it says otherwise.
    """
    if before is None or before.provider.url != provider.url:
        return None
    return before.shelf
