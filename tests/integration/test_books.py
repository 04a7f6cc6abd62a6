"""
The rows that requests leave in the books, on either database.
"""

from __future__ import annotations

import json
from decimal import Decimal

from tests.ledger.databases import OnPostgres, OnSqlite

from .books import WithBooks
from .harness import DaemonTestCase, chat, coroutine
from .providers import (
    DONE,
    FIRST,
    WHOLE,
    answers,
    begins_a_stream,
    completion,
    delta,
    event,
    fails,
    is_silent,
    serves,
    streams,
)

NO_COST = {"sats": None, "provider_sats": None, "baseline_sats": None}
NO_TOKENS = {
    "input": None,
    "cached": None,
    "output": None,
    "reasoning": None,
    "estimated": False,
}


class RowsContract(WithBooks):
    """
    Every request leaves a row, which says what its answer said.
    """

    @coroutine
    async def test_buffered(self) -> None:
        """
        Provider, tokens and cost, to the last digit.
        """
        usage = {
            "prompt_tokens": 11,
            "completion_tokens": 7,
            "prompt_tokens_details": {"cached_tokens": 3},
            "completion_tokens_details": {"reasoning_tokens": 2},
        }
        self.serve(answers(200, completion(usage=usage)))
        answer = await self.ask()
        row = await self.row()
        self.assert_served(row, answer, ("alpha", "ok"))
        self.assertFalse(row["streaming"])
        self.assertEqual(
            row["tokens"],
            {
                "input": 11,
                "cached": 3,
                "output": 7,
                "reasoning": 2,
                "estimated": False,
            },
        )
        sats = answer.header("X-Arbstr-Cost-Sats")
        self.assertEqual(Decimal(str(row["cost"]["sats"])), Decimal(sats or "none"))
        self.assertEqual(row["cost"]["provider_sats"], None)
        self.assertEqual(row["timing"]["ttft_ms"], None)

    @coroutine
    async def test_streamed(self) -> None:
        """
        The same facts as in the stream's own comment.
        """
        self.serve(streams(*WHOLE))
        answer = await self.ask(chat(stream=True))
        row = await self.row()
        self.assert_served(row, answer, ("alpha", "ok"))
        self.assertTrue(row["streaming"])
        comment = answer.body.partition(b": arbstr ")[2].partition(b"\n")[0]
        self.assertEqual(row["cost"]["sats"], json.loads(comment)["cost_sats"])
        self.assertEqual((row["tokens"]["input"], row["tokens"]["output"]), (10, 20))
        timing = row["timing"]
        self.assertEqual(
            timing["ttft_ms"] + timing["stream_duration_ms"], timing["latency_ms"]
        )

    @coroutine
    async def test_failed_over(self) -> None:
        """
        Whoever served, and all that were asked before.
        """
        self.serve(fails(500), serves)
        answer = await self.ask()
        retries = int((answer.header("X-Arbstr-Retries") or "0/").partition("/")[0])
        row = await self.row()
        failed = [("alpha", "5xx")] * retries
        self.assert_served(row, answer, *failed, ("beta", "ok"))
        self.assertEqual(row["provider"], "beta")

    @coroutine
    async def test_refused_by_the_provider(self) -> None:
        """
        An error that is the client's own.
        """
        self.serve(fails(400, "bad temperature"))
        answer = await self.ask()
        self.assertEqual(answer.status, 400)
        row = await self.row()
        self.assert_failed(row, 400, "bad temperature")
        self.assert_attempts(row, ("alpha", "4xx"))
        self.assertEqual((row["tokens"], row["cost"]), (NO_TOKENS, NO_COST))

    @coroutine
    async def test_refused_here(self) -> None:
        """
        Nobody was asked.
        """
        self.serve(serves)
        answer = await self.ask(chat(model="no-such-model"))
        self.assertEqual(answer.status, 400)
        row = await self.row()
        self.assertEqual((row["model"], row["provider"]), ("no-such-model", None))
        self.assert_failed(row, 400, "no-such-model")
        self.assert_attempts(row)

    @coroutine
    async def test_refused_at_the_door(self) -> None:
        """
        Not even the model is known.
        """
        self.serve(serves)
        answer = await self.ask(headers={"Content-Type": "text/plain"})
        self.assertEqual(answer.status, 415)
        row = await self.row()
        self.assertEqual(row["request_id"], answer.header("X-Arbstr-Request-Id"))
        self.assertEqual((row["model"], row["provider"]), (None, None))
        self.assert_failed(row, 415, answer.error()["message"])

    @coroutine
    async def test_strangers(self) -> None:
        """
        They cannot fill the books.
        """
        self.serve(serves)
        answer = await self.ask(headers={"Origin": "https://evil.example"})
        self.assertEqual(answer.status, 403)
        self.assertEqual(await self.rows(), [])

    @coroutine
    async def test_client_left(self) -> None:
        """
        What had been streamed is estimated.
        """
        self.serve(begins_a_stream)
        begun = await self.begin_stream()
        await self.soon(lambda: b"Hel" in begun.body.data)
        begun.leave()
        await self.soon(lambda: len(self.daemon.in_flight) == 0)
        row = await self.row()
        self.assert_failed(row, 499, "")
        self.assert_attempts(row, ("alpha", "cancelled"))
        self.assertTrue(row["tokens"]["estimated"])
        self.assertGreater(row["cost"]["sats"], 0)

    @coroutine
    async def test_stream_cut(self) -> None:
        """
        The client got half an answer: the request has failed.
        """
        self.serve(streams(FIRST, delta("Hel"), end=False))
        answer = await self.ask(chat(stream=True))
        self.assertEqual(answer.status, 200)
        row = await self.row()
        self.assert_failed(row, 502, "")
        self.assertTrue(row["tokens"]["estimated"])
        self.assertEqual([each["provider"] for each in row["attempts"]], ["alpha"])
        self.assertNotEqual(row["attempts"][0]["outcome"], "ok")

    @coroutine
    async def test_in_flight(self) -> None:
        """
        What is not over yet is in no report.
        """
        self.serve(is_silent)
        asking = self.ask()
        await self.providers["alpha"].asked()
        self.assertEqual(await self.rows(), [])
        self.assertTrue((await self.told("/v1/stats"))["empty"])
        (connection,) = self.providers["alpha"].connections
        serves(connection, self.providers["alpha"].requests[0])
        answer = await asking
        self.assert_served(await self.row(), answer, ("alpha", "ok"))

    @coroutine
    async def test_cost_in_a_header(self) -> None:
        """
        Routstr's buffered answers tell it in msats.
        """
        self.serve(answers(200, completion(), "X-Routstr-Cost-Msats: 1234"))
        await self.ask()
        self.assertEqual((await self.row())["cost"]["provider_sats"], 1.234)

    @coroutine
    async def test_cost_in_a_stream(self) -> None:
        """
        Routstr's streams tell it in their usage.
        """
        usage = {
            "prompt_tokens": 10,
            "completion_tokens": 20,
            "cost": {"total_msats": 567, "total_usd": 0.1},
        }
        last = event({"choices": [], "usage": usage})
        self.serve(streams(*WHOLE[:-2], last, DONE))
        await self.ask(chat(stream=True))
        row = await self.row()
        self.assertEqual(row["cost"]["provider_sats"], 0.567)
        self.assertEqual(row["tokens"]["output"], 20)

    @coroutine
    async def test_cost_in_dollars(self) -> None:
        """
        OpenRouter tells it in dollars, which are worth sats at a known rate.
        """
        usage = {"prompt_tokens": 10, "completion_tokens": 20, "cost": 0.0005}
        self.serve(answers(200, completion(usage=usage)), btc_usd=100_000)
        await self.ask()
        self.assertEqual((await self.row())["cost"]["provider_sats"], 0.5)


class SqliteRowsTests(OnSqlite, RowsContract, DaemonTestCase):
    """
    On SQLite.
    """


class PostgresRowsTests(OnPostgres, RowsContract, DaemonTestCase):
    """
    On PostgreSQL.
    """
