"""
Tests for L{arbstr.web.reports}.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from attrs import define
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError
from twisted.internet.defer import Deferred, execute, fail

from arbstr.config.builtin import builtin_config
from arbstr.config.load import load_config
from arbstr.config.model import Config, ModelSettings, ProviderSettings
from arbstr.errors import ApiError
from arbstr.ledger.engines import DatabaseError
from arbstr.ledger.matching import Known
from arbstr.routing.router import Router
from arbstr.web.reports import Reports, known_names, parameters

from ..config.support import FileTestCase
from ..ledger.books import KNOWN, NOW, BooksTestCase

T = TypeVar("T")


@define
class OneConnection:
    """
    Reads at once, by a connection that is there.
    """

    connection: Connection
    broken: Exception | None = None

    def read(self, query: Callable[[Connection], T]) -> Deferred[T]:
        """
        See L{arbstr.web.reports.Reader.read}.
        """
        if self.broken is not None:
            return fail(self.broken)
        return execute(query, self.connection)


class ReportsTests(BooksTestCase):
    """
    Answers to what was asked by URL.
    """

    def setUp(self) -> None:
        super().setUp()
        self.database = OneConnection(self.connection)
        self.reports = Reports(self.database, lambda: KNOWN, lambda: NOW / 1000)

    def answer(self, asked: Coroutine[Any, Any, Any]) -> Any:
        """
        The body of an answer.
        """
        return self.successResultOf(Deferred.fromCoroutine(asked))

    def refusal(self, asked: Coroutine[Any, Any, Any]) -> ApiError:
        """
        The error in place of an answer.
        """
        failure = self.failureResultOf(Deferred.fromCoroutine(asked), ApiError)
        error: ApiError = failure.value
        return error

    def test_stats(self) -> None:
        """
        C{GET /v1/stats} with a range that ends now.
        """
        self.add(cost="2")
        answer = self.answer(self.reports.stats({b"group_by": [b"model"]}))
        self.assertEqual(answer, self.stats(group_by="model"))
        self.assertEqual(answer["costs"]["total_cost_sats"], 2)

    def test_requests(self) -> None:
        """
        C{GET /v1/requests}.
        """
        self.add(model="o3")
        request_id = self.add(model="gpt-4o")
        answer = self.answer(self.reports.requests({b"model": [b"GPT-4o"]}))
        self.assertEqual([each["request_id"] for each in answer["data"]], [request_id])

    def test_request(self) -> None:
        """
        C{GET /v1/requests/ID}.
        """
        request_id = self.add()
        answer = self.answer(self.reports.request(request_id))
        self.assertEqual(answer, self.listing()["data"][0])

    def test_no_such_request(self) -> None:
        """
        The error names it.
        """
        error = self.refusal(self.reports.request("nobody"))
        self.assertEqual((error.status, error.code), (404, "request_not_found"))
        self.assertEqual(error.message, "No finished request 'nobody' is in the log")

    def test_bad_parameters(self) -> None:
        """
        They are refused before the database is asked.
        """
        self.database.broken = AssertionError("asked")
        for report in (self.reports.stats, self.reports.requests):
            error = self.refusal(report({b"range": [b"last_week"]}))
            self.assertEqual((error.status, error.param), (400, "range"))

    def test_unknown_name(self) -> None:
        """
        That nobody knows a name turns out in the database's thread.
        """
        for report in (self.reports.stats, self.reports.requests):
            error = self.refusal(report({b"provider": [b"nobody"]}))
            self.assertEqual((error.status, error.param), (404, "provider"))

    def test_broken_database(self) -> None:
        """
        It is worth trying again; what is wrong with it goes to the log only.
        """
        for broken in (
            OperationalError("SELECT secret", None, Exception("disk I/O error")),
            DatabaseError("database arbstr.db: it is not open"),
        ):
            self.database.broken = broken
            error = self.refusal(self.reports.stats({}))
            self.assertEqual((error.status, error.retry_after), (503, 5))
            self.assertEqual(
                error.message, "The database cannot be read; the log says why"
            )
            (logged,) = self.flushLoggedErrors(type(broken))
            self.assertIs(logged.value, broken)


class ParameterTests(FileTestCase):
    """
    L{parameters}.
    """

    def refusal(self, arguments: dict[bytes, list[bytes]]) -> ApiError:
        """
        The error for what cannot be used.
        """
        error: ApiError = self.assertRaises(ApiError, parameters, arguments)
        self.assertEqual(error.status, 400)
        return error

    def test_text(self) -> None:
        """
        It is UTF-8.
        """
        self.assertEqual(parameters({b"model": ["é".encode()]}), {"model": "é"})

    def test_twice(self) -> None:
        """
        Nobody knows which of them was meant.
        """
        error = self.refusal({b"page": [b"1", b"2"]})
        self.assertEqual(error.param, "page")
        self.assertEqual(error.message, "page: expected one value, found 2")

    def test_not_utf_8(self) -> None:
        """
        Neither names nor values may be anything.
        """
        error = self.refusal({b"model": [b"\xff"]})
        self.assertEqual(
            (error.param, error.message), ("model", "model: expected UTF-8")
        )
        self.assertEqual(parameters({b"\xff": [b""]}), {"\\xff": ""})


class KnownTests(FileTestCase):
    """
    L{known_names}.
    """

    def test_names_that_came_later(self) -> None:
        """
        They are those of the market as it is now.
        """
        market = Router(builtin_config())
        market.use(
            Config(
                providers=(
                    ProviderSettings(
                        name="new",
                        url="https://new.example/v1",
                        models=(ModelSettings(name="z"),),
                    ),
                )
            )
        )
        known = known_names(market)
        self.assertEqual(
            (known.models, known.providers, known.policies), (["z"], ["new"], [])
        )

    def test_configured_names(self) -> None:
        """
        Models, providers, policies, and every tier that there can be.
        """
        path = self.write(
            """
            providers:
              - {name: a, input_rate: 1, output_rate: 1, kind: mock, models: [x, y]}
              - {name: b, input_rate: 1, output_rate: 1, kind: mock, models: [x]}
            policies: {rules: [{name: r}]}
            """
        )
        config = load_config(path, {}).config
        self.assertEqual(
            known_names(Router(config)),
            Known(
                models=["x", "y"],
                providers=["a", "b"],
                tiers=("local", "standard", "frontier"),
                policies=["r"],
            ),
        )
