"""
Tests for L{arbstr.turns} and L{arbstr.tries}: going on to a better tier.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.logger import LogLevel, capturedLogs, formatEvent

from arbstr.circuit import CircuitState
from arbstr.config.model import CircuitSettings, ProviderSettings, Tier
from arbstr.exchange import Exchange
from arbstr.routing.plan import Plan
from arbstr.routing.tiers import TIERS, Limit
from arbstr.upstream.client import Call
from arbstr.upstream.failures import Reply

from .dispatching import OPEN_SECONDS, DispatchTestCase, refusal
from .fakes import MODEL, chat_request, plan, provider

LOCAL = Limit("local", "complexity 0.1")

# By these names, so that the circuits are known: one of each tier.
HOME = provider("alpha", tier="local")
SHOP = provider("beta", tier="standard")
LAB = provider("gamma", tier="frontier")


def climbing(*steps: Iterable[ProviderSettings], limit: Limit = LOCAL) -> Plan:
    """
    A plan to try these, step by step.
    """
    made = [plan(*step) for step in steps]
    return evolve(
        made[0],
        reserves=tuple(each.candidates for each in made[1:]),
        limit=limit,
    )


class TiersTestCase(DispatchTestCase):
    """
    Requests that should be served by the tier local.
    """

    def climb(
        self, *steps: Iterable[ProviderSettings], limit: Limit = LOCAL
    ) -> Deferred[Reply | None]:
        """
        A request comes; by default for the one of each tier.
        """
        self.exchange = Exchange.begin("r-1", self.clock)
        planned = climbing(*(steps or ([HOME], [SHOP], [LAB])), limit=limit)
        self.exchange.plan = planned
        call = Call(chat_request(), "r-1", ())
        return Deferred.fromCoroutine(
            self.dispatcher.run(planned, call, self.exchange, self.downstream)
        )

    def cool(self, name: str, seconds: int) -> None:
        """
        A provider limits our rate.
        """
        self.cooldowns.refused(name, MODEL, 429, f"{seconds}")


class EscalationTests(TiersTestCase):
    """
    When a request goes on to a better tier.
    """

    def test_no_need(self) -> None:
        """
        Not while there is somebody in its own.
        """
        dispatched = self.climb()
        self.serve()
        self.assert_served(dispatched, by="alpha")

    def test_circuit_open(self) -> None:
        """
        When all of its tier are down, by one tier.
        """
        self.circuits.trip("alpha")
        dispatched = self.climb()
        self.serve()
        self.assert_served(dispatched, by="beta")

    def test_two_tiers(self) -> None:
        """
        When there, too, all are down, by another.
        """
        self.circuits.trip("alpha", "beta")
        dispatched = self.climb()
        self.serve()
        self.assert_served(dispatched, by="gamma")

    def test_cooling(self) -> None:
        """
        When all of its tier are left alone, though it could wait for them.
        """
        self.cool("alpha", 7)
        dispatched = self.climb()
        self.serve()
        self.assert_served(dispatched, by="beta")

    def test_full(self) -> None:
        """
        When all of its tier have as much to do as they may.
        """
        small = provider("alpha", tier="local", max_in_flight=1)
        first = self.climb([small], [SHOP])
        second = self.climb([small], [SHOP])
        self.assertEqual(self.asked, ["alpha", "beta"])
        self.serve()
        self.assert_served(second, by="beta")
        self.agent.requests[0].answer(500, refusal())
        self.serve()
        self.assert_served(first, by="beta")

    def test_failed(self) -> None:
        """
        When all of its tier were tried, rather than to wait and try them again.
        """
        dispatched = self.climb()
        self.last.fail(ConnectionRefusedError())
        self.serve()
        self.assert_served(dispatched, by="beta")
        self.assertEqual(self.clock.seconds(), 0)

    def test_others_of_its_tier_first(self) -> None:
        """
        One failure is no reason while others of its tier were not tried.
        """
        other = provider("gamma", tier="local")
        dispatched = self.climb([HOME, other], [SHOP])
        self.last.answer(500, refusal())
        self.serve()
        self.assert_served(dispatched, by="gamma")

    def test_probe_in_flight(self) -> None:
        """
        Nobody waits for another's probe while there is somebody above.
        """
        probe = self.circuits.hold_probe("alpha", self.clock)
        dispatched = self.climb()
        self.clock.advance(0)
        self.assertEqual(self.asked, ["beta"])
        self.serve()
        self.assert_served(dispatched, by="beta")
        probe.release()

    def test_probe_due(self) -> None:
        """
        Who is about to be probed can be asked.
        """
        self.circuits.trip("alpha")
        self.clock.advance(OPEN_SECONDS)
        dispatched = self.climb()
        self.serve()
        self.assert_served(dispatched, by="alpha")

    def test_no_probe_above(self) -> None:
        """
        A probe that is due above is no reason.
        """
        self.circuits.trip("gamma")
        self.clock.advance(OPEN_SECONDS)
        dispatched = self.climb([HOME], [LAB])
        self.serve()
        self.assert_served(dispatched, by="alpha")

    def test_attempts_are_counted_over_all(self) -> None:
        """
        A request has as many as it has without tiers.
        """
        self.configure(max_attempts=2)
        dispatched = self.climb()
        self.last.answer(500, refusal())
        self.last.answer(500, refusal())
        self.assert_fails(dispatched, 502)
        self.assertEqual(self.asked, ["alpha", "beta"])

    def test_client_is_refused(self) -> None:
        """
        What is the client's own fault is nobody's above, either.
        """
        dispatched = self.climb()
        self.last.answer(400, refusal())
        self.assert_fails(dispatched, 400)
        self.assertEqual(self.asked, ["alpha"])

    def test_stream_without_failover(self) -> None:
        """
        A single attempt is made where somebody can be asked.
        """
        self.configure(failover=False)
        self.circuits.trip("alpha")
        call = Call(chat_request(stream=True), "r-1", ())
        self.exchange = Exchange.begin("r-1", self.clock)
        dispatched = Deferred.fromCoroutine(
            self.dispatcher.run(
                climbing([HOME], [SHOP]), call, self.exchange, self.downstream
            )
        )
        self.last.answer(500, refusal())
        self.assert_fails(dispatched, 502)
        self.assertEqual(self.asked, ["beta"])

    def test_client_leaves(self) -> None:
        """
        Who leaves while this looks for somebody leaves nothing behind.
        """
        probe = self.circuits.hold_probe("alpha", self.clock)
        self.assert_cancels(self.climb())
        probe.release()


class NeverDownTests(TiersTestCase):
    """
    A request that was tried at a better tier stays there.
    """

    def test_below_is_back(self) -> None:
        """
        Though one below has cooled down meanwhile.
        """
        self.cool("alpha", 1)
        dispatched = self.climb([HOME], [SHOP])
        self.last.answer(500, refusal())
        self.clock.advance(1)
        self.serve()
        self.assert_served(dispatched, by="beta")
        self.assertEqual(self.asked, ["beta", "beta"])

    def test_next_request(self) -> None:
        """
        The next request starts in its own tier again.
        """
        self.cool("alpha", 1)
        dispatched = self.climb([HOME], [SHOP])
        self.serve()
        self.assert_served(dispatched, by="beta")
        self.clock.advance(1)
        dispatched = self.climb([HOME], [SHOP])
        self.serve()
        self.assert_served(dispatched, by="alpha")

    @settings(deadline=None, max_examples=50)
    @given(
        st.lists(
            st.sampled_from(["trip alpha", "trip beta", "trip gamma", "time"]),
            max_size=3,
        ),
        st.lists(st.sampled_from([500, 429, 503, 200]), min_size=6, max_size=6),
        st.sampled_from(TIERS),
    )
    def test_any_course(
        self, before: list[str], statuses: list[int], tier: Tier
    ) -> None:
        """
        Whatever happens before and meanwhile, no attempt is at a lower tier
        than the one before.
        """
        self.setUp()
        self.configure(circuit=CircuitSettings(), max_attempts=6)
        for event in before:
            if event == "time":
                self.clock.advance(OPEN_SECONDS)
            else:
                self.circuits.trip(event.removeprefix("trip "))
        limit = Limit(tier, "x")
        tiers = {each.name: each.tier for each in (HOME, SHOP, LAB)}
        below = [each for each in (HOME, SHOP, LAB) if limit.allows(each.tier)]
        above = [[each] for each in (SHOP, LAB) if not limit.allows(each.tier)]
        dispatched = self.climb(below, *above, limit=limit)
        for status in statuses:
            self.clock.pump([0.5] * 20)
            if dispatched.called:
                break
            if self.agent.requests and not self.last.response.called:
                headers = {"Retry_After": "2"} if status in (429, 503) else {}
                self.last.answer(status, refusal(), **headers)
        self.clock.pump([5] * 20)
        if not dispatched.called:
            dispatched.cancel()
        dispatched.addErrback(lambda _: None)
        levels = [
            max(TIERS.index(tiers[name]), TIERS.index(tier)) for name in self.asked
        ]
        self.assertEqual(levels, sorted(levels))
        self.tearDown()


class NobodyTests(TiersTestCase):
    """
    When there is nobody at any tier.
    """

    def test_all_open(self) -> None:
        """
        The client is told when to come again: when the first of all is back.
        """
        self.circuits.trip("beta")
        self.clock.advance(10)
        self.circuits.trip("alpha", "gamma")
        error = self.assert_fails(self.climb(), 503)
        self.assertEqual((error.code, error.retry_after), ("circuit_open", 20))
        self.assertEqual(self.asked, [])

    def test_waits_for_its_own(self) -> None:
        """
        Where nobody above can be asked, who is soon back is waited for.
        """
        self.cool("alpha", 2)
        self.circuits.trip("beta")
        dispatched = self.climb([HOME], [SHOP])
        self.clock.advance(2)
        self.serve()
        self.assert_served(dispatched, by="alpha")

    def test_comes_back_to_its_own(self) -> None:
        """
        Where nobody above can be asked, its own tier is tried again.
        """
        self.circuits.trip("beta", "gamma")
        dispatched = self.climb()
        self.last.answer(500, refusal())
        self.clock.advance(1)
        self.assertEqual(self.asked, ["alpha", "alpha"])
        self.serve()
        self.assert_served(dispatched, by="alpha")

    def test_all_failed(self) -> None:
        """
        The last one's failure is told; each costs its provider what it would
        have without tiers.
        """
        dispatched = self.climb()
        self.fail_all(dispatched)
        error = self.assert_fails(dispatched, 502)
        self.assertIn("gamma: HTTP 500", error.message)
        self.assertEqual(self.asked, ["alpha", "beta", "gamma"])
        for name in self.asked:
            self.assertEqual(self.circuits.failure_count(name), 1)
            self.assertIs(self.circuits.state(name), CircuitState.CLOSED)


class LogTests(TiersTestCase):
    """
    Whoever runs the daemon sees it.
    """

    def told(
        self, *steps: Iterable[ProviderSettings], statuses: list[int]
    ) -> list[str]:
        """
        What is logged of a request's escalation where the providers answer so.
        """
        with capturedLogs() as events:
            dispatched = self.climb(*steps)
            for status in statuses:
                self.last.answer(status, refusal())
            if not dispatched.called:
                self.serve()
            dispatched.addErrback(lambda _: None)
        return [
            formatEvent(each) or ""
            for each in events
            if each["log_level"] == LogLevel.info
        ]

    def test_no_escalation(self) -> None:
        """
        There is nothing to tell.
        """
        self.assertEqual(self.told(statuses=[]), [])

    def test_once(self) -> None:
        """
        However far it went, it is told once: from where to where, and why.
        """
        self.assertEqual(
            self.told(statuses=[500, 500]),
            [
                "Escalated from tier local, by complexity 0.1, to frontier: no "
                "provider could serve"
            ],
        )

    def test_planned(self) -> None:
        """
        Where nobody is there in the first place, too.
        """
        self.assertEqual(
            self.told([SHOP], [LAB], statuses=[]),
            [
                "Escalated from tier local, by complexity 0.1, to standard: it has no "
                "provider"
            ],
        )

    def test_nobody_was_asked(self) -> None:
        """
        Where nobody could be, it went nowhere.
        """
        self.circuits.trip("alpha", "beta", "gamma")
        with capturedLogs() as events:
            self.assert_fails(self.climb(), 503)
        self.assertEqual(events, [])


class RotationTests(DispatchTestCase):
    """
    Who is asked has had its turn.
    """

    def test_round_robin(self) -> None:
        """
        Also if it failed; who was not asked has not.
        """
        planned = evolve(plan(HOME, SHOP, LAB), strategy="round_robin", policy="rule")
        self.exchange = Exchange.begin("r-1", self.clock)
        call = Call(chat_request(), "r-1", ())
        dispatched = Deferred.fromCoroutine(
            self.dispatcher.run(planned, call, self.exchange, self.downstream)
        )
        self.last.answer(500, refusal())
        self.serve()
        self.assert_served(dispatched, by="beta")
        turns = [
            self.rotation.last_turn("rule", planned.model, name)
            for name in ("alpha", "beta", "gamma")
        ]
        self.assertEqual(turns, [1, 2, 0])

    def test_other_strategies(self) -> None:
        """
        Others take no turns.
        """
        dispatched = self.dispatch("alpha")
        self.serve()
        self.assert_served(dispatched, by="alpha")
        self.assertEqual(self.rotation.last_turn(None, "gpt-4o", "alpha"), 0)
