"""
Tests for L{arbstr.web.explain}.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from arbstr.circuit import CircuitBreakerRegistry, CoolDowns
from arbstr.config.model import CircuitSettings, Config
from arbstr.errors import ApiError
from arbstr.routing.learned import Learned
from arbstr.routing.observation import AttemptSample, Observation
from arbstr.routing.plan import RouteRequest
from arbstr.routing.router import Router
from arbstr.web.explain import Explain

MODEL = "gpt-4o"


def provider(name: str, rate: float, model: str = MODEL, **fields: Any) -> object:
    """
    A provider with one rate for everything.
    """
    url = f"https://{name}.example/v1"
    rates = {"input_rate": rate, "output_rate": rate}
    return {"name": name, "url": url, "models": [model], **rates, **fields}


class ExplainTestCase(SynchronousTestCase):
    """
    Explains requests of 100 tokens, of which 300 are expected, among three
    providers of which two serve the model.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.learned = Learned()
        self.configure()

    def configure(self, routing: dict[str, Any] | None = None, **policies: Any) -> None:
        """
        Start anew with these policies.
        """
        config = Config.model_validate(
            {
                "providers": [
                    provider("other", 1, model="llama"),
                    provider("dear", 5000, base_fee=1),
                    provider("cheap", 1000, tier="local"),
                ],
                "policies": policies,
                "routing": routing or {},
            }
        )
        self.router = Router(config, self.learned)
        self.circuits = CircuitBreakerRegistry(
            self.router.catalog.providers, CircuitSettings(), self.clock
        )
        self.cooldowns = CoolDowns(self.clock, lambda: 0)
        self.explain = Explain(self.router, self.circuits, self.cooldowns)

    def trip(self, *names: str) -> None:
        """
        Open circuits.
        """
        for name in names:
            for _ in range(3):
                self.circuits.record_failure(name, "5xx", "test")

    def cost(self, model: str = MODEL, **fields: Any) -> Any:
        """
        What C{/v1/cost} answers.
        """
        return self.explain.cost(RouteRequest(model, 100, **fields))

    def route(self, model: str = MODEL, **fields: Any) -> Any:
        """
        What C{/v1/route} answers.
        """
        return self.explain.route(RouteRequest(model, 100, **fields))

    def of(self, name: str, **fields: Any) -> Any:
        """
        What C{/v1/route} says of one provider.
        """
        told = self.route(**fields)["providers"]
        return next(each for each in told if each["name"] == name)


class CostTests(ExplainTestCase):
    """
    C{POST /v1/cost}.
    """

    def test_answer(self) -> None:
        """
        The estimate, and what it rests on.
        """
        self.assertEqual(
            self.cost(),
            {
                "model": MODEL,
                "provider": "cheap",
                "estimated_input_tokens": 100,
                "estimated_cached_tokens": 0,
                "estimated_output_tokens": 300,
                "estimated_cost_sats": 0.4,
                "rates": {
                    "input_rate_sats_per_1m": 1000,
                    "cached_input_rate_sats_per_1m": 1000,
                    "output_rate_sats_per_1m": 1000,
                    "base_fee_sats": 0,
                },
                "rate_unit": "sats_per_1m_tokens",
            },
        )

    def test_circuit_open(self) -> None:
        """
        It is the estimate for the first provider that is up.
        """
        self.trip("cheap")
        answer = self.cost()
        self.assertEqual(
            (answer["provider"], answer["estimated_cost_sats"]), ("dear", 3)
        )

    def test_escalation(self) -> None:
        """
        Those that it would escalate to are up, too.
        """
        self.trip("cheap")
        self.assertEqual(self.cost(complexity="low")["provider"], "dear")

    def test_probe_due(self) -> None:
        """
        One that is about to be probed is.
        """
        self.trip("cheap")
        self.clock.advance(30)
        self.assertEqual(self.cost()["provider"], "cheap")

    def test_all_open(self) -> None:
        """
        Where nobody is up, it is the estimate for the first.
        """
        self.trip("cheap", "dear")
        self.assertEqual(self.cost()["provider"], "cheap")

    def test_refused(self) -> None:
        """
        What would be refused has no cost.
        """
        error = self.assertRaises(ApiError, self.cost, max_cost_sats=0.1)
        self.assertEqual(error.code, "max_cost_exceeded")

    def test_same_as_plan(self) -> None:
        """
        It is the plan's own estimate, whatever was learned.
        """
        seen = Observation(MODEL, None, 200, 100, 40)
        for _ in range(20):
            self.learned.observe(seen)
        plan = self.router.plan(RouteRequest(MODEL, 100))
        answer = self.cost()
        self.assertEqual(
            (answer["estimated_input_tokens"], answer["estimated_output_tokens"]),
            (200, 40),
        )
        self.assertEqual(
            answer["estimated_cost_sats"], plan.candidates[0].expected_sats
        )


class RouteTests(ExplainTestCase):
    """
    C{POST /v1/route}.
    """

    def test_request(self) -> None:
        """
        What is said of the request.
        """
        answer = self.route()
        answer.pop("providers")
        self.assertEqual(
            answer,
            {
                "model": MODEL,
                "policy": {
                    "name": None,
                    "reason": "no policy named and no keyword matched",
                },
                "strategy": "cheapest",
                "sats_per_second": 1,
                "complexity": {
                    "score": 1,
                    "reason": "there is no message",
                    "signals": {
                        name: {"value": None, "weight": 1}
                        for name in (
                            "context_length",
                            "code_blocks",
                            "multi_file",
                            "reasoning_keywords",
                            "conversation_depth",
                        )
                    },
                },
                "tiers": {
                    "limit": "frontier",
                    "reason": "complexity 1",
                    "escalated_to": None,
                },
                "tier": "local",
                "estimated_input_tokens": 100,
                "estimated_output_tokens": 300,
                "learned": {
                    "output_tokens": None,
                    "chars_per_token": None,
                    "turns_ahead": 0,
                },
                "error": None,
            },
        )

    def test_eligible(self) -> None:
        """
        What is said of a provider that would be tried.
        """
        self.assertEqual(
            self.of("cheap"),
            {
                "name": "cheap",
                "tier": "local",
                "eligible": True,
                "excluded_because": None,
                "rank": 1,
                "escalation": None,
                "because": "expected cost 0.4 sats against 3 sats of dear",
                "expected_cost_sats": 0.4,
                "expected_cached_tokens": 0,
                "cache_saves_sats": 0,
                "cache_saves_later_sats": 0,
                "first_byte_seconds": None,
                "success_rate": None,
                "circuit": {"state": "closed", "failure_count": 0, "trip_count": 0},
                "cooling_until": None,
            },
        )

    def test_order(self) -> None:
        """
        Everybody is told of, first those that would be tried.
        """
        told = self.route()["providers"]
        self.assertEqual(
            [(each["name"], each["rank"]) for each in told],
            [("cheap", 1), ("dear", 2), ("other", None)],
        )

    def test_does_not_serve(self) -> None:
        """
        Who does not have the model has no cost, either.
        """
        other = self.of("other")
        self.assertFalse(other["eligible"])
        self.assertEqual(other["excluded_because"], "does not serve model 'gpt-4o'")
        self.assertIsNone(other["expected_cost_sats"])

    def test_policy(self) -> None:
        """
        The policy that applies, why it does, and whom it excludes.
        """
        self.configure(
            rules=[
                {
                    "name": "code",
                    "keywords": ["code"],
                    "strategy": "balanced",
                    "sats_per_second": 2,
                    "providers": {"ignore": ["cheap"]},
                }
            ]
        )
        answer = self.route(last_user_text="some code")
        self.assertEqual(answer["policy"], {"name": "code", "reason": "keyword 'code'"})
        self.assertEqual(
            (answer["strategy"], answer["sats_per_second"]), ("balanced", 2)
        )
        cheap = self.of("cheap", last_user_text="some code")
        self.assertFalse(cheap["eligible"])
        self.assertEqual(cheap["excluded_because"], "policy 'code' ignores it")
        self.assertEqual(cheap["expected_cost_sats"], 0.4)

    def test_circuit(self) -> None:
        """
        An open circuit changes no rank; it is told.
        """
        self.trip("cheap")
        cheap = self.of("cheap")
        self.assertEqual(
            cheap["circuit"], {"state": "open", "failure_count": 3, "trip_count": 1}
        )
        self.assertEqual(cheap["rank"], 1)

    def test_learned(self) -> None:
        """
        What was learned is told where it counts.
        """
        attempts = (AttemptSample("cheap", True, 2.0),)
        for _ in range(20):
            self.learned.observe(Observation(MODEL, None, 200, 100, 40, 1, attempts))
        self.assertEqual(
            self.route()["learned"],
            {"output_tokens": 40, "chars_per_token": 2, "turns_ahead": 0},
        )
        cheap = self.of("cheap")
        self.assertEqual((cheap["first_byte_seconds"], cheap["success_rate"]), (2, 1))

    def test_complexity(self) -> None:
        """
        Each signal, what it weighs, and what follows.
        """
        self.configure(routing={"complexity_weights": {"reasoning_keywords": 4}})
        answer = self.route(messages=(("Please debug and compare it",),))
        complexity = answer["complexity"]
        self.assertEqual(
            complexity["signals"]["reasoning_keywords"],
            {"value": 2 / 3, "weight": 4},
        )
        weighed = [
            each["value"] * each["weight"] for each in complexity["signals"].values()
        ]
        self.assertAlmostEqual(complexity["score"], sum(weighed) / 8)
        self.assertIsNone(complexity["reason"])
        self.assertEqual(answer["tiers"]["reason"], "complexity 0.349")
        self.assertEqual(answer["tiers"]["limit"], "local")

    def test_reserve(self) -> None:
        """
        Who is tried only after an escalation comes after those that are tried
        before, and is told which, and why.
        """
        told = self.route(complexity="low")["providers"]
        self.assertEqual(
            [(each["name"], each["rank"], each["escalation"]) for each in told],
            [("cheap", 1, None), ("dear", None, 1), ("other", None, None)],
        )
        dear = told[1]
        self.assertFalse(dear["eligible"])
        self.assertEqual(
            dear["excluded_because"],
            "tier standard is above what X-Arbstr-Complexity: low allows (local)",
        )
        self.assertEqual(dear["because"], "expected cost 3 sats")

    def test_escalated(self) -> None:
        """
        Where nobody of the tier may serve, who does.
        """
        self.configure(rules=[{"name": "rule", "providers": {"ignore": ["cheap"]}}])
        answer = self.route(complexity="low", policy="rule")
        self.assertEqual(
            answer["tiers"],
            {
                "limit": "local",
                "reason": "X-Arbstr-Complexity: low",
                "escalated_to": "standard",
            },
        )
        self.assertEqual(answer["tier"], "standard")

    def test_tiers_off(self) -> None:
        """
        Without tiers there is no limit.
        """
        self.configure(routing={"tiers": "off"})
        self.assertEqual(
            self.route(complexity="low")["tiers"],
            {"limit": None, "reason": "tiers are off", "escalated_to": None},
        )

    def test_no_turn(self) -> None:
        """
        To ask takes nobody's turn.
        """
        self.configure(default_strategy="round_robin")
        for _ in range(2):
            self.assertEqual(self.cost()["provider"], "cheap")
            self.assertEqual(
                self.of("cheap")["because"], "last turn none yet like dear: by name"
            )

    def test_refused(self) -> None:
        """
        Where the request would be refused, it is told with which error and
        who was excluded for what.
        """
        answer = self.route(max_cost_sats=0.1)
        self.assertEqual(
            (answer["error"]["status"], answer["error"]["code"]),
            (402, "max_cost_exceeded"),
        )
        self.assertIsNone(answer["tier"])
        self.assertEqual([each["rank"] for each in answer["providers"]], [None] * 3)
        self.assertEqual(
            self.of("cheap", max_cost_sats=0.1)["excluded_because"],
            "expected cost of 0.4 sats is over the request's limit of 0.1",
        )

    def test_no_providers(self) -> None:
        """
        That goes for a model that nobody has.
        """
        answer = self.route("gpt-5")
        self.assertEqual(answer["error"]["code"], "model_not_found")
        self.assertEqual(
            {each["excluded_because"] for each in answer["providers"]},
            {"does not serve model 'gpt-5'"},
        )

    def test_unknown_names(self) -> None:
        """
        A policy or provider that does not exist cannot be explained.
        """
        for wrong in ({"policy": "none"}, {"provider": "none"}):
            error = self.assertRaises(ApiError, self.route, **wrong)
            self.assertEqual(error.status, 400)

    def test_same_as_plan(self) -> None:
        """
        The ranks are the order in which the plan would be followed.
        """
        self.configure(default_strategy="lowest_latency")
        for name, seconds in (("cheap", 3.0), ("dear", 1.0)):
            sample = AttemptSample(name, True, seconds)
            self.learned.observe(Observation(MODEL, attempts=(sample,)))
        plan = self.router.plan(RouteRequest(MODEL, 100))
        told = [each["name"] for each in self.route()["providers"] if each["rank"]]
        self.assertEqual(told, [each.name for each in plan.candidates])
        self.assertEqual(told, ["dear", "cheap"])

    def test_json(self) -> None:
        """
        It is JSON as it stands.
        """
        answer = self.route()
        self.assertEqual(json.loads(json.dumps(answer, allow_nan=False)), answer)
