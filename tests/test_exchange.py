"""
Tests for L{arbstr.exchange}.
"""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from arbstr.errors import bad_request, provider_error
from arbstr.exchange import Exchange
from arbstr.ledger.row import AttemptRow
from arbstr.routing.money import Usage
from arbstr.routing.plan import Candidate
from arbstr.upstream.failures import AttemptFailed, Head, Kind

from .routing.market import CHEAP, DEAR, ask, router

USAGE = Usage(input=1000, cached=400, output=500, reasoning=100)


class ExchangeTestCase(SynchronousTestCase):
    """
    A request that came when the clock stood at 1000 seconds, and that two
    providers may serve.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.exchange = Exchange.begin("r1", self.clock)
        self.plan = router(CHEAP, DEAR).plan(ask())
        self.cheap, self.dear = self.plan.candidates

    def planned(self) -> None:
        """
        The request was understood.
        """
        self.exchange.model = self.plan.model
        self.exchange.plan = self.plan

    def fails(
        self, candidate: Candidate, seconds: float = 0, kind: Kind = "5xx"
    ) -> None:
        """
        An attempt comes to nothing.
        """
        with (
            self.assertRaises(AttemptFailed),
            self.exchange.attempt(candidate),
        ):
            self.clock.advance(seconds)
            raise AttemptFailed(kind, "no")

    def serves(
        self, candidate: Candidate, usage: Usage | None = None, chars: int = 0
    ) -> None:
        """
        An attempt takes half a second, and has so much of an answer.
        """
        self.planned()
        with self.exchange.attempt(candidate):
            self.clock.advance(0.5)
            self.exchange.saw(usage, chars)


class AttemptTests(ExchangeTestCase):
    """
    Every attempt is remembered.
    """

    def attempts(self) -> tuple[AttemptRow, ...]:
        """
        What the row will have of them.
        """
        return self.exchange.row(None).attempts

    def test_served(self) -> None:
        """
        One that went well, with its times in milliseconds.
        """
        self.clock.advance(0.25)
        self.serves(self.cheap)
        self.assertEqual(self.attempts(), (AttemptRow("cheap", 250, 500, "ok"),))

    def test_failed(self) -> None:
        """
        One that did not, with the kind of the failure.
        """
        self.fails(self.cheap, 0.1, kind="timeout")
        self.assertEqual(self.attempts(), (AttemptRow("cheap", 0, 100, "timeout"),))

    def test_cancelled(self) -> None:
        """
        One that was given up by us.
        """
        with self.assertRaises(CancelledError), self.exchange.attempt(self.cheap):
            self.clock.advance(0.1)
            raise CancelledError
        self.assertEqual(self.attempts(), (AttemptRow("cheap", 0, 100, "cancelled"),))

    def test_going_on(self) -> None:
        """
        One that has not ended has lasted until now.
        """
        with self.exchange.attempt(self.cheap):
            self.clock.advance(0.2)
            [attempt] = self.attempts()
        self.assertEqual(attempt.duration_ms, 200)

    def test_begins_anew(self) -> None:
        """
        What an earlier attempt saw of an answer is not the next one's.
        """
        self.planned()
        with self.assertRaises(AttemptFailed), self.exchange.attempt(self.cheap):
            self.exchange.head = Head(200, "text/event-stream", request_id="up-1")
            self.exchange.saw(USAGE, 10)
            raise AttemptFailed("connect", "cut")
        with self.exchange.attempt(self.dear):
            self.assertIsNone(self.exchange.head)
            self.assertIsNone(self.exchange.best_usage())
            self.assertIs(self.exchange.candidate, self.dear)


class RetriesTests(ExchangeTestCase):
    """
    Failed attempts are told, per provider in order of the first failure.
    """

    def test_none(self) -> None:
        """
        Without any, there is nothing to tell.
        """
        self.assertIsNone(self.exchange.retries())
        self.serves(self.cheap)
        self.assertIsNone(self.exchange.retries())

    def test_counted(self) -> None:
        """
        They are counted, and the one that went well is not among them.
        """
        self.fails(self.dear)
        self.fails(self.cheap)
        self.fails(self.dear)
        self.serves(self.cheap)
        self.assertEqual(self.exchange.retries(), "2/dear, 1/cheap")

    def test_cancelled(self) -> None:
        """
        An attempt that we gave up did not fail.
        """
        with self.assertRaises(CancelledError), self.exchange.attempt(self.cheap):
            raise CancelledError
        self.assertIsNone(self.exchange.retries())


class UsageTests(ExchangeTestCase):
    """
    Usage is what the provider says, or else an estimate.
    """

    def test_reported(self) -> None:
        """
        What was reported counts, whatever was relayed.
        """
        self.serves(self.cheap, USAGE, chars=4)
        self.assertEqual(self.exchange.best_usage(), USAGE)

    def test_estimated(self) -> None:
        """
        Else the prompt's estimate, and a token for four characters relayed.
        """
        self.serves(self.cheap, chars=41)
        self.assertEqual(
            self.exchange.best_usage(), Usage(input=100, output=11, estimated=True)
        )

    def test_nothing_came(self) -> None:
        """
        Without any answer there is nothing to estimate.
        """
        self.fails(self.cheap)
        self.planned()
        self.assertIsNone(self.exchange.best_usage())


class CostTests(ExchangeTestCase):
    """
    Cost is counted at the rates of who served.
    """

    def test_exact(self) -> None:
        """
        It is exact.
        """
        self.serves(self.dear, USAGE)
        self.assertEqual(self.exchange.cost(), Decimal(6))
        self.assertEqual(self.exchange.known_cost(), 6.0)

    def test_estimated(self) -> None:
        """
        The client is not told what is only an estimate.
        """
        self.serves(self.cheap, chars=40)
        self.assertEqual(self.exchange.cost(), Decimal("0.12"))
        self.assertIsNone(self.exchange.known_cost())

    def test_nothing_came(self) -> None:
        """
        A failed attempt has no cost, which is not the same as none.
        """
        self.fails(self.cheap)
        self.planned()
        self.assertIsNone(self.exchange.cost())
        self.assertIsNone(self.exchange.known_cost())

    def test_nobody_served(self) -> None:
        """
        Nor has a request that nobody was tried for.
        """
        self.planned()
        self.assertIsNone(self.exchange.cost())
        self.assertIsNone(self.exchange.known_cost())


class FactsTests(ExchangeTestCase):
    """
    L{Exchange.facts} is what a stream says of itself.
    """

    def test_served(self) -> None:
        """
        All that is known at its end.
        """
        self.plan = router(CHEAP, DEAR).plan(ask(complexity_score=0.31449))
        self.serves(self.cheap, USAGE)
        self.assertEqual(
            self.exchange.facts(),
            {
                "request_id": "r1",
                "provider": "cheap",
                "cost_sats": 2.0,
                "latency_ms": 500,
                "complexity_score": 0.314,
                "tier": "standard",
            },
        )

    def test_unknown(self) -> None:
        """
        What is not known is C{None}.
        """
        facts = self.exchange.facts()
        self.assertEqual(
            [facts[name] for name in ("provider", "cost_sats", "tier")], [None] * 3
        )
        self.assertIsNone(facts["complexity_score"])


class RowTests(ExchangeTestCase):
    """
    L{Exchange.row} is what the ledger gets.
    """

    def test_identity(self) -> None:
        """
        Which request it was, and when it came, in UTC.
        """
        row = self.exchange.row(None)
        self.assertEqual(row.request_id, "r1")
        self.assertIs(row.timestamp.tzinfo, UTC)

    def test_served(self) -> None:
        """
        Who served what under which policy.
        """
        rules = [{"name": "code"}]
        self.plan = router(CHEAP, DEAR, rules=rules).plan(ask(policy="code"))
        self.serves(self.cheap, USAGE)
        row = self.exchange.row(None)
        self.assertTrue(row.success)
        self.assertEqual(
            (row.model, row.provider, row.policy, row.tier),
            ("gpt-4o", "cheap", "code", "standard"),
        )
        self.assertIsNone(row.error_status)
        self.assertIsNone(row.error_message)

    def test_complexity(self) -> None:
        """
        How complex it was, from its beginning, to the last digit.
        """
        self.plan = router(CHEAP).plan(ask(complexity_score=1 / 3))
        self.planned()
        for row in (self.exchange.begun_row(), self.exchange.row(None)):
            self.assertEqual(row.complexity_score, 1 / 3)

    def test_no_complexity(self) -> None:
        """
        It is not known of what could not be planned.
        """
        self.assertIsNone(self.exchange.row(bad_request("no")).complexity_score)

    def test_tokens(self) -> None:
        """
        What was used.
        """
        self.serves(self.cheap, USAGE)
        row = self.exchange.row(None)
        self.assertEqual(
            (
                row.input_tokens,
                row.cached_tokens,
                row.output_tokens,
                row.reasoning_tokens,
                row.tokens_estimated,
            ),
            (1000, 400, 500, 100, False),
        )

    def test_estimated(self) -> None:
        """
        Estimates are marked as such.
        """
        self.serves(self.cheap, chars=40)
        row = self.exchange.row(None)
        self.assertEqual((row.input_tokens, row.output_tokens), (100, 10))
        self.assertTrue(row.tokens_estimated)

    def test_costs(self) -> None:
        """
        What it cost, and what the same tokens would have cost at the dearest
        provider.
        """
        self.serves(self.cheap, USAGE)
        row = self.exchange.row(None)
        self.assertEqual(row.cost_sats, Decimal(2))
        self.assertEqual(row.baseline_cost_sats, Decimal(6))

    def test_nothing_came(self) -> None:
        """
        Where nothing came, tokens and costs are unknown; who was tried last is
        known.
        """
        self.planned()
        self.fails(self.cheap)
        self.fails(self.dear)
        row = self.exchange.row(provider_error("no"))
        self.assertEqual(row.provider, "dear")
        self.assertEqual(
            [
                row.input_tokens,
                row.cached_tokens,
                row.output_tokens,
                row.reasoning_tokens,
                row.cost_sats,
                row.baseline_cost_sats,
            ],
            [None] * 6,
        )
        self.assertFalse(row.tokens_estimated)

    def test_refused(self) -> None:
        """
        A request that was not even understood has a row.
        """
        row = self.exchange.row(bad_request("'model' is missing"))
        self.assertFalse(row.success)
        self.assertEqual(
            (row.error_status, row.error_message), (400, "'model' is missing")
        )
        self.assertEqual(
            [row.model, row.provider, row.policy, row.tier, row.cost_sats], [None] * 5
        )
        self.assertEqual(row.attempts, ())

    def test_asked(self) -> None:
        """
        What a request asked of routing is remembered, so that it can be replayed.
        """
        self.planned()
        self.exchange.asked = ask(
            choices=2,
            output_cap=50,
            provider="cheap",
            complexity=" High",
            max_cost_sats=1.5,
        )
        row = self.exchange.row(None)
        self.assertEqual((row.choices, row.input_chars), (2, 400))
        self.assertEqual(
            (
                row.output_cap,
                row.wanted_provider,
                row.wanted_complexity,
                row.max_cost_sats,
            ),
            (50, "cheap", "high", 1.5),
        )

    def test_asked_in_vain(self) -> None:
        """
        A provider that may not even exist is not, nor what means nothing.
        """
        self.exchange.asked = ask(provider="x" * 10_000, complexity="enormous")
        row = self.exchange.row(bad_request("Unknown provider"))
        self.assertIsNone(row.wanted_provider)
        self.assertIsNone(row.wanted_complexity)

    def test_redacted(self) -> None:
        """
        A message with a key in it does not go into the ledger as it is.
        """
        row = self.exchange.row(provider_error("bad key sk-abcdefgh12345678ijklmnop"))
        self.assertEqual(row.error_message, "bad key [redacted]")

    def test_latency(self) -> None:
        """
        Time runs from when the request came, in whole milliseconds.
        """
        self.clock.advance(0.0126)
        self.assertEqual(self.exchange.row(None).latency_ms, 13)
        self.assertEqual(self.exchange.latency_ms(), 13)

    def test_buffered_times(self) -> None:
        """
        What is not streamed has no first content.
        """
        self.serves(self.cheap, USAGE)
        row = self.exchange.row(None)
        self.assertFalse(row.streaming)
        self.assertIsNone(row.ttft_ms)
        self.assertIsNone(row.stream_duration_ms)

    def test_stream_times(self) -> None:
        """
        A stream has a time to its first content, and goes on from there.
        """
        self.exchange.streaming = True
        with self.exchange.attempt(self.cheap):
            self.clock.advance(0.3)
            self.exchange.content_started()
            self.clock.advance(0.7)
        row = self.exchange.row(None)
        self.assertTrue(row.streaming)
        self.assertEqual(row.attempts[0].first_byte_ms, 300)
        self.assertEqual(
            (row.ttft_ms, row.stream_duration_ms, row.latency_ms), (300, 700, 1000)
        )

    def test_upstream_request_id(self) -> None:
        """
        What the provider calls the request is remembered.
        """
        with self.exchange.attempt(self.cheap):
            self.exchange.head = Head(200, "application/json", request_id="up-1")
        self.assertEqual(self.exchange.row(None).upstream_request_id, "up-1")
