"""
Providers that are left alone for a while though nothing is broken: they limit
our rate, our balance there is used up, our key is refused, or a model is gone.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

from attrs import frozen
from twisted.internet.interfaces import IReactorTime

from arbstr.clock import rfc3339

_LONGEST_RETRY_AFTER = 300.0
_REFUSED_SECONDS = 300.0
_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", re.ASCII)


@frozen
class _Growth:
    """
    What a cool-down lasts, in seconds: twice as long each time in a row.
    """

    first: float
    longest: float

    def after(self, last: float | None) -> float:
        return self.first if last is None else min(2 * last, self.longest)


_RATE = _Growth(5, 60)
_BALANCE = _Growth(60, 3600)
_GROWTHS = {429: _RATE, 402: _BALANCE}


@frozen
class CoolDown:
    """
    Why a provider is left alone, and until when.

    @ivar status: the HTTP status that it answered.
    @ivar until: in seconds of the injected clock.
    """

    status: int
    until: float


class CoolDowns:
    """
    All that is cooling, kept beside the circuits, which it never touches.

    @param clock: measures how long.
    @param now: the wall clock's time in seconds since the epoch, for what
        providers and people are told in dates.
    """

    def __init__(
        self, clock: IReactorTime, now: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self._now = now
        # Under a provider's name and, where only a model is cooling, its name.
        self._cooling: dict[tuple[str, str | None], CoolDown] = {}
        self._lasted: dict[tuple[str, int], float] = {}

    def refused(
        self, name: str, model: str, status: int, retry_after: str | None = None
    ) -> None:
        """
        A provider has answered something other than 2xx.  What is no reason to
        leave it alone is ignored; nothing ends earlier than it would have.

        @param model: what it was asked for; with 404 only that is left alone.
        @param retry_after: the header's value, seconds or a date.
        """
        seconds = self._seconds(name, status, retry_after)
        if seconds is None:
            return
        key = (name, model if status == 404 else None)
        until = self._clock.seconds() + seconds
        current = self._cooling.get(key)
        if current is None or current.until < until:
            self._cooling[key] = CoolDown(status, until)

    def served(self, name: str) -> None:
        """
        A provider has answered well: what comes next is not in a row.
        """
        if self._lasted:
            for status in _GROWTHS:
                self._lasted.pop((name, status), None)

    def current(self, name: str, model: str | None = None) -> CoolDown | None:
        """
        The cool-down that ends last, of a provider or, if a model is given, of
        the provider and of that model there; C{None} if it may be asked.
        """
        if not self._cooling:
            return None
        keys = {(name, None), (name, model)}
        found = [each for each in map(self._find, keys) if each is not None]
        return max(found, key=lambda each: each.until, default=None)

    def ends(self, name: str, model: str | None = None) -> str | None:
        """
        When the L{current} cool-down ends, in RFC 3339.
        """
        current = self.current(name, model)
        if current is None:
            return None
        return rfc3339(self._now() + current.until - self._clock.seconds())

    def _find(self, key: tuple[str, str | None]) -> CoolDown | None:
        found = self._cooling.get(key)
        if found is not None and found.until <= self._clock.seconds():
            del self._cooling[key]
            return None
        return found

    def _seconds(self, name: str, status: int, retry_after: str | None) -> float | None:
        asked = self._read(retry_after)
        if status in (401, 403, 404):
            return _REFUSED_SECONDS
        if status == 503:
            return asked
        if status == 429 and asked is not None:
            return asked
        growth = _GROWTHS.get(status)
        if growth is None:
            return None
        seconds = growth.after(self._lasted.get((name, status)))
        self._lasted[name, status] = seconds
        return seconds

    def _read(self, retry_after: str | None) -> float | None:
        """
        What C{Retry-After} says, in seconds from now; C{None} if nothing.
        """
        told = (retry_after or "").strip()
        if _SECONDS.fullmatch(told):
            return min(float(told), _LONGEST_RETRY_AFTER)
        try:
            seconds = parsedate_to_datetime(told).timestamp() - self._now()
        except (ValueError, TypeError, OverflowError):
            return None
        if math.isnan(seconds):
            return None
        return min(max(0.0, seconds), _LONGEST_RETRY_AFTER)
