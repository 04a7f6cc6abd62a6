"""
A question to the database, which may be taken back.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock, Thread
from typing import Any

from sqlalchemy import Connection

from .engines import DatabaseError

# Between two looks, of SQLite's virtual machine: about a millisecond.
_STEPS = 20_000


class TooManyReads(DatabaseError):
    """
    As many as may wait are waiting already.
    """


class Question:
    """
    Asked in a reader's thread, taken back in the reactor's.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._driver: Any = None
        self._taken_back = False
        self._stopping: Thread | None = None

    def begin(self, connection: Connection) -> None:
        """
        The database is about to be asked, over this connection.

        @raise DatabaseError: nobody waits for the answer any more.
        """
        with self._lock:
            if self._taken_back:
                raise DatabaseError("nobody waits for this any more")
            self._driver = connection.connection.dbapi_connection
            self._watch(lambda: self._taken_back)

    def end(self) -> None:
        """
        The database has answered.
        """
        with self._lock:
            self._watch(None)
            self._driver = None

    def take_back(self) -> None:
        """
        Nobody waits any more: let the database stop looking.  Returns at once:
        PostgreSQL is told over a connection of its own, which may take long.
        """
        self._taken_back = True
        if self._stopping is None or not self._stopping.is_alive():
            self._stopping = Thread(target=self._stop, daemon=True)
            self._stopping.start()

    def _stop(self) -> None:
        with self._lock:
            if self._driver is not None:
                # What SQLite's driver calls interrupt is cancel to psycopg.
                stop = getattr(self._driver, "interrupt", None) or self._driver.cancel
                stop()

    def _watch(self, taken_back: Callable[[], bool] | None) -> None:
        """
        Have SQLite look now and then: an interrupt that comes between two
        statements is lost on it.
        """
        watch = getattr(self._driver, "set_progress_handler", None)
        if watch is not None:
            watch(taken_back, _STEPS)
