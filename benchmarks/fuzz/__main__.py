"""
Fuzzing, as commands:

    python -m benchmarks.fuzz parsers [INPUTS]
    python -m benchmarks.fuzz coverage [SECONDS]
    python -m benchmarks.fuzz http [CASES]

C{parsers} reads mutated streams, requests and configurations.  C{coverage} does
the same, led by what code they reach, each for so many seconds; it needs
C{pip install 'arbstr[fuzz]'}.  C{http} runs the daemon and mutates what it hears,
from its clients and from its provider.  What is wrong is told with the input that
showed it, and the exit code is 1; 2 where it could not be tried.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import react

from .guided import CannotTry, coverage
from .http import http
from .parsers import parsers

_USAGE = 2
_COMMANDS: dict[str, tuple[Callable[[Any, int], Deferred[list[str]]], int]] = {
    "parsers": (lambda _, count: succeed(parsers(count)), 1_000_000),
    "coverage": (lambda _, seconds: succeed(coverage(seconds)), 300),
    "http": (lambda *given: Deferred.fromCoroutine(http(*given)), 50_000),
}


async def main(reactor: Any, name: str = "", count: str | None = None) -> None:
    """
    Try one thing, and tell.

    @raise SystemExit: something was wrong.
    """
    if name not in _COMMANDS:
        print(__doc__, file=sys.stderr)
        sys.exit(_USAGE)
    command, default = _COMMANDS[name]
    try:
        wrong = await command(reactor, int(count or default))
    except CannotTry as error:
        print(error, file=sys.stderr)
        sys.exit(_USAGE)
    if wrong:
        sys.exit("\n".join(wrong[:20]))


if __name__ == "__main__":
    react(
        lambda reactor, *arguments: Deferred.fromCoroutine(main(reactor, *arguments)),
        sys.argv[1:],
    )
