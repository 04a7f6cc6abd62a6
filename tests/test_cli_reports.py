"""
The commands of C{arbstr} that ask a running daemon.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any, ClassVar

from arbstr.commands.tables import cell, table

from .ledger.books import BooksTestCase
from .test_cli import Result, run

MODELS = {
    "object": "list",
    "data": [
        {
            "id": "gpt-4o",
            "arbstr": {
                "input_rate": 100.0,
                "output_rate": 0.5,
                "base_fee": 0.0,
                "providers": ["alpha", "beta"],
                "tier": "local",
            },
        }
    ],
}
HEALTH = {
    "status": "degraded",
    "providers": {
        "alpha": {
            "state": "open",
            "failure_count": 3,
            "trip_count": 1,
            "tier": "local",
            "cooling_until": None,
        }
    },
}


class _Handler(BaseHTTPRequestHandler):
    """
    Answers everything alike, and remembers what it was asked.
    """

    status = 200
    body = b"{}"
    headers_sent: ClassVar[dict[str, str]] = {}
    asked: ClassVar[list[tuple[str, str | None]]] = []
    posted: ClassVar[list[tuple[dict[str, str], Any]]] = []

    def do_POST(self) -> None:
        """
        See L{BaseHTTPRequestHandler}.
        """
        length = int(self.headers["Content-Length"])
        self.posted.append((dict(self.headers), json.loads(self.rfile.read(length))))
        self.do_GET()

    def do_GET(self) -> None:
        """
        See L{BaseHTTPRequestHandler}.
        """
        self.asked.append((self.path, self.headers["Authorization"]))
        self.send_response(self.status)
        for name, value in self.headers_sent.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: Any) -> None:
        """
        Say nothing.
        """


class DaemonTestCase(BooksTestCase):
    """
    Runs commands against a server that answers as it is told to.
    """

    def setUp(self) -> None:
        super().setUp()
        self.patch(os, "environ", {"PATH": os.environ.get("PATH", "")})
        self.asked: list[tuple[str, str | None]] = []
        self.posted: list[tuple[dict[str, str], Any]] = []

    def serve(
        self,
        answer: object,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """
        @param answer: a JSON value, or the body itself.
        @return: the URL of the server.
        """
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        handler = type(
            "Handler",
            (_Handler,),
            {
                "status": status,
                "body": body,
                "headers_sent": dict(headers or {}),
                "asked": self.asked,
                "posted": self.posted,
            },
        )
        server = HTTPServer(("127.0.0.1", 0), handler)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}"

    def ask(self, answer: object, *arguments: str, status: int = 200) -> Result:
        """
        Run a command against a server with this answer.
        """
        return run(*arguments, "--url", self.serve(answer, status))

    def cells(self, line: str) -> list[str]:
        """
        The cells of a line of a table.
        """
        return [each.strip() for each in line.split("  ") if each.strip()]


class TableTests(DaemonTestCase):
    """
    What people get to see.
    """

    def test_stats(self) -> None:
        """
        The totals, and a line for each group.
        """
        self.add(cost="0.000000001", input_tokens=3, output_tokens=4)
        self.add(model="o3", success=False, latency_ms=200, streaming=True)
        result = self.ask(self.stats(group_by="model"), "stats")
        self.assertEqual((result.code, result.err), (0, ""))
        span, headings, *lines = result.out.splitlines()
        self.assertEqual(span, "2026-03-03T12:00:00.000Z to 2026-03-10T12:00:00.000Z")
        self.assertEqual(self.cells(headings)[:3], ["REQUESTS", "ERRORS", "STREAMING"])
        none = ["-", "-"]
        self.assertEqual(
            [self.cells(line) for line in lines],
            [
                [
                    "total",
                    "2",
                    "1",
                    "1",
                    "3",
                    "4",
                    "0.000000001",
                    "0",
                    "150",
                    "100",
                    "200",
                    *none,
                ],
                [
                    "gpt-4o",
                    "1",
                    "0",
                    "0",
                    "3",
                    "4",
                    "0.000000001",
                    "0",
                    "100",
                    "100",
                    "100",
                    *none,
                ],
                ["o3", "1", "1", "1", "0", "0", "0", "0", "200", "200", "200", *none],
            ],
        )

    def test_nothing(self) -> None:
        """
        An empty range says so.
        """
        result = self.ask(self.stats(), "stats")
        self.assertEqual(result.out.splitlines()[-1], "No requests in this range")

    def test_requests(self) -> None:
        """
        A line for each, and where one is.
        """
        fine = self.add(
            cost="0.5", input_tokens=10, output_tokens=20, tokens_estimated=True
        )
        failed = self.add(success=False, error_status=502, error_message="no luck")
        result = self.ask(self.listing(), "requests")
        headings, first, second, page = result.out.splitlines()
        self.assertEqual(self.cells(headings)[:2], ["TIME", "REQUEST"])
        common = ["gpt-4o", "alpha", "-", "standard"]
        time = "2026-03-10T11:59:00.000Z"
        self.assertEqual(
            self.cells(first), [time, failed, *common, "-", "-", "100", "502 no luck"]
        )
        self.assertEqual(
            self.cells(second), [time, fine, *common, "~10+20", "0.5", "100", "ok"]
        )
        self.assertEqual(page, "page 1 of 1, 2 requests")

    def test_one_request(self) -> None:
        """
        All that is known, a line each.
        """
        self.add(cost="2")
        (row,) = self.listing()["data"]
        result = self.ask(row, "requests", "some/id")
        self.assertEqual(self.asked, [("/v1/requests/some%2Fid", None)])
        lines = [self.cells(line) for line in result.out.splitlines()]
        self.assertIn(["cost.sats", "2"], lines)
        self.assertIn(["attempts[0].provider", "alpha"], lines)
        self.assertIn(["success", "yes"], lines)

    def test_one_failed_request(self) -> None:
        """
        What went wrong with it is no error of asking.
        """
        self.add(success=False, error_status=502, error_message="no luck")
        (row,) = self.listing()["data"]
        result = self.ask(row, "requests", row["request_id"])
        self.assertEqual((result.code, result.err), (0, ""))
        self.assertIn("error.message", result.out)

    def test_health(self) -> None:
        """
        The state, and every circuit.
        """
        result = self.ask(HEALTH, "health")
        state, _, line = result.out.splitlines()
        self.assertEqual((result.code, state), (0, "degraded"))
        self.assertEqual(self.cells(line), ["alpha", "open", "3", "1", "local", "-"])

    def test_file_that_cannot_be_read_again(self) -> None:
        """
        Why stands below, and terminals obey nothing in it.
        """
        config = {"loaded_at": "2026-11-22T10:00:00Z", "error": "one\n\x1b[2Jtwo"}
        result = self.ask(HEALTH | {"config": config}, "health")
        self.assertEqual(
            result.out.splitlines()[3:],
            ["The file in its present state cannot be used:", "one", "\ufffd[2Jtwo"],
        )

    def test_file_that_can(self) -> None:
        config = {"loaded_at": "2026-11-22T10:00:00Z", "error": None}
        with_config = self.ask(HEALTH | {"config": config}, "health")
        self.assertEqual(with_config.out, self.ask(HEALTH, "health").out)

    def test_unhealthy(self) -> None:
        """
        It is told just the same, and scripts see it by the exit code.
        """
        result = self.ask(HEALTH | {"status": "unhealthy"}, "health", status=503)
        self.assertEqual((result.code, result.err), (1, ""))
        self.assertEqual(result.out.splitlines()[0], "unhealthy")

    def test_models(self) -> None:
        """
        With the rates at the cheapest.
        """
        result = self.ask(MODELS, "models")
        self.assertEqual(
            self.cells(result.out.splitlines()[1]),
            ["gpt-4o", "local", "100", "0.5", "0", "alpha, beta"],
        )

    def test_json(self) -> None:
        """
        Programs get the daemon's own answer.
        """
        for command, answer in (("models", MODELS), ("health", HEALTH)):
            result = self.ask(answer, command, "--json")
            self.assertEqual(json.loads(result.out), answer)

    def test_what_terminals_obey(self) -> None:
        """
        Names come from clients: none of them clears the screen.
        """
        self.assertEqual(table([["a\x1b[2J\n", "b"]]), "a\ufffd[2J\ufffd  b")

    def test_cells(self) -> None:
        """
        Sats to the last digit, and no digit that says nothing.
        """
        told = {
            1e-9: "0.000000001",
            1234567.125: "1234567.125",
            20.0: "20",
            30: "30",
            None: "-",
            "x": "x",
        }
        self.assertEqual([cell(value) for value in told], list(told.values()))
        self.assertEqual((cell(True), cell(False)), ("yes", "no"))


class AskingTests(DaemonTestCase):
    """
    What the daemon is asked.
    """

    def test_parameters(self) -> None:
        """
        Those of the command line, and no others.
        """
        answer = self.listing()
        self.ask(
            answer,
            "requests",
            *("--model", "a b", "--per-page", "5"),
            *("--since", "2026-01-01T00:00:00+01:00"),
        )
        (asked,) = self.asked
        self.assertEqual(
            asked[0],
            "/v1/requests?since=2026-01-01T00%3A00%3A00%2B01%3A00&model=a+b&per_page=5",
        )

    def test_grouping(self) -> None:
        """
        Stats know a parameter of their own.
        """
        self.ask(self.stats(), "stats", "--group-by", "tier")
        self.assertEqual(self.asked, [("/v1/stats?group_by=tier", None)])

    def test_token(self) -> None:
        """
        The command line's wins over the environment's.
        """
        os.environ["ARBSTR_TOKEN"] = "one"
        self.ask(MODELS, "models")
        self.ask(MODELS, "models", "--token", "two")
        self.assertEqual(
            self.asked, [("/v1/models", "Bearer one"), ("/v1/models", "Bearer two")]
        )

    def test_proxy_of_the_environment(self) -> None:
        """
        It is not asked for what runs on this machine.
        """
        os.environ["http_proxy"] = "http://127.0.0.1:1"
        self.assertEqual(self.ask(MODELS, "models").code, 0)

    def test_slash(self) -> None:
        """
        The URL may end in one.
        """
        run("models", "--url", self.serve(MODELS) + "/")
        self.assertEqual(self.asked, [("/v1/models", None)])


class RefusalTests(DaemonTestCase):
    """
    One line on standard error, and exit code 1.
    """

    def assert_error(self, result: Result, *parts: str) -> None:
        """
        Nothing but a line with these in it.
        """
        self.assertEqual((result.code, result.out), (1, ""))
        (line,) = result.err.splitlines()
        for part in parts:
            self.assertIn(part, line)

    def test_nobody_there(self) -> None:
        """
        The line says where, and why.
        """
        server = HTTPServer(("127.0.0.1", 0), _Handler)
        server.server_close()
        url = f"http://127.0.0.1:{server.server_port}"
        result = run("stats", "--url", url)
        self.assert_error(result, f"{url}: cannot reach arbstr there: Connection ref")

    def test_error_of_the_daemon(self) -> None:
        """
        It explains itself.
        """
        error = {"error": {"message": "range: expected last_1h", "param": "range"}}
        result = self.ask(error, "stats", status=400)
        self.assert_error(result, ": range: expected last_1h")

    def test_somebody_else(self) -> None:
        """
        Whatever it is, it is not arbstr.
        """
        for body in (b"<html>", b"[]", b"{}", b"\xff", b"[" * 100_000):
            result = self.ask(body, "stats", status=404)
            self.assert_error(result, "expected arbstr", "/v1/stats with status 404")

    def test_redirect(self) -> None:
        """
        The token goes nowhere else.
        """
        other = self.serve(MODELS)
        url = self.serve({}, 302, {"Location": f"{other}/v1/models"})
        result = run("models", "--url", url, "--token", "secret")
        self.assertEqual(self.asked, [("/v1/models", "Bearer secret")])
        self.assert_error(result, "expected arbstr", "with status 302")

    def test_bad_urls(self) -> None:
        """
        What cannot be asked is not tried.
        """
        for url in (
            "nowhere",
            "file:///etc/passwd",
            "http://",
            "http://a:b",
            "http://é",
        ):
            self.assert_error(run("stats", "--url", url), "--url: expected a URL", url)

    def test_bad_tokens(self) -> None:
        """
        They are not shown.
        """
        url = self.serve(MODELS)
        for token in ("secret\nsecret", "secret\u20ac"):
            result = run("models", "--url", url, "--token", token)
            self.assert_error(result, "--token: expected")
            self.assertNotIn("secret", result.err)
