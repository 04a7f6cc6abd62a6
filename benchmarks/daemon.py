"""
A daemon of its own for a benchmark, and a way to talk to it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from treq.client import HTTPClient
from twisted.web.client import Agent, HTTPConnectionPool

from tests.integration.process import LOOPBACK, DaemonProcess, start

# More than any benchmark asks at once.
_CONNECTIONS = 1000
# A line of the log that is worse than a warning, with the traceback below it.
_BAD_EVENT = re.compile(
    r"^[0-9T:.-]+Z (?:(?!info |warn )|\w+ [^\n]*Unhandled)[^\n]*\n(?: [^\n]*\n)*", re.M
)
_FEW = 3


@asynccontextmanager
async def running(directory: Path, *arguments: str) -> AsyncIterator[DaemonProcess]:
    """
    A daemon that serves on a free port of the loopback interface, and that is
    killed in the end if it has not ended by then.

    @param directory: where it runs.
    @param arguments: those of C{twistd arbstr}.
    """
    process = start(directory, *arguments, "--listen", LOOPBACK)
    try:
        await process.logged(" providers")
        yield process
    finally:
        await process.kill()


@asynccontextmanager
async def http_client(reactor: Any) -> AsyncIterator[HTTPClient]:
    """
    A client that keeps its connections, until the end.
    """
    pool = HTTPConnectionPool(reactor, persistent=True)
    pool.maxPersistentPerHost = _CONNECTIONS
    try:
        yield HTTPClient(Agent(reactor, pool=pool))
    finally:
        await pool.closeCachedConnections()


def complaints(process: DaemonProcess) -> list[str]:
    """
    What is wrong with what a daemon has logged.
    """
    found = [event[0] for event in _BAD_EVENT.finditer(process.log)]
    wrong = []
    if found:
        first = "".join(found[:_FEW])[:5000]
        wrong.append(f"The log speaks of {len(found)} errors:\n{first}")
    if "Traceback" in process.complaints:
        wrong.append(process.complaints[-5000:])
    return wrong


async def stopped(process: DaemonProcess) -> list[str]:
    """
    Ask a daemon to stop, and wait until it has.

    @return: what is wrong with how it did.
    """
    process.signal("TERM")
    code = await process.exited()
    ended = [] if code == 0 else [f"The daemon ended with exit code {code}"]
    return ended + complaints(process)
