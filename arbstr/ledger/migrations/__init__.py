"""
Brings a database to the schema of this version.

A new database is made from L{arbstr.ledger.tables}, an older one with Alembic.
A change of the schema is a new module in C{versions}, a new one of L{REVISIONS}
and a change of the tables; the tests compare the three.
"""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    func,
    insert,
    inspect,
    select,
)

from arbstr.ledger.engines import DatabaseError
from arbstr.ledger.tables import metadata

REVISIONS = ("r0001", "r0002")
"""
What the schema has been, the oldest first.
"""

_HEAD = REVISIONS[-1]

# Any number will do, as long as every arbstr takes the same.
_LOCK = 0x61726273

# Where Alembic keeps what the schema is.
_version = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def upgrade(connection: Connection, revision: str = _HEAD) -> None:
    """
    Run what has not been run yet, in the transaction that is open.

    @param revision: the last to run.
    """
    if connection.dialect.name == "postgresql":
        # Two that start at the same moment would both create the tables.
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    found = _found(connection)
    if found is None and revision == _HEAD:
        _create(connection)
    elif found != [revision]:
        # Hardly any start has a use for Alembic, and it is a lot to import.
        from .steps import run

        run(connection, revision)


def refuse_unknown(connection: Connection, name: str) -> None:
    """
    Only look.

    @param name: of the database, for people.
    @raise DatabaseError: the schema is one that this version does not know.
    """
    unknown = sorted(set(_found(connection) or ()).difference(REVISIONS))
    if unknown:
        raise DatabaseError(
            f"database {name}: its schema is {unknown[0]}, of a newer version of "
            f"arbstr, expected at most {_HEAD}: upgrade arbstr, or name another "
            "database"
        )


def refuse_other(connection: Connection, name: str) -> None:
    """
    Only look.

    @param name: of the database, for people.
    @raise DatabaseError: the schema is not the one of this version.
    """
    refuse_unknown(connection, name)
    found = _found(connection) or []
    if found != [_HEAD]:
        raise DatabaseError(
            f"database {name}: its schema is {', '.join(found) or 'none of arbstr'}, "
            f"expected {_HEAD}: start the daemon of this version on it once, which "
            "brings it up to date"
        )


def _found(connection: Connection) -> list[str] | None:
    """
    What the schema is; C{None} where nobody has ever said so.
    """
    if not inspect(connection).has_table(_version.name):
        return None
    return list(connection.scalars(select(_version.c.version_num)))


def _create(connection: Connection) -> None:
    # Tables of these names that are there are somebody else's: fail.
    metadata.create_all(connection, checkfirst=False)
    _version.create(connection, checkfirst=False)
    connection.execute(insert(_version).values(version_num=_HEAD))
