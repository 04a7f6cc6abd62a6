"""
Tests for L{arbstr.routing.replay} and L{arbstr.routing.logged}.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from arbstr.config.model import Config
from arbstr.routing.learned import ENOUGH_SAMPLES
from arbstr.routing.logged import read_request, write_request
from arbstr.routing.plan import RouteRequest
from arbstr.routing.replay import Comparison, Replay

from .market import CHEAP, DEAR, MODEL, provider, seller

# A thousand tokens either way: 3 sats at CHEAP and 9 at DEAR.
ROW: dict[str, Any] = {
    "model": MODEL,
    "policy": None,
    "provider": "dear",
    "complexity_score": 0.5,
    "input_tokens": 1000,
    "cached_tokens": 0,
    "output_tokens": 1000,
    "tokens_estimated": False,
    "choices": 1,
    "output_cap": None,
    "wanted_provider": None,
    "wanted_complexity": None,
    "max_cost_sats": None,
    "cost_sats": 9.0,
    "success": True,
    "error_status": None,
    "attempts": [
        {
            "provider": "dear",
            "outcome": "ok",
            "start_ms": 0,
            "duration_ms": 9,
            "first_byte_ms": 5,
        }
    ],
}

rows = st.fixed_dictionaries(
    {
        "policy": st.sampled_from([None, "code", "gone"]),
        "provider": st.sampled_from(["cheap", "dear", "gone"]),
        "input_tokens": st.none() | st.integers(0, 10**6),
        "output_tokens": st.none() | st.integers(0, 10**6),
        "cost_sats": st.none() | st.floats(0, 10**6),
        "success": st.booleans(),
        "max_cost_sats": st.none() | st.floats(0, 10),
    }
)


class ReplayTestCase(SynchronousTestCase):
    """
    Replays rows through L{CHEAP} and L{DEAR}, unless configured otherwise.
    """

    def setUp(self) -> None:
        self.configure(CHEAP, DEAR)

    def configure(self, *providers: object, **sections: Any) -> None:
        """
        Start anew with another configuration.
        """
        self.replay = Replay(
            Config.model_validate({"providers": providers, **sections})
        )

    def add(self, **changes: Any) -> None:
        """
        One more row.
        """
        self.replay.add(ROW | changes)

    def sats(self, comparison: Comparison | None = None) -> tuple[Decimal, Decimal]:
        """
        What it was and what it would be, by default all.
        """
        compared = comparison or self.replay.total
        return compared.was.sats, compared.would_be.sats

    def went(self) -> list[str]:
        """
        Whom the requests would go to.
        """
        providers = self.replay.providers.items()
        return sorted(name for name, each in providers if each.would_be.requests)


class CompareTests(ReplayTestCase):
    """
    What it was, and what it would be.
    """

    def test_total(self) -> None:
        """
        Costs are added up on either side.
        """
        self.add()
        self.add()
        total = self.replay.total
        self.assertEqual(self.sats(), (18, 6))
        self.assertEqual((total.was.requests, total.would_be.requests), (2, 2))
        self.assertEqual((total.saved, total.moved), (12, 2))

    def test_not_moved(self) -> None:
        """
        Who would be served by the same provider has not moved.
        """
        self.add(provider="cheap", cost_sats=2.5)
        self.assertEqual(self.replay.total.moved, 0)
        self.assertEqual(self.replay.total.saved, Decimal("-0.5"))

    def test_providers(self) -> None:
        """
        Each provider has what it served, and what it would.
        """
        self.add()
        self.add(provider="cheap", cost_sats=3.0)
        dear, cheap = (self.replay.providers[name] for name in ("dear", "cheap"))
        self.assertEqual(self.sats(dear), (9, 0))
        self.assertEqual((dear.was.requests, dear.would_be.requests), (1, 0))
        self.assertEqual(self.sats(cheap), (3, 6))
        self.assertEqual((cheap.was.requests, cheap.would_be.requests), (1, 2))

    def test_exact(self) -> None:
        """
        What no binary number is, adds up exactly.
        """
        for _ in range(10):
            self.add(cost_sats=0.1)
        self.assertEqual(self.replay.total.was.sats, 1)

    def test_used_tokens(self) -> None:
        """
        Priced is what was used, not what would be expected.
        """
        self.add(input_tokens=10, output_tokens=5_000_000)
        self.assertEqual(self.sats()[1], Decimal("10000.01"))

    def test_cached_tokens(self) -> None:
        """
        What was cached is priced as such.
        """
        self.configure(seller("cheap", 1000, 2000, cached_input_rate=100))
        self.add(cached_tokens=500)
        self.assertEqual(self.sats()[1], Decimal("2.55"))


class RequestTests(ReplayTestCase):
    """
    The router is told what it was told.
    """

    def test_policy(self) -> None:
        """
        A policy of the same name applies.
        """
        rule = {"name": "code", "providers": {"ignore": ["cheap"]}}
        self.configure(CHEAP, DEAR, policies={"rules": [rule]})
        self.add(policy="code")
        self.assertEqual(self.went(), ["dear"])
        self.assertEqual(self.sats(self.replay.policies["code"]), (9, 9))
        self.assertFalse(self.replay.unknown_policies)

    def test_unknown_policy(self) -> None:
        """
        Of one that is not configured nobody knows what it wants: it is counted.
        """
        self.add(policy="code")
        self.add()
        self.assertEqual(self.replay.unknown_policies, {"code": 1})
        self.assertEqual(self.sats(self.replay.policies["code"]), (9, 3))
        self.assertEqual(self.sats(self.replay.policies[None]), (9, 3))

    def test_provider(self) -> None:
        """
        Who wanted one provider only, wants it still.
        """
        self.add(wanted_provider="dear")
        self.assertEqual(self.went(), ["dear"])

    def test_output_cap(self) -> None:
        """
        A cap on the answer makes a difference where the prompt is cheap.
        """
        self.configure(seller("long", 2000, 1000), seller("short", 1000, 10_000))
        self.add(output_cap=1)
        self.assertEqual(self.went(), ["short"])

    def test_complexity(self) -> None:
        """
        What was too complex for a tier is so still.
        """
        self.configure(
            seller("weak", 9, 9, tier="local"), seller("strong", tier="frontier")
        )
        self.add(complexity_score=0.3)
        self.assertEqual(self.went(), ["weak"])
        self.add(complexity_score=0.9)
        self.assertEqual(self.went(), ["strong", "weak"])
        self.assertEqual(self.replay.unjudged, 0)

    def test_wanted_complexity(self) -> None:
        """
        Unless the client knew better.
        """
        self.configure(
            seller("weak", tier="local"), seller("strong", 0, 0, tier="frontier")
        )
        self.add(complexity_score=0.9, wanted_complexity="low")
        self.assertEqual(self.went(), ["weak"])

    def test_not_judged(self) -> None:
        """
        What was not judged is taken for complex, and counted.
        """
        self.configure(
            seller("weak", 9, 9, tier="local"), seller("strong", tier="frontier")
        )
        self.add(complexity_score=None)
        self.assertEqual(self.went(), ["strong"])
        self.assertEqual(self.replay.unjudged, 1)

    def test_turns(self) -> None:
        """
        Who takes turns takes them here.
        """
        self.configure(CHEAP, DEAR, policies={"default_strategy": "round_robin"})
        self.add()
        self.add()
        self.assertEqual(self.went(), ["cheap", "dear"])

    def test_learning(self) -> None:
        """
        Expectations follow the requests before, as they did.
        """
        self.configure(seller("long", 2000, 1000), seller("short", 1000, 10_000))
        for _ in range(ENOUGH_SAMPLES):
            self.add(output_tokens=1)
        self.assertEqual(self.went(), ["long"])
        self.add(output_tokens=1)
        self.assertEqual(self.went(), ["long", "short"])

    @given(
        st.builds(
            RouteRequest,
            st.just(MODEL),
            st.integers(1, 1000),
            output_cap=st.none() | st.integers(1, 100),
            choices=st.integers(1, 3),
            policy=st.none() | st.just("code"),
            provider=st.none() | st.just("alpha"),
            max_cost_sats=st.none() | st.floats(0, 10),
            complexity=st.none() | st.just("low"),
        )
    )
    def test_round_trip(self, request: RouteRequest) -> None:
        """
        Nothing of a request is lost on the way through the log but its text.
        """
        row = write_request(request, planned=True)
        row |= {"model": request.model, "complexity_score": None}
        self.assertEqual(
            read_request(row, request.input_tokens, request.policy), request
        )


class LeftOutTests(ReplayTestCase):
    """
    What cannot be compared is counted apart.
    """

    def left_out(self) -> tuple[int, int, dict[str, int]]:
        """
        Failed, not reported, and refused ones.
        """
        replay = self.replay
        self.assertEqual(replay.total.was.requests, 0)
        return (
            replay.failed.requests,
            replay.unreported.requests,
            {code: each.requests for code, each in replay.refused.items()},
        )

    def test_failed(self) -> None:
        """
        Requests that failed, even if they had used something.
        """
        self.add(success=False)
        self.assertEqual(self.left_out(), (1, 0, {}))
        self.assertEqual(self.replay.failed.sats, 9)

    def test_estimated(self) -> None:
        """
        Requests of which only we counted the tokens.
        """
        self.add(tokens_estimated=True)
        self.assertEqual(self.left_out(), (0, 1, {}))

    def test_no_usage(self) -> None:
        """
        Requests of which nobody did.
        """
        self.add(input_tokens=None, output_tokens=None, cost_sats=None)
        self.assertEqual(self.left_out(), (0, 1, {}))

    def test_other_model(self) -> None:
        """
        Requests for a model that nobody has there.
        """
        self.configure(provider("other", "llama", input_rate=1, output_rate=1))
        self.add()
        self.assertEqual(self.left_out(), (0, 0, {"model_not_found": 1}))
        self.assertEqual(self.replay.refused["model_not_found"].sats, 9)

    def test_unknown_provider(self) -> None:
        """
        Requests that want one who is not there.
        """
        self.add(wanted_provider="gone")
        self.assertEqual(self.left_out(), (0, 0, {"provider_not_found": 1}))

    def test_too_dear(self) -> None:
        """
        Requests that would cost more than the client would pay.
        """
        self.add(max_cost_sats=1)
        self.assertEqual(self.left_out(), (0, 0, {"max_cost_exceeded": 1}))

    @given(st.lists(rows))
    def test_nothing_is_lost(self, logged: list[dict[str, Any]]) -> None:
        """
        Each request counts once, and so does each sat.
        """
        self.configure(CHEAP, DEAR, policies={"rules": [{"name": "code"}]})
        for changes in logged:
            self.add(**changes)
        replay = self.replay
        parts = [
            replay.total.was,
            replay.failed,
            replay.unreported,
            *replay.refused.values(),
        ]
        self.assertEqual(sum(each.requests for each in parts), len(logged))
        self.assertAlmostEqual(
            float(sum(each.sats for each in parts)),
            sum(row["cost_sats"] or 0 for row in logged),
            delta=1e-6,
        )
        for groups in (replay.policies, replay.providers):
            for side in ("was", "would_be"):
                tallies = [getattr(each, side) for each in groups.values()]
                total = getattr(replay.total, side)
                self.assertEqual(sum(each.sats for each in tallies), total.sats)
