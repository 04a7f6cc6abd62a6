"""
Tests for L{arbstr.ledger.learning}.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update

from arbstr.ledger import learning
from arbstr.ledger.learning import newest
from arbstr.ledger.row import AttemptRow
from arbstr.ledger.tables import requests
from arbstr.routing.learned import ENOUGH_SAMPLES, Learned

from .books import NOW, BooksTestCase, OnPostgres


class NewestTests(BooksTestCase):
    """
    L{newest} reads what was learned from.
    """

    def models(self) -> list[object]:
        """
        The models of the rows that are read.
        """
        return [row["model"] for row in newest(self.connection, 2**53)]

    def test_nothing(self) -> None:
        """
        Books may be empty.
        """
        self.assertEqual(newest(self.connection, 2**53), [])

    def test_row(self) -> None:
        """
        All that is learned from, and nothing else.
        """
        self.add(
            policy="code",
            input_chars=40,
            input_tokens=10,
            output_tokens=20,
            attempts=(AttemptRow("alpha", 1, 90, "ok", first_byte_ms=7),),
        )
        attempt = {
            "provider": "alpha",
            "start_ms": 1,
            "duration_ms": 90,
            "outcome": "ok",
            "first_byte_ms": 7,
        }
        self.assertEqual(
            newest(self.connection, 2**53),
            [
                {
                    "model": "gpt-4o",
                    "policy": "code",
                    "input_chars": 40,
                    "input_tokens": 10,
                    "output_tokens": 20,
                    "choices": 1,
                    "tokens_estimated": False,
                    "error_status": None,
                    "attempts": [attempt],
                }
            ],
        )

    def test_order(self) -> None:
        """
        The oldest come first, in whichever order they were written.
        """
        for minutes in (2, 3, 1):
            self.add(timedelta(minutes=minutes), model=f"{minutes} minutes ago")
        self.assertEqual(
            self.models(), ["3 minutes ago", "2 minutes ago", "1 minutes ago"]
        )

    def test_same_moment(self) -> None:
        """
        Then the order is that of the rows.
        """
        self.add(model="first")
        self.add(model="second")
        self.assertEqual(self.models(), ["first", "second"])

    def test_most(self) -> None:
        """
        The oldest are left out where there are many.
        """
        self.patch(learning, "_ROWS", 2)
        for minutes in (3, 2, 1):
            self.add(timedelta(minutes=minutes), model=f"{minutes}")
        self.assertEqual(self.models(), ["2", "1"])

    def test_unfinished(self) -> None:
        """
        What is in flight or was interrupted teaches nothing.
        """
        self.add(model="in flight", ended=False)
        self.interrupt(self.add(model="interrupted"))
        self.add(model="done")
        self.assertEqual(self.models(), ["done"])

    def test_since_the_start(self) -> None:
        """
        What came since is learned from as it ends, and not once more.
        """
        self.add(timedelta(milliseconds=1), model="before")
        self.add(timedelta(0), model="since")
        (row,) = newest(self.connection, NOW)
        self.assertEqual(row["model"], "before")

    def test_learned(self) -> None:
        """
        The rows are what L{Learned} understands.
        """
        for _ in range(ENOUGH_SAMPLES):
            self.add(input_chars=40, input_tokens=10, output_tokens=20)
        learned = Learned()
        learned.restore(newest(self.connection, 2**53))
        self.assertEqual(learned.output_tokens(None, "gpt-4o"), 20)
        self.assertEqual(learned.chars_per_token("gpt-4o"), 4)

    def test_attempts_of_somebody_else(self) -> None:
        """
        A row that is not as arbstr writes them is passed over.
        """
        self.add()
        self.connection.execute(update(requests).values(attempts="none"))
        learned = Learned()
        learned.restore(newest(self.connection, 2**53))
        self.assertIsNone(learned.service("alpha", "gpt-4o"))


class PostgresNewestTests(OnPostgres, NewestTests):
    """
    The same on PostgreSQL.
    """
