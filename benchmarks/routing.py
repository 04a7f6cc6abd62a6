"""
What routing saves, and what it takes: C{python -m benchmarks.routing cost}
and C{python -m benchmarks.routing plan}.

C{cost} lets ways to choose among five providers with base fees and cached rates
serve the same generated requests, and adds up what these truly cost: in a
market that is written down here, and in some that are drawn at random.  C{plan}
times one plan among more and more providers.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from statistics import median, quantiles

from arbstr.config.model import Config
from arbstr.routing.affinity import Affinity
from arbstr.routing.catalog import Catalog, Offer
from arbstr.routing.money import Usage
from arbstr.routing.observation import AttemptSample, Observation
from arbstr.routing.plan import RouteRequest
from arbstr.routing.router import Router
from arbstr.upstream.wire import ChatRequest

from .conversations import MODEL, Request, World, requests

_REQUESTS = 10_000
_SEED = 20
_MARKETS = 20
_TURNS = {"single requests": 1, "conversations of three turns on average": 3}

# Rates and a fee; by provider.
Market = Mapping[str, tuple[float, float, float, float]]

# Sats per 1,000,000 tokens of input, of those that are cached, and of output;
# sats per request.
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

_LIST = "list price"

_COUNTS = (5, 50, 500)
_PLANS = {5: 4000, 50: 1000, 500: 200}


def _config(market: Market) -> Config:
    return Config.model_validate(
        {
            "providers": [
                {
                    "name": name,
                    "url": f"https://{name}.example/v1",
                    "input_rate": input_rate,
                    "cached_input_rate": cached,
                    "output_rate": output,
                    "base_fee": fee,
                    "models": [MODEL],
                }
                for name, (input_rate, cached, output, fee) in market.items()
            ]
        }
    )


def _random_market(draw: random.Random) -> Market:
    """
    Five providers, most of which charge less for cached tokens.
    """
    market = {}
    for number in range(5):
        input_rate = round(draw.uniform(2000, 15_000))
        cached = round(input_rate * draw.choice((1, 0.5, 0.25, 0.1)))
        output = round(input_rate * draw.uniform(1.5, 5))
        fee = draw.choice((0.0, 0.0, 0.5, 1.0, 3.0, 5.0))
        market[f"provider-{number}"] = (input_rate, cached, output, fee)
    return market


class _Routed:
    """
    Arbstr's own router, learning as it goes.
    """

    def __init__(self, config: Config, affinity: bool) -> None:
        self._now = 0.0
        self._router = Router(config, affinity=Affinity(lambda: self._now))
        self._affinity = affinity

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
        if self._affinity:
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
    alone, caching = _Routed(config, affinity=False), _Routed(config, affinity=True)
    return {
        _LIST: _total(asked, _by_list_price(config), _nothing_learned),
        "cheapest, without affinity": _total(asked, alone.choose, alone.learn),
        "cheapest": _total(asked, caching.choose, caching.learn),
        "hindsight, each request by itself": _hindsight(asked, config),
    }


def _cost() -> None:
    for name, turns in _TURNS.items():
        asked = requests(_REQUESTS, _SEED, turns)
        sizes = [each.input_tokens for each in asked]
        print(
            f"{len(asked)} {name}: prompts of {min(sizes)} to {max(sizes)} tokens, "
            f"half of them up to {median(sizes):.0f}\n"
        )
        draw = random.Random(_SEED)
        written = _totals(asked, _config(_MARKET))
        drawn = [_totals(asked, _config(_random_market(draw))) for _ in range(_MARKETS)]
        _print_costs(written, drawn)


def _print_costs(
    written: Mapping[str, Decimal], drawn: Sequence[Mapping[str, Decimal]]
) -> None:
    """
    @param written: totals in the market that is written down.
    @param drawn: totals in the others.
    """
    print(
        f"{'chosen by':<34} {'sats':>12} {'of list':>8}   "
        f"{len(drawn)} random markets: {'least':>7} {'median':>7} {'most':>7}"
    )
    for way, total in written.items():
        shares = [each[way] / each[_LIST] for each in [written, *drawn]]
        others = sorted(shares[1:])
        print(
            f"{way:<34} {total:>12.3f} {shares[0]:>8.1%} {'':>20} "
            f"{others[0]:>9.1%} {median(others):>7.1%} {others[-1]:>7.1%}"
        )
    print()


def _plan() -> None:
    print(f"{'one plan, microseconds':<44} {'median':>9} {'p95':>9}")
    short = _chat(["Hello!"])
    long = _chat([f"{number} " + "word " * 400 for number in range(20)])
    huge = _chat(["word " * 2_000_000, "And now?"])
    for count in _COUNTS:
        router = _router(count)
        _time(f"{count} providers, a short prompt", router, short, _PLANS[count])
        _learn(router, long)
        _time(
            f"{count} providers, 20 messages, much learned",
            router,
            long,
            _PLANS[count],
        )
    router = _router(5)
    _time("5 providers, a prompt of 10 MB", router, huge, 20)


def _router(count: int) -> Router:
    draw = random.Random(_SEED)
    market: dict[str, tuple[float, float, float, float]] = {}
    for number in range(count):
        rate = draw.uniform(2000, 15_000)
        market[f"provider-{number}"] = (rate, rate / 10, rate * 3, draw.random())
    return Router(_config(market), affinity=Affinity(lambda: 0.0))


def _learn(router: Router, request: RouteRequest) -> None:
    """
    Let every provider have served it, and report cached tokens.
    """
    for name in router.catalog.providers:
        for _ in range(20):
            router.learned.observe(
                Observation(
                    MODEL, None, 40_000, 10_000, 200, 1, (AttemptSample(name, True, 1),)
                )
            )
            usage = Usage(10_000, 200, 5_000)
            router.affinity.observe(MODEL, request.prefixes(), name, usage)


def _chat(texts: Sequence[str]) -> RouteRequest:
    """
    What routing is told of a chat completion.
    """
    messages = [{"role": "user", "content": text} for text in texts]
    body = json.dumps({"model": MODEL, "messages": messages}).encode()
    chat = ChatRequest.parse(body)
    return RouteRequest(
        MODEL,
        chat.input_tokens,
        last_user_text=chat.last_user_text,
        prefixes=chat.prefixes,
        messages=chat.messages,
    )


def _time(what: str, router: Router, request: RouteRequest, times: int) -> None:
    took = []
    for _ in range(times):
        began = time.perf_counter_ns()
        router.plan(request)
        took.append((time.perf_counter_ns() - began) / 1000)
    p95 = quantiles(took, n=20)[-1]
    print(f"{what:<44} {median(took):>9.0f} {p95:>9.0f}")


if __name__ == "__main__":
    commands = {"cost": _cost, "plan": _plan}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit(f"expected one of: {', '.join(commands)}")
    commands[sys.argv[1]]()
