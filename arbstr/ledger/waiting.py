"""
Rows that wait to be written.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from attrs import frozen

from .row import RequestLog
from .rows import Entry


@frozen
class _Begun:
    """
    A request that has not ended.

    @ivar make_row: its row, as it is known when this is called.
    @ivar since: when it began to wait.
    """

    make_row: Callable[[], RequestLog]
    since: float


class WaitingRows:
    """
    A bounded queue with one place for each request: what is known at its end
    takes the place of what was known when it began.  What is being written
    counts as waiting until it is L{written}.

    @ivar oldest: when the first of those began to wait that wait to be taken.
    @param bound: how many may wait.
    """

    def __init__(self, bound: int) -> None:
        self.oldest = 0.0
        self._bound = bound
        self._queue: dict[str, RequestLog | _Begun] = {}
        self._taken: dict[str, RequestLog | _Begun] = {}

    def __len__(self) -> int:
        return len(self._queue) + len(self._taken)

    @property
    def queued(self) -> int:
        """
        How many wait to be taken.
        """
        return len(self._queue)

    def begin(
        self, request_id: str, make_row: Callable[[], RequestLog], now: float
    ) -> bool:
        """
        A request has begun.  Most end before they would be written: only then is
        there a row of it.

        @return: whether there was room for it.
        """
        return self._add(request_id, _Begun(make_row, now), now)

    def end(self, row: RequestLog, now: float) -> bool:
        """
        A request has ended.  It takes the place of one that will come again at
        its end, if there is no other.

        @return: whether there was room for it.
        """
        return self._add(row.request_id, row, now) or (
            self._make_room() and self._add(row.request_id, row, now)
        )

    def _add(self, request_id: str, waiting: RequestLog | _Begun, now: float) -> bool:
        if not self._queue:
            self.oldest = now
        if request_id not in self._queue and len(self) >= self._bound:
            return False
        self._queue[request_id] = waiting
        return True

    def _make_room(self) -> bool:
        for request_id, waiting in self._queue.items():
            if isinstance(waiting, _Begun):
                del self._queue[request_id]
                return True
        return False

    def take(self, limit: int, begun_before: float) -> list[Entry]:
        """
        The rows that have waited longest, to be written now.

        @param begun_before: of requests that are in flight only those that began
            earlier.
        """
        due = (
            request_id
            for request_id, waiting in self._queue.items()
            if not isinstance(waiting, _Begun) or waiting.since <= begun_before
        )
        for request_id in list(islice(due, limit)):
            self._taken[request_id] = self._queue.pop(request_id)
        first = next(iter(self._queue.values()), None)
        if isinstance(first, _Begun):
            self.oldest = first.since
        return [_entry(each) for each in self._taken.values()]

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


def _entry(waiting: RequestLog | _Begun) -> Entry:
    if isinstance(waiting, _Begun):
        return Entry(waiting.make_row(), ended=False)
    return Entry(waiting, ended=True)
