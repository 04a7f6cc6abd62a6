"""
Learning at start what was learned before the last stop.
"""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Connection
from twisted.internet.defer import Deferred
from twisted.internet.task import Cooperator, SchedulerStopped
from twisted.logger import Logger
from twisted.python.failure import Failure

from arbstr.ledger.database import Database
from arbstr.ledger.learning import newest
from arbstr.routing.learned import Learned
from arbstr.routing.observation import Observation, read_row


class Remembering:
    """
    Reads the newest rows of the log, and learns from them.
    """

    _log = Logger()

    def __init__(self, database: Database, learned: Learned, reactor: Any) -> None:
        self._database = database
        self._learned = learned
        self._cooperator = Cooperator(
            scheduler=lambda work: reactor.callLater(0, work), started=True
        )
        self._stopped = False

    def start(self) -> None:
        """
        Begin.  Requests are served meanwhile.
        """
        before_ms = int(time.time() * 1000)

        def observations(connection: Connection) -> list[Observation]:
            found = map(read_row, newest(connection, before_ms))
            return [each for each in found if each is not None]

        def learn(seen: list[Observation]) -> Deferred[Any]:
            # A little at a time: requests are being served already.
            return self._cooperator.coiterate(map(self._learned.observe, seen))

        self._database.read(observations).addCallback(learn).addErrback(
            self._learned_nothing
        )

    def stop(self) -> None:
        """
        Break it off.
        """
        self._stopped = True
        self._cooperator.stop()

    def _learned_nothing(self, failure: Failure) -> None:
        # A process that ends at once breaks it off, in the database too.
        if not self._stopped and not failure.check(SchedulerStopped):
            self._log.failure("Nothing is learned of the log", failure)
