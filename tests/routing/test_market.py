"""
What the router makes of what the market tells: unknown prices, balances, lists
that are yet to come.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from arbstr.config.market import MarketModel, MarketProvider
from arbstr.config.model import Config, ProviderSettings
from arbstr.errors import ApiError
from arbstr.routing.balances import Balances
from arbstr.routing.catalog import Catalog
from arbstr.routing.plan import RouteRequest
from arbstr.routing.router import Router

from .market import MODEL, ask, provider, router, seller


def told(name: str, *models: MarketModel, **settings: Any) -> MarketProvider:
    """
    A provider that told of these models.
    """
    told = MarketProvider.model_validate(
        {"name": name, "url": f"https://{name}.example/v1", **settings}
    )
    return told.model_copy(update={"models": models})


UNPRICED = MarketModel(name=MODEL, priced=False)
RATES = {"input_rate": 1.0, "output_rate": 1.0}


class UnpricedTests(SynchronousTestCase):
    """
    What nobody knows the price of.
    """

    def test_not_free(self) -> None:
        """
        It is no offer, though others' offers stand.
        """
        catalog = Catalog([told("alpha", UNPRICED), seller("beta", 5)])
        self.assertEqual([each.name for each in catalog.offers(MODEL)], ["beta"])
        self.assertEqual(catalog.unpriced(MODEL), ["alpha"])
        self.assertEqual(catalog.unpriced_of("alpha"), [UNPRICED])
        self.assertEqual(catalog.offers_of("alpha"), [])

    def test_not_listed(self) -> None:
        """
        What cannot be routed to is no model that there is.
        """
        catalog = Catalog([told("alpha", UNPRICED)])
        self.assertEqual(catalog.models(), [])
        self.assertFalse(catalog.lists(MODEL))

    def test_not_even_on_ones_own_machine(self) -> None:
        """
        The tier local is free only where nobody says otherwise.
        """
        self.assertEqual(Catalog([told("a", UNPRICED, tier="local")]).offers(MODEL), [])

    def test_not_by_another_way(self) -> None:
        """
        One that takes any model does not take this one unpriced.
        """
        catalog = Catalog(
            [told("alpha", UNPRICED, open_list=True, input_rate=1, output_rate=1)]
        )
        self.assertEqual(catalog.offers(MODEL), [])
        self.assertEqual([each.name for each in catalog.offers("other")], ["alpha"])

    def test_excluded(self) -> None:
        """
        The plan says why.
        """
        plan = router(told("alpha", UNPRICED), seller("beta", 5)).plan(ask())
        self.assertEqual([each.name for each in plan.candidates], ["beta"])
        self.assertEqual(plan.excluded, {"alpha": "no price known"})

    def test_nobody_else(self) -> None:
        """
        Nor is it said that there is no such model.
        """
        with self.assertRaises(ApiError) as raised:
            router(told("alpha", UNPRICED)).plan(ask())
        error = raised.exception
        self.assertEqual(
            (error.status, error.code, error.retry_after), (503, "no_price_known", 5)
        )
        self.assertIn("alpha: no price known", error.message)

    def test_nobody_else_is_wanted(self) -> None:
        """
        Nor do others matter, if the client will have no other.
        """
        routing = router(told("alpha", UNPRICED), seller("beta", 5))
        error = routing.survey(ask(provider="alpha")).error
        self.assertEqual(error and error.code, "no_price_known")

    def test_others_excluded(self) -> None:
        """
        If there are reasons that no time will change, the client is told of them.
        """
        routing = router(told("alpha", UNPRICED), seller("beta", 5))
        routing.balances = Balances({"beta": 0})
        error = routing.survey(ask()).error
        self.assertEqual(error and error.code, "provider_error")


class NeverRanksTests(SynchronousTestCase):
    """
    Whatever else there is.
    """

    @given(
        st.lists(st.booleans(), min_size=1, max_size=6),
        st.sampled_from(["cheapest", "lowest_latency", "round_robin", "balanced"]),
        st.sampled_from(["auto", "on", "off"]),
    )
    def test_unpriced(self, priced: list[bool], strategy: str, tiers: str) -> None:
        """
        Who has no price is no candidate, no reserve and no baseline.
        """
        providers = [
            told(f"p{number}", UNPRICED.model_copy(update={"priced": each, **RATES}))
            for number, each in enumerate(priced)
        ]
        config = Config.model_validate(
            {
                "providers": [{"name": "x", "kind": "mock"}],
                "policies": {"default_strategy": strategy},
                "routing": {"tiers": tiers},
            }
        ).model_copy(update={"providers": tuple(providers)})
        survey = Router(config).survey(ask())
        names = {f"p{number}" for number, each in enumerate(priced) if each}
        ranked = [*survey.ranked, *chain(*survey.reserves)]
        self.assertEqual({each.name for each in ranked}, names)
        self.assertEqual(survey.error is None, bool(names))
        self.assertTrue(survey.baseline is None or survey.baseline.name in names)


class ToBeDiscoveredTests(SynchronousTestCase):
    """
    Providers that have not told their lists.
    """

    def assert_offered(self, offered: bool, provider: ProviderSettings) -> None:
        """
        It may be asked for the model, or not.
        """
        self.assertEqual(bool(Catalog([provider]).offers(MODEL)), offered)

    def test_no_list(self) -> None:
        """
        It is not asked for any model meanwhile.
        """
        rates = {"input_rate": 1, "output_rate": 1}
        self.assert_offered(True, provider("alpha", **rates))
        self.assert_offered(False, provider("alpha", auto_discover=True, **rates))

    def test_nobody_else(self) -> None:
        """
        It may be the one that serves the model: that will be known soon.
        """
        alpha = provider("alpha", auto_discover=True)
        routing = router(alpha, provider("beta", "other", input_rate=1, output_rate=1))
        for wanted in (None, "alpha"):
            error = routing.survey(ask(provider=wanted)).error
            self.assertEqual(error and error.code, "no_price_known")
        error = routing.survey(ask(provider="beta")).error
        self.assertEqual(error and error.code, "model_not_found")

    def test_of_no_use(self) -> None:
        """
        Nobody waits for whom the policy leaves out anyway.
        """
        alpha = provider("alpha", auto_discover=True)
        beta = provider("beta", "other", input_rate=1, output_rate=1)
        for chosen in ({"ignore": ["alpha"]}, {"only": ["beta"]}):
            rule = {"name": "some", "keywords": ["hi"], "providers": chosen}
            routing = router(alpha, beta, rules=[rule])
            error = routing.survey(ask(policy="some")).error
            self.assertEqual(error and error.code, "model_not_found")

    def test_told(self) -> None:
        """
        Then it is known that it does not.
        """
        alpha = MarketProvider.model_construct(
            **dict(provider("alpha", auto_discover=True)), source="discovered"
        )
        error = router(alpha).survey(ask()).error
        self.assertEqual(error and error.code, "model_not_found")

    def test_listed_without_a_price(self) -> None:
        """
        The provider is to tell it.
        """
        self.assert_offered(False, provider("alpha", MODEL, auto_discover=True))
        half = {"input_rate": 1, "auto_discover": True}
        self.assert_offered(False, provider("alpha", MODEL, **half))

    def test_listed_with_a_price(self) -> None:
        """
        The configuration's holds until then.
        """
        model = {"name": MODEL, "output_rate": 1}
        settings = {"auto_discover": True, "input_rate": 1}
        self.assert_offered(True, provider("alpha", model, **settings))

    def test_ones_own_machine(self) -> None:
        """
        It costs nothing.
        """
        settings = {"auto_discover": True, "tier": "local"}
        self.assert_offered(True, provider("alpha", MODEL, **settings))


class BalanceTests(SynchronousTestCase):
    """
    Providers that are paid in advance.  1000 sats per 1M tokens are a msat each.
    """

    def router(self, msats: int, **settings: Any) -> Router:
        """
        One with so much at alpha, whose model answers with 5000 tokens at most.
        """
        model = MarketModel(
            name=MODEL, input_rate=1000, output_rate=1000, max_output=5000
        ).model_copy(update=settings)
        routing = router(told("alpha", model), seller("beta", 1e6, 1e6))
        routing.balances = Balances({"alpha": msats})
        return routing

    def assert_covers(self, least: int, request: RouteRequest, **settings: Any) -> None:
        """
        So many msats are enough, and one less is not.
        """
        plan = self.router(least, **settings).plan(request)
        self.assertEqual([each.name for each in plan.candidates], ["alpha", "beta"])
        plan = self.router(least - 1, **settings).plan(request)
        self.assertEqual([each.name for each in plan.candidates], ["beta"])
        self.assertIn("balance of ", plan.excluded["alpha"])

    def test_cap(self) -> None:
        """
        The node sets aside the longest answer that the request allows, less its
        tolerance.  It takes three characters for a token, not four.
        """
        self.assert_covers(1109, ask(input_tokens=90, output_cap=1000))

    def test_no_cap(self) -> None:
        """
        Without, the longest that the model can give.
        """
        self.assert_covers(5069, ask(input_tokens=90))

    def test_no_limit(self) -> None:
        """
        Where that is not known, what many models can.
        """
        self.assert_covers(4174, ask(input_tokens=90), max_output=None)

    def test_choices(self) -> None:
        """
        Each may be that long; the prompt is the same for all.
        """
        self.assert_covers(3089, ask(input_tokens=90, output_cap=1000, choices=3))

    def test_at_least_a_msat(self) -> None:
        """
        With nothing left, not even a tiny request is taken.
        """
        self.assert_covers(1, ask(input_tokens=1, output_cap=1), output_rate=1)

    def test_reason(self) -> None:
        """
        It says what there is and what there ought to be.
        """
        plan = self.router(10).plan(ask(input_tokens=90, output_cap=1000))
        self.assertEqual(
            plan.excluded["alpha"],
            "balance of 0.01 sats is under the 1.1088 that it would set aside for the "
            "request",
        )

    def test_nobody_else(self) -> None:
        """
        It is not the client's money that is short, but it may be the client's
        policy that leaves nobody.
        """
        routing = self.router(0)
        for name, code in (("alpha", "provider_error"), ("beta", None)):
            survey = routing.survey(ask(provider=name))
            self.assertEqual(survey.error and survey.error.code, code)
        only = {"name": "r", "max_sats_per_1m_output": 1}
        config = Config.model_validate(
            {
                "providers": [{"name": "x", "kind": "mock"}],
                "policies": {"rules": [only]},
            }
        )
        providers = tuple(routing.catalog.providers.values())
        routing.use(config.model_copy(update={"providers": providers}))
        error = routing.survey(ask(policy="r")).error
        self.assertEqual(error and error.code, "no_policy_match")

    def test_unknown(self) -> None:
        """
        Whose balance is not known, is not short of it.
        """
        routing = self.router(0)
        routing.balances = Balances({"gamma": 0})
        plan = routing.plan(ask())
        self.assertEqual([each.name for each in plan.candidates], ["alpha", "beta"])
