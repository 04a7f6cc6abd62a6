"""
PostgreSQL, by psycopg.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import URL, Connection, Engine, create_engine

from .engines import DatabaseError, Engines

DRIVER = "postgresql+psycopg"
READERS = 3

# A report that takes longer than this is of no use to anybody.
_READ_SECONDS = 60

# What the URL may say otherwise.  Milliseconds for what is sent and not
# acknowledged: without it a dead peer would be waited for for a quarter of an
# hour.
_DEFAULTS = {
    "connect_timeout": "5",
    "tcp_user_timeout": "10000",
    "application_name": "arbstr",
}


def server(url: URL, name: str, busy_seconds: float) -> Engines:
    """
    A database on a server.

    @param name: for people.
    @param busy_seconds: how long to wait for a lock that somebody else holds.
    @raise DatabaseError: the driver is not installed.
    """
    options = f"{url.query.get('options', '')} -c lock_timeout={_ms(busy_seconds)}"

    def engine(connections: int, readonly: bool) -> Engine:
        limit = f" -c statement_timeout={_ms(_READ_SECONDS)}" if readonly else ""
        # All that one report asks is asked of the same state of the books.
        level = "REPEATABLE READ" if readonly else "READ COMMITTED"
        return create_engine(
            url.set(query={**_DEFAULTS, **url.query, "options": options + limit}),
            pool_size=connections,
            max_overflow=0,
            # A connection may have died while nobody used it.
            pool_pre_ping=True,
            hide_parameters=True,
            isolation_level=level,
            execution_options={"postgresql_readonly": readonly},
        )

    try:
        reader = engine(READERS, readonly=True)
    except ImportError as error:
        raise DatabaseError(
            f"database {name}: the driver of PostgreSQL is not "
            "installed, expected arbstr[postgres]: pip install 'arbstr[postgres]'"
        ) from error

    def inspect(look: Callable[[Connection], None]) -> None:
        with reader.connect() as connection:
            look(connection)

    return Engines(writer=engine(1, readonly=False), reader=reader, inspect=inspect)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
