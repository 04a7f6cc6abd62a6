"""
What is left on our accounts at prepaid providers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import define

from .plan import Candidate, RouteRequest
from .tokens import correct_input

_MSATS_PER_SAT = 1000
# Routstr nodes take a request that is this much over the balance.
_TOLERANCE = 0.99
# What they take for a token; it is not what we do.
_CHARS_PER_TOKEN = 3
# How long an answer may get where neither request nor model says so.
_LONGEST = 4096


@define
class Balances:
    """
    The last that was heard, by the provider's name, in msats.
    """

    msats: Mapping[str, int]

    def shortages(
        self, offered: Iterable[Candidate], request: RouteRequest
    ) -> dict[str, str]:
        """
        Who would refuse the request for want of money, and why.

        A provider sets aside what the request may cost at the worst: as many
        answers as it asks for, each as long as its C{max_tokens} or, without, as
        the model can make it.
        """
        if not self.msats:
            return {}
        reasons = {each.name: self._why_not(each, request) for each in offered}
        return {name: why for name, why in reasons.items() if why is not None}

    def _why_not(self, candidate: Candidate, request: RouteRequest) -> str | None:
        """
        C{None} if it would not, or if its balance is not known.
        """
        balance = self.msats.get(candidate.name)
        if balance is None:
            return None
        longest = request.output_cap or candidate.offer.max_output or _LONGEST
        worst = candidate.rates.expected_sats(
            correct_input(request.input_tokens, request.images, _CHARS_PER_TOKEN),
            longest * request.choices,
        )
        needed = max(1, worst * _MSATS_PER_SAT * _TOLERANCE)
        if balance >= needed:
            return None
        return (
            f"balance of {balance / _MSATS_PER_SAT:g} sats is under the "
            f"{needed / _MSATS_PER_SAT:g} that it would set aside for the request"
        )
