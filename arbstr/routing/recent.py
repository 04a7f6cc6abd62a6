"""
Bounded memory: means that follow changes, records of what was seen last.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from attrs import define

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@define
class Mean:
    """
    A mean that follows changes.
    """

    value: float = 0.0
    samples: int = 0

    def add(self, sample: float, window: int) -> None:
        """
        @param window: about so many of the latest samples count.
        """
        self.samples = min(self.samples + 1, window)
        self.value += (sample - self.value) / self.samples


class Recent(Generic[K, V]):
    """
    The records of the keys that were observed last.
    """

    def __init__(self, new: Callable[[], V], most: int) -> None:
        self._new = new
        self._most = most
        self._records: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._records)

    def get(self, key: K) -> V | None:
        """
        The record of a key, if there is one.
        """
        return self._records.get(key)

    def observe(self, key: K) -> V:
        """
        The record of a key, from now on the latest.
        """
        record = self.get(key)
        return self.put(key, self._new() if record is None else record)

    def put(self, key: K, record: V) -> V:
        """
        Remember a record as the latest.
        """
        self._records[key] = record
        self._records.move_to_end(key)
        if len(self._records) > self._most:
            self._records.popitem(last=False)
        return record
