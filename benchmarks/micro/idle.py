"""
Streams that say nothing for long.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from attrs import define

from ..compare.ours import Arbstr
from ..compare.proxy import Command
from ..compare.scenarios import QUESTION, STREAMS, body
from ..markdown import markdown
from ..native.tools import Load, asking
from ..processes import descriptors, megabytes, processor_seconds
from .bench import Bench

_STREAMS = (10, 1000)
_WARM_UP = 2000
_SETTLE_SECONDS = 4
_WATCHED_SECONDS = 5
# The first chunk at once, and the next when all has been seen.
_PACE = "mock-pace:0:30000 "
_LONGEST_SECONDS = 60

# A daemon takes 512 connections.  What a stream costs shows with more of them.
_ROOMY = """
import sys
from arbstr.web import clients
from twisted.scripts.twistd import run
clients.CONNECTIONS = 4096
sys.argv[0] = "twistd"
run()
"""


@define
class Roomy(Arbstr):
    """
    arbstr, but with room for more connections than it takes.
    """

    def command(self, directory: Path, port: int, provider: int) -> Command:
        """
        See L{Proxy.command}.
        """
        usual = super().command(directory, port, provider)
        return Command([sys.executable, "-c", _ROOMY, *usual.arguments[1:]])


def idle(bench: Bench) -> str:
    """
    The memory and processor time of streams in which nothing happens.
    """
    head = ("idle streams", "KB a stream", "CPU µs a second and stream")
    return markdown([head, *(_cost(bench, count) for count in _STREAMS)])


def _cost(bench: Bench, count: int) -> Sequence[str]:
    path = bench.written("idle stream", body(_PACE + QUESTION, **STREAMS))
    warm = bench.written("warm-up", body(QUESTION, **STREAMS))
    with bench.daemon(Roomy()) as daemon:
        bench.ask(daemon, Load(warm, 32, streams=True), _WARM_UP)
        time.sleep(_SETTLE_SECONDS)
        memory, open_before = megabytes(daemon.pid), descriptors(daemon.pid)
        load = Load(path, count, streams=True)
        with asking(bench.tools, daemon.port, load, _LONGEST_SECONDS, daemon.headers):
            time.sleep(_SETTLE_SECONDS)
            # Each has a connection of the client's and one of the provider's; of
            # the latter some are left from before.
            if descriptors(daemon.pid) < open_before + count:
                bench.wrong.append(f"{count} idle streams: some are missing")
            before = processor_seconds(daemon.pid)
            time.sleep(_WATCHED_SECONDS)
            used = processor_seconds(daemon.pid) - before
            grown = megabytes(daemon.pid) - memory
    each = 1e6 * used / _WATCHED_SECONDS / count
    return f"{count:,}", f"{1000 * grown / count:.1f}", f"{each:.1f}"
