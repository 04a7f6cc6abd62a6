"""
Tests for L{arbstr.routing.router}: what policies and clients demand.
"""

from __future__ import annotations

from arbstr.errors import ApiError

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


class PolicyTests(RefusalTestCase):
    """
    A policy says who may serve.
    """

    def test_no_policy(self) -> None:
        """
        Without one, everybody may.
        """
        plan = plan_under({"allowed_models": ["other"], "keywords": ["code"]}, ask())
        self.assertEqual(names(plan), ["cheap", "middle", "dear"])
        self.assertIsNone(plan.policy)
        self.assertEqual(plan.policy_reason, "no policy named and no keyword matched")

    def test_by_header(self) -> None:
        """
        The plan tells that the policy was named.
        """
        plan = plan_under({})
        self.assertEqual(plan.policy, "rule")
        self.assertEqual(plan.policy_reason, "named by X-Arbstr-Policy")

    def test_by_keyword(self) -> None:
        """
        A rule found by keyword is applied all the same.
        """
        rule = {"keywords": ["code"], "providers": {"only": ["middle"]}}
        plan = plan_under(rule, ask(last_user_text="Some code, please"))
        self.assertEqual(names(plan), ["middle"])
        self.assertEqual(plan.policy, "rule")
        self.assertEqual(plan.policy_reason, "keyword 'code'")

    def test_unknown_policy(self) -> None:
        """
        A wrong name is told before anything else.
        """
        error = self.assertRaises(
            ApiError, router(CHEAP).plan, ask("gpt-5", policy="none")
        )
        self.assertEqual(error.code, "policy_not_found")

    def test_allowed_model(self) -> None:
        """
        A model that is on the list may be used.
        """
        plan = plan_under({"allowed_models": ["other", MODEL]})
        self.assertEqual(names(plan), ["cheap", "middle", "dear"])

    def test_forbidden_model(self) -> None:
        """
        One that is not may not, whoever serves it.
        """
        error = self.assertRaises(ApiError, plan_under, {"allowed_models": ["other"]})
        self.assertRefused(
            error,
            "Policy 'rule' does not allow model 'gpt-4o'",
            "model_not_allowed",
            "model",
        )

    def test_output_rate(self) -> None:
        """
        A limit on the output rate excludes those above it.
        """
        plan = plan_under({"max_sats_per_1m_output": 4000})
        self.assertEqual(names(plan), ["cheap", "middle"])
        self.assertEqual(
            plan.excluded,
            {
                "dear": "output rate of 6000 sats per 1M tokens is over the 4000 of "
                "policy 'rule'"
            },
        )

    def test_cost_of_request(self) -> None:
        """
        A limit on the request's cost excludes those that are expected to cost
        more.
        """
        plan = plan_under({"max_sats_per_request": EXPECTED["middle"]})
        self.assertEqual(names(plan), ["cheap", "middle"])
        self.assertEqual(
            plan.excluded,
            {"dear": "expected cost of 2.1 sats is over the 1.4 of policy 'rule'"},
        )

    def test_limit_of_zero(self) -> None:
        """
        Zero is a limit as well: only what is free will do.
        """
        rules = [{"name": "free", "max_sats_per_request": 0}]
        plan = router(CHEAP, seller("gratis"), rules=rules).plan(ask(policy="free"))
        self.assertEqual(names(plan), ["gratis"])

    def test_only(self) -> None:
        """
        A policy may use some providers only.
        """
        plan = plan_under({"providers": {"only": ["dear", "middle"]}})
        self.assertEqual(names(plan), ["middle", "dear"])
        self.assertEqual(
            plan.excluded, {"cheap": "policy 'rule' uses only dear, middle"}
        )

    def test_ignore(self) -> None:
        """
        A policy may do without some providers.
        """
        plan = plan_under({"providers": {"ignore": ["cheap"]}})
        self.assertEqual(names(plan), ["middle", "dear"])
        self.assertEqual(plan.excluded, {"cheap": "policy 'rule' ignores it"})

    def test_only_less_ignored(self) -> None:
        """
        Both together leave those of the first that are not in the second.
        """
        only, ignore = ["cheap", "dear"], ["cheap"]
        plan = plan_under({"providers": {"only": only, "ignore": ignore}})
        self.assertEqual(names(plan), ["dear"])

    def test_nothing_left(self) -> None:
        """
        Where everybody is excluded, the error tells why for each.
        """
        rule = {"providers": {"ignore": ["cheap"]}, "max_sats_per_1m_output": 2000}
        error = self.assertRaises(ApiError, plan_under, rule)
        over = "sats per 1M tokens is over the 2000 of policy 'rule'"
        self.assertRefused(
            error,
            "No provider of model 'gpt-4o' is left after all constraints: "
            f"dear: output rate of 6000 {over}; "
            "cheap: policy 'rule' ignores it; "
            f"middle: output rate of 4000 {over}",
            "no_policy_match",
        )

    def test_strategy(self) -> None:
        """
        A rule's strategy goes before the default one.
        """
        self.assertEqual(plan_under({}).strategy, "cheapest")
        self.assertEqual(
            plan_under({"strategy": "lowest_cost"}).strategy, "lowest_cost"
        )

    def test_default_strategy(self) -> None:
        """
        The default can be configured.
        """
        plan = router(CHEAP, default_strategy="lowest_cost").plan(ask())
        self.assertEqual(plan.strategy, "lowest_cost")


class ClientsWishTests(RefusalTestCase):
    """
    The client has a say, too.
    """

    def test_provider(self) -> None:
        """
        It may want one provider only.
        """
        plan = router(CHEAP, MIDDLE).plan(ask(provider="middle"))
        self.assertEqual(names(plan), ["middle"])
        self.assertEqual(plan.excluded, {"cheap": "the request wants middle only"})

    def test_unknown_provider(self) -> None:
        """
        A name that nobody has is wrong.
        """
        error = self.assertRaises(
            ApiError, router(CHEAP, MIDDLE).plan, ask(provider="chaep")
        )
        self.assertRefused(
            error,
            "Unknown provider 'chaep' in X-Arbstr-Provider, expected one of: "
            "cheap, middle",
            "provider_not_found",
            "X-Arbstr-Provider",
        )

    def test_provider_without_the_model(self) -> None:
        """
        A provider that does not serve the model leaves nobody.
        """
        other = provider("other", "llama")
        error = self.assertRaises(
            ApiError, router(CHEAP, other).plan, ask(provider="other")
        )
        self.assertRefused(
            error,
            "No provider of model 'gpt-4o' is left after all constraints: "
            "cheap: the request wants other only",
            "no_policy_match",
        )

    def test_policy_stands_above(self) -> None:
        """
        Wanting a provider does not lift the policy.
        """
        rule = {"providers": {"ignore": ["cheap"]}}
        request = ask(policy="rule", provider="cheap")
        error = self.assertRaises(ApiError, plan_under, rule, request)
        self.assertIn("cheap: policy 'rule' ignores it", error.message)

    def test_max_cost(self) -> None:
        """
        Those that are expected to cost more than the client's limit are
        excluded.
        """
        plan = router(CHEAP, MIDDLE, DEAR).plan(ask(max_cost_sats=EXPECTED["middle"]))
        self.assertEqual(names(plan), ["cheap", "middle"])
        self.assertEqual(
            plan.excluded,
            {"dear": "expected cost of 2.1 sats is over the request's limit of 1.4"},
        )

    def test_over_max_cost(self) -> None:
        """
        Where all of them do, the request is refused, and the least that it
        would take is told.
        """
        error = self.assertRaises(
            ApiError, router(DEAR, CHEAP, MIDDLE).plan, ask(max_cost_sats=0.5)
        )
        self.assertRefused(
            error,
            "Expected to cost 0.7 sats at the cheapest provider, over the limit of "
            "0.5 sats in X-Arbstr-Max-Cost-Sats",
            "max_cost_exceeded",
            status=402,
        )

    def test_cheapest_that_may_serve(self) -> None:
        """
        What a forbidden provider would have cost is not told.
        """
        request = ask(policy="rule", max_cost_sats=1)
        rule = {"providers": {"ignore": ["cheap"]}}
        error = self.assertRaises(ApiError, plan_under, rule, request)
        self.assertEqual(error.code, "max_cost_exceeded")
        self.assertIn("1.4 sats at the cheapest", error.message)
