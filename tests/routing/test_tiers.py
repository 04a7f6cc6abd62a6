"""
Tests for L{arbstr.routing.tiers} and L{arbstr.routing.escalation}, and for what
the router makes of them.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from arbstr.config.model import ProviderSettings, RoutingSettings, Strategy, Tier
from arbstr.errors import ApiError
from arbstr.routing.complexity import KEYWORDS
from arbstr.routing.escalation import climb, too_good
from arbstr.routing.plan import Candidate, Plan, RouteRequest
from arbstr.routing.tiers import TIERS, Limit, Thresholds, is_above

from .market import MODEL, candidate, names, provider, router, seller

LOCAL = seller("home", tier="local")
STANDARD = seller("shop", 1000, 2000)
FRONTIER = seller("lab", 3000, 6000, tier="frontier")
ALL = (FRONTIER, STANDARD, LOCAL)

SIMPLE = (("Hello, how are you today?",),)
# Three keywords of the only signal that counts below.
COMPLEX = ((", ".join(KEYWORDS),),)
# One of them: a score of 1/3.
MIDDLING = (("Please debug this for me",),)


def thresholds(*tiers: Tier, **configured: Any) -> Thresholds:
    """
    The thresholds among providers of these tiers.
    """
    providers = [provider(f"p{number}", tier=tier) for number, tier in enumerate(tiers)]
    return Thresholds(RoutingSettings.model_validate(configured), providers)


def by_keywords(
    *providers: ProviderSettings, low: float = 0.3, high: float = 0.6, **policies: Any
) -> Any:
    """
    A router that judges by keywords alone.
    """
    weights = {
        "context_length": 0,
        "code_blocks": 0,
        "multi_file": 0,
        "conversation_depth": 0,
    }
    routing = {
        "complexity_weights": weights,
        "complexity_threshold_low": low,
        "complexity_threshold_high": high,
    }
    return router(*providers or ALL, routing=routing, **policies)


def ask(messages: tuple[tuple[str, ...], ...] = SIMPLE, **fields: Any) -> RouteRequest:
    """
    A request of 100 tokens.
    """
    return RouteRequest(MODEL, 100, messages=messages, **fields)


def steps(plan: Plan) -> list[list[str]]:
    """
    Who would be tried, and who after each escalation.
    """
    return [names(plan), *([each.name for each in step] for step in plan.reserves)]


class ThresholdTests(SynchronousTestCase):
    """
    The score sets the highest tier that may serve.
    """

    def test_scores(self) -> None:
        """
        Below low: local.  Above high: frontier.  Else standard.
        """
        table: dict[float, Tier] = {
            0: "local",
            0.399: "local",
            0.4: "standard",
            0.5: "standard",
            0.7: "standard",
            0.701: "frontier",
            1: "frontier",
        }
        for score, tier in table.items():
            limit = thresholds("local").limit(score, None, None)
            self.assertEqual(limit, Limit(tier, f"complexity {score:g}"))

    def test_configured(self) -> None:
        """
        The thresholds are the configuration's.
        """
        same = thresholds(
            "local", complexity_threshold_low=0.2, complexity_threshold_high=0.2
        )
        found = [same.limit(score, None, None).highest for score in (0.1, 0.2, 0.3)]
        self.assertEqual(found, ["local", "standard", "frontier"])

    def test_client_says(self) -> None:
        """
        The client knows better than the scorer.
        """
        for told, tier in (
            ("low", "local"),
            ("medium", "standard"),
            ("high", "frontier"),
            (" High ", "frontier"),
        ):
            limit = thresholds("local").limit(0.5, told, None)
            self.assertEqual(limit.highest, tier)
            self.assertEqual(
                limit.reason, f"X-Arbstr-Complexity: {told.strip().lower()}"
            )

    def test_client_says_something_else(self) -> None:
        """
        Anything else leaves it to the scorer.
        """
        for told in ("", "extreme", "0.9", "lo", "low, high"):
            limit = thresholds("local").limit(0.5, told, None)
            self.assertEqual(limit, Limit("standard", "complexity 0.5"))

    def test_client_names_a_provider(self) -> None:
        """
        Then there is no limit, whatever else it says.
        """
        self.assertIsNone(thresholds("local").limit(0, "low", "lab").highest)

    def test_auto(self) -> None:
        """
        There are limits only where some provider is not C{standard}.
        """
        table: dict[tuple[Tier, ...], bool] = {
            (): False,
            ("standard", "standard"): False,
            ("standard", "local"): True,
            ("frontier", "standard"): True,
        }
        for tiers, limited in table.items():
            limit = thresholds(*tiers).limit(0, None, None)
            self.assertEqual(limit.highest is not None, limited, tiers)

    def test_on(self) -> None:
        """
        Or where the configuration wants them.
        """
        limit = thresholds("standard", tiers="on").limit(0, None, None)
        self.assertEqual(limit.highest, "local")

    def test_off(self) -> None:
        """
        And none at all where it does not.
        """
        limit = thresholds("local", "frontier", tiers="off").limit(0, "low", None)
        self.assertEqual(limit, Limit(None, "tiers are off"))

    def test_order(self) -> None:
        """
        C{local} is below C{standard}, and that below C{frontier}.
        """
        above = [(a, b) for a in TIERS for b in TIERS if is_above(a, b)]
        self.assertEqual(
            above,
            [("standard", "local"), ("frontier", "local"), ("frontier", "standard")],
        )


candidates = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(TIERS)),
    unique_by=lambda each: each[0],
).map(lambda found: [candidate(name, tier=tier) for name, tier in found])
limits = st.sampled_from([Limit(None, "x"), *(Limit(tier, "x") for tier in TIERS)])


class ClimbTests(SynchronousTestCase):
    """
    Who comes first, and who after each escalation.
    """

    @given(candidates, limits)
    def test_everybody(self, offered: list[Candidate], limit: Limit) -> None:
        """
        Everybody has one place, and nobody is waited for who is not there.
        """
        found = climb(offered, limit)
        everybody = [each for step in found for each in step]
        self.assertCountEqual(everybody, offered)
        self.assertTrue(all(found))

    @given(candidates, limits)
    def test_never_down(self, offered: list[Candidate], limit: Limit) -> None:
        """
        Each step is above the one before, and above the limit all but the first.
        """
        found = [
            {TIERS.index(each.provider.tier) for each in step}
            for step in climb(offered, limit)
        ]
        for below, above in pairwise(found):
            self.assertEqual(len(above), 1)
            self.assertLess(max(below), min(above))

    @given(candidates, limits)
    def test_reasons(self, offered: list[Candidate], limit: Limit) -> None:
        """
        Exactly those above the limit are told that they are.
        """
        above = {each.name for each in offered if not limit.allows(each.provider.tier)}
        self.assertEqual(too_good(offered, limit).keys(), above)


class PlanTests(SynchronousTestCase):
    """
    What is planned.
    """

    def test_simple(self) -> None:
        """
        A simple request is for the tier local, and may climb one at a time.
        """
        plan = by_keywords().plan(ask())
        self.assertEqual(steps(plan), [["home"], ["shop"], ["lab"]])

    def test_middling(self) -> None:
        """
        What is below the limit stays.
        """
        plan = by_keywords().plan(ask(MIDDLING))
        self.assertEqual(steps(plan), [["home", "shop"], ["lab"]])

    def test_complex(self) -> None:
        """
        A complex one is for everybody, and the strategy decides.
        """
        plan = by_keywords().plan(ask(COMPLEX))
        self.assertEqual(steps(plan), [["home", "shop", "lab"]])
        self.assertEqual(plan.excluded, {})

    def test_excluded(self) -> None:
        """
        Who is above the limit is told so.
        """
        plan = by_keywords().plan(ask(MIDDLING))
        why = "tier frontier is above what complexity 0.333 allows (standard)"
        self.assertEqual(plan.excluded, {"lab": why})

    def test_override(self) -> None:
        """
        The client's word stands in the reason; the score is still told.
        """
        plan = by_keywords().plan(ask(COMPLEX, complexity="low"))
        self.assertEqual(steps(plan), [["home"], ["shop"], ["lab"]])
        self.assertEqual(
            plan.excluded["lab"],
            "tier frontier is above what X-Arbstr-Complexity: low allows (local)",
        )
        assert plan.complexity is not None
        self.assertEqual(plan.complexity.score, 1)

    def test_nobody_in_the_tier(self) -> None:
        """
        Then the next one up serves.
        """
        plan = by_keywords(FRONTIER, STANDARD).plan(ask())
        self.assertEqual(steps(plan), [["shop"], ["lab"]])
        self.assertEqual(plan.limit.highest, "local")

    def test_nobody_below_frontier(self) -> None:
        """
        Up to the last.
        """
        plan = by_keywords(FRONTIER).plan(ask())
        self.assertEqual(steps(plan), [["lab"]])
        self.assertEqual(plan.excluded, {})

    def test_nobody_above(self) -> None:
        """
        A complex request is served by the best there is.
        """
        self.assertEqual(steps(by_keywords(LOCAL).plan(ask(COMPLEX))), [["home"]])

    def test_policy_at_every_tier(self) -> None:
        """
        A policy's constraints hold for those it escalates to, and they keep
        their reason.
        """
        rules = [{"name": "rule", "max_sats_per_1m_output": 2000}]
        plan = by_keywords(rules=rules).plan(ask(policy="rule"))
        self.assertEqual(steps(plan), [["home"], ["shop"]])
        self.assertIn("is over the 2000 of policy 'rule'", plan.excluded["lab"])

    def test_clients_limit_at_every_tier(self) -> None:
        """
        So does what the client will pay.
        """
        plan = by_keywords().plan(ask(max_cost_sats=1))
        self.assertEqual(steps(plan), [["home"], ["shop"]])
        self.assertIn("request's limit of 1", plan.excluded["lab"])

    def test_policy_empties_the_tier(self) -> None:
        """
        Where a policy leaves nobody in a tier, the next one up serves.
        """
        rules = [{"name": "rule", "providers": {"ignore": ["home"]}}]
        plan = by_keywords(rules=rules).plan(ask(policy="rule"))
        self.assertEqual(steps(plan), [["shop"], ["lab"]])

    def test_policy_leaves_nobody(self) -> None:
        """
        Where it leaves nobody at any tier, that is what is told.
        """
        rules = [{"name": "rule", "allowed_models": ["llama"]}]
        market = by_keywords(rules=rules)
        error = self.assertRaises(ApiError, market.plan, ask(policy="rule"))
        self.assertEqual(error.code, "model_not_allowed")

    def test_named_provider(self) -> None:
        """
        Who names a provider gets that one, of whatever tier it is.
        """
        plan = by_keywords().plan(ask(provider="lab"))
        self.assertEqual(steps(plan), [["lab"]])
        self.assertEqual(plan.excluded["home"], "the request wants lab only")

    def test_baseline(self) -> None:
        """
        Savings are counted against the dearest at any tier: to do without is
        what saves.
        """
        self.assertEqual(by_keywords().plan(ask()).baseline.name, "lab")

    def test_judged_before(self) -> None:
        """
        A score that is known stands for the messages.
        """
        plan = by_keywords().plan(ask((), complexity_score=0.1))
        self.assertEqual(steps(plan), [["home"], ["shop"], ["lab"]])

    def test_nothing_to_judge(self) -> None:
        """
        What cannot be judged is not left to the weak.
        """
        self.assertEqual(by_keywords().plan(ask(())).limit.highest, "frontier")

    def test_all_standard(self) -> None:
        """
        Without tiers there are no limits, but the score is known.
        """
        plan = by_keywords(STANDARD).plan(ask(MIDDLING))
        self.assertIsNone(plan.limit.highest)
        assert plan.complexity is not None
        self.assertAlmostEqual(plan.complexity.score, 1 / 3)

    @settings(deadline=None)
    @given(
        st.dictionaries(
            st.sampled_from("abcdef"),
            st.tuples(
                st.sampled_from(TIERS), st.integers(0, 9000), st.integers(0, 9000)
            ),
            min_size=1,
        ),
        st.floats(0, 1),
        st.integers(0, 9000),
        st.sampled_from(["cheapest", "lowest_latency", "round_robin", "balanced"]),
    )
    def test_any_market(
        self,
        market: dict[str, tuple[Tier, int, int]],
        score: float,
        most: int,
        strategy: Strategy,
    ) -> None:
        """
        A plan with its reserves has every eligible provider once, each step
        above the one before; everybody else is told why not; and under
        C{cheapest} nobody in a step is expected to cost less than its first.
        """
        sellers = [
            seller(name, rate, output, tier=tier)
            for name, (tier, rate, output) in market.items()
        ]
        rules = [{"name": "rule", "max_sats_per_1m_output": most, "strategy": strategy}]
        request = ask(policy="rule", complexity_score=score)
        eligible = {name for name, each in market.items() if each[2] <= most}
        survey = by_keywords(*sellers, rules=rules).survey(request)
        self.assertEqual(survey.error is None, bool(eligible))
        if not eligible:
            return
        plan = survey.plan()
        everybody = [plan.candidates, *plan.reserves]
        found = [each.name for step in everybody for each in step]
        self.assertCountEqual(found, eligible)
        self.assertEqual(plan.excluded.keys(), market.keys() - set(names(plan)))
        levels = [
            [TIERS.index(each.provider.tier) for each in step] for step in everybody
        ]
        for below, above in pairwise(levels):
            self.assertLess(max(below), min(above))
        if strategy == "cheapest":
            for step in everybody:
                costs = [each.expected_sats for each in step]
                self.assertEqual(costs, sorted(costs))
