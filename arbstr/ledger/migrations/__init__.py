"""
Brings a database to the schema of this version, with Alembic.

A change of the schema is a new module in C{versions} and a change of
L{arbstr.ledger.tables}; the tests compare the two.
"""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select

from arbstr.ledger.engines import DatabaseError

# Any number will do, as long as every arbstr takes the same.
_LOCK = 0x61726273


def upgrade(connection: Connection, revision: str = "head") -> None:
    """
    Run what has not been run yet, in the transaction that is open.

    @param revision: the last to run.
    """
    if connection.dialect.name == "postgresql":
        # Two that start at the same moment would both create the tables.
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def refuse_unknown(connection: Connection, name: str) -> None:
    """
    Only look.

    @param name: of the database, for people.
    @raise DatabaseError: the schema is one that this version does not know.
    """
    scripts = ScriptDirectory.from_config(_config())
    known = {script.revision for script in scripts.walk_revisions()}
    found = MigrationContext.configure(connection).get_current_heads()
    unknown = sorted(set(found) - known)
    if unknown:
        raise DatabaseError(
            f"database {name}: its schema is {unknown[0]}, of a newer version of "
            f"arbstr, expected at most {scripts.get_current_head()}: upgrade arbstr, "
            "or name another database"
        )


def refuse_other(connection: Connection, name: str) -> None:
    """
    Only look.

    @param name: of the database, for people.
    @raise DatabaseError: the schema is not the one of this version.
    """
    refuse_unknown(connection, name)
    head = ScriptDirectory.from_config(_config()).get_current_head()
    found = MigrationContext.configure(connection).get_current_heads()
    if found != (head,):
        raise DatabaseError(
            f"database {name}: its schema is {', '.join(found) or 'none of arbstr'}, "
            f"expected {head}: start the daemon of this version on it once, which "
            "brings it up to date"
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "arbstr.ledger:migrations")
    return config
