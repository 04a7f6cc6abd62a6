"""
Fuzzing, as commands:

    python -m benchmarks.fuzz parsers [INPUTS]
    python -m benchmarks.fuzz coverage [SECONDS]

C{parsers} reads mutated streams, requests and configurations.  C{coverage} does
the same, led by what code they reach, each for so many seconds; it needs
C{pip install 'arbstr[fuzz]'}.  What is wrong is told with the input that showed
it, and the exit code is 1; 2 where it could not be tried.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from .guided import CannotTry, coverage
from .parsers import parsers

_USAGE = 2
_COMMANDS: dict[str, tuple[Callable[[int], list[str]], int]] = {
    "parsers": (parsers, 1_000_000),
    "coverage": (coverage, 300),
}


def main(name: str = "", count: str | None = None) -> None:
    """
    Try one thing, and tell.

    @raise SystemExit: something was wrong.
    """
    if name not in _COMMANDS:
        sys.exit(__doc__)
    command, default = _COMMANDS[name]
    try:
        wrong = command(int(count or default))
    except CannotTry as error:
        print(error, file=sys.stderr)
        sys.exit(_USAGE)
    if wrong:
        sys.exit("\n".join(wrong[:20]))


if __name__ == "__main__":
    main(*sys.argv[1:])
