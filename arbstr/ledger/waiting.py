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
        Take a row.  One that has ended takes the place of one that will come
        again at its end, if there is no other.

        @return: whether there was room for it.
        """
        full = row.request_id not in self._queue and len(self) >= self._bound
        if full and not (ended and self._make_room()):
            return False
        self._queue[row.request_id] = Entry(row, ended)
        return True

    def _make_room(self) -> bool:
        for request_id, entry in self._queue.items():
            if not entry.ended:
                del self._queue[request_id]
                return True
        return False

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
