"""
What every test of a daemon in this process ends with: nothing is left of what
happened to it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred

from arbstr.circuit.permit import Permit
from arbstr.daemon import Daemon

_DESCRIPTORS = Path("/proc/self/fd")


def descriptors() -> list[str]:
    """
    The sockets and files that this process has open.  Pipes are the reactor's:
    it makes new ones for each test.
    """
    found = []
    for descriptor in os.listdir(_DESCRIPTORS):
        try:
            found.append(os.readlink(_DESCRIPTORS / descriptor))
        except FileNotFoundError:
            # The one that the list was read from.
            continue
    return [name for name in found if name.startswith(("socket:", "/"))]


@define
class Baseline:
    """
    What was under way before anything happened to a daemon.

    @ivar permits: all that it has given out since.
    """

    daemon: Daemon
    permits: list[Permit] = field(factory=list)
    _open: int = field(factory=lambda: len(descriptors()))

    @classmethod
    def take(cls, daemon: Daemon) -> Baseline:
        """
        Look at a daemon, and remember every permit from now on.
        """
        baseline, circuits = cls(daemon), daemon.circuits
        take_first, acquire_first = circuits.take_first, circuits.acquire_first

        def remember(answer: tuple[Any, Permit] | None) -> Any:
            if answer is not None:
                baseline.permits.append(answer[1])
            return answer

        def taking(candidates: Any) -> Any:
            return remember(take_first(candidates))

        def acquiring(*args: Any, **options: Any) -> Deferred[Any]:
            return acquire_first(*args, **options).addCallback(remember)

        circuits.take_first = taking  # type: ignore[method-assign]
        circuits.acquire_first = acquiring  # type: ignore[method-assign]
        return baseline

    def nothing_in_flight(self) -> bool:
        """
        No request is being served.
        """
        return len(self.daemon.in_flight) == 0

    def unresolved(self) -> list[Permit]:
        """
        Permits that somebody has forgotten.
        """
        return [permit for permit in self.permits if not permit.resolved]

    def nothing_more_open(self) -> bool:
        """
        No more sockets and files are open than there were.
        """
        return len(descriptors()) <= self._open
