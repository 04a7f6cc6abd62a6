"""
arbstr beside what people would use instead: C{python -m benchmarks.compare}.

Proxies run on one core, the load generator and the provider on another.
Prints a table of medians with ratios, and what was reached of what is aimed at.
Every answer is looked at: the exit code is 1 if any was none, or if arbstr
itself is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from ..machine import installed, machine, today
from ..native.build import BuildError, build
from ..native.tools import provider
from ..processes import on_core
from .nginx import Nginx
from .ours import Arbstr, Committed
from .peers import LiteLLM, Portkey
from .proxy import Proxy, Unavailable
from .results import OURS, Results
from .rounds import Plan, Refused, Round
from .scenarios import SCENARIOS, Scenario, bodies
from .table import table
from .targets import reached

CACHE = Path(__file__).parents[1] / ".cache"
_PEERS = {"nginx": Nginx, "portkey": Portkey, "litellm": LiteLLM}
_WARM_SECONDS = 0.5
_QUICK_SECONDS = 0.3


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.compare",
        description="Measure arbstr beside what people would use instead.",
    )
    keys = [each.key for each in SCENARIOS]
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3, help="of each scenario")
    parser.add_argument(
        "--peers",
        type=_several(list(_PEERS)),
        default=list(_PEERS),
        metavar=",".join(_PEERS),
        help="or 'none'; all by default",
    )
    parser.add_argument(
        "--scenarios",
        type=_several(keys),
        default=keys,
        metavar=",".join(keys),
        help="all by default",
    )
    parser.add_argument(
        "--against", metavar="COMMIT", help="measure arbstr of this commit, too"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="all that was seen")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="see that it works; the figures mean little",
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> None:
    """
    Install, measure and tell.

    @raise SystemExit: something was wrong.
    """
    options = _arguments(arguments)
    # Not to leave anything running.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("expected a core for proxies and another for the load, found one")
    if options.quick:
        options.rounds, options.seconds = 1, _QUICK_SECONDS
    where = f"{today()}, {machine()}"
    results = Results()
    proxies = _installed(options, results)
    if not proxies:
        sys.exit(_complaints(results))
    scenarios = [each for each in SCENARIOS if each.key in options.scenarios]
    try:
        _measure(options, cores[-1], cores[0], scenarios, proxies, results)
    except (BuildError, Refused) as error:
        sys.exit(str(error))
    versions = ", ".join(f"{name} {told}" for name, told in results.versions.items())
    print(f"{where}\n{installed()}\n{versions}")
    print(f"{options.rounds} rounds of {options.seconds:g} seconds", end="\n\n")
    print(table(results, scenarios), reached(results), sep="\n\n")
    if options.json:
        told = {"where": where, "installed": installed(), **results.as_json()}
        options.json.write_text(json.dumps(told, indent=1), "utf-8")
    sys.exit(_complaints(results))


def _several(known: Sequence[str]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        given = [] if text == "none" else text.split(",")
        for each in given:
            if each not in known:
                raise argparse.ArgumentTypeError(
                    f"expected some of {','.join(known)}, found {each!r}"
                )
        return given

    return parse


def _installed(options: argparse.Namespace, results: Results) -> list[Proxy]:
    ours: list[Proxy] = [Arbstr()]
    if options.against:
        name = f"{OURS} {options.against}"
        ours.append(Committed(name, cache=CACHE, revision=options.against))
    proxies = []
    for proxy in [*ours, *(_PEERS[name](CACHE) for name in options.peers)]:
        try:
            results.versions[proxy.name] = proxy.install()
            proxies.append(proxy)
        except Unavailable as error:
            results.missing[proxy.name] = str(error)
    return proxies


def _measure(
    options: argparse.Namespace,
    proxy_core: int,
    load_core: int,
    scenarios: Sequence[Scenario],
    proxies: Sequence[Proxy],
    results: Results,
) -> None:
    tools = build(CACHE / "native")
    with (
        tempfile.TemporaryDirectory() as name,
        on_core(load_core),
        provider(tools) as port,
    ):
        directory = Path(name)
        plan = Plan(
            options.rounds,
            options.seconds,
            min(_WARM_SECONDS, options.seconds),
            proxy_core,
            port,
            tools,
            directory,
            bodies(directory),
            scenarios,
        )
        for number in range(1, plan.rounds + 1):
            # Nobody always comes after the same one.
            first = number % len(proxies)
            Round(number, plan, results).run([*proxies[first:], *proxies[:first]])


def _complaints(results: Results) -> str | None:
    told = [f"{name} is missing: {why}" for name, why in results.missing.items()]
    print(*told, sep="\n")
    wrong = list(results.wrong())
    if any(name.startswith(OURS) for name in results.missing):
        wrong.append("arbstr itself is missing")
    return (
        "\n".join(["A fast wrong answer is not a result:", *wrong]) if wrong else None
    )


if __name__ == "__main__":
    main(sys.argv[1:])
