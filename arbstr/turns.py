"""
Whose turn it is: permits, cool-downs, limits of single providers, back-off.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from types import TracebackType

from attrs import define
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from arbstr.circuit import (
    AllCircuitsOpen,
    CircuitBreakerRegistry,
    CoolDown,
    CoolDowns,
    Permit,
)
from arbstr.config.model import RetrySettings
from arbstr.errors import ApiError, cooling_down, out_of_time, over_limit
from arbstr.routing.plan import Candidate, Plan
from arbstr.tries import Tries


@define
class Turn:
    """
    One attempt at one candidate.  As a context manager it holds the permit and
    counts against its provider's limit.
    """

    candidate: Candidate
    permit: Permit
    _load: Counter[str]

    def __enter__(self) -> None:
        self._load[self.candidate.name] += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._load[self.candidate.name] -= 1
        self.permit.__exit__(kind, error, traceback)


class Turns:
    """
    Gives each attempt its candidate and the permit for it.

    @param jitter: a random number in 0…1, for the back-off.
    """

    def __init__(
        self,
        circuits: CircuitBreakerRegistry,
        cooldowns: CoolDowns,
        retry: RetrySettings,
        clock: IReactorTime,
        jitter: Callable[[], float],
    ) -> None:
        self._circuits = circuits
        self._cooldowns = cooldowns
        self._retry = retry
        self._clock = clock
        self._jitter = jitter
        self._load: Counter[str] = Counter()

    def configure(self, retry: RetrySettings) -> None:
        """
        Back off by other settings from now on.
        """
        self._retry = retry

    async def next(self, plan: Plan, tries: Tries) -> Turn:
        """
        Whose turn it is.  First come those that had no attempt yet, tier by tier:
        who can be asked at once is not kept waiting by anybody of a lower tier.
        Then, after a back-off, come those that might do better by now.

        @raise AllCircuitsOpen: nobody's.
        @raise ApiError: there is no time left to wait for anybody.
        """
        for step in tries.steps:
            turn = self._at_once(tries.untried(step))
            if turn is not None:
                return turn
        ready = [
            each for each in tries.untried(tries.order) if self._cooling(each) is None
        ]
        if ready:
            try:
                return await self._acquire(ready, plan, tries)
            except AllCircuitsOpen:
                if len(tries.open_to_any()) == len(ready):
                    raise
        if tries.any_failed:
            await self._back_off(plan, tries)
        return await self._acquire(tries.open_to_any(), plan, tries)

    def _at_once(self, candidates: list[Candidate]) -> Turn | None:
        """
        One of them, if one can be asked now.
        """
        free = [
            each
            for each in candidates
            if self._cooling(each) is None and not self._is_full(each)
        ]
        taken = self._circuits.take_first(free)
        return taken and Turn(*taken, self._load)

    async def _back_off(self, plan: Plan, tries: Tries) -> None:
        delays = self._retry.backoff_seconds
        delay = delays[min(tries.comebacks, len(delays) - 1)]
        delay *= 1 - self._jitter() / 2
        back = [self._back_in(each) for each in tries.open_to_any()]
        await self._wait(max(delay, min(back)), plan, tries)
        tries.comebacks += 1

    async def _acquire(
        self, candidates: list[Candidate], plan: Plan, tries: Tries
    ) -> Turn:
        while True:
            awake = [each for each in candidates if self._cooling(each) is None]
            free = [each for each in awake if not self._is_full(each)]
            try:
                if free:
                    candidate, permit = await self._circuits.acquire_first(
                        free, plan.model, timeout=self._left(tries)
                    )
                    if not self._is_full(candidate):
                        return Turn(candidate, permit, self._load)
                    # It filled up while this waited.
                    permit.release()
                    continue
            except AllCircuitsOpen:
                if len(free) == len(candidates):
                    raise
            if len(free) < len(awake):
                raise self._busy(plan, tries)
            resting = [each for each in candidates if each not in awake]
            await self._wait(min(map(self._back_in, resting)), plan, tries)

    async def _wait(self, seconds: float, plan: Plan, tries: Tries) -> None:
        """
        @raise ApiError: there is no time for that.
        """
        if self._left(tries) <= seconds:
            if tries.any_failed:
                raise tries.verdict(self._clock.seconds())
            raise self._all_cooling(plan, tries)
        await deferLater(self._clock, seconds)

    def _busy(self, plan: Plan, tries: Tries) -> ApiError:
        if tries.any_failed:
            return tries.verdict(self._clock.seconds())
        return over_limit(
            f"Every healthy provider of model '{plan.model}' has as many requests in "
            "flight as its max_in_flight allows",
            retry_after=1,
        )

    def _all_cooling(self, plan: Plan, tries: Tries) -> ApiError:
        cooling = [(each.name, self._cooling(each)) for each in tries.order]
        found = [(name, each) for name, each in cooling if each is not None]
        if not found:
            # It has become too late while somebody's probe was waited for.
            return out_of_time(f"No provider of model '{plan.model}' was free in time")
        first = min((each for _, each in found), key=lambda each: each.until)
        return cooling_down(
            plan.model,
            status=first.status,
            story="; ".join(f"{name}: HTTP {each.status}" for name, each in found),
            retry_after=first.until - self._clock.seconds(),
        )

    def _cooling(self, candidate: Candidate) -> CoolDown | None:
        return self._cooldowns.current(candidate.name, candidate.offer.model)

    def _back_in(self, candidate: Candidate) -> float:
        """
        Seconds until a candidate has cooled down.
        """
        cooling = self._cooling(candidate)
        return 0.0 if cooling is None else cooling.until - self._clock.seconds()

    def _is_full(self, candidate: Candidate) -> bool:
        return self._load[candidate.name] >= candidate.provider.max_in_flight

    def _left(self, tries: Tries) -> float:
        return max(0.0, tries.deadline - self._clock.seconds())
