"""
What the books say of the requests that a daemon has served, over HTTP and on
either database.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from threading import Event
from typing import Any

from sqlalchemy import Connection
from twisted.internet.defer import Deferred, gatherResults

from tests.ledger.databases import OnPostgres, OnSqlite

from .books import WithBooks
from .harness import DaemonTestCase, chat, coroutine
from .providers import WHOLE, answers, completion, fails, serves, streams

UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


class ReportsContract(WithBooks):
    """
    Totals, and what may be asked.
    """

    @coroutine
    async def test_stats_agree_with_the_rows(self) -> None:
        """
        Failures and streams included, to the last digit.
        """
        usage = {"prompt_tokens": 1, "completion_tokens": 7}

        def either(connection: Any, request: Any) -> None:
            if request.json().get("temperature"):
                fails(400)(connection, request)
            elif request.json().get("stream"):
                streams(*WHOLE)(connection, request)
            else:
                answers(200, completion(usage=usage))(connection, request)

        self.serve(either, serves)
        await gatherResults(
            [self.ask() for _ in range(7)]
            + [self.ask(chat(stream=True)) for _ in range(5)]
            + [self.ask(chat(temperature=3)) for _ in range(3)]
        )
        rows = await self.rows()
        stats = await self.told("/v1/stats?group_by=provider")
        self.assertEqual(
            stats["counts"], {"total": 15, "success": 12, "error": 3, "streaming": 5}
        )
        costs = [row["cost"] for row in rows if row["cost"]["sats"] is not None]
        spent = sum(Decimal(str(cost["sats"])) for cost in costs)
        might = sum(Decimal(str(cost["baseline_sats"])) for cost in costs)
        told = stats["costs"]
        self.assertEqual(Decimal(str(told["total_cost_sats"])), spent)
        self.assertEqual(Decimal(str(told["total_savings_sats"])), might - spent)
        self.assertEqual(told["total_output_tokens"], 7 * 7 + 5 * 20)
        self.assertEqual(set(stats["providers"]), {"alpha", "beta"})
        self.assertEqual(stats["providers"]["beta"]["counts"]["total"], 0)
        self.assertEqual(stats["providers"]["alpha"]["costs"], told)

    @coroutine
    async def test_bad_parameters(self) -> None:
        """
        The error names the parameter.
        """
        self.serve(serves)
        for path, name in (
            ("stats?range=yesterday", "range"),
            ("stats?since=yesterday", "since"),
            ("stats?since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", "since"),
            ("stats?group_by=request_id", "group_by"),
            ("stats?color=blue", "color"),
            ("stats?model=%ff", "model"),
            ("stats?model=a&model=b", "model"),
            ("requests?page=0", "page"),
            ("requests?page=99999999999999999999", "page"),
            ("requests?per_page=many", "per_page"),
            ("requests?sort=id;DROP%20TABLE%20requests", "sort"),
            ("requests?order=up", "order"),
            ("requests?success=perhaps", "success"),
        ):
            answer = await self.get(f"/v1/{path}")
            self.assertEqual((answer.status, path), (400, path))
            self.assertEqual(answer.error()["param"], name)
            self.assertIn(name, answer.error()["message"])

    @coroutine
    async def test_unknown_names(self) -> None:
        """
        Not found, rather than nothing.
        """
        self.serve(serves)
        for path in (
            "stats?model=gpt-none",
            "stats?provider=nobody",
            "requests?model=gpt-none",
            f"requests/{UNKNOWN_ID}",
            "requests/no-uuid",
        ):
            answer = await self.get(f"/v1/{path}")
            self.assertEqual((answer.status, path), (404, path))
            self.assertEqual(answer.error()["type"], "invalid_request_error")

    @coroutine
    async def test_filters_ignore_case(self) -> None:
        self.serve(serves)
        await self.ask()
        listed = await self.told("/v1/requests?model=GPT-4O&provider=Alpha")
        self.assertEqual((listed["total"], listed["total_pages"]), (1, 1))

    @coroutine
    async def test_client_leaves_a_report(self) -> None:
        """
        It is asked of the database to no purpose, and nothing remains of it.
        """
        self.serve(serves)
        read, goes_on = self.books.read, Event()
        asked: list[object] = []

        def slowly(query: Callable[[Connection], Any]) -> Deferred[Any]:
            asked.append(query)
            return read(lambda each: query(each) if goes_on.wait() else None)

        self.patch(self.books, "read", slowly)
        self.addCleanup(goes_on.set)
        for path in ("stats", "requests", f"requests/{UNKNOWN_ID}"):
            asked.clear()
            client = await self.connect()
            head = f"GET /v1/{path} HTTP/1.1\r\nHost: localhost\r\n\r\n"
            client.socket.write(head.encode())
            await self.soon(lambda: bool(asked))
            await client.hang_up()
        goes_on.set()
        self.assertEqual(await self.rows(), [])
        self.assertEqual(self.flushLoggedErrors(), [])

    @coroutine
    async def test_health(self) -> None:
        """
        How the books are.
        """
        self.serve(serves)
        await self.ask()
        self.assertEqual(
            (await self.told("/health"))["ledger"],
            {"kind": "database", "waiting": 0, "dropped": 0, "error": None},
        )


class SqliteReportsTests(OnSqlite, ReportsContract, DaemonTestCase):
    """
    On SQLite.
    """


class PostgresReportsTests(OnPostgres, ReportsContract, DaemonTestCase):
    """
    On PostgreSQL.
    """


class WithoutBooksTests(DaemonTestCase):
    """
    Without a database there are no reports, and all else works.
    """

    @coroutine
    async def test_no_books(self) -> None:
        self.provider("alpha")
        self.start()
        for path in ("/v1/stats", "/v1/requests", f"/v1/requests/{UNKNOWN_ID}"):
            answer = await self.get(path)
            self.assertEqual(answer.status, 503)
            self.assertIn("keeps no books", answer.error()["message"])
        self.assertEqual((await self.ask()).status, 200)
