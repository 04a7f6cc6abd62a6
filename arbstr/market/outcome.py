"""
What there is to route by, worked out of all that is known: for a thread, since
there may be tens of thousands of models.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from attrs import frozen

from arbstr.config.model import Config, ProviderSettings
from arbstr.routing.prepared import Prepared, prepare

from .merge import Market, endpoints, merge
from .names import Names
from .sellers import Verdict
from .shelf import Shelf

_SATS_PER_BTC = 100_000_000


@frozen
class Sources:
    """
    All that is known.

    @ivar config: the baseline.
    @ivar shelves: see L{Market}.
    @ivar judge: says what is made of the feed, given the endpoints of configured
        providers; C{None} where there is no feed.
    @ivar usd_per_sat: what a sat is worth, if anybody says so.
    """

    config: Config
    shelves: Mapping[str, Shelf]
    judge: Callable[[Mapping[str, str]], Verdict] | None
    usd_per_sat: Decimal | None


@frozen
class Outcome:
    """
    What comes of it.

    @ivar verdict: what is made of the feed.
    @ivar config: what to route by; C{None} if that is what is in use.
    @ivar prepared: the same for the router.
    """

    verdict: Verdict | None
    config: Config | None = None
    prepared: Prepared | None = None


def work_out(sources: Sources, names: Names, in_use: Config) -> Outcome:
    """
    Put it together.
    """
    config, judge, rate = sources.config, sources.judge, sources.usd_per_sat
    verdict = None if judge is None else judge(endpoints(config))
    market = Market(sources.shelves, verdict, rate)
    providers = _merge_anew(config, market, names, in_use.providers)
    update: dict[str, object] = {"providers": providers}
    if rate is not None and config.btc_usd is None:
        update["btc_usd"] = float(rate * _SATS_PER_BTC)
    merged = config.model_copy(update=update)
    if merged == in_use:
        return Outcome(verdict)
    return Outcome(verdict, merged, prepare(merged))


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
