"""
Providers outside the daemon's process, so that what it holds is its own.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.integration.providers import Connection, FakeProvider, Received, Script

_AS_MANY_AS_THE_DAEMON = 256


@asynccontextmanager
async def outside(reactor: Any, script: Script) -> AsyncIterator[FakeProvider]:
    """
    A provider in this process that does what the script says, until the end.  It
    keeps nothing of what it was asked.
    """

    def forgetting(connection: Connection, request: Received) -> None:
        provider.requests.clear()
        script(connection, request)

    provider = FakeProvider("outside", forgetting)
    provider.start(reactor)
    try:
        yield provider
    finally:
        await provider.stop()


def entry(name: str, url: str, models: Sequence[str], **more: Any) -> dict[str, Any]:
    """
    A provider's section of the configuration.
    """
    return {
        "name": name,
        "url": url,
        "api_key": f"sk-{name}",
        "models": list(models),
        "input_rate": 1000,
        "output_rate": 2000,
        "max_in_flight": _AS_MANY_AS_THE_DAEMON,
        **more,
    }


def written(
    directory: Path, providers: Sequence[Mapping[str, Any]], **sections: Any
) -> Path:
    """
    Write a configuration with these providers, and with books in C{books.db}
    beside it.

    @param sections: further ones.
    @return: the file.
    """
    settings = {
        "providers": list(providers),
        "database": {"path": str(directory / "books.db")},
        # An open circuit would answer at once, and hide the providers.
        "circuit": {"failure_threshold": 1_000_000},
        **sections,
    }
    path = directory / "arbstr.json"
    path.touch(0o600)
    path.write_text(json.dumps(settings), "utf-8")
    return path
