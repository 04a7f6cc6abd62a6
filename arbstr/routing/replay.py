"""
What logged requests would have cost under another configuration.

The router there decides as it would have: it expects as many tokens of a prompt
as the provider counted, and of an answer what the requests before have shown.
What was used in the end is priced at the rates of whom it would try first, as
if that one were well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from attrs import define, field

from arbstr.config.model import Config
from arbstr.errors import ApiError

from .logged import read_request
from .money import Usage
from .observation import read_row
from .router import Router

_LAST_DIGIT = Decimal("1e-9")


@define
class Tally:
    """
    Requests, and what they cost in sats.
    """

    requests: int = 0
    sats: Decimal = Decimal(0)

    def add(self, sats: Decimal | None) -> None:
        """
        One more; C{None} is an unknown cost, and adds nothing.
        """
        self.requests += 1
        self.sats += sats or 0


@define
class Comparison:
    """
    The same requests, as they were and as they would have been.

    @ivar moved: how many of them would have gone to another provider.
    """

    was: Tally = field(factory=Tally)
    would_be: Tally = field(factory=Tally)
    moved: int = 0

    @property
    def saved(self) -> Decimal:
        """
        Sats; negative where it would have cost more.
        """
        return self.was.sats - self.would_be.sats


class Replay:
    """
    Takes logged requests, the oldest first, and adds up.

    @ivar total: all that can be compared.
    @ivar policies: those by the policy that the log has; C{None} is none.
    @ivar providers: those by who served, and by who would have.
    @ivar failed: requests that failed.
    @ivar unreported: requests of which no provider reported the usage.
    @ivar refused: what the configuration would not have served, by the code of
        the error.
    @ivar unknown_policies: of the compared and the refused ones, those whose
        policy the configuration does not have, by its name: they were replayed
        without one.
    @ivar unjudged: how many of the compared ones have no complexity in the log
        though the configuration goes by it: they were taken for complex.
    """

    def __init__(self, config: Config) -> None:
        self._router = Router(config)
        self._policies = {rule.name for rule in config.policies.rules}
        self.total = Comparison()
        self.policies: dict[str | None, Comparison] = {}
        self.providers: dict[str, Comparison] = {}
        self.failed = Tally()
        self.unreported = Tally()
        self.refused: dict[str, Tally] = {}
        self.unknown_policies: Counter[str] = Counter()
        self.unjudged = 0

    def add(self, row: Mapping[str, Any]) -> None:
        """
        One request.

        @param row: of the request log's fields, C{model}, C{policy},
            C{provider}, C{input_tokens}, C{cached_tokens}, C{output_tokens},
            C{tokens_estimated}, C{choices}, C{output_cap}, C{wanted_provider},
            C{wanted_complexity}, C{complexity_score}, C{max_cost_sats},
            C{cost_sats}, C{success}, C{error_status}, C{attempts}.
        """
        cost, usage = _sats(row["cost_sats"]), _usage(row)
        if not row["success"]:
            self.failed.add(cost)
        elif usage is None or cost is None:
            self.unreported.add(cost)
        else:
            self._compare(row, usage, cost)
        # Not how the model counts characters: tokens are known here.
        seen = read_row({**row, "input_chars": None})
        if seen is not None:
            self._router.learned.observe(seen)

    def _compare(self, row: Mapping[str, Any], usage: Usage, cost: Decimal) -> None:
        policy = row["policy"]
        known = policy if policy in self._policies else None
        if known != policy:
            self.unknown_policies[policy] += 1
        try:
            plan = self._router.plan(read_request(row, usage.input, known))
        except ApiError as error:
            code = error.code or str(error.status)
            self.refused.setdefault(code, Tally()).add(cost)
            return
        chosen = plan.candidates[0]
        self._router.rotation.took(plan.policy, plan.model, chosen.name)
        if row["complexity_score"] is None and plan.limit.highest is not None:
            self.unjudged += 1
        would_cost = chosen.rates.cost(usage).quantize(_LAST_DIGIT)
        moved = chosen.name != row["provider"]
        for each in (self.total, self.policies.setdefault(policy, Comparison())):
            each.was.add(cost)
            each.would_be.add(would_cost)
            each.moved += moved
        before = self.providers.setdefault(row["provider"], Comparison())
        before.was.add(cost)
        before.moved += moved
        after = self.providers.setdefault(chosen.name, Comparison())
        after.would_be.add(would_cost)


def _usage(row: Mapping[str, Any]) -> Usage | None:
    """
    What the provider reported, if it did.
    """
    tokens = row["input_tokens"], row["output_tokens"]
    if row["tokens_estimated"] or None in tokens:
        return None
    return Usage(*tokens, cached=row["cached_tokens"] or 0)


def _sats(sats: float | None) -> Decimal | None:
    """
    To the last digit that the books keep.
    """
    return None if sats is None else Decimal(repr(sats)).quantize(_LAST_DIGIT)
