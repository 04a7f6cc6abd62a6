"""
Asking others for lists.
"""

from __future__ import annotations

from pydantic import SecretStr
from twisted.internet.interfaces import IReactorTime
from twisted.web.http_headers import Headers

from arbstr.upstream.agent import discard
from arbstr.upstream.body import BodyLimits, Collector
from arbstr.upstream.client import USER_AGENT, understand
from arbstr.upstream.connections import Connections
from arbstr.upstream.failures import AttemptFailed

_CONNECT_SECONDS = 5
_LARGEST = 4 * 1024 * 1024


class Fetcher:
    """
    Fetches small documents over the pool that requests go through.
    """

    def __init__(self, connections: Connections, clock: IReactorTime) -> None:
        self._connections = connections
        self._clock = clock

    async def get(
        self, url: str, seconds: float, key: SecretStr | None = None
    ) -> bytes:
        """
        GET.  Redirects are not followed: the key is for this host only.

        @param seconds: for all of it.
        @raise AttemptFailed: there was no answer, or one that is no document.
        """
        deadline = self._clock.seconds() + seconds
        headers = Headers({"User-Agent": [USER_AGENT], "Accept": ["application/json"]})
        if key is not None:
            value = f"Bearer {key.get_secret_value()}"
            headers.setRawHeaders("Authorization", [value])
        sending = self._connections.client(_CONNECT_SECONDS).get(url, headers=headers)
        sending.addTimeout(seconds, self._clock, _no_answer)
        try:
            response = await sending
        except Exception as reason:
            raise understand(reason) from None
        if response.code != 200:
            discard(response)
            raise AttemptFailed("protocol", f"HTTP {response.code}")
        if isinstance(response.length, int) and response.length > _LARGEST:
            discard(response)
            raise AttemptFailed("protocol", f"the answer is over {_LARGEST} bytes long")
        left = max(0.0, deadline - self._clock.seconds())
        collector = Collector(
            self._clock, BodyLimits(idle=seconds, total=left), _LARGEST
        )
        response.deliverBody(collector)
        await collector.finished
        return collector.body()


def _no_answer(_: object, seconds: float) -> None:
    raise AttemptFailed("timeout", f"no answer within {seconds:g} seconds")
