"""
What the tests of L{arbstr.dispatch} share: a dispatcher whose providers the test
answers for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from arbstr.circuit import CircuitBreakerRegistry, CoolDowns, Permit
from arbstr.config.model import (
    CircuitSettings,
    ProviderSettings,
    RetrySettings,
    StreamingSettings,
)
from arbstr.dispatch import Dispatcher
from arbstr.errors import ApiError
from arbstr.exchange import Exchange
from arbstr.routing.rotation import Rotation
from arbstr.upstream.client import Call, ProviderClient
from arbstr.upstream.failures import Reply
from tests.fakes import (
    FakeAgent,
    FakeConnections,
    FakeDownstream,
    Sent,
    chat_request,
    plan,
    provider,
)
from tests.integration.providers import (
    completion,
)

OPEN_SECONDS = 30
TOTAL = 30
BACKOFF = (1, 2, 4)

Dispatched = Deferred[Reply | None]


def refusal(message: str = "boom") -> dict[str, Any]:
    """
    An error object of a provider's.
    """
    return {"error": {"message": message, "type": "x", "code": None}}


class WatchedCircuits(CircuitBreakerRegistry):
    """
    Remembers the permits that it gave.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.permits: list[Permit] = []

    def acquire_first(self, *args: Any, **kwargs: Any) -> Deferred[Any]:
        def remember(chosen: tuple[Any, Permit]) -> tuple[Any, Permit]:
            self.permits.append(chosen[1])
            return chosen

        return super().acquire_first(*args, **kwargs).addCallback(remember)

    def hold_probe(self, name: str, clock: Clock) -> Permit:
        """
        Open a circuit, wait, and let somebody have the probe.
        """
        self.trip(name)
        clock.advance(OPEN_SECONDS)
        results: list[Permit] = []
        self.acquire_permit(name).addCallback(results.append)
        return results[0]

    def trip(self, *names: str) -> None:
        """
        Open circuits.
        """
        for name in names:
            for _ in range(3):
                self.record_failure(name, "5xx", "test")


class DispatchTestCase(SynchronousTestCase):
    """
    A dispatcher between circuits and an agent that the test answers for.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.agent = FakeAgent()
        self.jitter = 0.0
        self.downstream = FakeDownstream()
        self.configure()

    def configure(
        self,
        failover: bool = True,
        circuit: CircuitSettings | None = None,
        **retry: Any,
    ) -> None:
        """
        Start anew with other settings.
        """
        self.circuits = WatchedCircuits(
            ["alpha", "beta", "gamma"], circuit or CircuitSettings(), self.clock
        )
        self.cooldowns = CoolDowns(self.clock, lambda: 0)
        self.rotation = Rotation()
        self.dispatcher = Dispatcher(
            ProviderClient(FakeConnections(self.agent), self.clock),
            self.circuits,
            self.cooldowns,
            RetrySettings(**{"backoff_seconds": BACKOFF, **retry}),
            StreamingSettings(failover=failover),
            self.clock,
            lambda: self.jitter,
            rotation=self.rotation,
        )

    def tearDown(self) -> None:
        """
        However it ended, nothing is left behind.
        """
        self.assertEqual(self.clock.getDelayedCalls(), [])
        for permit in self.circuits.permits:
            self.assertTrue(permit.resolved, permit)
        self.assertIsNone(self.downstream.producer)

    def dispatch(self, *names: str, **kind: Any) -> Dispatched:
        """
        A request comes, for these providers in this order.
        """
        return self.dispatch_to(map(provider, names), **kind)

    def dispatch_to(
        self,
        providers: Iterable[ProviderSettings],
        *,
        stream: bool = False,
        waited: float = 0,
    ) -> Dispatched:
        """
        A request comes.

        @param waited: seconds that it has waited for something else before.
        """
        self.exchange = Exchange.begin("r-1", self.clock)
        self.clock.advance(waited)
        call = Call(chat_request(stream=stream), "r-1", ())
        return Deferred.fromCoroutine(
            self.dispatcher.run(plan(*providers), call, self.exchange, self.downstream)
        )

    @property
    def asked(self) -> list[str]:
        """
        Which providers were asked, in order.
        """
        return self.agent.asked

    @property
    def last(self) -> Sent:
        """
        The request sent last.
        """
        return self.agent.last

    def serve(self) -> None:
        """
        The provider asked last answers well.
        """
        self.last.answer(200, completion())

    def fail_all(self, dispatched: Dispatched, status: int = 500) -> None:
        """
        Every attempt from now on fails at once, as long as there are any.
        """
        while not dispatched.called:
            count = len(self.asked)
            self.last.answer(status, refusal())
            while not dispatched.called and len(self.asked) == count:
                self.clock.advance(1)

    def assert_served(self, dispatched: Dispatched, by: str) -> Reply:
        """
        The answer is this provider's, as it came.
        """
        reply = self.successResultOf(dispatched)
        assert reply is not None, "it was streamed"
        self.assertEqual(reply.json, completion())
        self.assertEqual(self.asked[-1], by)
        return reply

    def assert_fails(self, dispatched: Dispatched, status: int) -> ApiError:
        """
        The client gets an error with this status.
        """
        error = self.failureResultOf(dispatched, ApiError).value
        assert isinstance(error, ApiError)
        self.assertEqual(error.status, status, error.message)
        return error

    def assert_error(
        self, dispatched: Dispatched, status: int, message: str
    ) -> ApiError:
        """
        The client is told this.
        """
        error = self.assert_fails(dispatched, status)
        self.assertEqual(error.message, message)
        return error

    def assert_cancels(self, dispatched: Dispatched) -> None:
        """
        The client leaves: nothing waits any more, and no circuit is told
        anything.
        """
        self.assertNoResult(dispatched)
        before = self.circuits.snapshots()
        dispatched.cancel()
        self.failureResultOf(dispatched, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.circuits.snapshots(), before)
