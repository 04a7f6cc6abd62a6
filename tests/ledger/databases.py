"""
Databases for tests: the same tests run on every kind.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import evolve
from sqlalchemy import Connection, select
from twisted.trial.unittest import TestCase

from arbstr.ledger.database import Database
from arbstr.ledger.row import RequestLog
from arbstr.ledger.rows import Entry, write_all
from arbstr.ledger.tables import requests
from tests.integration.harness import reactor

from .postgres import new_database
from .test_row import SERVED

if TYPE_CHECKING:
    Mixin = TestCase
else:
    Mixin = object


class OnDatabase(Mixin):
    """
    What the tests of every kind of database use.

    @cvar lock: the statement that keeps everybody else from writing until the
        end of the transaction.
    """

    lock: str

    def new_url(self) -> str:
        """
        The URL of a database that nobody else uses.
        """
        raise NotImplementedError

    def database(self, url: str) -> Database:
        """
        An open database, which waits for locks but briefly.
        """
        database = Database(url, reactor, busy_seconds=0.05)
        database.open()
        self.addCleanup(database.close)
        return database


class OnSqlite(OnDatabase):
    """
    In a file.
    """

    lock = "BEGIN EXCLUSIVE"

    def new_url(self) -> str:
        """
        See L{OnDatabase.new_url}.
        """
        return f"sqlite:///{self.mktemp()}"


class OnPostgres(OnDatabase):
    """
    On a server of the tests' own.
    """

    lock = "LOCK TABLE requests"

    def new_url(self) -> str:
        """
        See L{OnDatabase.new_url}.
        """
        return new_database()


def a_row(request_id: str, **changes: Any) -> RequestLog:
    """
    The row of a request that was served.
    """
    return evolve(SERVED, request_id=request_id, **changes)


def adding(*request_ids: str, ended: bool = True) -> Callable[[Connection], object]:
    """
    A change that adds rows.
    """
    entries = [Entry(a_row(request_id), ended) for request_id in request_ids]
    return partial(write_all, entries=entries)


def states(connection: Connection) -> list[tuple[str, str]]:
    """
    The id and the state of each request, in the order of their rows.
    """
    rows = connection.execute(
        select(requests.c.request_id, requests.c.state).order_by(requests.c.id)
    )
    return [(row.request_id, row.state) for row in rows]
