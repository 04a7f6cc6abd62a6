"""
What one plan takes.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from statistics import median, quantiles

from arbstr.routing.affinity import Affinity
from arbstr.routing.money import Usage
from arbstr.routing.observation import AttemptSample, Observation
from arbstr.routing.plan import RouteRequest
from arbstr.routing.router import Router
from arbstr.upstream.wire import ChatRequest

from .conversations import MODEL
from .markets import configured

_COUNTS = (5, 50, 500)
_PLANS = {5: 4000, 50: 1000, 500: 200}
_SEED = 20


def time_plans() -> None:
    """
    Print how long it takes among more and more providers.
    """
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
    return Router(configured(market), affinity=Affinity(lambda: 0.0))


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
