"""
What every kind of database comes down to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from attrs import frozen
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from twisted.internet.defer import Deferred

from arbstr.redact import redact

T = TypeVar("T")

_ERROR_BYTES = 300


class DatabaseError(Exception):
    """
    The books cannot be opened or used.  The message names the database, what
    is wrong and what would be right; it holds no password.
    """


def reason(error: BaseException) -> str:
    """
    What a database said, without the statement and its values.
    """
    told = error.orig if isinstance(error, DBAPIError) else error
    return redact(f"{told}" or type(told).__name__, _ERROR_BYTES)


@frozen
class Engines:
    """
    The ways into one database.

    @ivar writer: each of its transactions may write.
    @ivar reader: for reading only; C{None} where all reading, too, has to be
        done in the writer's thread.
    @ivar inspect: looks at the database without changing a byte of it, and
        lets a function read it.
    @ivar verify: called before each transaction that writes; raises when it
        would be of no use or do harm.
    @ivar failed: is told why one failed.
    """

    writer: Engine
    reader: Engine | None
    inspect: Callable[[Callable[[Connection], None]], None]
    verify: Callable[[], None] = lambda: None
    failed: Callable[[BaseException], None] = lambda error: None

    def dispose(self) -> None:
        """
        Close every connection that nobody uses.
        """
        self.writer.dispose()
        if self.reader is not None:
            self.reader.dispose()


class Writes(Protocol):
    """
    What is needed of a L{Database <arbstr.ledger.database.Database>}.
    """

    name: str

    def write(self, change: Callable[[Connection], T]) -> Deferred[T]:
        """
        Run a function in one transaction, elsewhere.
        """
