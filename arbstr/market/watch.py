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

from arbstr.config.market import source_of
from arbstr.config.model import Config, ProviderSettings
from arbstr.routing.balances import Balances
from arbstr.routing.router import Router
from arbstr.upstream.cost import usd_per_sat

from .discovery import Discovery, Tools, is_watched
from .feed import Feeding
from .merge import Market, endpoints, merge
from .names import Names

_SATS_PER_BTC = 100_000_000


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
        put: Callable[[Config], None],
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

    def use(self, config: Config) -> None:
        """
        Another baseline, from now on: what is known of the market stays known.
        """
        self.config = config
        self._watch()
        self._use(merge(config, self._market(), self._names))

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
        for name, discovery in list(self._discoveries.items()):
            if name not in wanted or not discovery.is_of(wanted[name]):
                discovery.stop()
                del self._discoveries[name]
        for name, provider in wanted.items():
            if name not in self._discoveries:
                self._discoveries[name] = Discovery(
                    provider, self._tools, self._changed, self._usd_per_sat
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

    def _market(self) -> Market:
        shelves = {
            name: each.shelf
            for name, each in self._discoveries.items()
            if each.shelf is not None
        }
        verdict = None if self._feeding is None else self._feeding.verdict
        return Market(shelves, verdict, self._usd_per_sat())

    def _changed(self) -> None:
        """
        Somebody has answered, or not.
        """
        self._tell_balances()
        self._dirty = True
        if self._merging is None and self._started:
            self._merging = Deferred.fromCoroutine(self._merge())
            self._merging.addErrback(self._broke).addCallback(self._merged)

    async def _merge(self) -> None:
        while self._dirty:
            self._dirty = False
            config = self.config
            before = self._in_use.providers
            providers = await self._tools.in_thread(
                partial(_merge_anew, config, self._market(), self._names, before)
            )
            if config is self.config:
                self._use(providers)
            else:
                self._dirty = True

    def _broke(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self._log.failure("A bug of arbstr's own", failure)

    def _merged(self, _: None) -> None:
        self._merging = None

    def _use(self, providers: tuple[ProviderSettings, ...]) -> None:
        """
        Route by these from now on.
        """
        rate = self._usd_per_sat()
        update: dict[str, object] = {"providers": providers}
        if rate is not None and self.config.btc_usd is None:
            update["btc_usd"] = float(rate * _SATS_PER_BTC)
        config = self.config.model_copy(update=update)
        if config == self._in_use:
            return
        self._put(config)
        self._tell(config)
        self._in_use = config
        if self._started:
            self._watch_providers(providers)
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


def _merge_anew(
    config: Config,
    market: Market,
    names: Names,
    before: tuple[ProviderSettings, ...],
) -> tuple[ProviderSettings, ...]:
    """
    Whoever has not changed is the same object as before, so that it takes no time
    to see that.
    """
    known = {each.name: each for each in before}
    after = merge(config, market, names)
    return tuple(
        known[each.name] if known.get(each.name) == each else each for each in after
    )


def _from_feed(config: Config) -> set[str]:
    """
    The names of those that only the feed knows.
    """
    return {each.name for each in config.providers if source_of(each) == "tokenstats"}
