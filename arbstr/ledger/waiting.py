"""
Rows that wait to be written.
"""

from __future__ import annotations

from itertools import islice

from .row import RequestLog
from .rows import Entry


class WaitingRows:
    """
    A bounded queue with one place for each request: what is known at its end
    takes the place of what was known when it began.  What is being written
    counts as waiting until it is L{written}.

    @param bound: how many may wait.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._queue: dict[str, Entry] = {}
        self._taken: dict[str, Entry] = {}

    def __len__(self) -> int:
        return len(self._queue) + len(self._taken)

    @property
    def queued(self) -> int:
        """
        How many wait to be taken.
        """
        return len(self._queue)

    def add(self, row: RequestLog, ended: bool) -> bool:
        """
        Take a row.

        @return: whether there was room for it.
        """
        if row.request_id not in self._queue and len(self) >= self._bound:
            return False
        self._queue[row.request_id] = Entry(row, ended)
        return True

    def take(self, limit: int) -> list[Entry]:
        """
        The rows that have waited longest, to be written now.
        """
        for request_id in list(islice(self._queue, limit)):
            self._taken[request_id] = self._queue.pop(request_id)
        return list(self._taken.values())

    def written(self) -> None:
        """
        What was taken need not wait any more.
        """
        self._taken = {}

    def put_back(self) -> None:
        """
        What was taken was not written: it waits again, where it waited.
        """
        self._queue = {**self._taken, **self._queue}
        self._taken = {}

    def clear(self) -> int:
        """
        Forget all.

        @return: how many requests lose a row by it.
        """
        lost = len({**self._taken, **self._queue})
        self._queue, self._taken = {}, {}
        return lost
