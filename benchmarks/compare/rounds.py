"""
Ask all proxies the same in turn, again and again.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from subprocess import TimeoutExpired

from attrs import define, frozen

from ..native.build import Tools
from ..native.tools import Report, ask, served
from ..processes import megabytes, processor_seconds
from .proxy import TOKEN, Proxy, Running, Unavailable, start
from .results import DIRECT, Life, Measurement, Results
from .scenarios import BUFFERED, Scenario


class Refused(Exception):
    """
    The load generator cannot be trusted; says why.
    """


@frozen
class Plan:
    """
    What a run consists of.

    @ivar seconds: what is measured of each scenario.
    @ivar warm_seconds: what comes before.
    @ivar core: the one that proxies run on.
    @ivar provider: the provider's port.
    @ivar bodies: the bodies of requests by their kind, which are files of that
        name in C{directory}, too.
    """

    rounds: int
    seconds: float
    warm_seconds: float
    core: int
    provider: int
    tools: Tools
    directory: Path
    bodies: Mapping[str, bytes]
    scenarios: Sequence[Scenario]


@define
class Round:
    """
    One round: every proxy is started, and each scenario asked of all of them
    before the next.
    """

    number: int
    plan: Plan
    results: Results

    def run(self, proxies: Sequence[Proxy]) -> None:
        """
        Add to the results.

        @raise Refused: the load generator lost requests without any proxy.
        """
        with ExitStack() as stack:
            running = {}
            for proxy in proxies:
                try:
                    running[proxy.name] = self._start(proxy)
                except Unavailable as error:
                    self.results.missing[proxy.name] = str(error)
                else:
                    stack.callback(running[proxy.name].stop)
            idle = {name: megabytes(each.pid) for name, each in running.items()}
            loaded = dict(idle)
            for scenario in self.plan.scenarios:
                self._ask_directly(scenario)
                for name, each in list(running.items()):
                    try:
                        self._ask(name, each, scenario)
                        loaded[name] = max(loaded[name], megabytes(each.pid))
                    except (RuntimeError, OSError, TimeoutExpired) as error:
                        why = f"{scenario.title}, round {self.number}: {error}"
                        self.results.missing[name] = why
                        del running[name]
            self.results.lives += [
                Life(self.number, name, each.start_seconds, idle[name], loaded[name])
                for name, each in running.items()
            ]

    def _start(self, proxy: Proxy) -> Running:
        directory = Path(tempfile.mkdtemp(dir=self.plan.directory))
        return start(
            proxy,
            directory,
            self.plan.provider,
            self.plan.core,
            self.plan.bodies[BUFFERED],
        )

    def _ask_directly(self, scenario: Scenario) -> None:
        before = served(self.plan.provider)
        headers = [f"Authorization: Bearer {TOKEN}"]
        report = self._report(self.plan.provider, scenario, headers)
        answered = served(self.plan.provider) - before
        if report.wrong or report.unsent or report.finished != answered:
            raise Refused(
                f"{scenario.title}, without any proxy: the provider served {answered} "
                f"requests, but the load generator tells {report}"
            )
        self._keep(DIRECT, scenario, report, 0)

    def _ask(self, name: str, running: Running, scenario: Scenario) -> None:
        before = processor_seconds(running.pid)
        report = self._report(running.port, scenario, running.headers)
        used = processor_seconds(running.pid) - before
        self._keep(name, scenario, report, 1e6 * used / max(report.finished, 1))

    def _report(self, port: int, scenario: Scenario, headers: Sequence[str]) -> Report:
        plan = self.plan
        load = scenario.load(plan.directory)
        return ask(plan.tools, port, load, plan.seconds, plan.warm_seconds, headers)

    def _keep(
        self, name: str, scenario: Scenario, report: Report, processor: float
    ) -> None:
        kept = Measurement(self.number, name, scenario.key, report, processor)
        self.results.measurements.append(kept)
        print(
            f"round {self.number}  {scenario.key:<5} {name:<24} "
            f"{report.rate:>9.1f}/s {processor:>9.1f} CPU us",
            file=sys.stderr,
            flush=True,
        )
