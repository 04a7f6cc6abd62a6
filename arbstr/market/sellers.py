"""
Providers that a feed names: those that can be of use, and the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from attrs import field, frozen
from pydantic import SecretStr

from arbstr.redact import escape, redact
from arbstr.routing.money import Rates

_LONGEST_SHOWN = 600

Key: TypeAlias = tuple[str, str, str]
"""
Source, provider's id and endpoint.
"""


@frozen
class Seller:
    """
    A provider that the feed names, and what it charges.

    @ivar models: by name; C{None} is a price that nobody knows.
    @ivar api_key: what it is paid with; C{None} where the configuration's own
        provider at that endpoint is meant.
    """

    source: str
    provider: str
    provider_id: str
    endpoint: str
    models: Mapping[str, Rates | None]
    api_key: SecretStr | None = field(default=None, repr=False)

    @property
    def key(self) -> Key:
        """
        What tells it from others: names and ids alone do not.
        """
        return self.source, self.provider_id, self.endpoint


@frozen
class Skipped:
    """
    A provider that the feed names and that is not used.
    """

    source: str
    reason: str
    hint: str
    models_count: int
    provider: str = "*"
    provider_id: str = "*"
    endpoint: str | None = None
    reliability: float | None = None


@frozen
class Verdict:
    """
    What is made of the feed.

    @ivar overlays: of providers that are configured, by their endpoints.
    @ivar sellers: who can be paid and is not configured.
    """

    overlays: Mapping[str, Seller]
    sellers: tuple[Seller, ...]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]


def skip(
    seller: Seller, reason: str, hint: str, reliability: float | None = None
) -> Skipped:
    """
    A provider that is not used, fit to be shown.
    """
    endpoint = seller.endpoint
    return Skipped(
        source=_shown(seller.source),
        reason=reason,
        hint=_shown(hint),
        models_count=len(seller.models),
        provider=_shown(seller.provider),
        provider_id=_shown(seller.provider_id),
        # Somebody's password is no less one for being announced.
        endpoint=redact(endpoint) if "@" in endpoint else _shown(endpoint),
        reliability=reliability,
    )


def _shown(text: str) -> str:
    return escape(text[:_LONGEST_SHOWN])
