"""
What the router is asked and what it answers: pure data.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from arbstr.config.model import ProviderSettings

from .catalog import Offer
from .money import Rates


@frozen
class RouteRequest:
    """
    What routing needs to know of a request.

    @ivar model: the public name of the model.
    @ivar input_tokens: the estimate for the prompt.
    @ivar output_cap: the request's limit on output tokens, if it has one.
    @ivar choices: how many answers it asks for.
    @ivar last_user_text: where policy keywords are looked for.
    @ivar policy: the policy that the client names, if it names one.
    @ivar provider: the only provider that the client will have, if so.
    @ivar max_cost_sats: the most that the client will have it cost.
    """

    model: str
    input_tokens: int
    output_cap: int | None = None
    choices: int = 1
    last_user_text: str = ""
    policy: str | None = None
    provider: str | None = None
    max_cost_sats: float | None = None


@frozen
class Candidate:
    """
    An offer that may be taken, with what it is expected to cost in sats.
    """

    offer: Offer
    expected_sats: float

    @property
    def name(self) -> str:
        """
        The provider's name.
        """
        return self.offer.provider.name

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


@frozen
class Plan:
    """
    Who may serve a request, in which order, and why.

    @ivar candidates: in the order in which they should be tried; never empty.
    @ivar excluded: for each provider that serves the model but is not a
        candidate, why not.
    @ivar baseline: the dearest candidate, against which savings are counted.
    @ivar policy: the name of the policy that applies.
    @ivar policy_reason: how it was found.
    @ivar input_tokens: the estimate that the expected costs rest on.
    @ivar output_tokens: likewise.
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
