"""
Looks at the books from outside the daemon, which may be running: reads, and
changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, select, tuple_
from sqlalchemy.exc import SQLAlchemyError

from . import address, migrations, postgres, sqlite
from .engines import DatabaseError, reason
from .tables import IN_FLIGHT, requests

_BUSY_SECONDS = 5.0
# Read at once: few enough to hold, and to be read before anybody who writes
# would have to wait.
_PAGE = 5_000

#: What a request has to be routed again, and what came of it.
COLUMNS = (
    "timestamp",
    "id",
    "model",
    "policy",
    "provider",
    "complexity_score",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "tokens_estimated",
    "choices",
    "output_cap",
    "wanted_provider",
    "wanted_complexity",
    "max_cost_sats",
    "cost_sats",
    "success",
    "error_status",
    "attempts",
)


class Onlooker:
    """
    Reads a database in this thread.

    @ivar name: for people; without a password.
    @param url: see L{arbstr.ledger.address.parse}.
    @raise DatabaseError: there is no such database, or the schema is not the
        one of this version.
    """

    def __init__(self, url: str) -> None:
        parsed = address.parse(url)
        self.name = address.shown(parsed)
        self._engine = _engine(parsed, self.name)
        try:
            with self._connect() as connection:
                migrations.refuse_other(connection, self.name)
        except DatabaseError:
            self.close()
            raise

    def finished(self, since: int, until: int) -> Iterator[dict[str, Any]]:
        """
        The requests that are over, the oldest first, as L{COLUMNS}.  However
        many there are, few are held at a time, and no transaction stays open
        for long.

        @param since: in milliseconds since the epoch.
        @param until: likewise; the first one that does not count.
        @raise DatabaseError: the database cannot be read.
        """
        after = (since, -1)
        while True:
            page = self._page(after, until)
            yield from page
            if len(page) < _PAGE:
                return
            after = (page[-1]["timestamp"], page[-1]["id"])

    def close(self) -> None:
        """
        Close what is open.
        """
        self._engine.dispose()

    def _page(self, after: tuple[int, int], until: int) -> list[dict[str, Any]]:
        place = tuple_(requests.c.timestamp, requests.c.id)
        query = (
            select(*(requests.c[name] for name in COLUMNS))
            .where(
                place > tuple_(*after),
                requests.c.timestamp < until,
                requests.c.state != IN_FLIGHT,
            )
            .order_by(requests.c.timestamp, requests.c.id)
            .limit(_PAGE)
        )
        with self._connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise DatabaseError(
                f"database {self.name}: {reason(error)}; expected a database that "
                "can be read"
            ) from error


def _engine(url: URL, name: str) -> Engine:
    if url.drivername == postgres.DRIVER:
        engines = postgres.server(url, name, _BUSY_SECONDS)
        assert engines.reader is not None
        return engines.reader
    if address.is_in_memory(url):
        raise DatabaseError(
            "database in memory: only the daemon itself can read it, expected one "
            "in a file or on a server"
        )
    return sqlite.onlooker(Path(f"{url.database}"), _BUSY_SECONDS)
