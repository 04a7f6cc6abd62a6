"""
What a daemon holds while nothing happens.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import deferLater

from tests.integration.process import DaemonProcess

from .concurrency import Holdings
from .daemon import http_client

# Longer than connections to providers are kept.
_REST_SECONDS = 6


async def at_rest(reactor: Any, process: DaemonProcess, model: str) -> Holdings:
    """
    What it holds when it has served one request and read its books, so that
    whatever is opened once is open, and has had time to close the rest.
    """
    url = f"http://127.0.0.1:{process.listening_port()}"
    messages = [{"role": "user", "content": "Hi"}]
    async with http_client(reactor) as client:
        for asking in (
            client.post(
                f"{url}/v1/chat/completions",
                json={"model": model, "messages": messages},
                timeout=_REST_SECONDS,
            ),
            client.get(f"{url}/v1/stats", timeout=_REST_SECONDS),
        ):
            response = await asking
            await response.content()
    await deferLater(reactor, _REST_SECONDS)
    return Holdings.of(process.pid)
