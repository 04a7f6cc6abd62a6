"""
SQLite: a file, or memory.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import quote

from attrs import define
from sqlalchemy import (
    Connection,
    Engine,
    NullPool,
    QueuePool,
    StaticPool,
    create_engine,
    event,
)
from sqlalchemy.exc import OperationalError

from .engines import DatabaseError, Engines

READERS = 3

_CHECK_SECONDS = 2
_CHECK_STEPS = 10_000  # of SQLite's machine, between two looks at the clock
_OWNER_ONLY = 0o600

# What a crash loses is whole transactions at the end, and only if the machine
# itself goes down: with a write-ahead log NORMAL never corrupts.
_PRAGMAS = ("foreign_keys = ON", "synchronous = NORMAL")

# The log is emptied into the file early, pages by pages, and gives its room
# back: on a disk that is nearly full it would otherwise take what is left.
_WRITER_PRAGMAS = (
    "journal_mode = WAL",
    "wal_autocheckpoint = 100",
    "journal_size_limit = 1048576",
)


def memory() -> Engines:
    """
    A database that ends with the process.  There is one connection, so one
    thread has to do everything.
    """
    engine = create_engine(
        "sqlite://",
        poolclass=StaticPool,
        connect_args={"check_same_thread": False},
        hide_parameters=True,
    )
    _prepare(engine, "BEGIN", _PRAGMAS)
    return Engines(writer=engine, reader=None, inspect=lambda look: None)


def file(path: Path, busy_seconds: float) -> Engines:
    """
    A database in a file, which is created, for its owner only, if there is none.

    @param busy_seconds: how long to wait for a lock that somebody else holds.
    @raise DatabaseError: there cannot be such a file.
    """
    path = path.absolute()
    _create(path)

    def engine(begin: str, connections: int, *pragmas: str) -> Engine:
        made = create_engine(
            "sqlite://",
            creator=partial(_connect, path, "rw", busy_seconds),
            poolclass=QueuePool,
            pool_size=connections,
            max_overflow=0,
            hide_parameters=True,
        )
        _prepare(made, begin, (*_PRAGMAS, *pragmas))
        return made

    # A transaction that began with reading could not wait for its turn to
    # write: it would fail at once.
    writer = engine("BEGIN IMMEDIATE", 1, *_WRITER_PRAGMAS)
    watched = _WatchedFile(path, _identify(path), writer)
    return Engines(
        writer=writer,
        reader=engine("BEGIN", READERS, "query_only = ON"),
        inspect=partial(_inspect, path),
        verify=watched.verify,
        failed=watched.failed,
    )


def onlooker(path: Path, busy_seconds: float) -> Engine:
    """
    For reading only, while somebody else may write.  Nothing is left beside
    the file: what is created there would be the onlooker's, and might keep its
    owner out.

    @raise DatabaseError: there is no such file.
    """
    path = path.absolute()
    if not path.is_file():
        raise DatabaseError(f"database {path}: there is no such file")
    return create_engine(
        "sqlite://",
        # A new connection each time: the daemon may have come or gone since.
        creator=lambda: _connect(path, _looking_mode(path), busy_seconds),
        poolclass=NullPool,
        hide_parameters=True,
    )


def _create(path: Path) -> None:
    if not path.parent.is_dir():
        raise DatabaseError(
            f"database {path}: there is no directory {path.parent}, "
            "expected one that exists"
        )
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, _OWNER_ONLY))
    except FileExistsError:
        if not path.is_file():
            raise DatabaseError(f"database {path}: expected a file") from None
    except OSError as error:
        raise DatabaseError(
            f"database {path}: cannot create it: {error.strerror}"
        ) from error


def _connect(path: Path, mode: str, busy_seconds: float) -> sqlite3.Connection:
    """
    @param mode: how an URI spells it; C{rw} creates nothing.
    """
    return sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}",
        uri=True,
        timeout=busy_seconds,
        check_same_thread=False,
    )


def _prepare(engine: Engine, begin: str, pragmas: tuple[str, ...]) -> None:
    """
    Let SQLAlchemy, not the driver, begin transactions: the driver would leave
    changes of the schema out of them.
    """

    def connected(connection: sqlite3.Connection, record: object) -> None:
        connection.isolation_level = None
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    def begun(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)


def _inspect(path: Path, look: Callable[[Connection], None]) -> None:
    """
    See L{Engines.inspect}.

    @raise DatabaseError: the file is damaged.
    """
    engine = create_engine(
        "sqlite://",
        creator=partial(_connect, path, _reading_mode(path), 0),
        poolclass=NullPool,
        hide_parameters=True,
    )
    with engine.connect() as connection:
        _check(path, connection)
        look(connection)


def _reading_mode(path: Path) -> str:
    """
    The mode that leaves no traces: of a file without side files only
    C{immutable} makes none.  An interrupted first transaction has to be rolled
    back before anything can be read.
    """
    return "rw" if Path(f"{path}-journal").exists() else _looking_mode(path)


def _looking_mode(path: Path) -> str:
    return "ro" if Path(f"{path}-wal").exists() else "ro&immutable=1"


def _check(path: Path, connection: Connection) -> None:
    """
    Look for damage, in as much of the file as can be read in a moment.
    """
    deadline = time.monotonic() + _CHECK_SECONDS
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    driver.set_progress_handler(lambda: time.monotonic() > deadline, _CHECK_STEPS)
    try:
        found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    except OperationalError as error:
        if time.monotonic() <= deadline:
            raise
        found = "ok" if "interrupted" in str(error.orig) else str(error.orig)
    finally:
        driver.set_progress_handler(None, 0)
    if found != "ok":
        raise DatabaseError(
            f"database {path}: it is damaged ({found}), expected a sound file: "
            "restore a copy, or move it away and a new one is made"
        )


@define
class _WatchedFile:
    """
    Notices that a file was removed or replaced, since what is open then goes on
    to take rows that nobody will find; and that its disk is full, since each
    failed transaction then leaves a longer log, which takes up what is freed.

    @ivar identity: what tells it from other files of its name.
    """

    path: Path
    identity: tuple[int, int]
    writer: Engine
    full: bool = False

    def verify(self) -> None:
        """
        See L{Engines.verify}.

        @raise DatabaseError: it is gone.
        @raise sqlite3.OperationalError: its disk is still full.
        """
        try:
            same = _identify(self.path) == self.identity
        except OSError as error:
            raise DatabaseError(
                f"database {self.path}: {error.strerror}, expected the file that "
                "was opened"
            ) from error
        if not same:
            raise DatabaseError(
                f"database {self.path}: it is another file than the one that was "
                "opened; a restart would take the new one"
            )
        if self.full:
            self._empty_log()
            self.full = False

    def failed(self, error: BaseException) -> None:
        """
        See L{Engines.failed}.
        """
        code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
        self.full = code == sqlite3.SQLITE_FULL

    def _empty_log(self) -> None:
        connection = self.writer.raw_connection()
        try:
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()


def _identify(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino
