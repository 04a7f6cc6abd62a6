"""
Tests for L{arbstr.ledger.row}.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from arbstr.ledger.row import AttemptRow, RequestLog

REFUSED = RequestLog(
    request_id="r1",
    timestamp=datetime(2026, 11, 22, 10, 0, 0, 123456, UTC),
    streaming=False,
    success=False,
    latency_ms=2,
    error_status=400,
    error_message="'model' is missing",
)
SERVED = RequestLog(
    request_id="r2",
    timestamp=datetime(2026, 11, 22, 10, 0, tzinfo=UTC),
    streaming=False,
    success=True,
    latency_ms=420,
    model="gpt-4o",
    provider="alpha",
    input_tokens=100,
    output_tokens=50,
    cost_sats=Decimal("0.1250"),
    attempts=(AttemptRow("alpha", 1, 400, "ok"),),
)


class SummaryTests(SynchronousTestCase):
    """
    L{RequestLog.summary} tells a request in a line.
    """

    def test_served(self) -> None:
        """
        One that went well.
        """
        self.assertEqual(
            SERVED.summary(),
            "ok model=gpt-4o provider=alpha tokens=100+50 sats=0.125 ms=420",
        )

    def test_refused(self) -> None:
        """
        One that went nowhere.
        """
        self.assertEqual(
            REFUSED.summary(),
            "400 model=None provider=None ms=2 error=\"'model' is missing\"",
        )

    def test_estimated(self) -> None:
        """
        Tokens that nobody reported are marked.
        """
        row = evolve(SERVED, tokens_estimated=True)
        self.assertIn(" tokens=~100+50 ", row.summary())

    def test_streamed(self) -> None:
        """
        A stream has a time to its first content.
        """
        row = evolve(SERVED, streaming=True, ttft_ms=120)
        self.assertTrue(row.summary().endswith(" ms=420 ttft_ms=120"))

    def test_several_attempts(self) -> None:
        """
        More than one attempt is a story.
        """
        attempts = (AttemptRow("beta", 0, 10, "5xx"), *SERVED.attempts)
        row = evolve(SERVED, attempts=attempts)
        self.assertTrue(row.summary().endswith(" attempts=(beta:5xx alpha:ok)"))


class JsonTests(SynchronousTestCase):
    """
    L{RequestLog.as_json} is a row that JSON can hold.
    """

    def test_values(self) -> None:
        """
        Sats are numbers, the time is RFC 3339, what is unknown is C{null}.
        """
        told = json.loads(json.dumps(SERVED.as_json()))
        self.assertEqual(told["cost_sats"], 0.125)
        self.assertEqual(told["timestamp"], "2026-11-22T10:00:00+00:00")
        self.assertIsNone(told["error_status"])

    def test_attempts(self) -> None:
        """
        Attempts are objects.
        """
        self.assertEqual(
            json.loads(json.dumps(SERVED.as_json()))["attempts"],
            [
                {
                    "provider": "alpha",
                    "start_ms": 1,
                    "duration_ms": 400,
                    "outcome": "ok",
                    "first_byte_ms": None,
                }
            ],
        )
