"""
Tests for L{arbstr.ledger.listing}.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import chain
from typing import Any

from sqlalchemy import Connection, event

from arbstr.errors import ApiError
from arbstr.ledger import listing as module
from arbstr.ledger.listing import one

from .books import BooksTestCase, OnPostgres


class RowTests(BooksTestCase):
    """
    What is told of a request.
    """

    def row(self) -> Any:
        """
        The only one.
        """
        (row,) = self.listing()["data"]
        return row

    def test_shape(self) -> None:
        """
        Every member of a request that went well.
        """
        request_id = self.add(
            timedelta(milliseconds=1),
            policy="code",
            streaming=True,
            input_tokens=10,
            cached_tokens=4,
            output_tokens=20,
            reasoning_tokens=5,
            tokens_estimated=True,
            cost="0.000000001",
            baseline="2.5",
            ttft_ms=7,
            stream_duration_ms=80,
        )
        row = self.row()
        self.assertIsInstance(row.pop("id"), int)
        self.assertEqual(
            row,
            {
                "request_id": request_id,
                "timestamp": "2026-03-10T11:59:59.999Z",
                "model": "gpt-4o",
                "provider": "alpha",
                "policy": "code",
                "tier": "standard",
                "streaming": True,
                "success": True,
                "tokens": {
                    "input": 10,
                    "cached": 4,
                    "output": 20,
                    "reasoning": 5,
                    "estimated": True,
                },
                "cost": {"sats": 1e-9, "provider_sats": None, "baseline_sats": 2.5},
                "timing": {
                    "latency_ms": 100,
                    "ttft_ms": 7,
                    "stream_duration_ms": 80,
                },
                "attempts": [
                    {
                        "provider": "alpha",
                        "start_ms": 0,
                        "duration_ms": 90,
                        "outcome": "ok",
                        "first_byte_ms": None,
                    }
                ],
            },
        )

    def test_error_of_a_failure(self) -> None:
        """
        Only failures have one.
        """
        self.add(success=False, error_status=502, error_message="no luck")
        self.assertEqual(self.row()["error"], {"status": 502, "message": "no luck"})

    def test_interrupted(self) -> None:
        """
        There is no status: nobody was told anything.
        """
        self.interrupt(self.add(ended=False))
        self.assertEqual(
            self.row()["error"], {"status": None, "message": "interrupted"}
        )
        self.assertEqual(self.row()["timing"]["latency_ms"], None)

    def test_one(self) -> None:
        """
        Alone it is told as in the list.
        """
        request_id = self.add(cost="2")
        self.add()
        found = one(self.connection, request_id.upper())
        self.assertEqual(found, self.listing()["data"][1])

    def test_not_there(self) -> None:
        """
        Neither what was never asked for, nor what could not be an id, nor what
        is not over.
        """
        open_id = self.add(ended=False)
        for request_id in (open_id, open_id[:-1] + "f", "x", "", "nul\0", "é"):
            self.assertIsNone(one(self.connection, request_id), request_id)


class PageTests(BooksTestCase):
    """
    Pages and what is told about them.
    """

    def test_newest_first(self) -> None:
        """
        Among those of the same millisecond, too.
        """
        first, second = self.add(), self.add()
        old = self.add(timedelta(hours=1))
        self.assertEqual(self.listed(), [second, first, old])

    def test_envelope(self) -> None:
        """
        Where in what one is.
        """
        for _ in range(5):
            self.add()
        answer = self.listing(page="2", per_page="2", range="last_1h")
        self.assertEqual(len(answer.pop("data")), 2)
        self.assertEqual(
            answer,
            {
                "page": 2,
                "per_page": 2,
                "total": 5,
                "total_pages": 3,
                "since": "2026-03-10T11:00:00.000Z",
                "until": "2026-03-10T12:00:00.000Z",
            },
        )

    def test_every_row_is_on_one_page(self) -> None:
        """
        In each order, whichever end a page is read from, and also where many
        rows are equal or have no value; the databases read these pages by the
        index of the order or sort them.
        """
        for number in range(11):
            cost = None if number % 4 == 0 else str(number % 3)
            self.add(
                timedelta(minutes=number % 5 + 1), cost=cost, latency_ms=number % 2
            )
        for most in (0, 100):
            self.patch(module, "SORTED_AT_MOST", most)
            for sort in ("timestamp", "cost_sats", "latency_ms"):
                for order in ("asc", "desc"):
                    self.assert_pages_fit(sort=sort, order=order)

    def assert_pages_fit(self, **parameters: str) -> None:
        """
        Pages of two make up what one page holds.
        """
        whole = self.listed(**parameters)
        self.assertEqual(len(set(whole)), 11)
        parts = [
            self.listed(**parameters, per_page="2", page=str(page))
            for page in range(1, 7)
        ]
        self.assertEqual(list(chain(*parts)), whole, parameters)
        self.assertEqual([len(part) for part in parts], [2, 2, 2, 2, 2, 1])

    def test_beyond_the_last(self) -> None:
        """
        There is nothing there, and one can see where the end is.
        """
        self.add()
        for page in ("2", "1000000000"):
            answer = self.listing(page=page)
            self.assertEqual((answer["data"], answer["total_pages"]), ([], 1))

    def test_empty(self) -> None:
        """
        No requests are no pages.
        """
        answer = self.listing()
        self.assertEqual(answer["data"], [])
        self.assertEqual((answer["total"], answer["total_pages"]), (0, 0))

    def test_large_pages(self) -> None:
        """
        A hundred, whoever wants more.
        """
        for _ in range(101):
            self.add()
        answer = self.listing(per_page="5000")
        self.assertEqual(len(answer["data"]), 100)
        self.assertEqual((answer["per_page"], answer["total_pages"]), (100, 2))


class OrderTests(BooksTestCase):
    """
    C{sort} and C{order}.
    """

    def test_by_time(self) -> None:
        """
        Oldest first.
        """
        new, old = self.add(), self.add(timedelta(hours=2))
        self.assertEqual(self.listed(order="asc"), [old, new])

    def test_by_cost(self) -> None:
        """
        What is not known comes last in either order.
        """
        unknown, dear, free = self.add(), self.add(cost="9"), self.add(cost="0")
        self.assertEqual(self.listed(sort="cost_sats"), [dear, free, unknown])
        self.assertEqual(
            self.listed(sort="cost_sats", order="asc"), [free, dear, unknown]
        )

    def test_by_latency(self) -> None:
        """
        Numbers, not texts.
        """
        long, short = self.add(latency_ms=1000), self.add(latency_ms=9)
        cut = self.add(ended=False)
        self.interrupt(cut)
        self.assertEqual(self.listed(sort="latency_ms"), [long, short, cut])
        self.assertEqual(
            self.listed(sort="latency_ms", order="asc"), [short, long, cut]
        )


class FilterTests(BooksTestCase):
    """
    Which requests are listed.
    """

    def test_flags(self) -> None:
        """
        How it ended, and how it was answered.
        """
        fine = self.add()
        failed = self.add(success=False)
        stream = self.add(streaming=True)
        self.assertEqual(self.listed(success="false"), [failed])
        self.assertEqual(self.listed(success="true"), [stream, fine])
        self.assertEqual(self.listed(streaming="true"), [stream])
        self.assertEqual(self.listed(streaming="false", success="true"), [fine])

    def test_names_in_any_case(self) -> None:
        """
        Of models, providers and policies.
        """
        wanted = self.add(model="O3", provider="Beta", policy="Code")
        self.add(model="gpt-4o", provider="alpha", policy=None)
        for name, value in (("model", "o3"), ("provider", "BETA"), ("policy", "code")):
            self.assertEqual(self.listed(**{name: value}), [wanted], name)

    def test_filters_with_every_order(self) -> None:
        """
        What is listed does not depend on how the database finds it.
        """
        wanted = self.add(model="o3", success=False, cost="1")
        self.add(model="o3", cost="2")
        self.add(success=False)
        self.add(timedelta(days=9), model="o3", success=False)
        for most in (0, 100):
            self.patch(module, "SORTED_AT_MOST", most)
            for sort in ("timestamp", "cost_sats", "latency_ms"):
                found = self.listed(sort=sort, model="O3", success="false")
                self.assertEqual(found, [wanted], (sort, most))

    def test_in_flight_are_left_out(self) -> None:
        """
        Until they are over.
        """
        self.add(ended=False)
        answer = self.listing()
        self.assertEqual((answer["data"], answer["total"]), ([], 0))

    def test_unknown_names(self) -> None:
        """
        A model or a provider that nobody knows.
        """
        for name in ("model", "provider"):
            error = self.assertRaises(ApiError, self.listing, **{name: "nobody"})
            self.assertEqual((error.status, error.param), (404, name))
            self.assertIn("'nobody'", error.message)

    def test_unknown_policy(self) -> None:
        """
        There is nothing of it.
        """
        self.add(policy="code")
        self.assertEqual(self.listed(policy="nobody"), [])


class PlanTests(BooksTestCase):
    """
    How SQLite reads a page of a long log.
    """

    def setUp(self) -> None:
        super().setUp()
        self.patch(module, "SORTED_AT_MOST", 0)
        for number in range(10):
            self.add(cost=str(number), latency_ms=number)

    def steps(self, **parameters: str) -> list[str]:
        """
        What the database does for a listing.
        """
        asked: list[tuple[str, Any]] = []

        def note(
            connection: Connection, cursor: object, statement: str, values: Any, *_: Any
        ) -> None:
            asked.append((statement, values))

        event.listen(self.connection, "before_cursor_execute", note)
        self.listing(per_page="2", **parameters)
        event.remove(self.connection, "before_cursor_execute", note)
        return [
            step.detail
            for statement, values in asked
            for step in self.connection.exec_driver_sql(
                f"EXPLAIN QUERY PLAN {statement}", values
            )
        ]

    def test_nothing_is_sorted(self) -> None:
        """
        Each order has an index, from either end.
        """
        for sort in ("timestamp", "cost_sats", "latency_ms"):
            for page in ("1", "5"):
                for order in ("asc", "desc"):
                    steps = self.steps(sort=sort, page=page, order=order)
                    self.assertFalse([each for each in steps if "TEMP B-TREE" in each])
                    index = f"ix_requests_{sort}_id"
                    self.assertTrue([each for each in steps if index in each], steps)

    def test_filters_do_not_make_it_sort(self) -> None:
        """
        Not even one that has an index of its own.
        """
        for sort in ("timestamp", "cost_sats"):
            steps = self.steps(sort=sort, success="true", model="gpt-4o")
            self.assertFalse([each for each in steps if "TEMP B-TREE" in each], steps)

    def test_rows_are_not_read_to_be_skipped(self) -> None:
        """
        By time, the index alone tells which rows to skip.
        """
        steps = self.steps(page="3")
        skipping = [each for each in steps if "ix_requests_timestamp_id" in each]
        self.assertTrue(skipping)
        for each in skipping:
            self.assertIn("COVERING INDEX", each)


class PostgresRowTests(OnPostgres, RowTests):
    """
    The same on PostgreSQL.
    """


class PostgresPageTests(OnPostgres, PageTests):
    """
    The same on PostgreSQL.
    """


class PostgresOrderTests(OnPostgres, OrderTests):
    """
    The same on PostgreSQL.
    """


class PostgresFilterTests(OnPostgres, FilterTests):
    """
    The same on PostgreSQL.
    """
