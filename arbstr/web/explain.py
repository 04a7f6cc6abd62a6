"""
What a request would cost and why it would go where it goes: the plan by which
requests are served, told instead of followed.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from attrs import frozen

from arbstr.circuit import CircuitBreakerRegistry, CircuitState, CoolDowns
from arbstr.errors import ApiError
from arbstr.routing.plan import Candidate, Plan, RouteRequest, Survey
from arbstr.routing.reasons import because
from arbstr.routing.router import Router

from .status import circuit_as_json

RATE_UNIT = "sats_per_1m_tokens"


@frozen
class Explain:
    """
    Answers questions about a request without sending it; every answer is a
    JSON value.
    """

    router: Router
    circuits: CircuitBreakerRegistry
    cooldowns: CoolDowns

    def cost(self, request: RouteRequest) -> dict[str, object]:
        """
        C{POST /v1/cost}: what it would cost at the first provider that is not
        known to be down.

        @raise ApiError: it would be refused.
        """
        plan = self.router.plan(request)
        first = self._first(plan)
        return {
            "model": plan.model,
            "provider": first.name,
            "estimated_input_tokens": plan.input_tokens,
            "estimated_cached_tokens": first.cached_tokens,
            "estimated_output_tokens": plan.output_tokens,
            "estimated_cost_sats": first.expected_sats,
            "rates": {
                "input_rate_sats_per_1m": first.rates.input,
                "cached_input_rate_sats_per_1m": first.rates.cached_input,
                "output_rate_sats_per_1m": first.rates.output,
                "base_fee_sats": first.rates.base_fee,
            },
            "rate_unit": RATE_UNIT,
        }

    def route(self, request: RouteRequest) -> dict[str, object]:
        """
        C{POST /v1/route}: who would be tried, in which order, and why nobody
        else.  Where the request would be refused, also with which error.

        @raise ApiError: it names a policy or a provider that does not exist.
        """
        survey = self.router.survey(request)
        learned = self.router.learned
        tier = survey.ranked[0].provider.tier if survey.ranked else None
        return {
            "model": survey.model,
            "policy": {"name": survey.policy, "reason": survey.policy_reason},
            "strategy": survey.strategy,
            "sats_per_second": survey.sats_per_second,
            "complexity": self._complexity(survey),
            "tiers": _tiers(survey),
            "tier": tier,
            "estimated_input_tokens": survey.input_tokens,
            "estimated_output_tokens": survey.output_tokens,
            "learned": {
                "output_tokens": learned.output_tokens(survey.policy, survey.model),
                "chars_per_token": learned.chars_per_token(survey.model),
                "turns_ahead": self.router.affinity.turns_ahead(survey.model),
            },
            "providers": self._providers(survey),
            "error": None if survey.error is None else _error(survey.error),
        }

    def _first(self, plan: Plan) -> Candidate:
        circuits = self.circuits.snapshots()
        up = (
            each
            for each in chain(plan.candidates, *plan.reserves)
            if circuits[each.name].state is not CircuitState.OPEN
            and self.cooldowns.current(each.name, plan.model) is None
        )
        return next(up, plan.candidates[0])

    def _complexity(self, survey: Survey) -> dict[str, object]:
        signals = survey.complexity.signals
        return {
            "score": survey.complexity.score,
            "reason": survey.complexity.reason,
            "signals": {
                name: {"value": signals.get(name), "weight": weight}
                for name, weight in self.router.scorer.weights.items()
            },
        }

    def _providers(self, survey: Survey) -> list[dict[str, object]]:
        """
        First those that would be tried, in that order.
        """
        circuits = self.circuits.snapshots()
        in_order = chain(survey.offered, survey.ranked, *survey.reserves)
        offered = {each.name: each for each in in_order}
        ranks = {each.name: rank for rank, each in enumerate(survey.ranked, start=1)}
        steps = {
            each.name: step
            for step, reserve in enumerate(survey.reserves, start=1)
            for each in reserve
        }
        reasons = _reasons(survey)
        others = [
            name
            for name in self.router.catalog.providers
            if name not in ranks and name not in steps
        ]
        return [
            {
                "name": name,
                "tier": self.router.catalog.providers[name].tier,
                "eligible": name in ranks,
                "excluded_because": _why_not(name, survey, offered),
                "rank": ranks.get(name),
                "escalation": steps.get(name),
                "because": reasons.get(name),
                **_expectations(offered.get(name)),
                "circuit": circuit_as_json(circuits[name]),
                "cooling_until": self.cooldowns.ends(name, survey.model),
            }
            for name in [*ranks, *steps, *others]
        ]


def _why_not(name: str, survey: Survey, offered: Mapping[str, Candidate]) -> str | None:
    if name not in offered and name not in survey.excluded:
        return f"does not serve model '{survey.model}'"
    return survey.excluded.get(name)


def _tiers(survey: Survey) -> dict[str, object]:
    """
    The highest tier that should serve, and the one that has to because nobody
    else may, if that is above it.
    """
    limit = survey.limit
    tiers = {each.provider.tier for each in survey.ranked}
    above = [tier for tier in tiers if not limit.allows(tier)]
    return {
        "limit": limit.highest,
        "reason": limit.reason,
        "escalated_to": above[0] if above else None,
    }


def _reasons(survey: Survey) -> dict[str, str]:
    """
    Why each of those that would be tried has its place.
    """
    return {
        each.name: reason
        for step in (survey.ranked, *survey.reserves)
        for each, reason in zip(
            step, because(survey.strategy, survey.sats_per_second, step), strict=True
        )
    }


def _expectations(candidate: Candidate | None) -> dict[str, object]:
    """
    What the order rests on; C{None} is unknown.
    """
    service = None if candidate is None else candidate.service
    return {
        "expected_cost_sats": None if candidate is None else candidate.expected_sats,
        "expected_cached_tokens": candidate and candidate.cached_tokens,
        "cache_saves_sats": candidate and candidate.cache_saves,
        "cache_saves_later_sats": candidate and candidate.later_saves,
        "first_byte_seconds": None if service is None else service.first_byte_seconds,
        "success_rate": None if service is None else service.success_rate,
    }


def _error(error: ApiError) -> dict[str, object]:
    return {"status": error.status, **error.body()["error"]}
