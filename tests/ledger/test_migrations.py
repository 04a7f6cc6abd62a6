"""
Tests for L{arbstr.ledger.migrations}.
"""

from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, inspect
from twisted.trial.unittest import SynchronousTestCase, TestCase

from arbstr.ledger import migrations
from arbstr.ledger.database import Database, DatabaseError
from arbstr.ledger.tables import metadata
from tests.integration.harness import coroutine, reactor

from .databases import Mixin, OnDatabase, OnPostgres, OnSqlite, states


def differences(connection: Connection) -> list[object]:
    """
    What Alembic would change to make the database what the tables say.
    """
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


def described(engine: Engine) -> dict[str, object]:
    """
    Everything that there is, whatever the order.
    """
    there = inspect(engine)
    return {
        name: (
            {each["name"]: str(each) for each in there.get_columns(name)},
            there.get_pk_constraint(name),
            there.get_unique_constraints(name),
            {f"{each['name']}": each for each in there.get_indexes(name)},
            there.get_check_constraints(name),
        )
        for name in there.get_table_names()
    }


class RevisionTests(SynchronousTestCase):
    """
    The revisions are known without Alembic.
    """

    def test_all(self) -> None:
        scripts = ScriptDirectory(str(Path(migrations.__file__).parent))
        found = [script.revision for script in scripts.walk_revisions()]
        self.assertEqual(found[::-1], list(migrations.REVISIONS))


class MigrationContract(OnDatabase, Mixin):
    """
    A database becomes what the tables say, or stays as it is.
    """

    def engine(self, url: str) -> Engine:
        """
        Somebody else's way into the database.
        """
        engine = create_engine(url)
        self.addCleanup(engine.dispose)
        return engine

    def prepare(self, *statements: str) -> str:
        """
        A database on which something was run before arbstr sees it.
        """
        url = self.new_url()
        with self.engine(url).begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
        return url

    def tables(self, url: str) -> list[str]:
        """
        The names of the tables that are there.
        """
        return sorted(inspect(self.engine(url)).get_table_names())

    @coroutine
    async def test_schema(self) -> None:
        """
        A new database has the tables and indexes that the code knows.
        """
        database = self.database(self.new_url())
        self.assertEqual(await database.read(differences), [])

    @coroutine
    async def test_again(self) -> None:
        """
        A database of this version is opened as it is.
        """
        url = self.new_url()
        await self.database(url).close()
        self.assertEqual(await self.database(url).read(states), [])

    @coroutine
    async def test_first_version(self) -> None:
        """
        A database of the first version is brought up to date, and keeps its rows.
        """
        url = self.new_url()
        with self.engine(url).begin() as connection:
            migrations.upgrade(connection, "r0001")
            connection.exec_driver_sql(
                "INSERT INTO requests (request_id, timestamp, state, streaming, "
                "tokens_estimated, choices, success, attempts) "
                "VALUES ('r1', 1, 'done', false, false, 1, true, '[]')"
            )
        database = self.database(url)
        self.assertEqual(await database.read(differences), [])
        self.assertEqual(await database.read(states), [("r1", "done")])

    def test_same_either_way(self) -> None:
        """
        A new database is what an old one becomes, to Alembic, too.
        """
        old, new = self.engine(self.new_url()), self.engine(self.new_url())
        with old.begin() as connection:
            migrations.upgrade(connection, "r0001")
        for engine in (old, new):
            with engine.begin() as connection:
                migrations.upgrade(connection)
                context = MigrationContext.configure(connection)
                self.assertEqual(context.get_current_heads(), migrations.REVISIONS[-1:])
        self.assertEqual(described(new), described(old))

    def test_newer(self) -> None:
        """
        A schema that a later version made is refused and not touched.
        """
        url = self.prepare(
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)",
            "INSERT INTO alembic_version VALUES ('r9999')",
        )
        database = Database(url, reactor)
        error = self.assertRaises(DatabaseError, database.open)
        self.assertIn(f"database {database.name}: its schema is r9999", str(error))
        self.assertEqual(self.tables(url), ["alembic_version"])

    def test_failed(self) -> None:
        """
        When a migration fails nothing of it remains.
        """
        url = self.prepare(
            "CREATE TABLE other (x INTEGER)",
            "CREATE INDEX ix_requests_timestamp_id ON other (x)",
        )
        error = self.assertRaises(DatabaseError, Database(url, reactor).open)
        self.assertIn("ix_requests_timestamp_id already exists", _unquoted(error))
        self.assertEqual(self.tables(url), ["other"])


class SqliteMigrationTests(MigrationContract, OnSqlite, TestCase):
    """
    On SQLite.
    """


class PostgresMigrationTests(MigrationContract, OnPostgres, TestCase):
    """
    On PostgreSQL.
    """


def _unquoted(error: BaseException) -> str:
    return str(error).replace('"', "")
