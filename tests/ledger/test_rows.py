"""
Tests for L{arbstr.ledger.rows}.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from twisted.trial.unittest import SynchronousTestCase, TestCase

import arbstr.keyring as module
from arbstr.keyring import Keyring
from arbstr.ledger.rows import COLUMNS, Entry, write_all
from arbstr.ledger.tables import requests
from tests.integration.harness import coroutine

from .databases import Mixin, OnDatabase, OnPostgres, OnSqlite, a_row


def stored(entry: Entry) -> dict[str, Any]:
    """
    What the database is given, by column.
    """
    return dict(zip(COLUMNS, entry.values(), strict=True))


class ValuesTests(SynchronousTestCase):
    """
    What a request becomes in the database.
    """

    def value(self, name: str, **changes: object) -> Any:
        """
        One column of a request's row.
        """
        return stored(Entry(a_row("r1", **changes), ended=True))[name]

    def test_timestamp(self) -> None:
        """
        Milliseconds since the epoch; parts of them are left out.
        """
        moment = datetime(2026, 11, 22, 10, 0, 0, 123999, UTC)
        self.assertEqual(self.value("timestamp", timestamp=moment), 1795341600123)

    def test_latency_in_flight(self) -> None:
        """
        Nobody knows yet how long a request will take that has begun.
        """
        self.assertIsNone(stored(Entry(a_row("r1"), ended=False))["latency_ms"])

    def test_attempts(self) -> None:
        """
        Attempts are objects.
        """
        attempt = {"provider": "alpha", "start_ms": 1, "duration_ms": 400}
        self.assertEqual(
            json.loads(self.value("attempts")),
            [{**attempt, "outcome": "ok", "first_byte_ms": None}],
        )

    def test_no_secret(self) -> None:
        """
        Whatever others may choose holds none.
        """
        keyring = Keyring()
        keyring.add(["no-usual-shape-4711"])
        self.patch(module, "KEYRING", keyring)
        for name in ("error_message", "model", "upstream_request_id"):
            shown = self.value(name, **{name: "no-usual-shape-4711!"})
            self.assertEqual(shown, "[redacted]!")

    def test_sats(self) -> None:
        """
        Sats are numbers with nine decimals.
        """
        cost = Decimal("1234.123456789")
        self.assertEqual(self.value("cost_sats", cost_sats=cost), 1234.123456789)

    def test_sats_beyond_counting(self) -> None:
        """
        What the sums cannot count is not known.
        """
        cost = Decimal("1e30")
        self.assertIsNone(self.value("provider_cost_sats", provider_cost_sats=cost))


class RoundTripContract(OnDatabase, Mixin):
    """
    What the database gives back.
    """

    @coroutine
    async def test_what_others_may_choose(self) -> None:
        """
        Characters and numbers that no column holds are made such as one can.
        """
        row = a_row(
            "r1", model="a\0b\ud800", input_tokens=10**30, tokens_estimated=True
        )
        database = self.database(self.new_url())
        await database.write(
            lambda connection: write_all(connection, [Entry(row, True)])
        )
        stored = await database.read(
            lambda connection: connection.execute(requests.select()).one()._asdict()
        )
        self.assertEqual(stored["model"], "a\\x00b\\ud800")
        self.assertEqual(stored["input_tokens"], 2**63 - 1)
        self.assertIs(stored["tokens_estimated"], True)
        self.assertEqual(stored["cost_sats"], 0.125)
        self.assertEqual(stored["attempts"][0]["provider"], "alpha")


class SqliteRowTests(RoundTripContract, OnSqlite, TestCase):
    """
    On SQLite.
    """


class PostgresRowTests(RoundTripContract, OnPostgres, TestCase):
    """
    On PostgreSQL.
    """
