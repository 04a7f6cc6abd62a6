"""
Tests for L{arbstr.web.status}.
"""

from __future__ import annotations

import json
from typing import Any, cast

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from arbstr.circuit import CircuitBreakerRegistry, CoolDowns
from arbstr.config.builtin import builtin_config
from arbstr.config.model import CircuitSettings, ModelSettings, ProviderSettings
from arbstr.config.status import ConfigStatus
from arbstr.errors import ApiError
from arbstr.market.watch import Watch
from arbstr.routing.router import Router
from arbstr.web.status import Status
from tests.fakes import ListLedger

CREATED = 1_700_000_000
NOON = 1_773_144_000.0
KEY = "sk-canary-0123456789abcdef"


class StatusTestCase(SynchronousTestCase):
    """
    A status of providers that the test names.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.configure(
            {
                "name": "alpha",
                "url": "https://alpha.example/v1",
                "api_key": KEY,
                "tier": "frontier",
                "input_rate": 100,
                "output_rate": 300,
                "models": ["gpt-4o", "claude"],
            },
            {
                "name": "beta",
                "url": "https://beta.example/v1",
                "input_rate": 200,
                "output_rate": 100,
                "base_fee": 2,
                "models": [{"name": "gpt-4o", "upstream": "openai/gpt-4o"}],
            },
        )

    def configure(self, *providers: dict[str, Any]) -> None:
        """
        Start anew with these providers.
        """
        known = tuple(ProviderSettings(**each) for each in providers)
        config = builtin_config().model_copy(update={"providers": known})
        self.router = Router(config)
        self.circuits = CircuitBreakerRegistry(
            self.router.catalog.providers, CircuitSettings(), self.clock
        )
        self.ledger = ListLedger()
        self.config = ConfigStatus(NOON)
        self.cooldowns = CoolDowns(self.clock, lambda: NOON)
        self.status = Status(
            self.router,
            self.circuits,
            self.cooldowns,
            self.ledger,
            CREATED,
            self.config,
            Watch(config, cast(Any, None), self.router, lambda *merged: None),
        )

    def trip(self, *names: str) -> None:
        """
        Open circuits.
        """
        for name in names:
            for _ in range(3):
                self.circuits.record_failure(name, "5xx", "test")


class ChangingMarketTests(StatusTestCase):
    """
    Every answer tells of the market as it is now.
    """

    def setUp(self) -> None:
        super().setUp()
        gamma = ProviderSettings(
            name="gamma",
            url="https://gamma.example/v1",
            input_rate=1,
            output_rate=1,
            models=(ModelSettings(name="llama"),),
        )
        self.router.use(builtin_config().model_copy(update={"providers": (gamma,)}))
        self.circuits.configure(["gamma"], CircuitSettings())

    def test_models(self) -> None:
        answer: Any = self.status.models()
        self.assertEqual([each["id"] for each in answer["data"]], ["llama"])

    def test_model_that_is_gone(self) -> None:
        with self.assertRaises(ApiError):
            self.status.model("gpt-4o")

    def test_providers(self) -> None:
        answer: Any = self.status.providers()
        self.assertEqual([each["name"] for each in answer["providers"]], ["gamma"])

    def test_health(self) -> None:
        answer: Any = self.status.health()[1]
        self.assertEqual(list(answer["providers"]), ["gamma"])


class ModelTests(StatusTestCase):
    """
    C{GET /v1/models}.
    """

    def model(self, name: str) -> Any:
        """
        What is said of one model.
        """
        return self.status.model(name)

    def test_each_once_sorted(self) -> None:
        """
        However many providers have a model.
        """
        answer: Any = self.status.models()
        self.assertEqual(answer["object"], "list")
        self.assertEqual([each["id"] for each in answer["data"]], ["claude", "gpt-4o"])

    def test_listed_as_alone(self) -> None:
        """
        The list says of each what is said of it alone.
        """
        answer: Any = self.status.models()
        self.assertEqual(answer["data"], [self.model("claude"), self.model("gpt-4o")])

    def test_shape(self) -> None:
        """
        OpenAI's members are there.
        """
        model = self.model("claude")
        model.pop("arbstr")
        self.assertEqual(
            model,
            {
                "id": "claude",
                "object": "model",
                "created": CREATED,
                "owned_by": "arbstr",
            },
        )

    def test_cheapest(self) -> None:
        """
        Base fees are part of what is cheap.
        """
        self.assertEqual(
            self.model("gpt-4o")["arbstr"],
            {
                "input_rate": 100,
                "output_rate": 300,
                "cached_input_rate": 100,
                "base_fee": 0,
                "cheapest_provider": "alpha",
                "providers": ["alpha", "beta"],
                "tier": "standard",
            },
        )

    def test_lowest_tier(self) -> None:
        """
        The tier is the lowest that has the model.
        """
        self.assertEqual(self.model("claude")["arbstr"]["tier"], "frontier")
        self.assertEqual(self.model("gpt-4o")["arbstr"]["tier"], "standard")

    def test_provider_of_any_model(self) -> None:
        """
        One that lists none may serve those that others list, and adds none.
        """
        self.configure(
            {"name": "alpha", "url": "http://a/v1", "models": ["gpt-4o"]},
            {"name": "proxy", "url": "http://p/v1"},
        )
        answer: Any = self.status.models()
        self.assertEqual([each["id"] for each in answer["data"]], ["gpt-4o"])
        self.assertEqual(
            self.model("gpt-4o")["arbstr"]["providers"], ["alpha", "proxy"]
        )

    def test_unknown(self) -> None:
        """
        As OpenAI would have it.
        """
        with self.assertRaises(ApiError) as raised:
            self.model("gpt-9")
        self.assertEqual(raised.exception.status, 404)
        self.assertEqual(raised.exception.code, "model_not_found")

    def test_none(self) -> None:
        """
        No provider, no model.
        """
        self.configure()
        self.assertEqual(self.status.models(), {"object": "list", "data": []})


class ProviderTests(StatusTestCase):
    """
    C{GET /providers}.
    """

    def provider(self, index: int) -> Any:
        """
        What is said of one provider.
        """
        answer: Any = self.status.providers()
        return answer["providers"][index]

    def test_all(self) -> None:
        """
        Everything that may be known.
        """
        self.assertEqual(
            self.provider(1),
            {
                "name": "beta",
                "kind": "openai",
                "url": "https://beta.example/v1",
                "tier": "standard",
                "source": "config",
                "rates": {
                    "input_rate": 200,
                    "output_rate": 100,
                    "cached_input_rate": None,
                    "base_fee": 2,
                },
                "models": [
                    {
                        "id": "gpt-4o",
                        "upstream": "openai/gpt-4o",
                        "input_rate": 200,
                        "output_rate": 100,
                        "cached_input_rate": 200,
                        "base_fee": 2,
                        "source": "config",
                        "cooling_until": None,
                    }
                ],
                "circuit": {"state": "closed", "failure_count": 0, "trip_count": 0},
                "cooling_until": None,
                "has_key": False,
                "discovery": None,
                "balance": None,
            },
        )

    def test_in_order(self) -> None:
        """
        That of the configuration.
        """
        names = [self.provider(index)["name"] for index in range(2)]
        self.assertEqual(names, ["alpha", "beta"])

    def test_key_is_only_said_to_be_there(self) -> None:
        """
        No part of it is shown.
        """
        self.assertIs(self.provider(0)["has_key"], True)
        shown = json.dumps(self.status.providers())
        self.assertNotIn("sk-", shown)
        self.assertNotIn("canary", shown)

    def test_circuit(self) -> None:
        """
        Trips are told.
        """
        self.trip("alpha")
        self.assertEqual(
            self.provider(0)["circuit"],
            {"state": "open", "failure_count": 3, "trip_count": 1},
        )

    def test_cooling_model(self) -> None:
        """
        A model that is gone leaves the others of its provider alone.
        """
        self.cooldowns.refused("alpha", "gpt-4o", 404)
        alpha = self.provider(0)
        self.assertIsNone(alpha["cooling_until"])
        self.assertEqual(
            {each["id"]: each["cooling_until"] for each in alpha["models"]},
            {"gpt-4o": "2026-03-10T12:05:00Z", "claude": None},
        )


class HealthTests(StatusTestCase):
    """
    C{GET /health}.
    """

    def assert_health(self, code: int, status: str) -> Any:
        """
        The overall word, and the HTTP status that goes with it.
        """
        answered, body = self.status.health()
        self.assertEqual((answered, body["status"]), (code, status))
        return body["providers"]

    def test_ok(self) -> None:
        """
        Every circuit is closed.
        """
        self.circuits.record_failure("alpha", "5xx", "test")
        providers = self.assert_health(200, "ok")
        self.assertEqual(
            providers["alpha"],
            {
                "state": "closed",
                "failure_count": 1,
                "trip_count": 0,
                "tier": "frontier",
                "cooling_until": None,
            },
        )

    def test_degraded(self) -> None:
        """
        Some circuit is open.
        """
        self.trip("alpha")
        providers = self.assert_health(200, "degraded")
        self.assertEqual(providers["alpha"]["state"], "open")
        self.assertEqual(providers["beta"]["state"], "closed")

    def test_books_cannot_be_written(self) -> None:
        """
        That takes nothing from requests.
        """
        self.ledger.error = "database or disk is full"
        self.assert_health(200, "degraded")
        self.trip("alpha", "beta")
        self.assert_health(503, "unhealthy")

    def test_cooling(self) -> None:
        """
        It is told until when; the circuit has nothing to do with it.
        """
        self.cooldowns.refused("alpha", "gpt-4o", 401)
        providers = self.assert_health(200, "ok")
        until = providers["alpha"]["cooling_until"]
        self.assertEqual(until, "2026-03-10T12:05:00Z")
        self.assertIsNone(providers["beta"]["cooling_until"])

    def test_half_open(self) -> None:
        """
        One that may be probed is not closed yet, and not open any more.
        """
        self.trip("alpha", "beta")
        self.clock.advance(30)
        providers = self.assert_health(200, "degraded")
        self.assertEqual(providers["alpha"]["state"], "half_open")

    def test_unhealthy(self) -> None:
        """
        Every circuit is open.
        """
        self.trip("alpha", "beta")
        self.assert_health(503, "unhealthy")

    def test_no_providers(self) -> None:
        """
        Nobody is down.
        """
        self.configure()
        self.assertEqual(self.assert_health(200, "ok"), {})
