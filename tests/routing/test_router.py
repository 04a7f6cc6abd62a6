"""
Tests for L{arbstr.routing.router}: who serves the model, and in which order.
"""

from __future__ import annotations

from typing import get_args

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from arbstr.config.model import Config, ProviderSettings, Strategy
from arbstr.errors import ApiError
from arbstr.routing.learned import Learned
from arbstr.routing.observation import AttemptSample, Observation
from arbstr.routing.plan import RouteRequest

from .market import (
    CHEAP,
    DEAR,
    EXPECTED,
    MIDDLE,
    MODEL,
    RefusalTestCase,
    ask,
    attempt,
    learn,
    names,
    plan_under,
    provider,
    router,
    seller,
)

# A slow machine is no failure.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


class UseTests(RefusalTestCase):
    """
    The market and the policies change under a router.
    """

    def test_new_plans_follow_it(self) -> None:
        market = router(CHEAP)
        market.use(Config(providers=(MIDDLE, DEAR)))
        self.assertEqual(names(market.plan(ask())), ["middle", "dear"])

    def test_new_rates(self) -> None:
        """
        The same providers, in another order for other prices.
        """
        market = router(CHEAP, MIDDLE)
        market.use(Config(providers=(CHEAP, seller("middle", 1, 1))))
        self.assertEqual(names(market.plan(ask())), ["middle", "cheap"])

    def test_old_plans_stand(self) -> None:
        market = router(CHEAP)
        plan = market.plan(ask())
        market.use(Config(providers=(MIDDLE,)))
        self.assertEqual(names(plan), ["cheap"])

    def test_policies(self) -> None:
        market = router(CHEAP, DEAR, rules=[{"name": "old"}])
        rules = {"rules": [{"name": "new", "providers": {"ignore": ["cheap"]}}]}
        market.use(
            Config.model_validate({"providers": (CHEAP, DEAR), "policies": rules})
        )
        self.assertEqual(names(market.plan(ask(policy="new"))), ["dear"])
        with self.assertRaises(ApiError):
            market.plan(ask(policy="old"))

    def test_default_strategy(self) -> None:
        market = router(CHEAP)
        policies = {"default_strategy": "lowest_latency"}
        market.use(Config.model_validate({"providers": [CHEAP], "policies": policies}))
        self.assertEqual(market.plan(ask()).strategy, "lowest_latency")

    def test_thresholds(self) -> None:
        """
        What is complex and what is not changes, and whether that matters.
        """
        best = seller("best", 1, 1, tier="frontier")
        market = router(CHEAP, best, routing={"complexity_threshold_high": 0.4})
        request = ask(complexity_score=0.5)
        self.assertEqual(names(market.plan(request)), ["best", "cheap"])
        market.use(Config(providers=(CHEAP, best)))
        self.assertEqual(names(market.plan(request)), ["cheap"])
        routing = {"tiers": "off"}
        market.use(
            Config.model_validate({"providers": (CHEAP, best), "routing": routing})
        )
        self.assertEqual(names(market.plan(request)), ["best", "cheap"])

    def test_turns_stay(self) -> None:
        """
        Whose turn it was is known after a reload, too.
        """
        market = router(CHEAP, DEAR, default_strategy="round_robin")
        market.rotation.took(None, MODEL, "cheap")
        policies = {"default_strategy": "round_robin"}
        market.use(
            Config.model_validate({"providers": (CHEAP, DEAR), "policies": policies})
        )
        self.assertEqual(names(market.plan(ask())), ["dear", "cheap"])

    def test_what_was_learned_stays(self) -> None:
        """
        A provider that has shown to be slow is as slow after a reload.
        """
        learned = learn(attempt("cheap", 3.0))
        market = router(CHEAP, learned=learned)
        market.use(Config(providers=(CHEAP, DEAR)))
        self.assertIs(market.learned, learned)
        service = market.plan(ask()).candidates[0].service
        assert service is not None
        self.assertEqual(service.first_byte_seconds, 3.0)


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


experiences = st.lists(
    st.tuples(
        st.builds(
            Observation,
            st.just(MODEL),
            st.none() | st.just("rule"),
            input_chars=st.none() | st.integers(0, 100_000),
            input_tokens=st.none() | st.integers(0, 100_000),
            output_tokens=st.none() | st.integers(0, 100_000),
            attempts=st.builds(
                AttemptSample,
                st.sampled_from("abc"),
                st.none() | st.booleans(),
                st.none() | st.floats(0, 100),
            ).map(lambda sample: (sample,)),
        ),
        st.integers(1, 30),
    ),
    max_size=5,
)


class LearnedTests(SynchronousTestCase):
    """
    What was learned changes plans.
    """

    def test_answers(self) -> None:
        """
        Answers that were short make a dear output rate matter less.
        """
        sellers = [seller("dear-in", 5000, 1000), seller("dear-out", 1000, 5000)]
        learned = learn(Observation(MODEL, output_tokens=10), times=20)
        self.assertEqual(names(router(*sellers).plan(ask()))[0], "dear-in")
        plan = router(*sellers, learned=learned).plan(ask())
        self.assertEqual(names(plan)[0], "dear-out")
        self.assertEqual(plan.output_tokens, 10)

    def test_answers_under_a_policy(self) -> None:
        """
        Those under a policy tell about requests under the same one.
        """
        learned = learn(Observation(MODEL, "rule", output_tokens=10), times=20)
        market = router(CHEAP, learned=learned, rules=[{"name": "rule"}])
        self.assertEqual(market.plan(ask(policy="rule")).output_tokens, 10)
        self.assertEqual(market.plan(ask()).output_tokens, 300)

    def test_prompts(self) -> None:
        """
        A model that makes more tokens of a prompt is expected to cost more.
        """
        seen = Observation(MODEL, input_chars=200, input_tokens=100)
        plan = router(CHEAP, learned=learn(seen, times=20)).plan(ask(output_cap=10))
        self.assertEqual((plan.input_tokens, plan.output_tokens), (200, 10))
        self.assertAlmostEqual(plan.candidates[0].expected_sats, 0.2 + 0.02)

    def test_what_a_request_teaches(self) -> None:
        """
        A prompt that was estimated right corrects nothing; one with images is
        not learned from.
        """
        request = ask(input_tokens=137)
        seen = Observation(MODEL, input_chars=request.input_chars, input_tokens=137)
        market = router(CHEAP, learned=learn(seen, times=20))
        self.assertEqual(market.plan(request).input_tokens, 137)
        self.assertIsNone(ask(images=1).input_chars)

    def test_lowest_latency(self) -> None:
        """
        The quickest is tried first.
        """
        learned = learn(attempt("cheap", 2.0), attempt("dear", 0.5))
        market = router(CHEAP, DEAR, learned=learned, default_strategy="lowest_latency")
        self.assertEqual(names(market.plan(ask())), ["dear", "cheap"])

    def test_learns_on(self) -> None:
        """
        What is learned later counts for later plans.
        """
        learned = Learned()
        market = router(CHEAP, DEAR, learned=learned, default_strategy="lowest_latency")
        for each in (attempt("cheap", 0.5), attempt("dear", 2.0)):
            learned.observe(each)
        self.assertEqual(names(market.plan(ask())), ["cheap", "dear"])
        learned.observe(attempt("cheap", 9.0))
        self.assertEqual(names(market.plan(ask())), ["dear", "cheap"])

    def test_what_a_second_is_worth(self) -> None:
        """
        It is the policy that says so; without one it is one sat.
        """
        learned = learn(attempt("cheap", 2.0), attempt("dear", 0.5))
        market = router(
            CHEAP,
            DEAR,
            learned=learned,
            default_strategy="balanced",
            rules=[{"name": "patient", "sats_per_second": 0.1}],
        )
        self.assertEqual(names(market.plan(ask())), ["dear", "cheap"])
        self.assertEqual(names(market.plan(ask(policy="patient"))), ["cheap", "dear"])

    @unhurried
    @given(
        experiences,
        st.dictionaries(
            st.sampled_from("abc"), st.tuples(*[st.integers(0, 9000)] * 2), min_size=1
        ),
        st.sampled_from(get_args(Strategy)),
    )
    def test_any_experience(
        self,
        experience: list[tuple[Observation, int]],
        prices: dict[str, tuple[int, int]],
        strategy: Strategy,
    ) -> None:
        """
        Whatever was learned, everybody eligible is in the plan once, and under
        C{cheapest} who is expected to cost least comes first.
        """
        seen = [each for each, times in experience for _ in range(times)]
        sellers = [seller(name, *price) for name, price in prices.items()]
        market = router(*sellers, learned=learn(*seen), default_strategy=strategy)
        plan = market.plan(ask())
        costs = [each.expected_sats for each in plan.candidates]
        self.assertEqual(sorted(names(plan)), sorted(prices))
        if strategy in ("cheapest", "lowest_cost"):
            self.assertEqual(costs, sorted(costs))


class SurveyTests(RefusalTestCase):
    """
    A survey tells of everybody, even where there is no plan.
    """

    def test_plan(self) -> None:
        """
        The plan is what follows from it.
        """
        market = router(CHEAP, DEAR, MIDDLE)
        survey = market.survey(ask(max_cost_sats=2))
        self.assertEqual(survey.plan(), market.plan(ask(max_cost_sats=2)))
        self.assertEqual(
            [each.name for each in survey.offered], ["cheap", "dear", "middle"]
        )
        self.assertEqual(list(survey.excluded), ["dear"])

    def test_model_not_allowed(self) -> None:
        """
        A model that a policy forbids is forbidden to everybody.
        """
        rules = [{"name": "rule", "allowed_models": ["llama"]}]
        survey = router(CHEAP, DEAR, rules=rules).survey(ask(policy="rule"))
        why = "policy 'rule' does not allow the model"
        self.assertEqual(survey.excluded, {"cheap": why, "dear": why})
        self.assertEqual(survey.ranked, ())
        assert survey.error is not None
        self.assertEqual(survey.error.code, "model_not_allowed")

    def test_too_dear(self) -> None:
        """
        Where all cost more than the client will pay, each is told with what it
        is expected to cost.
        """
        survey = router(CHEAP, DEAR).survey(ask(max_cost_sats=0.5))
        over = "expected cost of {} sats is over the request's limit of 0.5"
        self.assertEqual(
            survey.excluded, {"cheap": over.format(0.7), "dear": over.format(2.1)}
        )
        error = self.assertRaises(ApiError, survey.plan)
        self.assertEqual((error.status, error.code), (402, "max_cost_exceeded"))

    def test_nobody(self) -> None:
        """
        Nobody serves the model: there is nothing but the error.
        """
        survey = router(CHEAP).survey(ask("llama"))
        self.assertEqual((survey.offered, survey.excluded), ((), {}))
        assert survey.error is not None
        self.assertEqual(survey.error.code, "model_not_found")


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
