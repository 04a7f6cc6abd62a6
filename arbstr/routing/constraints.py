"""
Whom policies and limits leave out, and why.
"""

from __future__ import annotations

from arbstr.config.model import PolicyRule

from .plan import Candidate, RouteRequest


def forbids(rule: PolicyRule, model: str) -> bool:
    """
    Does a policy leave the model out?
    """
    return bool(rule.allowed_models) and model not in rule.allowed_models


def left_out(
    offered: list[Candidate], rule: PolicyRule | None, request: RouteRequest
) -> dict[str, str]:
    """
    Who may not serve, and why.
    """
    if rule is None and request.provider is None:
        return {}
    reasons = {each.name: _why_not(each, rule, request.provider) for each in offered}
    return {name: why for name, why in reasons.items() if why is not None}


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
    if forbids(rule, candidate.offer.model):
        return f"policy '{rule.name}' does not allow the model"
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


def over_limit(eligible: list[Candidate], limit: float | None) -> dict[str, str]:
    """
    Who costs more than the client will pay, and how much more.
    """
    if limit is None:
        return {}
    return {
        each.name: f"expected cost of {each.expected_sats:g} sats is over the "
        f"request's limit of {limit:g}"
        for each in eligible
        if each.expected_sats > limit
    }
