"""
The database that the books are in, and the threads that use it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

from sqlalchemy import Connection, update
from sqlalchemy.exc import SQLAlchemyError
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from . import address, migrations, postgres, sqlite
from .engines import DatabaseError, Engines, reason
from .reading import Question, TooManyReads
from .tables import IN_FLIGHT, INTERRUPTED, requests

__all__ = ["Database", "DatabaseError"]

T = TypeVar("T")

_CLOSE_SECONDS = 5
_LOOK_SECONDS = 0.02
# Running or waiting to.
_MOST_READS = 16


class _Threads(ThreadPool):
    """
    Threads that do not keep the process from ending when the database hangs.
    """

    threadFactory = partial(Thread, daemon=True)  # type: ignore[assignment]


class Database:
    """
    One writer, a few readers, each in a thread of the database's own.

    @ivar name: for people; without a password.
    @param url: C{sqlite:///FILE}, C{sqlite://} for one in memory, or
        C{postgresql+psycopg://…}.
    @param reactor: where results arrive.
    @param busy_seconds: how long to wait for a lock that somebody else holds.
    @raise DatabaseError: the URL is none of these.
    """

    _log = Logger()
    _engines: Engines

    def __init__(self, url: str, reactor: Any, busy_seconds: float = 2.0) -> None:
        self._url = address.parse(url)
        self._reactor = reactor
        self._busy_seconds = busy_seconds
        self.name = address.shown(self._url)
        self._writers = _Threads(0, 1, "arbstr-writer")
        self._readers = _Threads(0, sqlite.READERS, "arbstr-reader")
        self._jobs = 0
        self._questions: set[Question | None] = set()
        self._opened = False

    def open(self) -> None:
        """
        Bring the schema up to date, creating the database if there is none, and
        mark what was in flight when the last process died.  Blocks.

        @raise DatabaseError: it cannot be used: it is damaged, of a newer
            version of arbstr, not there, or not ours to write.  Then it is as
            it was.
        """
        self._engines = self._connect()
        try:
            self._engines.inspect(partial(migrations.refuse_unknown, name=self.name))
            with self._engines.writer.begin() as connection:
                migrations.upgrade(connection)
                _interrupt(connection)
        except SQLAlchemyError as error:
            self._engines.dispose()
            raise DatabaseError(
                f"database {self.name}: {reason(error)}; expected a database that "
                "arbstr can read and write"
            ) from error
        except DatabaseError:
            self._engines.dispose()
            raise
        self._writers.start()
        self._readers.start()
        self._opened = True

    def read(self, query: Callable[[Connection], T]) -> Deferred[T]:
        """
        Run a function in a reader's thread, on one consistent view of the
        database.  It must return plain values, nothing that needs the
        connection.

        @return: fires with what the function returned.  Cancelling it stops the
            database's search.
        """
        if len(self._questions) >= _MOST_READS:
            return fail(TooManyReads(f"database {self.name}: too many reports at once"))
        question = Question()
        self._questions.add(question)
        pool = self._writers if self._engines.reader is None else self._readers
        return self._run(pool, partial(self._read, query, question), question)

    def write(self, change: Callable[[Connection], T]) -> Deferred[T]:
        """
        Run a function in the writer's thread, in one transaction, which is
        rolled back if the function raises.

        @return: fires with what the function returned, when it is committed.
        """
        return self._run(self._writers, partial(self._write, change))

    def close(self) -> Deferred[None]:
        """
        Let what runs finish, within reason, and close the connections.
        Afterwards nothing can be read or written.
        """
        return Deferred.fromCoroutine(self._close())

    def _connect(self) -> Engines:
        if self._url.drivername == postgres.DRIVER:
            return postgres.server(self._url, self.name, self._busy_seconds)
        if address.is_in_memory(self._url):
            return sqlite.memory()
        return sqlite.file(Path(f"{self._url.database}"), self._busy_seconds)

    def _read(self, query: Callable[[Connection], T], question: Question) -> T:
        with (self._engines.reader or self._engines.writer).connect() as connection:
            question.begin(connection)
            try:
                return query(connection)
            finally:
                question.end()

    def _write(self, change: Callable[[Connection], T]) -> T:
        self._engines.verify()
        try:
            with self._engines.writer.begin() as connection:
                return change(connection)
        except Exception as error:
            self._engines.failed(error)
            raise

    def _run(
        self,
        pool: ThreadPool,
        job: Callable[[], T],
        question: Question | None = None,
    ) -> Deferred[T]:
        if not self._opened:
            return fail(DatabaseError(f"database {self.name}: it is not open"))

        def cancelled(_: Deferred[T]) -> None:
            if question is not None:
                question.take_back()

        answer: Deferred[T] = Deferred(cancelled)

        def arrived(result: Any) -> None:
            # A job may go on in its thread though nobody waits for it any more.
            if not answer.called:
                answer.callback(result)

        self._jobs += 1
        running = deferToThreadPool(self._reactor, pool, job)
        running.addBoth(arrived).addBoth(self._job_ended, question)
        return answer

    def _job_ended(self, result: None, question: Question | None) -> None:
        self._questions.discard(question)
        self._jobs -= 1

    async def _close(self) -> None:
        if not self._opened:
            return
        self._opened = False
        if not await self._is_idle():
            # To join threads that hang would be to hang.
            self._log.warn("{name} does not answer: left as it is", name=self.name)
            return
        self._writers.stop()
        self._readers.stop()
        self._engines.dispose()

    async def _is_idle(self) -> bool:
        """
        Whether all jobs end soon.
        """
        waited = 0.0
        while self._jobs and waited < _CLOSE_SECONDS:
            # More than once: what comes between two statements is lost.
            for question in self._questions:
                if question is not None:
                    question.take_back()
            await deferLater(self._reactor, _LOOK_SECONDS)
            waited += _LOOK_SECONDS
        return self._jobs == 0


def _interrupt(connection: Connection) -> None:
    """
    Whoever began these can no longer end them.
    """
    connection.execute(
        update(requests)
        .where(requests.c.state == IN_FLIGHT)
        .values(state=INTERRUPTED, success=False, error_message="interrupted")
    )
