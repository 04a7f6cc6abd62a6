"""
Books with requests in them, on either database.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, StaticPool, create_engine, update
from twisted.trial.unittest import SynchronousTestCase

from arbstr.ledger.listing import listing
from arbstr.ledger.matching import Known
from arbstr.ledger.query import parse_listing, parse_stats
from arbstr.ledger.row import AttemptRow, RequestLog
from arbstr.ledger.rows import Entry, write_all
from arbstr.ledger.stats import stats
from arbstr.ledger.tables import INTERRUPTED, metadata, requests

from .postgres import new_database

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
NOW = int(NOON.timestamp() * 1000)

KNOWN = Known(
    models=["gpt-4o", "o3"],
    providers=["alpha", "beta"],
    tiers=["local", "standard", "frontier"],
    policies=["code"],
)


class BooksTestCase(SynchronousTestCase):
    """
    Starts with empty books.
    """

    def setUp(self) -> None:
        self.connection = self.engine().connect()
        self.addCleanup(self.connection.close)
        transaction = self.connection.begin()
        self.addCleanup(transaction.rollback)
        self.count = 0

    def engine(self) -> Engine:
        """
        A database with tables; whatever is written to it is taken back.
        """
        return with_tables("sqlite://", poolclass=StaticPool)

    def add(
        self,
        ago: timedelta = timedelta(minutes=1),
        *,
        ended: bool = True,
        cost: str | None = None,
        baseline: str | None = None,
        **members: Any,
    ) -> str:
        """
        Write a row.

        @param ago: how long before now the request was accepted.
        @param cost: in sats.
        @param baseline: in sats.
        @return: the request's id.
        """
        self.count += 1
        row: dict[str, Any] = {
            "request_id": str(UUID(int=self.count)),
            "timestamp": NOON - ago,
            "streaming": False,
            "success": True,
            "latency_ms": 100,
            "model": "gpt-4o",
            "provider": "alpha",
            "tier": "standard",
            "cost_sats": cost and Decimal(cost),
            "baseline_cost_sats": baseline and Decimal(baseline),
            "attempts": (AttemptRow("alpha", 0, 90, "ok"),),
        }
        entry = Entry(RequestLog(**row | members), ended)
        write_all(self.connection, [entry])
        return entry.row.request_id

    def interrupt(self, request_id: str) -> None:
        """
        The process died before this request was over.
        """
        self.connection.execute(
            update(requests)
            .where(requests.c.request_id == request_id)
            .values(
                state=INTERRUPTED,
                success=False,
                latency_ms=None,
                error_message="interrupted",
            )
        )

    def stats(self, **parameters: str) -> Any:
        """
        The answer of C{GET /v1/stats}.
        """
        return stats(self.connection, parse_stats(parameters, NOW), KNOWN)

    def listing(self, **parameters: str) -> Any:
        """
        The answer of C{GET /v1/requests}.
        """
        return listing(self.connection, parse_listing(parameters, NOW), KNOWN)

    def listed(self, **parameters: str) -> list[str]:
        """
        The ids of the requests that C{GET /v1/requests} answers with.
        """
        return [row["request_id"] for row in self.listing(**parameters)["data"]]


class OnPostgres(BooksTestCase):
    """
    The same on PostgreSQL.
    """

    def engine(self) -> Engine:
        """
        See L{BooksTestCase.engine}.
        """
        return postgres()


def with_tables(url: str, **options: Any) -> Engine:
    """
    A database that has the tables.
    """
    engine = create_engine(url, **options)
    metadata.create_all(engine)
    return engine


@cache
def postgres() -> Engine:
    """
    One PostgreSQL database for all tests that take back what they write.
    """
    return with_tables(new_database())
