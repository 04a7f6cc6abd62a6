"""
From a request to a plan: who may serve it, at what price, in which order.
"""

from __future__ import annotations

from arbstr.config.model import Config, PolicyRule
from arbstr.errors import (
    bad_request,
    max_cost_exceeded,
    model_not_allowed,
    no_policy_match,
    no_providers,
)

from .catalog import Catalog
from .plan import Candidate, Plan, RouteRequest
from .policy import Policies
from .strategy import STRATEGIES
from .tokens import expected_output


class Router:
    """
    Plans requests.  Pure: it holds the configuration's view of the market,
    sends nothing and remembers nothing.
    """

    def __init__(self, config: Config) -> None:
        self.catalog = Catalog(config.providers)
        self._policies = Policies(config.policies.rules)
        self._default_strategy = config.policies.default_strategy

    def plan(self, request: RouteRequest) -> Plan:
        """
        Decide who may serve a request.

        @raise ApiError: the request cannot be served as it is, and why.
        """
        match = self._policies.match(request.policy, request.last_user_text)
        self._check_provider(request.provider)
        offers = self.catalog.offers(request.model)
        if not offers:
            raise no_providers(request.model, self.catalog.models())
        rule = match.rule
        if rule and rule.allowed_models and request.model not in rule.allowed_models:
            raise model_not_allowed(request.model, rule.name)

        output_tokens = expected_output(
            request.input_tokens, request.output_cap, request.choices
        )
        eligible: list[Candidate] = []
        excluded: dict[str, str] = {}
        for offer in offers:
            candidate = Candidate(
                offer, offer.rates.expected_sats(request.input_tokens, output_tokens)
            )
            reason = _why_not(candidate, rule, request.provider)
            if reason is None:
                eligible.append(candidate)
            else:
                excluded[candidate.name] = reason
        if not eligible:
            reasons = "; ".join(f"{name}: {why}" for name, why in excluded.items())
            raise no_policy_match(request.model, reasons)

        affordable = _affordable(eligible, request.max_cost_sats, excluded)
        strategy = (rule and rule.strategy) or self._default_strategy
        return Plan(
            model=request.model,
            candidates=tuple(STRATEGIES[strategy](affordable)),
            baseline=max(eligible, key=lambda each: each.expected_sats),
            strategy=strategy,
            policy=match.name,
            policy_reason=match.reason,
            input_tokens=request.input_tokens,
            output_tokens=output_tokens,
            excluded=excluded,
        )

    def _check_provider(self, name: str | None) -> None:
        if name is not None and name not in self.catalog.providers:
            known = ", ".join(self.catalog.providers)
            raise bad_request(
                f"Unknown provider '{name}' in X-Arbstr-Provider, expected one of: "
                f"{known}",
                param="X-Arbstr-Provider",
                code="provider_not_found",
            )


def _why_not(
    candidate: Candidate, rule: PolicyRule | None, only_provider: str | None
) -> str | None:
    """
    Why a provider that serves the model is not a candidate; C{None} if it is.
    """
    if only_provider is not None and candidate.name != only_provider:
        return f"the request wants {only_provider} only"
    if rule is None:
        return None
    if rule.providers.only and candidate.name not in rule.providers.only:
        return f"policy '{rule.name}' uses only {', '.join(rule.providers.only)}"
    if candidate.name in rule.providers.ignore:
        return f"policy '{rule.name}' ignores it"
    limit = rule.max_sats_per_1m_output
    if limit is not None and candidate.rates.output > limit:
        return (
            f"output rate of {candidate.rates.output:g} sats per 1M tokens is over "
            f"the {limit:g} of policy '{rule.name}'"
        )
    limit = rule.max_sats_per_request
    if limit is not None and candidate.expected_sats > limit:
        return (
            f"expected cost of {candidate.expected_sats:g} sats is over the "
            f"{limit:g} of policy '{rule.name}'"
        )
    return None


def _affordable(
    eligible: list[Candidate], limit: float | None, excluded: dict[str, str]
) -> list[Candidate]:
    """
    The candidates within the client's own limit; the others are added to
    C{excluded}.

    @raise ApiError: there is none.
    """
    if limit is None:
        return eligible
    affordable = [each for each in eligible if each.expected_sats <= limit]
    if not affordable:
        raise max_cost_exceeded(limit, min(each.expected_sats for each in eligible))
    for each in eligible:
        if each.expected_sats > limit:
            excluded[each.name] = (
                f"expected cost of {each.expected_sats:g} sats is over the request's "
                f"limit of {limit:g}"
            )
    return affordable
