"""
What requests cost in sats, by who chooses a provider for them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from statistics import median

from arbstr.config.model import Config
from arbstr.routing.affinity import Affinity
from arbstr.routing.catalog import Catalog, Offer
from arbstr.routing.money import Usage
from arbstr.routing.observation import AttemptSample, Observation
from arbstr.routing.plan import RouteRequest
from arbstr.routing.router import Router

from .conversations import MODEL, Request, World, requests
from .markets import Market, configured, drawn

_REQUESTS = 10_000
_SEED = 20
_MARKETS = 20
_TURNS = {"single requests": 1, "conversations of three turns on average": 3}
_LIST = "list price"

_MARKET: Market = {
    "alpha": (10_000, 2_500, 30_000, 0.0),
    "beta": (8_000, 8_000, 28_000, 1.0),
    "gamma": (5_000, 500, 20_000, 5.0),
    "delta": (12_000, 1_200, 24_000, 0.5),
    "epsilon": (3_000, 3_000, 40_000, 2.0),
}

# Chooses a provider for a request, in a world that it does not see into.
Choose = Callable[[Request], Offer]
Learn = Callable[[Request, Offer, Usage], None]


def compare_costs() -> None:
    """
    Print what the same requests cost, however they are sent on.
    """
    for name, turns in _TURNS.items():
        asked = requests(_REQUESTS, _SEED, turns)
        sizes = [each.input_tokens for each in asked]
        print(
            f"{len(asked)} {name}: prompts of {min(sizes)} to {max(sizes)} tokens, "
            f"half of them up to {median(sizes):.0f}\n"
        )
        draw = random.Random(_SEED)
        written = _totals(asked, configured(_MARKET))
        others = [_totals(asked, configured(drawn(draw))) for _ in range(_MARKETS)]
        _print_costs(written, others)


def _print_costs(
    written: Mapping[str, Decimal], others: Sequence[Mapping[str, Decimal]]
) -> None:
    """
    @param written: totals in the market that is written down.
    @param others: totals in those that are drawn.
    """
    print(
        f"{'chosen by':<34} {'sats':>12} {'of list':>8}   "
        f"{len(others)} random markets: {'least':>7} {'median':>7} {'most':>7}"
    )
    for way, total in written.items():
        shares = sorted(each[way] / each[_LIST] for each in others)
        print(
            f"{way:<34} {total:>12.3f} {total / written[_LIST]:>8.1%} {'':>20} "
            f"{shares[0]:>9.1%} {median(shares):>7.1%} {shares[-1]:>7.1%}"
        )
    print()


class _Forgetful(Affinity):
    """
    Remembers no conversation.
    """

    def observe(self, *_: object) -> None:
        """
        Whatever happens.
        """


def _far_sighted(config: Config) -> Config:
    """
    The same, but what a cache saves of later turns counts.
    """
    routing = config.routing.model_copy(update={"later_turns": True})
    return config.model_copy(update={"routing": routing})


class _Routed:
    """
    Arbstr's own router, learning as it goes.
    """

    def __init__(self, config: Config, affinity: type[Affinity] = Affinity) -> None:
        self._now = 0.0
        self._router = Router(config, affinity=affinity(lambda: self._now))

    def choose(self, request: Request) -> Offer:
        """
        The first of the plan.
        """
        self._now = request.at
        return self._router.plan(self._route(request)).candidates[0].offer

    def learn(self, request: Request, offer: Offer, usage: Usage) -> None:
        """
        From what the provider reported.
        """
        route = self._route(request)
        self._router.learned.observe(
            Observation(
                MODEL,
                input_chars=route.input_chars,
                input_tokens=usage.input,
                output_tokens=usage.output,
                attempts=(AttemptSample(offer.name, True, 0.5),),
            )
        )
        self._router.affinity.observe(MODEL, request.prefixes, offer.name, usage)

    def _route(self, request: Request) -> RouteRequest:
        return RouteRequest(
            MODEL,
            request.estimate,
            request.output_cap,
            prefixes=lambda: request.prefixes,
        )


def _by_list_price(config: Config) -> Choose:
    """
    A blend of list prices that adds sats per 1M tokens to sats per request.
    """
    offers = Catalog(config.providers).offers(MODEL)
    first = min(offers, key=lambda each: each.rates.output + each.rates.base_fee)
    return lambda request: first


def _nothing_learned(request: Request, offer: Offer, usage: Usage) -> None:
    """
    A list price stays as it is.
    """


def _total(asked: Iterable[Request], choose: Choose, learn: Learn) -> Decimal:
    """
    Sats that all of them cost.
    """
    world, total = World(), Decimal(0)
    for request in asked:
        offer = choose(request)
        usage, cost = world.serve(request, offer)
        learn(request, offer, usage)
        total += cost
    return total


def _hindsight(asked: Iterable[Request], config: Config) -> Decimal:
    """
    Sats that it costs to choose each time whoever turns out to be cheapest.
    """
    offers = Catalog(config.providers).offers(MODEL)
    world, total = World(), Decimal(0)
    for request in asked:
        best = min(offers, key=lambda each: world.cost(request, each))
        total += world.serve(request, best)[1]
    return total


def _totals(asked: Sequence[Request], config: Config) -> dict[str, Decimal]:
    ways = {
        "cheapest, without affinity": _Routed(config, _Forgetful),
        "cheapest": _Routed(config),
        "cheapest, later turns counted": _Routed(_far_sighted(config)),
    }
    totals = {_LIST: _total(asked, _by_list_price(config), _nothing_learned)}
    totals |= {
        name: _total(asked, routed.choose, routed.learn)
        for name, routed in ways.items()
    }
    totals["hindsight, one request at a time"] = _hindsight(asked, config)
    return totals
