"""
Tests for L{arbstr.ledger.stats}.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from arbstr.errors import ApiError

from .books import BooksTestCase, OnPostgres

NOTHING = {
    "counts": {"total": 0, "success": 0, "error": 0, "streaming": 0},
    "costs": {
        "total_cost_sats": 0.0,
        "total_input_tokens": 0,
        "total_output_tokens": 0,
        "total_savings_sats": 0.0,
    },
    "performance": {
        "avg_latency_ms": None,
        "p50_latency_ms": None,
        "p95_latency_ms": None,
        "p50_ttft_ms": None,
        "p95_ttft_ms": None,
    },
}


class TotalTests(BooksTestCase):
    """
    Everything in a range.
    """

    def test_shape(self) -> None:
        """
        Every member that there is without grouping.
        """
        self.add(cost="1.5", baseline="4", input_tokens=10, output_tokens=20, ttft_ms=7)
        self.assertEqual(
            self.stats(),
            {
                "since": "2026-03-03T12:00:00.000Z",
                "until": "2026-03-10T12:00:00.000Z",
                "counts": {"total": 1, "success": 1, "error": 0, "streaming": 0},
                "costs": {
                    "total_cost_sats": 1.5,
                    "total_input_tokens": 10,
                    "total_output_tokens": 20,
                    "total_savings_sats": 2.5,
                },
                "performance": {
                    "avg_latency_ms": 100.0,
                    "p50_latency_ms": 100,
                    "p95_latency_ms": 100,
                    "p50_ttft_ms": 7,
                    "p95_ttft_ms": 7,
                },
            },
        )

    def test_counts(self) -> None:
        """
        By outcome and by kind.
        """
        self.add()
        self.add(streaming=True)
        self.add(streaming=True, success=False, error_status=502)
        self.assertEqual(
            self.stats()["counts"],
            {"total": 3, "success": 2, "error": 1, "streaming": 2},
        )

    def test_interrupted_are_errors(self) -> None:
        """
        The client did not get what it paid for.
        """
        self.interrupt(self.add(ended=False))
        counts = self.stats()["counts"]
        self.assertEqual((counts["total"], counts["error"]), (1, 1))

    def test_in_flight_do_not_count(self) -> None:
        """
        Nobody knows yet what they will be.
        """
        self.add()
        self.add(ended=False)
        self.assertEqual(self.stats()["counts"]["total"], 1)

    def test_empty_range(self) -> None:
        """
        Zeros, and a message that says why.
        """
        self.add(timedelta(days=8))
        answer = self.stats()
        del answer["since"], answer["until"]
        message = "No requests in this range"
        self.assertEqual(answer, {**NOTHING, "empty": True, "message": message})

    def test_range_holds_its_beginning_and_not_its_end(self) -> None:
        """
        Ranges that follow each other count every request once.
        """
        for minutes in (3, 2, 1):
            self.add(timedelta(minutes=minutes))
        answer = self.stats(since="2026-03-10T11:57:00Z", until="2026-03-10T11:59:00Z")
        self.assertEqual(answer["counts"]["total"], 2)

    def test_presets(self) -> None:
        """
        Each reaches further.
        """
        for hours in (0.5, 23, 6 * 24, 29 * 24, 31 * 24):
            self.add(timedelta(hours=hours))
        found = [
            self.stats(range=f"last_{each}")["counts"]["total"]
            for each in ("1h", "24h", "7d", "30d")
        ]
        self.assertEqual(found, [1, 2, 3, 4])


class SumTests(BooksTestCase):
    """
    Sats and tokens, added up.
    """

    def costs(self) -> Any:
        """
        The totals.
        """
        return self.stats()["costs"]

    def test_exact_to_the_last_digit(self) -> None:
        """
        Where floats would drift: a tenth is none in binary.
        """
        costs = ["1234567.3"] + ["0.1"] * 30 + ["0.000000001"] * 7
        for cost in costs:
            self.add(cost=cost)
        expected = float(sum(map(Decimal, costs)))
        self.assertEqual(self.costs()["total_cost_sats"], expected)
        self.assertNotEqual(sum(map(float, costs)), expected)

    def test_absurd_numbers(self) -> None:
        """
        What a provider made up does not keep anybody from the rest.
        """
        for _ in range(3):
            self.add(cost="9000000000", input_tokens=2**63 - 1)
        self.assertEqual(self.costs()["total_cost_sats"], 27e9)
        self.assertEqual(self.costs()["total_input_tokens"], 3 * (2**63 - 1))

    def test_unknown_is_not_added(self) -> None:
        """
        Neither a cost nor tokens that nobody knows.
        """
        self.add(cost="2", input_tokens=3, output_tokens=4)
        self.add()
        costs = self.costs()
        self.assertEqual(costs["total_cost_sats"], 2)
        self.assertEqual(costs["total_input_tokens"], 3)
        self.assertEqual(costs["total_output_tokens"], 4)

    def test_savings_may_be_losses(self) -> None:
        """
        And count only where both costs are known.
        """
        self.add(cost="2", baseline="1.5")
        self.add(cost="1", baseline="1.2")
        self.add(cost="1")
        self.add(baseline="1")
        self.assertEqual(self.costs()["total_savings_sats"], -0.3)


class PercentileTests(BooksTestCase):
    """
    How long it took.
    """

    def performance(self, **parameters: str) -> Any:
        """
        What is told of times.
        """
        return self.stats(**parameters)["performance"]

    def test_nearest_rank(self) -> None:
        """
        The value at the rank, rounded up: never one between two of them.
        """
        for latency in (40, 10, 30, 20):
            self.add(latency_ms=latency)
        found = self.performance()
        self.assertEqual((found["p50_latency_ms"], found["p95_latency_ms"]), (20, 40))

    def test_many(self) -> None:
        """
        The 95th of a hundred.
        """
        for latency in range(1, 101):
            self.add(latency_ms=latency)
        found = self.performance()
        self.assertEqual((found["p50_latency_ms"], found["p95_latency_ms"]), (50, 95))
        self.assertEqual(found["avg_latency_ms"], 50.5)

    def test_equal_values(self) -> None:
        """
        Each counts as often as it is there.
        """
        for latency in (5, 5, 5, 80):
            self.add(latency_ms=latency)
        found = self.performance()
        self.assertEqual((found["p50_latency_ms"], found["p95_latency_ms"]), (5, 80))

    def test_first_token_of_those_that_have_one(self) -> None:
        """
        Buffered answers say nothing of it.
        """
        self.add(ttft_ms=30)
        self.add(ttft_ms=50)
        for _ in range(9):
            self.add()
        found = self.performance()
        self.assertEqual((found["p50_ttft_ms"], found["p95_ttft_ms"]), (30, 50))

    def test_each_group_has_its_own(self) -> None:
        """
        The slow do not weigh on the quick.
        """
        for latency in (10, 20, 30):
            self.add(provider="alpha", latency_ms=latency)
            self.add(provider="beta", latency_ms=latency * 100)
        groups = self.stats(group_by="provider")["providers"]
        found = {
            name: group["performance"]["p50_latency_ms"]
            for name, group in groups.items()
        }
        self.assertEqual(found, {"alpha": 20, "beta": 2000})


class FilterTests(BooksTestCase):
    """
    One model or one provider.
    """

    def total(self, **parameters: str) -> int:
        """
        How many requests count.
        """
        total: int = self.stats(**parameters)["counts"]["total"]
        return total

    def test_any_case(self) -> None:
        """
        All spellings of the log are found by any other.
        """
        for model in ("gpt-4o", "GPT-4o", "o3"):
            self.add(model=model)
        self.assertEqual(self.total(model="Gpt-4O"), 2)

    def test_together(self) -> None:
        """
        Both have to match.
        """
        self.add(model="o3", provider="beta")
        self.add(model="o3", provider="alpha")
        self.add(model="gpt-4o", provider="beta")
        self.assertEqual(self.total(model="o3", provider="BETA"), 1)

    def test_configured_without_traffic(self) -> None:
        """
        There is such a model; it was just not used.
        """
        self.add(model="gpt-4o")
        self.assertTrue(self.stats(model="O3")["empty"])

    def test_logged_and_no_longer_configured(self) -> None:
        """
        History stays, even where the range has nothing of it.
        """
        self.add(timedelta(days=20), provider="gone")
        self.assertEqual(self.total(provider="gone", range="last_30d"), 1)
        self.assertEqual(self.total(provider="gone"), 0)

    def test_unknown(self) -> None:
        """
        A name that nobody knows is told to be one, whatever is in it.
        """
        self.add()
        for name in ("model", "provider"):
            for value in ("nobody", "' OR 1=1 --", "nul\0", "%"):
                error = self.assertRaises(ApiError, self.stats, **{name: value})
                self.assertEqual((error.status, error.param), (404, name))
                self.assertEqual(
                    error.message,
                    f"The {name} '{value}' is neither configured nor in the log",
                )


class GroupTests(BooksTestCase):
    """
    C{group_by}.
    """

    def counted(self, group_by: str, section: str, **parameters: str) -> Any:
        """
        How many requests each group has.
        """
        groups = self.stats(group_by=group_by, **parameters)[section]
        return {name: group["counts"]["total"] for name, group in groups.items()}

    def test_configured_names_are_zeroed(self) -> None:
        """
        Beside those with traffic, which need not be configured.
        """
        self.add(model="gpt-4o")
        self.add(model="gone")
        answer = self.stats(group_by="model")
        self.assertEqual(list(answer["models"]), ["gone", "gpt-4o", "o3"])
        self.assertEqual(answer["models"]["o3"], NOTHING)

    def test_empty_range(self) -> None:
        """
        All that is configured is still there.
        """
        answer = self.stats(group_by="provider")
        self.assertTrue(answer["empty"])
        self.assertEqual(answer["providers"], {"alpha": NOTHING, "beta": NOTHING})

    def test_groups_add_up(self) -> None:
        """
        To the totals that are told beside them.
        """
        for model, cost in (("gpt-4o", "0.1"), ("o3", "0.2"), (None, "0.7")):
            self.add(model=model, cost=cost, success=cost != "0.2")
        answer = self.stats(group_by="model")
        groups = answer["models"].values()
        sats = [Decimal(str(each["costs"]["total_cost_sats"])) for each in groups]
        self.assertEqual(float(sum(sats)), answer["costs"]["total_cost_sats"])
        errors = [each["counts"]["error"] for each in groups]
        self.assertEqual(sorted(errors), [0, 0, 1])

    def test_one_group_is_the_total(self) -> None:
        """
        It is told the same way.
        """
        self.add(cost="0.5", baseline="1", input_tokens=5, streaming=True, ttft_ms=9)
        answer = self.stats(group_by="provider")
        self.assertEqual(
            answer["providers"]["alpha"], {name: answer[name] for name in NOTHING}
        )

    def test_tiers(self) -> None:
        """
        A request that was refused before it had one counts as unknown.
        """
        self.add(tier="local")
        self.add(tier=None)
        self.assertEqual(
            self.counted("tier", "tiers"),
            {"frontier": 0, "local": 1, "standard": 0, "unknown": 1},
        )

    def test_policies(self) -> None:
        """
        Many requests have none.
        """
        self.add(policy="code")
        self.add(policy=None)
        self.assertEqual(self.counted("policy", "policies"), {"code": 1, "none": 1})

    def test_nobody_was_tried(self) -> None:
        """
        Such requests have no provider, and perhaps not even a model.
        """
        self.add(model=None, provider=None, success=False)
        self.assertEqual(
            self.counted("provider", "providers"), {"alpha": 0, "beta": 0, "none": 1}
        )
        self.assertEqual(
            self.counted("model", "models"), {"gpt-4o": 0, "o3": 0, "unknown": 1}
        )

    def test_hours(self) -> None:
        """
        Under their beginning, in UTC; those without traffic are not there.
        """
        for minutes in (60, 61, 62, 200):
            self.add(timedelta(minutes=minutes))
        self.assertEqual(
            self.counted("hour", "hours"),
            {
                "2026-03-10T08:00:00.000Z": 1,
                "2026-03-10T10:00:00.000Z": 2,
                "2026-03-10T11:00:00.000Z": 1,
            },
        )

    def test_days(self) -> None:
        """
        Likewise.
        """
        for hours in (1, 12, 12.1, 50):
            self.add(timedelta(hours=hours))
        self.assertEqual(
            self.counted("day", "days"),
            {
                "2026-03-08T00:00:00.000Z": 1,
                "2026-03-09T00:00:00.000Z": 1,
                "2026-03-10T00:00:00.000Z": 2,
            },
        )

    def test_filtered(self) -> None:
        """
        The groups are those of the requests that match.
        """
        self.add(model="o3", provider="beta")
        self.add(model="gpt-4o", provider="alpha")
        self.assertEqual(
            self.counted("provider", "providers", model="o3"), {"alpha": 0, "beta": 1}
        )


class PostgresTotalTests(OnPostgres, TotalTests):
    """
    The same on PostgreSQL.
    """


class PostgresSumTests(OnPostgres, SumTests):
    """
    The same on PostgreSQL.
    """


class PostgresPercentileTests(OnPostgres, PercentileTests):
    """
    The same on PostgreSQL.
    """


class PostgresFilterTests(OnPostgres, FilterTests):
    """
    The same on PostgreSQL.
    """


class PostgresGroupTests(OnPostgres, GroupTests):
    """
    The same on PostgreSQL.
    """
