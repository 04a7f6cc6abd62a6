"""
One provider that misbehaves, and another that could take over.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from arbstr.ledger.row import RequestLog

from ..faults import Fault, Play, Step
from ..harness import Answer, StoppedClockTestCase, chat, reactor
from ..providers import completion

ALONE = {"X-Arbstr-Provider": "alpha"}
# Seconds: less than those after which a client is given a sign of life.
SHORT = {"first_byte": 2, "idle": 2, "total": 4}
# What any of these takes, and less than what beta has got.
LONGER = 5
RETRY = {"max_attempts": 2, "backoff_seconds": [0]}
T = TypeVar("T")


class MisbehavingTestCase(StoppedClockTestCase):
    """
    Alpha misbehaves, beta is healthy.  Each may have one request in flight: a
    slot that was not given back would be missed.

    @cvar back: who serves once alpha behaves.
    @cvar fault: what has come of alpha's attempts.
    @cvar timers: how many run while the daemon waits for alpha.
    """

    back = "alpha"
    fault = Fault("reset", "connect")
    timers = 1

    def setUp(self) -> None:
        super().setUp()
        self.plays: list[Play] = []
        # Once the providers' connections are closed.
        self.addCleanup(self._plays_end)
        self.alpha = self.provider("alpha")
        self.beta = self.provider("beta")

    def misbehave(self, fault: Fault, *before: Step) -> Play:
        """
        Start the daemon; this is what alpha does with every request.

        @param before: what it does before that.
        """
        self.fault = fault
        one = {"max_in_flight": 1}
        self.start({"alpha": one | {"timeouts": SHORT}, "beta": one}, retry=RETRY)
        return self.perform(*before, *fault.steps)

    def perform(self, *steps: Step) -> Play:
        """
        From now on alpha does this with every request.
        """
        play = Play(*steps)
        self.plays.append(play)
        self.alpha.script = play
        return play

    def _plays_end(self) -> Deferred[list[Any]]:
        return gatherResults([play.ended() for play in self.plays])

    async def passing(self, waiting: Deferred[T]) -> T:
        """
        Let time pass until this fires, but only while the daemon waits for
        alpha, and not for long: the machine may be slow.
        """
        while not waiting.called:
            self.stopped.advance(0.25 if self._is_waited_for() else 0)
            await deferLater(reactor, 0)
        return await waiting

    def _is_waited_for(self) -> bool:
        return (
            self.fault.kind == "timeout"
            and isinstance(self.alpha.script, Play)
            and self.alpha.script.is_holding
            and len(self.stopped.getDelayedCalls()) >= self.timers
            and self.stopped.seconds() < LONGER * len(self.alpha.requests)
        )

    async def fails_over(self, stream: bool) -> None:
        """
        Before the first byte has gone to the client: alone, the provider's
        failure is told; else the other one takes over.
        """
        answer = await self.passing(self.ask(chat(stream), ALONE))
        self.assert_failed(answer)
        self.assertEqual(sum(self.failures()), 1)
        answer = await self.passing(self.ask(chat(stream)))
        self.assertEqual((answer.status, answer.whole), (200, True), answer.body)
        self.assertEqual(answer.header("X-Arbstr-Provider"), "beta")
        self.assertEqual(answer.header("X-Arbstr-Retries"), "1/alpha")
        self.assertEqual(self.outcomes(), [self.fault.kind, "ok"])
        self.assertTrue(self.row().success)
        if stream:
            self.assertEqual(answer.header("X-Arbstr-Streaming"), "true")
        else:
            self.assertEqual(answer.json(), completion())

    async def breaks_off(self, play: Play, seen: bytes) -> None:
        """
        After the first byte has gone to the client.

        @param seen: what has.
        """
        begun = await self.begin_stream()
        await self.soon(lambda: begun.body.data.endswith(seen))
        play.release()
        ending = Deferred.fromCoroutine(begun.ended())
        self.assert_broken_off(await self.passing(ending), seen)
        self.assertEqual(self.beta.requests, [])

    def assert_failed(self, answer: Answer) -> None:
        """
        The client is told of a failure of the provider's.
        """
        self.assertEqual(answer.status, self.fault.status, answer.body)
        self.assertEqual(answer.header("Content-Type"), "application/json")
        error = answer.error()
        self.assertEqual(set(error), {"message", "type", "param", "code"})
        code = "timeout" if self.fault.status == 504 else "provider_error"
        self.assertEqual((error["type"], error["code"]), ("upstream_error", code))
        self.assertIn("alpha: ", error["message"])
        self.assertEqual(answer.header("x-should-retry"), "false")
        self.assertIsNotNone(answer.header("X-Arbstr-Request-Id"))
        row = self.row()
        self.assertEqual((row.success, row.error_status), (False, self.fault.status))
        self.assertEqual(self.outcomes(), [self.fault.kind] * self.fault.attempts)

    def assert_broken_off(self, answer: Answer, seen: bytes) -> None:
        """
        The client is told that its answer is not whole; the books say so, and
        what it has got.
        """
        self.assertEqual((answer.status, answer.whole), (200, False))
        self.assertTrue(answer.body.startswith(seen), answer.body)
        self.assertNotIn(b"[DONE]", answer.body)
        last = answer.body.rpartition(b"\n\ndata: ")[2]
        error = json.loads(last)["error"]
        found = (error["type"], error["code"])
        self.assertEqual(found, ("upstream_error", "provider_error"))
        row = self.row()
        self.assertEqual((row.success, row.error_status), (False, 502))
        self.assertEqual(self.outcomes(), [self.fault.kind])
        self.assertTrue(row.tokens_estimated)
        self.assertGreater(row.output_tokens or 0, 0)
        self.assertGreater(row.cost_sats or 0, 0)
        self.assertEqual(self.failures(), (0, 1))

    def failures(self) -> tuple[int, int]:
        """
        What alpha's breaker has counted: failures, and broken streams.
        """
        counted = self.daemon.circuits.snapshots()["alpha"]
        return counted.failure_count, counted.stream_failure_count

    def row(self) -> RequestLog:
        """
        The latest request's.
        """
        return self.ledger.rows[-1]

    def outcomes(self) -> list[str]:
        """
        What the attempts for the latest request came to.
        """
        return [attempt.outcome for attempt in self.row().attempts]

    async def _is_unharmed(self) -> None:
        await super()._is_unharmed()
        served = {row.provider for row in self.ledger.rows[-2:]}
        self.assertEqual(served, {self.back})
