"""
From a request to a plan: who may serve it, at what price, in which order.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from operator import attrgetter

from arbstr.config.model import Config, PolicyRule
from arbstr.errors import (
    ApiError,
    bad_request,
    max_cost_exceeded,
    model_not_allowed,
    no_policy_match,
    no_price_known,
    no_providers,
    provider_error,
)

from .affinity import Affinity
from .balances import Balances
from .complexity import Complexity
from .constraints import forbids, left_out, over_limit
from .escalation import climb, too_good
from .learned import Learned
from .plan import Candidate, Plan, RouteRequest, Survey
from .policy import PolicyMatch
from .prefixes import Prefix
from .prepared import Prepared, prepare
from .prospects import with_prospects
from .rotation import Rotation
from .strategy import STRATEGIES
from .tokens import correct_input, expected_output

# What a second is worth where no policy says so.
_SATS_PER_SECOND = 1.0
_UNPRICED = "no price known"
_cost = attrgetter("expected_sats")
_SILENT = "it has not said yet what it serves"
# Who has not answered is asked again within seconds.
_SECONDS_TO_WAIT = 5


class Router:
    """
    Plans requests.  Pure: it holds the configuration's view of the market and
    looks at what was learned, sends nothing and remembers nothing.

    @ivar catalog: the current one; the next L{use} puts another in its place.
    @ivar policies: the current ones.
    @ivar scorer: the current one.
    @ivar rotation: whose turn it was; only looked at, too.
    @ivar affinity: what providers have in their caches; likewise.
    @ivar balances: what is left at providers that are paid in advance.
    """

    def __init__(
        self,
        config: Config,
        learned: Learned | None = None,
        affinity: Affinity | None = None,
    ) -> None:
        self.learned = Learned() if learned is None else learned
        self.affinity = Affinity(lambda: 0.0) if affinity is None else affinity
        self.rotation = Rotation()
        self.balances = Balances({})
        self.use(config)

    def use(self, config: Config | Prepared) -> None:
        """
        Plan by another configuration from now on.  What was learned and the plans
        that were made stay as they are.
        """
        prepared = prepare(config) if isinstance(config, Config) else config
        self.catalog, self.policies = prepared.catalog, prepared.policies
        self.scorer, self._thresholds = prepared.scorer, prepared.thresholds
        self._later_turns = prepared.later_turns
        self._default_strategy = prepared.default_strategy

    def plan(self, request: RouteRequest) -> Plan:
        """
        Decide who may serve a request.

        @raise ApiError: the request cannot be served as it is, and why.
        """
        return self.survey(request).plan()

    def survey(self, request: RouteRequest) -> Survey:
        """
        Find out who may serve a request and why nobody else may.

        @raise ApiError: it names a policy or a provider that does not exist.
        """
        match = self.policies.match(request.policy, request.last_user_text)
        self._check_provider(request.provider)
        input_tokens, output_tokens = self._expected_tokens(request, match.name)
        complexity = self._complexity(request)
        limit = self._thresholds.limit(
            complexity.score, request.complexity, request.provider
        )
        rewarded = self.catalog.rewards_caching(request.model)
        prefixes = request.prefixes() if rewarded else ()
        offered = self._offered(
            request.model, match.name, input_tokens, output_tokens, prefixes
        )

        short = self.balances.shortages(offered, request)
        unpriced = dict.fromkeys(self.catalog.unpriced(request.model), _UNPRICED)
        excluded = short | unpriced | left_out(offered, match.rule, request)
        eligible = _without(excluded, offered)
        too_dear = over_limit(eligible, request.max_cost_sats)
        affordable = _without(too_dear, eligible)
        if prefixes and self._later_turns:
            affordable = with_prospects(
                affordable, self.affinity, request.model, input_tokens, output_tokens
            )
        rule = match.rule
        strategy = (rule and rule.strategy) or self._default_strategy
        sats_per_second = rule.sats_per_second if rule else _SATS_PER_SECOND
        order = STRATEGIES[strategy](sats_per_second)
        first, *higher = climb(affordable, limit) or [[]]
        above = too_good(chain(*higher), limit) if higher else {}
        return Survey(
            model=request.model,
            policy=match.name,
            policy_reason=match.reason,
            strategy=strategy,
            sats_per_second=sats_per_second,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            offered=tuple(offered),
            ranked=tuple(order(first) if len(first) > 1 else first),
            reserves=tuple([tuple(order(step)) for step in higher]),
            baseline=max(eligible, key=_cost, default=None),
            excluded=excluded | too_dear | above,
            error=self._error(request, match, short, excluded, eligible, affordable),
            complexity=complexity,
            limit=limit,
            prefixes=prefixes,
        )

    def _complexity(self, request: RouteRequest) -> Complexity:
        if request.complexity_score is None:
            return self.scorer.score(request.messages)
        return Complexity(request.complexity_score, {}, "it was judged before")

    def _expected_tokens(
        self, request: RouteRequest, policy: str | None
    ) -> tuple[int, int]:
        """
        Tokens of the prompt and of the answer.
        """
        input_tokens = correct_input(
            request.input_tokens,
            request.images,
            self.learned.chars_per_token(request.model),
        )
        output_tokens = expected_output(
            input_tokens,
            request.output_cap,
            request.choices,
            self.learned.output_tokens(policy, request.model),
        )
        return input_tokens, output_tokens

    def _offered(
        self,
        model: str,
        policy: str | None,
        input_tokens: int,
        output_tokens: int,
        prefixes: Sequence[Prefix],
    ) -> list[Candidate]:
        expected = self.affinity.expected(model, prefixes)
        service, last_turn = self.learned.service, self.rotation.last_turn
        candidates = []
        for offer in self.catalog.offers(model):
            name = offer.name
            cached = min(expected[name], input_tokens) if name in expected else 0
            sats = offer.rates.expected_sats(input_tokens, output_tokens, cached)
            turn = last_turn(policy, model, name)
            candidates.append(
                Candidate(offer, sats, service(name, model), turn, cached)
            )
        return candidates

    def _error(
        self,
        request: RouteRequest,
        match: PolicyMatch,
        short: dict[str, str],
        excluded: dict[str, str],
        eligible: list[Candidate],
        affordable: list[Candidate],
    ) -> ApiError | None:
        """
        Why nobody may serve; C{None} if somebody may.
        """
        if affordable:
            return None
        if eligible:
            limit = request.max_cost_sats or 0.0
            return max_cost_exceeded(limit, min(map(_cost, eligible)))
        forbidden = match.rule and forbids(match.rule, request.model)
        waiting = self._waiting(excluded, request.provider, match.rule)
        if waiting and not forbidden:
            return no_price_known(request.model, _told(waiting), _SECONDS_TO_WAIT)
        if not excluded:
            return no_providers(request.model, self.catalog.models())
        if match.rule and forbidden:
            return model_not_allowed(request.model, match.rule.name)
        reasons = _told(excluded)
        if any(excluded[name] == why for name, why in short.items()):
            # It is not the client who has to pay there.
            return provider_error(f"No provider can be paid: {reasons}")
        return no_policy_match(request.model, reasons)

    def _waiting(
        self,
        excluded: dict[str, str],
        only_provider: str | None,
        rule: PolicyRule | None,
    ) -> dict[str, str]:
        """
        What providers have still to say, if nothing else keeps any of them out.
        """
        silent = {
            name: _SILENT
            for name in self.catalog.silent
            if rule is None or rule.providers.allow(name)
        }
        reasons = {
            name: why
            for name, why in (silent | excluded).items()
            if only_provider in (None, name)
        }
        return reasons if {_UNPRICED, _SILENT}.issuperset(reasons.values()) else {}

    def _check_provider(self, name: str | None) -> None:
        if name is not None and name not in self.catalog.providers:
            known = ", ".join(self.catalog.providers)
            raise bad_request(
                f"Unknown provider '{name}' in X-Arbstr-Provider, expected one of: "
                f"{known}",
                param="X-Arbstr-Provider",
                code="provider_not_found",
            )


def _without(reasons: dict[str, str], offered: list[Candidate]) -> list[Candidate]:
    """
    Those for whom there is no reason against them.
    """
    if not reasons:
        return offered
    return [each for each in offered if each.name not in reasons]


def _told(reasons: dict[str, str]) -> str:
    return "; ".join(f"{name}: {why}" for name, why in reasons.items())
