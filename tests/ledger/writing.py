"""
A ledger on a clock and on a database that do what a test says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from attrs import define, field
from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import OperationalError
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from arbstr.ledger import sqlite
from arbstr.ledger.tables import metadata, requests
from arbstr.ledger.writer import BOUND, DatabaseLedger

from .databases import a_row, states

T = TypeVar("T")

LOCKED = OperationalError("INSERT", {}, Exception("database is locked"))


def _new_engine() -> Engine:
    engine = sqlite.memory().writer
    metadata.create_all(engine)
    return engine


@define
class FakeDatabase:
    """
    Writes at once, in memory, unless told otherwise.

    @ivar error: what each write fails with.
    @ivar held: if not C{None}, writes wait here until somebody fires them.
    @ivar attempts: how many writes were asked for.
    @ivar sizes: how many new rows each transaction brought.
    """

    name = "books.db"
    error: Exception | None = None
    held: list[Deferred[None]] | None = None
    attempts: int = 0
    sizes: list[int] = field(factory=list)
    _engine: Engine = field(factory=_new_engine)

    def write(self, change: Callable[[Connection], T]) -> Deferred[T]:
        """
        See L{arbstr.ledger.database.Database.write}.
        """
        self.attempts += 1
        if self.held is None:
            return execute(self._write, change)
        gate: Deferred[None] = Deferred()
        self.held.append(gate)
        return gate.addCallback(lambda _: self._write(change))

    def release(self) -> None:
        """
        Let the write that waits be done.
        """
        assert self.held is not None
        self.held.pop(0).callback(None)

    def rows(self) -> list[tuple[str, str]]:
        """
        The id and the state of each request.
        """
        with self._engine.connect() as connection:
            return states(connection)

    def models(self) -> list[str | None]:
        """
        The model of each request.
        """
        with self._engine.connect() as connection:
            found = connection.scalars(select(requests.c.model).order_by(requests.c.id))
            return list(found)

    def _write(self, change: Callable[[Connection], T]) -> T:
        if self.error is not None:
            raise self.error
        before = len(self.rows())
        with self._engine.begin() as connection:
            result = change(connection)
        self.sizes.append(len(self.rows()) - before)
        return result


class WriterTestCase(SynchronousTestCase):
    """
    A ledger on a clock of its own.
    """

    def setUp(self) -> None:
        """
        Begin with nothing.
        """
        self.clock = Clock()
        self.database = FakeDatabase()
        self.ledger = DatabaseLedger(self.database, self.clock)

    def begin(self, request_id: str) -> None:
        """
        A request begins.
        """
        self.ledger.begin(request_id, lambda: a_row(request_id))

    def record(self, *numbers: int) -> None:
        """
        Some requests end.
        """
        for number in numbers:
            self.ledger.record(a_row(f"r{number}"))

    def fill(self) -> None:
        """
        As many rows wait as can, for a database that cannot be written.
        """
        self.database.error = LOCKED
        self.record(*range(BOUND))

    def status(self, name: str) -> Any:
        """
        One value of what C{/health} shows.
        """
        return self.ledger.status()[name]
