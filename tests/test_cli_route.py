"""
C{arbstr route}.
"""

from __future__ import annotations

import json
from typing import Any

from .test_cli import Result
from .test_cli_reports import DaemonTestCase


def provider(name: str, rank: int | None, **members: Any) -> dict[str, Any]:
    """
    What C{/v1/route} says of one provider.
    """
    return {
        "name": name,
        "tier": "standard",
        "eligible": rank is not None,
        "excluded_because": None if rank else "does not serve model 'gpt-4o'",
        "rank": rank,
        "escalation": None,
        "because": "expected cost 0.405 sats" if rank else None,
        "expected_cost_sats": 0.405 if rank else None,
        "first_byte_seconds": None,
        "success_rate": None,
        "circuit": {"state": "closed", "failure_count": 0, "trip_count": 0},
        "cooling_until": None,
        **members,
    }


ROUTE = {
    "model": "gpt-4o",
    "policy": {"name": "code", "reason": "keyword 'code'"},
    "strategy": "cheapest",
    "sats_per_second": 1.0,
    "complexity": {
        "score": 0.2345,
        "reason": None,
        "signals": {
            "code_blocks": {"value": 1 / 3, "weight": 1.0},
            "multi_file": {"value": 0.0, "weight": 2.5},
        },
    },
    "tiers": {"limit": "local", "reason": "complexity 0.234", "escalated_to": None},
    "tier": "standard",
    "estimated_input_tokens": 6,
    "estimated_output_tokens": 256,
    "learned": {"output_tokens": None, "chars_per_token": None},
    "providers": [
        provider("alpha", 1, first_byte_seconds=0.25, success_rate=0.995),
        provider("beta", None),
    ],
    "error": None,
}
REFUSED = ROUTE | {
    "policy": {"name": None, "reason": "no policy applies"},
    "providers": [provider("beta", None)],
    "error": {"status": 400, "message": "No providers\nat all", "code": None},
}


class RouteTests(DaemonTestCase):
    """
    Nothing is sent; it is only explained.
    """

    def lines(self, result: Result) -> list[list[str]]:
        """
        What was printed, by lines and cells.
        """
        return [self.cells(line) for line in result.out.splitlines()]

    def test_table(self) -> None:
        """
        The policy and why, what is expected, and a line for each provider.
        """
        result = self.ask(ROUTE, "route", "gpt-4o", "some code")
        self.assertEqual((result.code, result.err), (0, ""))
        facts, (headings, alpha, beta) = self.lines(result)[:5], self.lines(result)[5:]
        policy, strategy, tokens, complexity, tier = facts
        self.assertEqual(policy, ["policy", "code (keyword 'code')"])
        self.assertEqual(strategy, ["strategy", "cheapest"])
        self.assertEqual(tokens, ["tokens", "~6+256"])
        self.assertEqual(complexity, ["complexity", "0.234 (code_blocks 0.333 x 1)"])
        self.assertEqual(tier, ["tier", "up to local (complexity 0.234)"])
        self.assertEqual(headings[:2], ["RANK", "PROVIDER"])
        measured = ["0.405", "0.250 s", "99.5%"]
        because = "expected cost 0.405 sats"
        self.assertEqual(
            alpha, ["1", "alpha", "standard", *measured, "closed", because]
        )
        why = "does not serve model 'gpt-4o'"
        self.assertEqual(beta, ["-", "beta", "standard", "-", "-", "-", "closed", why])

    def fact(self, name: str, **answer: Any) -> str:
        """
        What is said of the request under this name.
        """
        result = self.ask(ROUTE | answer, "route", "gpt-4o")
        return next(cells[1] for cells in self.lines(result) if cells[0] == name)

    def test_not_judged(self) -> None:
        """
        Why there is no score, where there is none.
        """
        complexity = {
            "score": 1.0,
            "reason": "there is no message",
            "signals": {"code_blocks": {"value": None, "weight": 1.0}},
        }
        told = self.fact("complexity", complexity=complexity)
        self.assertEqual(told, "1 (there is no message)")

    def test_no_signal(self) -> None:
        """
        Only signals that count are told.
        """
        signals = {
            "code_blocks": {"value": 0.0, "weight": 1.0},
            "multi_file": {"value": 1.0, "weight": 0.0},
        }
        complexity = {"score": 0.0, "reason": None, "signals": signals}
        self.assertEqual(
            self.fact("complexity", complexity=complexity), "0 (no signal)"
        )

    def test_no_limit(self) -> None:
        """
        Any tier may serve.
        """
        tiers = {"limit": None, "reason": "tiers are off", "escalated_to": None}
        self.assertEqual(self.fact("tier", tiers=tiers), "any (tiers are off)")

    def test_escalated(self) -> None:
        """
        Or one above the limit has to.
        """
        tiers = {"limit": "local", "reason": "x", "escalated_to": "frontier"}
        self.assertEqual(
            self.fact("tier", tiers=tiers), "up to local, escalated to frontier (x)"
        )

    def test_refused(self) -> None:
        """
        With which error, in one line; scripts see it by the exit code.
        """
        result = self.ask(REFUSED, "route", "gpt-4o")
        self.assertEqual((result.code, result.err), (1, ""))
        self.assertEqual(
            result.out.splitlines()[-1], "refused with 400: No providers\ufffdat all"
        )
        self.assertEqual(self.lines(result)[0], ["policy", "- (no policy applies)"])

    def test_json(self) -> None:
        """
        Programs get the daemon's own answer, whether or not it is good news.
        """
        for answer, code in ((ROUTE, 0), (REFUSED, 1)):
            result = self.ask(answer, "route", "gpt-4o", "--json")
            self.assertEqual((result.code, json.loads(result.out)), (code, answer))

    def test_model_alone(self) -> None:
        """
        The prompt may be left out.
        """
        self.ask(ROUTE, "route", "gpt-4o")
        self.assertEqual([path for path, _ in self.asked], ["/v1/route"])
        ((headers, request),) = self.posted
        self.assertEqual(headers["Content-Type"], "application/json")
        self.assertEqual([name for name in headers if name.startswith("X-")], [])
        message = {"role": "user", "content": ""}
        self.assertEqual(request, {"model": "gpt-4o", "messages": [message]})

    def test_everything(self) -> None:
        """
        The same body and headers as those of a client.
        """
        self.ask(
            ROUTE,
            *("route", "gpt-4o", "Grüße", "--stream", "--max-tokens", "7"),
            *("--policy", "prüfen", "--provider", "beta", "--max-cost-sats", "0.5"),
            *("--complexity", "high", "--token", "one"),
        )
        ((headers, request),) = self.posted
        self.assertEqual(self.asked, [("/v1/route", "Bearer one")])
        policy = headers["X-Arbstr-Policy"].encode("latin-1").decode("utf-8")
        self.assertEqual(policy, "prüfen")
        self.assertEqual(headers["X-Arbstr-Provider"], "beta")
        self.assertEqual(headers["X-Arbstr-Max-Cost-Sats"], "0.5")
        self.assertEqual(headers["X-Arbstr-Complexity"], "high")
        message = {"role": "user", "content": "Grüße"}
        self.assertEqual(
            request,
            {
                "model": "gpt-4o",
                "messages": [message],
                "max_tokens": 7,
                "stream": True,
            },
        )

    def test_unknown_policy(self) -> None:
        """
        The daemon explains.
        """
        error = {"error": {"message": "X-Arbstr-Policy: no such policy"}}
        result = self.ask(error, "route", "gpt-4o", status=400)
        self.assertEqual((result.code, result.out), (1, ""))
        self.assertIn("X-Arbstr-Policy: no such policy", result.err)

    def test_two_lines(self) -> None:
        """
        No header can be slipped in.
        """
        result = self.ask(ROUTE, "route", "gpt-4o", "--policy", "a\r\nX-Other: b")
        self.assertEqual((result.code, result.out), (1, ""))
        self.assertIn("expected a single line", result.err)
        self.assertEqual(self.posted, [])
