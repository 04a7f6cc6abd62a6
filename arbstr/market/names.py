"""
Names for providers that have none of ours.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from hashlib import sha256
from itertools import count
from threading import Lock

from .sellers import Seller

_LONGEST = 40
_MOST = 10_000


class Names:
    """
    Gives each endpoint a name, and no other one the same, for as long as the
    process lives: circuits, cool-downs and what was learned hang on it.  Threads
    may ask for them.
    """

    def __init__(self) -> None:
        # Whoever was there last comes last.
        self._given: dict[str, str] = {}
        self._lock = Lock()

    def give(self, sellers: Iterable[Seller], taken: Collection[str]) -> dict[str, str]:
        """
        C{SOURCE-NAME}; where somebody else has that, with something behind it.

        @param taken: names that are not to be had.
        @return: by endpoint.
        """
        with self._lock:
            return self._give(list(sellers), taken)

    def _give(self, sellers: list[Seller], taken: Collection[str]) -> dict[str, str]:
        had = {
            endpoint: name
            for endpoint, name in self._given.items()
            if name not in taken
        }
        given = {
            each.endpoint: had.pop(each.endpoint)
            for each in sellers
            if each.endpoint in had
        }
        used = {*taken, *had.values(), *given.values()}
        for seller in sorted(sellers, key=lambda each: each.key):
            if seller.endpoint not in given:
                given[seller.endpoint] = _free_name(seller, used)
                used.add(given[seller.endpoint])
        before = list(had.items())
        room = max(0, _MOST - len(given))
        self._given = dict(before[max(0, len(before) - room) :]) | given
        return dict(given)


def _free_name(seller: Seller, used: Collection[str]) -> str:
    # A source that is its only provider names its quotes after their makers.
    shown = seller.provider_id if seller.provider_id == seller.source else None
    name = f"{_slug(seller.source)}-{_slug(shown or seller.provider)}"
    if name not in used:
        return name
    name += f"-{sha256(repr(seller.endpoint).encode()).hexdigest()[:6]}"
    others = (f"{name}-{number}" for number in count(2))
    return (
        name if name not in used else next(each for each in others if each not in used)
    )


def _slug(text: str) -> str:
    return re.sub("[^a-z0-9]+", "-", text.lower()).strip("-")[:_LONGEST] or "unnamed"
