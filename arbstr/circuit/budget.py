"""
How much of what is sent may be sent again.
"""

from __future__ import annotations

from collections import deque

from twisted.internet.interfaces import IReactorTime

_SECONDS = 10
_SHARE = 0.2
_LEAST = 3 * _SECONDS


class RetryBudget:
    """
    Keeps the whole daemon's retries to a share of its requests, counted over
    the last ten seconds: when everything fails, trying everything again would
    multiply the load.  A few a second are always allowed.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        # For each of the last seconds: which, its requests, its retries.
        self._counts: deque[list[int]] = deque()
        self._requests = 0
        self._retries = 0

    def request(self) -> None:
        """
        A request is tried for the first time.
        """
        self._second()[1] += 1
        self._requests += 1

    def retry(self) -> bool:
        """
        Ask for one more attempt.

        @return: whether there may be one; then it is counted.
        """
        second = self._second()
        if self._retries >= max(_LEAST, _SHARE * self._requests):
            return False
        second[2] += 1
        self._retries += 1
        return True

    def _second(self) -> list[int]:
        now = int(self._clock.seconds())
        while self._counts and self._counts[0][0] <= now - _SECONDS:
            _, requests, retries = self._counts.popleft()
            self._requests -= requests
            self._retries -= retries
        if not self._counts or self._counts[-1][0] != now:
            self._counts.append([now, 0, 0])
        return self._counts[-1]
