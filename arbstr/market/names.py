"""
Names for providers that have none of ours.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from hashlib import sha256
from itertools import count
from threading import Lock

from .sellers import Key, Seller

_LONGEST = 40


class Names:
    """
    Gives each a name, and the same one as long as it is there: circuits and
    cool-downs hang on it.  Threads may ask for them.
    """

    def __init__(self) -> None:
        self._given: dict[Key, str] = {}
        self._lock = Lock()

    def give(self, sellers: Iterable[Seller], taken: Collection[str]) -> dict[Key, str]:
        """
        C{SOURCE-NAME}; where somebody else has that, with something behind it.

        @param taken: names that are not to be had.
        """
        with self._lock:
            return self._give(list(sellers), taken)

    def _give(self, sellers: list[Seller], taken: Collection[str]) -> dict[Key, str]:
        keys = {each.key for each in sellers}
        self._given = {
            key: name
            for key, name in self._given.items()
            if key in keys and name not in taken
        }
        for seller in sorted(sellers, key=lambda each: each.key):
            if seller.key not in self._given:
                used = {*taken, *self._given.values()}
                self._given[seller.key] = _free_name(seller, used)
        return dict(self._given)


def _free_name(seller: Seller, used: Collection[str]) -> str:
    # A source that is its only provider names its quotes after their makers.
    shown = seller.provider_id if seller.provider_id == seller.source else None
    name = f"{_slug(seller.source)}-{_slug(shown or seller.provider)}"
    if name not in used:
        return name
    name += f"-{sha256(repr(seller.key).encode()).hexdigest()[:6]}"
    others = (f"{name}-{number}" for number in count(2))
    return (
        name if name not in used else next(each for each in others if each not in used)
    )


def _slug(text: str) -> str:
    return re.sub("[^a-z0-9]+", "-", text.lower()).strip("-")[:_LONGEST] or "unnamed"
