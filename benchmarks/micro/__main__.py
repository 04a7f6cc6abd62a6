"""
What the cost of a request grows with: C{python -m benchmarks.micro [NAME]...}.

Without names all of it is measured.  The daemon runs on one core, load generator
and provider on another.  The exit code is 1 if any answer was none, or if memory
grows.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ..compare.__main__ import CACHE
from ..machine import installed, machine, today
from ..native.build import BuildError, build
from ..native.tools import provider
from ..processes import on_core
from .bench import Bench
from .growth import growth
from .idle import idle
from .observer import observer
from .plan import plan
from .prompts import prompts
from .rows import rows

_ALL = {each.__name__: each for each in (plan, observer, prompts, idle, rows, growth)}


def main(arguments: Sequence[str]) -> None:
    """
    Measure and tell.

    @raise SystemExit: something was wrong.
    """
    parser = argparse.ArgumentParser(
        "python -m benchmarks.micro", description="What the cost grows with."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(_ALL))
    parser.add_argument("--seconds", type=float, default=3, help="of each load")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(_ALL):
        parser.error(f"expected some of {', '.join(_ALL)}, found {unknown}")
    # Not to leave anything running.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    cores = sorted(os.sched_getaffinity(0))
    print(f"{today()}, {machine()}\n{installed()}")
    try:
        tools = build(CACHE / "native")
    except BuildError as error:
        sys.exit(str(error))
    with (
        tempfile.TemporaryDirectory() as directory,
        on_core(cores[0]),
        provider(tools) as port,
    ):
        bench = Bench(tools, cores[-1], port, Path(directory), options.seconds)
        for name in options.names or _ALL:
            print(f"\n{name}\n\n{_ALL[name](bench)}", flush=True)
    if bench.wrong:
        sys.exit("\n".join(bench.wrong))


if __name__ == "__main__":
    main(sys.argv[1:])
