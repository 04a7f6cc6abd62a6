"""
Tests for L{arbstr.routing.router}: who serves the model, and in which order.
"""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from arbstr.config.model import ProviderSettings
from arbstr.errors import ApiError
from arbstr.routing.plan import RouteRequest

from .market import (
    CHEAP,
    DEAR,
    EXPECTED,
    MIDDLE,
    MODEL,
    RefusalTestCase,
    ask,
    names,
    plan_under,
    provider,
    router,
    seller,
)

# A slow machine is no failure.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


class ModelTests(RefusalTestCase):
    """
    Only who serves the model can be a candidate.
    """

    def test_listed(self) -> None:
        """
        Those that do not serve it are not even excluded.
        """
        plan = router(CHEAP, provider("other", "llama")).plan(ask())
        self.assertEqual(names(plan), ["cheap"])
        self.assertEqual(plan.excluded, {})

    def test_any_model(self) -> None:
        """
        A provider that lists none serves a model that nobody lists.
        """
        plan = router(CHEAP, provider("any")).plan(ask("unheard-of"))
        self.assertEqual(names(plan), ["any"])

    def test_alias(self) -> None:
        """
        A candidate knows the provider's own id for the model.
        """
        alias = {"name": MODEL, "upstream": "openai/gpt-4o"}
        plan = router(provider("alpha", alias)).plan(ask())
        self.assertEqual(plan.model, MODEL)
        self.assertEqual(plan.candidates[0].offer.upstream_model, "openai/gpt-4o")

    def test_unknown(self) -> None:
        """
        Nobody serves it: the error names what there is.
        """
        sellers = provider("a", "zephyr", "gpt-4o"), provider("b", "gpt-4o", "llama")
        error = self.assertRaises(ApiError, router(*sellers).plan, ask("gpt-5"))
        self.assertRefused(
            error,
            "No providers available for model 'gpt-5'. "
            "Available: gpt-4o, llama, zephyr",
            "model_not_found",
            "model",
        )

    def test_at_most_twenty_named(self) -> None:
        """
        Of many models, twenty are named.
        """
        models = [f"model-{number:02}" for number in range(25)]
        error = self.assertRaises(
            ApiError, router(provider("a", *models)).plan, ask("gpt-5")
        )
        self.assertRefused(
            error,
            "No providers available for model 'gpt-5'. "
            f"Available: {', '.join(models[:20])} and 5 more",
            "model_not_found",
            "model",
        )


class OrderTests(SynchronousTestCase):
    """
    The cheapest for this very request is tried first.
    """

    def first(self, sellers: list[ProviderSettings], request: RouteRequest) -> str:
        """
        Who is tried first.
        """
        return names(router(*sellers).plan(request))[0]

    def test_by_expected_cost(self) -> None:
        """
        Candidates are in the order of what they are expected to cost.
        """
        plan = router(DEAR, CHEAP, MIDDLE).plan(ask())
        costs = {each.name: each.expected_sats for each in plan.candidates}
        self.assertEqual(list(costs), ["cheap", "middle", "dear"])
        for name, expected in EXPECTED.items():
            self.assertAlmostEqual(costs[name], expected)

    def test_ties(self) -> None:
        """
        Equal costs are ordered by name, not by place in the file.
        """
        plan = router(seller("c", 1, 1), seller("a", 1, 1), seller("b", 1, 1)).plan(
            ask()
        )
        self.assertEqual(names(plan), ["a", "b", "c"])

    def test_base_fee(self) -> None:
        """
        A fee of 5 sats decides a question of ten tokens, and means nothing to
        a long one.
        """
        sellers = [
            seller("with-fee", 1000, 1000, base_fee=5),
            seller("without", 2000, 2000),
        ]
        self.assertEqual(self.first(sellers, ask(input_tokens=10)), "without")
        self.assertEqual(self.first(sellers, ask(input_tokens=100_000)), "with-fee")

    def test_output_cap(self) -> None:
        """
        A cap on the answer makes a dear output rate matter less.
        """
        sellers = [seller("dear-in", 5000, 1000), seller("dear-out", 1000, 5000)]
        self.assertEqual(self.first(sellers, ask()), "dear-in")
        self.assertEqual(self.first(sellers, ask(output_cap=10)), "dear-out")

    def test_choices(self) -> None:
        """
        Several answers make it matter more.
        """
        sellers = [seller("dear-in", 9000, 1000), seller("dear-out", 1000, 3000)]
        self.assertEqual(self.first(sellers, ask()), "dear-out")
        self.assertEqual(self.first(sellers, ask(choices=4)), "dear-in")

    def test_rates_of_the_model(self) -> None:
        """
        What counts is the price of this model, not that of the others.
        """
        special = {"name": MODEL, "input_rate": 1, "output_rate": 1}
        sellers = [CHEAP, provider("bargain", special, input_rate=9e9)]
        self.assertEqual(self.first(sellers, ask()), "bargain")

    @unhurried
    @given(
        st.dictionaries(
            st.sampled_from("abcdefgh"),
            st.tuples(*[st.integers(0, 50_000)] * 2, st.integers(0, 9)),
            min_size=1,
        ),
        st.integers(1, 100_000),
        st.none() | st.integers(1, 5000),
        st.integers(0, 60_000),
    )
    def test_permutation(
        self,
        prices: dict[str, tuple[int, int, int]],
        input_tokens: int,
        output_cap: int | None,
        limit: int,
    ) -> None:
        """
        A plan has every eligible provider once, ordered by expected cost, and
        tells of every other why it is out.
        """
        sellers = [
            seller(name, rate, output, base_fee=fee)
            for name, (rate, output, fee) in prices.items()
        ]
        eligible = {name for name, price in prices.items() if price[1] <= limit}
        market = router(
            *sellers, rules=[{"name": "rule", "max_sats_per_1m_output": limit}]
        )
        request = ask(input_tokens=input_tokens, output_cap=output_cap, policy="rule")
        if not eligible:
            self.assertRaises(ApiError, market.plan, request)
            return
        plan = market.plan(request)
        costs = [each.expected_sats for each in plan.candidates]
        self.assertEqual(sorted(names(plan)), sorted(eligible))
        self.assertEqual(plan.excluded.keys(), prices.keys() - eligible)
        self.assertEqual(costs, sorted(costs))
        self.assertEqual(plan.baseline.expected_sats, max(costs))


class PlanTests(SynchronousTestCase):
    """
    What else a plan tells.
    """

    def test_baseline(self) -> None:
        """
        Savings are counted against the dearest of those that may serve.
        """
        self.assertEqual(router(CHEAP, DEAR, MIDDLE).plan(ask()).baseline.name, "dear")

    def test_baseline_may_serve(self) -> None:
        """
        A provider that the policy excludes is no baseline.
        """
        plan = plan_under({"providers": {"ignore": ["dear"]}})
        self.assertEqual(plan.baseline.name, "middle")

    def test_baseline_over_the_clients_limit(self) -> None:
        """
        One that only the client's own limit excludes is.
        """
        plan = router(CHEAP, DEAR, MIDDLE).plan(ask(max_cost_sats=1))
        self.assertEqual(names(plan), ["cheap"])
        self.assertEqual(plan.baseline.name, "dear")

    def test_tokens(self) -> None:
        """
        The plan tells the estimates that it rests on.
        """
        plan = router(CHEAP).plan(ask(input_tokens=50, output_cap=20, choices=2))
        self.assertEqual((plan.input_tokens, plan.output_tokens), (50, 40))
