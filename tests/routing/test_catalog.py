"""
Tests for L{arbstr.routing.catalog}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from arbstr.config.market import MarketModel, MarketProvider
from arbstr.routing.catalog import Catalog
from arbstr.routing.money import Rates

from .market import provider


def sellers(catalog: Catalog, model: str) -> list[str]:
    """
    Who offers a model.
    """
    return [offer.name for offer in catalog.offers(model)]


def open_list(name: str, *models: MarketModel, **settings: Any) -> MarketProvider:
    """
    A provider that takes any model beside those that it lists.
    """
    url = f"https://{name}.example/v1"
    return MarketProvider(name=name, url=url, models=models, open_list=True, **settings)


class LookUpTests(SynchronousTestCase):
    """
    L{Catalog.offers} finds who serves a model.
    """

    def setUp(self) -> None:
        self.catalog = Catalog(
            [
                provider("alpha", "gpt-4o", "zephyr"),
                provider("beta", {"name": "gpt-4o", "upstream": "openai/gpt-4o"}),
                provider("any"),
            ]
        )

    def test_listed(self) -> None:
        """
        Providers that list the model offer it.
        """
        self.assertEqual(sellers(self.catalog, "gpt-4o")[:2], ["alpha", "beta"])

    def test_not_listed(self) -> None:
        """
        Those that list only others do not.
        """
        self.assertNotIn("beta", sellers(self.catalog, "zephyr"))

    def test_any(self) -> None:
        """
        A provider that lists none takes any, listed elsewhere or nowhere.
        """
        self.assertEqual(sellers(self.catalog, "zephyr"), ["alpha", "any"])
        self.assertEqual(sellers(self.catalog, "never/heard-of"), ["any"])

    def test_odd_names(self) -> None:
        """
        What a client asks for goes on as it is, also where no configuration could
        say so.
        """
        for name in (" a ", "a\x00b", "\u202e"):
            [offer] = self.catalog.offers(name)
            self.assertEqual((offer.model, offer.upstream_model), (name, name))

    def test_nobody(self) -> None:
        """
        Without such a provider, an unknown model has no offers.
        """
        catalog = Catalog([provider("alpha", "gpt-4o")])
        self.assertEqual(catalog.offers("gpt-5"), [])

    def test_rewards_caching(self) -> None:
        """
        Somebody has the model's cached tokens cost less than others.
        """
        less = {"input_rate": 2, "cached_input_rate": 1}
        catalog = Catalog([provider("alpha", {"name": "gpt-4o", **less}, "zephyr")])
        self.assertTrue(catalog.rewards_caching("gpt-4o"))
        self.assertFalse(catalog.rewards_caching("zephyr"))
        self.assertFalse(catalog.rewards_caching("never/heard-of"))

    def test_rewards_caching_of_any(self) -> None:
        """
        Who takes any model does so for all but those that it lists at other
        rates.
        """
        less = {"input_rate": 2, "cached_input_rate": 1}
        listed = MarketModel(name="gpt-4o", input_rate=2)
        catalog = Catalog([provider("any", **less), provider("alpha", "gpt-4o")])
        self.assertTrue(catalog.rewards_caching("gpt-4o"))
        self.assertTrue(catalog.rewards_caching("never/heard-of"))
        catalog = Catalog([open_list("any", listed, **less)])
        self.assertFalse(catalog.rewards_caching("gpt-4o"))
        self.assertTrue(catalog.rewards_caching("never/heard-of"))

    def test_exact_match(self) -> None:
        """
        Names are neither prefixes nor without case.
        """
        catalog = Catalog([provider("alpha", "gpt-4o")])
        for name in ("gpt-4", "gpt-4o-mini", "GPT-4o", " gpt-4o"):
            self.assertEqual(catalog.offers(name), [], name)

    def test_same_name_upstream(self) -> None:
        """
        The provider's id for a model is its public name unless another is
        given, and always at a provider that takes any.
        """
        upstream = {o.name: o.upstream_model for o in self.catalog.offers("gpt-4o")}
        self.assertEqual(
            upstream, {"alpha": "gpt-4o", "beta": "openai/gpt-4o", "any": "gpt-4o"}
        )

    def test_alias_is_not_a_name(self) -> None:
        """
        A provider's own id for a model is not a name that clients can use.
        """
        self.assertEqual(sellers(self.catalog, "openai/gpt-4o"), ["any"])

    def test_models(self) -> None:
        """
        The listed models are told once each, sorted.
        """
        self.assertEqual(self.catalog.models(), ["gpt-4o", "zephyr"])


class RatesTests(SynchronousTestCase):
    """
    An offer's rates are the model's own where it has some.
    """

    def rates(self, model: dict[str, Any], **settings: Any) -> Rates:
        """
        Those of the model at a provider with these settings.
        """
        catalog = Catalog([provider("alpha", {"name": "m", **model}, **settings)])
        [offer] = catalog.offers("m")
        return offer.rates

    def test_providers(self) -> None:
        """
        A model without rates has the provider's.
        """
        self.assertEqual(
            self.rates({}, input_rate=1, output_rate=2, cached_input_rate=0.5),
            Rates(input=1, output=2, cached_input=0.5),
        )

    def test_own(self) -> None:
        """
        A model's rates go before the provider's, each by itself.
        """
        self.assertEqual(
            self.rates({"output_rate": 20}, input_rate=1, output_rate=2),
            Rates(input=1, output=20, cached_input=1),
        )

    def test_own_zero(self) -> None:
        """
        A model may be free where others are not.
        """
        free = {"input_rate": 0, "output_rate": 0, "base_fee": 0}
        self.assertEqual(
            self.rates(free, input_rate=1, output_rate=2, base_fee=3),
            Rates(input=0, output=0, cached_input=0),
        )

    def test_base_fee(self) -> None:
        """
        The fee is the provider's unless the model has one.
        """
        self.assertEqual(self.rates({}, base_fee=3).base_fee, 3)
        self.assertEqual(self.rates({"base_fee": 1}, base_fee=3).base_fee, 1)

    def test_cached_defaults_to_input(self) -> None:
        """
        Where no cached rate is given, cached tokens cost what others cost.
        """
        self.assertEqual(self.rates({}, input_rate=7).cached_input, 7)
        self.assertEqual(self.rates({"input_rate": 9}, input_rate=7).cached_input, 9)

    def test_cached_of_another_input_rate(self) -> None:
        """
        A provider's cached rate goes with its own input rate: it is not taken
        for a model with another.
        """
        rates = self.rates({"input_rate": 9}, input_rate=7, cached_input_rate=1)
        self.assertEqual(rates.cached_input, 9)

    def test_own_cached(self) -> None:
        """
        A model's own cached rate goes before all.
        """
        model = {"input_rate": 9, "cached_input_rate": 2}
        rates = self.rates(model, input_rate=7, cached_input_rate=1)
        self.assertEqual(rates.cached_input, 2)

    def test_any_model(self) -> None:
        """
        A provider that takes any model charges its own rates for all.
        """
        settings = {"input_rate": 4, "output_rate": 5, "cached_input_rate": 3}
        [offer] = Catalog([provider("any", **settings, base_fee=6)]).offers("m")
        self.assertEqual(
            offer.rates, Rates(input=4, output=5, cached_input=3, base_fee=6)
        )
