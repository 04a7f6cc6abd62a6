"""
Requests as the log has them: what routing was told, so that it can be told the
same again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .plan import RouteRequest
from .tiers import overriding


def write_request(request: RouteRequest | None, planned: bool) -> dict[str, Any]:
    """
    What the log keeps of a request: C{choices}, C{input_chars}, C{output_cap},
    C{wanted_provider}, C{wanted_complexity} and C{max_cost_sats}.

    @param planned: that there is a plan; else the provider may be any name that
        a client made up.
    """
    if request is None:
        return {}
    return {
        "choices": request.choices,
        "input_chars": request.input_chars,
        "output_cap": request.output_cap,
        "wanted_provider": request.provider if planned else None,
        "wanted_complexity": overriding(request.complexity),
        "max_cost_sats": request.max_cost_sats,
    }


def read_request(
    row: Mapping[str, Any], input_tokens: int, policy: str | None
) -> RouteRequest:
    """
    The request again, but for its text.

    @param row: the fields that L{write_request} tells, C{model} and
        C{complexity_score}.
    @param input_tokens: how long the prompt is.
    @param policy: the one that applies, if one does.
    """
    return RouteRequest(
        model=row["model"],
        input_tokens=input_tokens,
        output_cap=row["output_cap"],
        choices=row["choices"],
        policy=policy,
        provider=row["wanted_provider"],
        max_cost_sats=row["max_cost_sats"],
        complexity=row["wanted_complexity"],
        complexity_score=row["complexity_score"],
    )
