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
        self.samples = self.samples + 1 if self.samples < window else window
        self.value += (sample - self.value) / self.samples


class Recent(Generic[K, V]):
    """
    The records of the keys that were observed last.

    @ivar get: the record of a key, C{None} if there is none.
    """

    def __init__(self, new: Callable[[], V], most: int) -> None:
        self._new = new
        self._most = most
        self._records: OrderedDict[K, V] = OrderedDict()
        # Called many times for every request: the less there is to it the better.
        self.get: Callable[[K], V | None] = self._records.get

    def __len__(self) -> int:
        return len(self._records)

    def observe(self, key: K) -> V:
        """
        The record of a key, from now on the latest.
        """
        record = self._records.get(key)
        if record is None:
            return self.put(key, self._new())
        self._records.move_to_end(key)
        return record

    def put(self, key: K, record: V) -> V:
        """
        Remember a record as the latest.
        """
        self._records[key] = record
        self._records.move_to_end(key)
        if len(self._records) > self._most:
            self._records.popitem(last=False)
        return record
