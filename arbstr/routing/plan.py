"""
What the router is asked and what it answers: pure data.

Nobody changes any of it.  That nobody could would take several times as long to
make, and all of it is made for every request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import define, field

from arbstr.config.model import ProviderSettings, Strategy
from arbstr.errors import ApiError

from .catalog import Offer
from .complexity import Complexity, Messages
from .learned import Service
from .money import Rates
from .prefixes import Prefix
from .tiers import NO_LIMIT, Limit
from .tokens import CHARS_PER_TOKEN


@define
class RouteRequest:
    """
    What routing needs to know of a request.

    @ivar model: the public name of the model.
    @ivar input_tokens: the estimate for the prompt, uncorrected.
    @ivar images: how many the prompt has; the estimate counts them.
    @ivar output_cap: the request's limit on output tokens, if it has one.
    @ivar choices: how many answers it asks for.
    @ivar last_user_text: where policy keywords are looked for.
    @ivar policy: the policy that the client names, if it names one.
    @ivar provider: the only provider that the client will have, if so.
    @ivar max_cost_sats: the most that the client will have it cost.
    @ivar prefixes: the beginnings of the prompt, see L{arbstr.routing.prefixes}:
        called only where somebody rewards it to have read them.
    @ivar messages: what is judged.
    @ivar complexity: what the client says that it is, in place of that: see
        L{arbstr.routing.tiers.OVERRIDES}.
    @ivar complexity_score: the judgement, where the messages are not known any
        more.
    """

    model: str
    input_tokens: int
    output_cap: int | None = None
    choices: int = 1
    last_user_text: str = ""
    policy: str | None = None
    provider: str | None = None
    max_cost_sats: float | None = None
    images: int = 0
    prefixes: Callable[[], Sequence[Prefix]] = field(
        default=tuple, eq=False, repr=False
    )
    messages: Messages = field(default=(), repr=False)
    complexity: str | None = None
    complexity_score: float | None = None

    @property
    def input_chars(self) -> int | None:
        """
        How many characters long the prompt is to the estimate, which counts
        some for every message besides its text.  C{None} where there are
        images: they say nothing about how the model counts text.
        """
        return None if self.images else self.input_tokens * CHARS_PER_TOKEN


@define
class Candidate:
    """
    An offer that may be taken, with what it is expected to cost in sats.

    @ivar service: what was learned of the provider, if anything was.
    @ivar last_turn: see L{arbstr.routing.rotation.Rotation.last_turn}.
    @ivar cached_tokens: how much of the prompt it is expected to have in its
        cache; the expected cost takes account of it.
    @ivar later_saves: sats that its having read the prompt is expected to save
        of later turns; the expected cost does not take account of them.
    """

    offer: Offer
    expected_sats: float
    service: Service | None = None
    last_turn: int = 0
    cached_tokens: int = 0
    later_saves: float = 0.0

    @property
    def name(self) -> str:
        """
        The provider's name.
        """
        return self.offer.name

    @property
    def provider(self) -> ProviderSettings:
        """
        Who would serve.
        """
        return self.offer.provider

    @property
    def rates(self) -> Rates:
        """
        What is charged.
        """
        return self.offer.rates

    @property
    def price(self) -> float:
        """
        What it costs in the long run, in sats: what candidates are compared by.
        It may be negative.
        """
        return self.expected_sats - self.later_saves

    @property
    def cache_saves(self) -> float:
        """
        Sats that its cache is expected to save.
        """
        return self.rates.expected_sats(self.cached_tokens, 0) - (
            self.rates.expected_sats(self.cached_tokens, 0, self.cached_tokens)
        )


@define
class Plan:
    """
    Who may serve a request, in which order, and why.

    @ivar candidates: in the order in which they should be tried; never empty.
    @ivar reserves: who may be tried where none of them can be, tier by tier,
        from the lowest up; each in order and not empty.
    @ivar limit: the highest tier that should serve.  The candidates are above
        it where it has nobody.
    @ivar excluded: for each provider that serves the model but is not a
        candidate, why not.
    @ivar baseline: the dearest of the candidates and reserves, against which
        savings are counted.
    @ivar policy: the name of the policy that applies.
    @ivar policy_reason: how it was found.
    @ivar input_tokens: the estimate that the expected costs rest on.
    @ivar output_tokens: likewise.
    @ivar prefixes: the beginnings of the prompt, where somebody rewards it to
        have read them.
    """

    model: str
    candidates: tuple[Candidate, ...]
    baseline: Candidate
    strategy: str
    policy: str | None
    policy_reason: str
    input_tokens: int
    output_tokens: int
    excluded: Mapping[str, str] = field(factory=dict)
    reserves: tuple[tuple[Candidate, ...], ...] = ()
    complexity: Complexity | None = None
    limit: Limit = NO_LIMIT
    prefixes: Sequence[Prefix] = field(default=(), repr=False)


@define
class Survey:
    """
    Everything that a plan rests on, even where there can be none.

    @ivar offered: everybody who serves the model.
    @ivar ranked: those of them that may serve, in the order of the strategy.
    @ivar reserves: those that may if none of these can.
    @ivar baseline: the dearest who may serve but for the client's own limit.
    @ivar excluded: for each of the others, why not.
    @ivar error: why there is no plan, if there is none.

    The other fields are those of the L{Plan}.
    """

    model: str
    policy: str | None
    policy_reason: str
    strategy: Strategy
    sats_per_second: float
    input_tokens: int
    output_tokens: int
    offered: tuple[Candidate, ...]
    ranked: tuple[Candidate, ...]
    baseline: Candidate | None
    excluded: Mapping[str, str]
    error: ApiError | None
    reserves: tuple[tuple[Candidate, ...], ...]
    complexity: Complexity
    limit: Limit
    prefixes: Sequence[Prefix] = field(default=(), repr=False)

    def plan(self) -> Plan:
        """
        What follows from it.

        @raise ApiError: nobody may serve, and why.
        """
        if self.error is not None:
            raise self.error
        assert self.baseline is not None
        return Plan(
            model=self.model,
            candidates=self.ranked,
            baseline=self.baseline,
            strategy=self.strategy,
            policy=self.policy,
            policy_reason=self.policy_reason,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            excluded=self.excluded,
            reserves=self.reserves,
            complexity=self.complexity,
            limit=self.limit,
            prefixes=self.prefixes,
        )
