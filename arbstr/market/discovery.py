"""
Asking a provider what it serves, and what is left of our money there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import TypeVar

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from arbstr.config.model import ProviderSettings
from arbstr.upstream.failures import AttemptFailed

from .fetch import Fetcher
from .models import BadAnswer, read_models
from .poller import Poller, Watcher
from .report import Report
from .routstr import balance_url, read_balance
from .shelf import GRACE, Shelf

T = TypeVar("T")

_SECONDS = 30
_INTERVAL = 300
# A node's prices move with the bitcoin's.
_NODE_INTERVAL = 120


@frozen
class Tools:
    """
    What it takes to ask.

    @ivar in_thread: runs something in a thread: what comes may be megabytes.
    @ivar now: the wall clock, in seconds since the epoch.
    """

    fetcher: Fetcher
    in_thread: Callable[[Callable[[], T]], Deferred[T]]
    clock: IReactorTime
    now: Callable[[], float] = time.time


def is_watched(provider: ProviderSettings) -> bool:
    """
    Is there something to ask it for?
    """
    return provider.url is not None and (
        provider.auto_discover or _is_prepaid(provider)
    )


def _understand(
    body: bytes, shelf: Shelf, usd_per_sat: Decimal | None
) -> tuple[Shelf, str | None]:
    """
    What there is after an answer, and what was left out.

    @raise BadAnswer: nothing of it can be used.
    """
    listing = read_models(body)
    return shelf.update(listing, usd_per_sat), listing.remark


def _subject(provider: ProviderSettings) -> tuple[object, ...]:
    return (
        provider.name,
        provider.kind,
        provider.url,
        provider.api_key,
        provider.auto_discover,
    )


def _is_prepaid(provider: ProviderSettings) -> bool:
    return provider.kind == "routstr" and provider.api_key is not None


class Discovery(Watcher):
    """
    Watches one provider.

    @ivar provider: who is asked.
    @ivar shelf: what it lists; C{None} until it has said so.
    @ivar balance: msats; C{None} where that is not known.
    @param changed: is called after something has changed.
    @param usd_per_sat: what a sat is worth now, if anybody says so.
    @param shelf: what the same server has listed already, if it has.
    """

    def __init__(
        self,
        provider: ProviderSettings,
        tools: Tools,
        changed: Callable[[], None],
        usd_per_sat: Callable[[], Decimal | None],
        shelf: Shelf | None = None,
    ) -> None:
        self.provider = provider
        self.shelf = shelf
        self.balance: int | None = None
        self._tools = tools
        self._changed = changed
        self._usd_per_sat = usd_per_sat
        self._models = Report(f"the models of {provider.name}", tools.now)
        self._money = Report(f"the balance at {provider.name}", tools.now)
        interval = _NODE_INTERVAL if provider.kind == "routstr" else _INTERVAL
        self._poller = Poller(self._ask, interval, tools.clock)

    def is_of(self, provider: ProviderSettings) -> bool:
        """
        Is this the provider that is being watched, whatever else has changed?
        """
        return _subject(provider) == _subject(self.provider)

    def models_as_json(self) -> dict[str, object] | None:
        """
        How it went to ask for models, for C{/providers}.
        """
        if not self.provider.auto_discover:
            return None
        count = None if self.shelf is None else len(self.shelf.models)
        return {**self._models.as_json(), "models": count}

    def balance_as_json(self) -> dict[str, object] | None:
        """
        Likewise, for the balance.
        """
        if not _is_prepaid(self.provider):
            return None
        return {**self._money.as_json(), "msats": self.balance}

    async def _ask(self) -> bool:
        went_well = True
        if self.provider.auto_discover:
            went_well = await self._ask_for_models()
        if _is_prepaid(self.provider):
            went_well = await self._ask_for_balance() and went_well
        self._changed()
        return went_well

    async def _ask_for_models(self) -> bool:
        try:
            body = await self._get(f"{self.provider.url}/models")
            understand = partial(
                _understand, body, self.shelf or Shelf(), self._usd_per_sat()
            )
            self.shelf, remark = await self._tools.in_thread(understand)
        except (AttemptFailed, BadAnswer) as error:
            self._models.failed(str(error))
            return False
        self._models.succeeded(remark)
        return True

    async def _ask_for_balance(self) -> bool:
        try:
            body = await self._get(balance_url(self.provider.url or ""))
            self.balance = await self._tools.in_thread(partial(read_balance, body))
        except (AttemptFailed, BadAnswer) as error:
            self._money.failed(str(error))
            if self._money.failures >= GRACE:
                # What it was says nothing any more, and must keep nobody away.
                self.balance = None
            return False
        self._money.succeeded()
        return True

    def _get(self, url: str) -> Deferred[bytes]:
        return Deferred.fromCoroutine(
            self._tools.fetcher.get(url, _SECONDS, self.provider.api_key)
        )
