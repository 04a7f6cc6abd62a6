"""
The signals that the daemon listens to.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any


def listen(
    reactor: Any, terminate: Callable[[], None], reload: Callable[[], None]
) -> None:
    """
    Make the calls in the reactor's thread when their signals come.  To be called
    once the reactor runs, for it brings handlers of its own: with these twistd
    would, after the drain, die of the signal, and a second one would be an error.

    @param terminate: for SIGTERM and SIGINT.
    @param reload: for SIGHUP, which would kill the process without a drain.
    """

    def handler(call: Callable[[], None]) -> Callable[[int, object], None]:
        return lambda number, frame: reactor.callFromThread(call)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler(terminate))
    signal.signal(signal.SIGHUP, handler(reload))
