"""
The loop over candidates: attempts, what came of them, and what the circuits are
told.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from arbstr.circuit import (
    AllCircuitsOpen,
    CircuitBreakerRegistry,
    CoolDowns,
    Permit,
    RetryBudget,
)
from arbstr.config.model import RetrySettings, StreamingSettings
from arbstr.errors import circuits_open
from arbstr.exchange import Exchange
from arbstr.routing.plan import Candidate, Plan
from arbstr.routing.rotation import Rotation
from arbstr.tries import Tries
from arbstr.turns import Turns
from arbstr.upstream.client import Call, Opened, ProviderClient
from arbstr.upstream.cost import provider_cost
from arbstr.upstream.failures import AttemptFailed, Reply
from arbstr.upstream.relay import Downstream, Relay
from arbstr.upstream.stream import ChatStream
from arbstr.upstream.usage import answer_chars, read_usage

_EVENT_STREAM = "text/event-stream"


class Dispatcher:
    """
    Gets an answer for a request from the first candidate that has one.

    @param jitter: a random number in 0…1, for the back-off.
    @param usd_per_sat: for what providers tell in dollars.
    @param rotation: is told who is asked.
    """

    _log = Logger()

    def __init__(
        self,
        client: ProviderClient,
        circuits: CircuitBreakerRegistry,
        cooldowns: CoolDowns,
        retry: RetrySettings,
        streaming: StreamingSettings,
        clock: IReactorTime,
        jitter: Callable[[], float] = random.random,
        usd_per_sat: Decimal | None = None,
        rotation: Rotation | None = None,
    ) -> None:
        self._client = client
        self._rotation = rotation or Rotation()
        self._turns = Turns(circuits, cooldowns, retry, clock, jitter)
        self._cooldowns = cooldowns
        self._budget = RetryBudget(clock)
        self._clock = clock
        self.configure(retry, streaming, usd_per_sat)

    def configure(
        self,
        retry: RetrySettings,
        streaming: StreamingSettings,
        usd_per_sat: Decimal | None,
    ) -> None:
        """
        Try candidates by other settings from now on.  Requests that are on their
        way keep their deadline and their number of attempts.
        """
        self._turns.configure(retry)
        self._retry = retry
        self._streaming = streaming
        self._usd_per_sat = usd_per_sat

    async def run(
        self, plan: Plan, call: Call, exchange: Exchange, downstream: Downstream
    ) -> Reply | None:
        """
        Try candidates until one answers.  Cancelling this cancels whatever is
        going on: an attempt, a back-off, the wait for a permit.

        @return: the whole answer; C{None} if it was streamed, to its end.
        @raise ApiError: nobody answered, the provider refused the client's
            request, or a stream broke off.
        """
        tries = Tries(
            steps=[plan.candidates, *plan.reserves],
            deadline=exchange.accepted + self._retry.total_seconds,
            most=self._most_attempts(call),
        )
        self._budget.request()
        try:
            return await self._try(plan, tries, call, exchange, downstream)
        finally:
            self._tell_escalation(plan, exchange)

    async def _try(
        self,
        plan: Plan,
        tries: Tries,
        call: Call,
        exchange: Exchange,
        downstream: Downstream,
    ) -> Reply | None:
        while True:
            try:
                turn = await self._turns.next(plan, tries)
            except AllCircuitsOpen as closed:
                if tries.any_failed:
                    raise tries.verdict(self._clock.seconds()) from None
                wait = closed.retry_at - self._clock.seconds()
                raise circuits_open(plan.model, wait) from None
            candidate, permit = turn.candidate, turn.permit
            tries.make(candidate)
            if plan.strategy == "round_robin":
                self._rotation.took(plan.policy, plan.model, candidate.name)
            with turn:
                try:
                    return await self._attempt(
                        candidate, permit, call, exchange, downstream, tries.deadline
                    )
                except AttemptFailed as failure:
                    self._settle(candidate, permit, failure, exchange, tries)
            if tries.is_over(self._clock.seconds()) or not self._budget.retry():
                raise tries.verdict(self._clock.seconds())

    def _tell_escalation(self, plan: Plan, exchange: Exchange) -> None:
        """
        Log, once for a request, that it went above its limit.
        """
        last, limit = exchange.candidate, plan.limit
        if last is None or limit.allows(last.provider.tier):
            return
        nobody_there = not limit.allows(plan.candidates[0].provider.tier)
        self._log.info(
            "Escalated from tier {limit}, by {reason}, to {tier}: {why}",
            limit=limit.highest,
            reason=limit.reason,
            tier=last.provider.tier,
            why="it has no provider" if nobody_there else "no provider could serve",
        )

    def _most_attempts(self, call: Call) -> int:
        if call.request.stream and not self._streaming.failover:
            return 1
        return self._retry.max_attempts

    async def _attempt(
        self,
        candidate: Candidate,
        permit: Permit,
        call: Call,
        exchange: Exchange,
        downstream: Downstream,
        deadline: float,
    ) -> Reply | None:
        with exchange.attempt(candidate):
            opened = await self._client.send(candidate, call, self._left(deadline))
            exchange.head = opened.head
            if call.request.stream and _is_event_stream(opened):
                permit.success()
                self._cooldowns.served(candidate.name)
                await self._relay(opened, call, exchange, downstream)
                permit.stream_completed()
                return None
            exchange.answer_started()
            reply = await self._client.read(opened, self._left(deadline))
            permit.success()
            self._cooldowns.served(candidate.name)
            exchange.provider_cost = provider_cost(
                opened.head.cost_msats, reply.json, self._usd_per_sat
            )
            exchange.saw(read_usage(reply.json.get("usage")), answer_chars(reply.json))
            return reply

    async def _relay(
        self, opened: Opened, call: Call, exchange: Exchange, downstream: Downstream
    ) -> None:
        def facts() -> dict[str, object]:
            exchange.saw(stream.usage, stream.output_chars)
            return exchange.facts()

        stream = ChatStream(usage_wanted=call.request.usage_wanted, facts=facts)
        exchange.stream = stream
        relay = Relay(
            stream,
            downstream,
            self._clock,
            self._client.limits(opened),
            exchange.content_started,
        )
        opened.response.deliverBody(relay)
        try:
            await relay.finished
        except AttemptFailed as failure:
            failure.content_sent = relay.content_sent
            raise
        finally:
            exchange.saw(stream.usage, stream.output_chars)
            exchange.provider_cost = provider_cost(
                None, {"usage": stream.usage_json}, self._usd_per_sat
            )
            if stream.dropped:
                self._log.warn(
                    "{provider} sent {count} stream events that no client could read",
                    provider=exchange.candidate and exchange.candidate.name,
                    count=stream.dropped,
                )

    def _settle(
        self,
        candidate: Candidate,
        permit: Permit,
        failure: AttemptFailed,
        exchange: Exchange,
        tries: Tries,
    ) -> None:
        """
        Tell the breaker, at most once in a request for each provider.
        """
        name = candidate.name
        tries.failed(candidate, failure)
        if failure.cools_as is not None:
            self._cooldowns.refused(
                name, candidate.offer.model, failure.cools_as, failure.retry_after
            )
        self._log.warn(
            "{provider} failed ({kind}): {reason}",
            provider=name,
            kind=failure.kind,
            reason=failure.message,
        )
        if failure.kind == "4xx":
            permit.inconclusive(failure.message)
            return
        if failure.ours:
            permit.release()
            return
        charged = name in tries.charged and not permit.is_probe
        tries.charged.add(name)
        if permit.resolved:
            if not charged:
                permit.stream_failed(failure.kind, failure.message)
        elif charged:
            permit.release()
        elif not permit.is_probe and self._was_cut_short(failure, exchange, tries):
            exchange.attempts[-1].outcome = "cut_short"
            permit.release()
        else:
            permit.failure(failure.kind, failure.message)

    def _was_cut_short(
        self, failure: AttemptFailed, exchange: Exchange, tries: Tries
    ) -> bool:
        """
        Others had used up most of the time: that this one did not answer in
        what was left says nothing about it.
        """
        now = self._clock.seconds()
        if failure.kind != "timeout" or not tries.time_is_up(now):
            return False
        had = now - exchange.attempts[-1].started
        return had < self._retry.total_seconds / 2

    def _left(self, deadline: float) -> float:
        return max(0.0, deadline - self._clock.seconds())


def _is_event_stream(opened: Opened) -> bool:
    kind = opened.head.content_type.partition(";")[0]
    return kind.strip().lower() == _EVENT_STREAM
