"""
What the tests of routing share: providers, routers and requests in one line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from arbstr.config.model import Config, ProviderSettings
from arbstr.errors import ApiError
from arbstr.routing.catalog import Offer
from arbstr.routing.learned import Learned, Service
from arbstr.routing.money import Rates
from arbstr.routing.observation import AttemptSample, Observation
from arbstr.routing.plan import Candidate, Plan, RouteRequest
from arbstr.routing.router import Router

MODEL = "gpt-4o"


def provider(name: str, *models: object, **settings: Any) -> ProviderSettings:
    """
    A provider as the configuration has it.

    @param models: names or mappings; none: it takes any model.
    """
    given = {"name": name, "url": f"https://{name}.example/v1", "models": models}
    return ProviderSettings.model_validate(given | settings)


def seller(
    name: str, input_rate: float = 0, output_rate: float = 0, **settings: Any
) -> ProviderSettings:
    """
    A provider of L{MODEL} at these rates, in sats per 1M tokens.
    """
    rates = {"input_rate": input_rate, "output_rate": output_rate}
    return provider(name, MODEL, **rates, **settings)


def router(
    *providers: ProviderSettings,
    learned: Learned | None = None,
    routing: Mapping[str, Any] | None = None,
    **policies: Any,
) -> Router:
    """
    A router among these.

    @param routing: the section of that name.
    @param policies: likewise.
    """
    sections = {"policies": policies, "routing": routing or {}}
    config = Config.model_validate({"providers": providers, **sections})
    return Router(config, learned)


def ask(model: str = MODEL, input_tokens: int = 100, **fields: Any) -> RouteRequest:
    """
    A request, by default of 100 tokens and so with 300 expected.
    """
    return RouteRequest(model=model, input_tokens=input_tokens, **fields)


def candidate(
    name: str,
    expected_sats: float = 1,
    service: Service | None = None,
    last_turn: int = 0,
    **settings: Any,
) -> Candidate:
    """
    A candidate of whom only the name, the cost and what was seen of it matter.

    @param settings: its provider's.
    """
    rates = Rates(input=0, output=0, cached_input=0)
    offer = Offer(provider(name, **settings), MODEL, MODEL, rates)
    return Candidate(offer, expected_sats, service, last_turn)


def learn(*observations: Observation, times: int = 1) -> Learned:
    """
    Who has seen all of these, in this order, so many times.
    """
    learned = Learned()
    for _ in range(times):
        for each in observations:
            learned.observe(each)
    return learned


def attempt(
    provider: str,
    first_byte_seconds: float | None = None,
    success: bool | None = True,
    model: str = MODEL,
) -> Observation:
    """
    A request of which only its one attempt is known.
    """
    return Observation(
        model, attempts=(AttemptSample(provider, success, first_byte_seconds),)
    )


def names(plan: Plan) -> list[str]:
    """
    Who would be tried, in order.
    """
    return [each.name for each in plan.candidates]


CHEAP = seller("cheap", 1000, 2000)
MIDDLE = seller("middle", 2000, 4000)
DEAR = seller("dear", 3000, 6000)

# Sats that they are expected to cost for the 100 + 300 tokens of ask().
EXPECTED = {"cheap": 0.7, "middle": 1.4, "dear": 2.1}


def plan_under(rule: dict[str, Any], request: RouteRequest | None = None) -> Plan:
    """
    What is planned among L{DEAR}, L{CHEAP} and L{MIDDLE} where a policy C{rule}
    is configured.

    @param request: by default one that names the policy.
    """
    rules = [{"name": "rule", **rule}]
    return router(DEAR, CHEAP, MIDDLE, rules=rules).plan(request or ask(policy="rule"))


class RefusalTestCase(SynchronousTestCase):
    """
    Knows what an error says.
    """

    def assertRefused(
        self,
        error: ApiError,
        message: str,
        code: str,
        param: str | None = None,
        status: int = 400,
    ) -> None:
        """
        The client is told exactly this.
        """
        self.assertEqual(
            (error.status, error.type, error.code, error.param, error.message),
            (status, "invalid_request_error", code, param, message),
        )
