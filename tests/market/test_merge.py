"""
Tests for L{arbstr.market.merge}: the baseline, and what the market adds to it.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from twisted.trial.unittest import SynchronousTestCase

from arbstr.config.market import MarketModel, MarketProvider, source_of
from arbstr.config.model import Config, ProviderSettings
from arbstr.market.merge import Market, endpoints, merge
from arbstr.market.models import MOST_MODELS, read_models
from arbstr.market.names import Names
from arbstr.market.sellers import Seller, Verdict
from arbstr.market.shelf import Shelf
from arbstr.routing.catalog import Catalog
from arbstr.routing.money import Rates

from . import recorded

URL = "https://alpha.example/v1"
PRICED = recorded.routstr("m", (0.001, 0.002, 0.0005), (0, 0, 0))
UNPRICED = {"id": "m", "sats_pricing": None}
TOLD = Rates(1000, 2000, 500)
QUOTED = Rates(7, 8, 7)
DEFAULT = {"input_rate": 3, "output_rate": 4}


def configure(*models: object, **settings: Any) -> Config:
    """
    A configuration of alpha, which is asked for its list.
    """
    alpha = {"name": "alpha", "url": URL, "auto_discover": True, "models": models}
    return Config.model_validate({"providers": [{**alpha, **settings}]})


def shelf(*entries: object) -> Shelf:
    """
    A provider listed these.
    """
    body = json.dumps({"data": entries}).encode()
    return Shelf().update(read_models(body), None)


def verdict(
    overlay: dict[str, Rates | None] | None = None, *sellers: Seller
) -> Verdict:
    """
    The feed knows these of alpha's models, and these sellers.
    """
    overlays = {}
    if overlay is not None:
        overlays[URL] = Seller("routstr", "Alpha", "alpha", URL, overlay)
    return Verdict(overlays, sellers, (), ())


class MergeTestCase(SynchronousTestCase):
    """
    Looks at what alpha becomes.
    """

    def merge(
        self,
        config: Config,
        listed: Shelf | None = None,
        feed: Verdict | None = None,
        rate: Decimal | None = None,
    ) -> ProviderSettings:
        """
        Alpha, if this is listed and that is quoted.
        """
        shelves = {} if listed is None else {"alpha": listed}
        (alpha,) = merge(config, Market(shelves, feed, rate), Names())
        return alpha

    def rates(self, alpha: ProviderSettings) -> dict[str, Rates | None]:
        """
        What its models cost; C{None} is not known.
        """
        catalog = Catalog([alpha])
        offers = {each.model: each.rates for each in catalog.offers_of("alpha")}
        unpriced = {each.name: None for each in catalog.unpriced_of("alpha")}
        return {**offers, **unpriced}


class OrderTests(MergeTestCase):
    """
    Whose price holds.
    """

    def test_nothing_known(self) -> None:
        """
        The configuration stays as it is.
        """
        config = configure("m", **DEFAULT)
        self.assertIs(self.merge(config), config.providers[0])

    def test_providers_own_word(self) -> None:
        """
        It goes before the provider's rates.
        """
        alpha = self.merge(configure("m", **DEFAULT), shelf(PRICED))
        self.assertEqual(self.rates(alpha), {"m": TOLD})
        self.assertEqual(source_of(alpha.models[0]), "discovered")

    def test_models_rates(self) -> None:
        """
        They go before all.
        """
        own = {"name": "m", "input_rate": 1, "output_rate": 2}
        alpha = self.merge(configure(own), shelf(PRICED), verdict({"m": QUOTED}))
        self.assertEqual(self.rates(alpha), {"m": Rates(1, 2, 1)})
        self.assertEqual(source_of(alpha.models[0]), "config")

    def test_half_of_a_models_rates(self) -> None:
        """
        The other half is told; the cached rate goes with the input rate.
        """
        for own, expected in (
            ({"input_rate": 1}, Rates(1, 2000, 1)),
            ({"output_rate": 1}, Rates(1000, 1, 500)),
            ({"cached_input_rate": 1}, Rates(1000, 2000, 1)),
            ({"base_fee": 1}, Rates(1000, 2000, 500, 1)),
        ):
            alpha = self.merge(configure({"name": "m", **own}), shelf(PRICED))
            self.assertEqual(self.rates(alpha), {"m": expected})

    def test_fee(self) -> None:
        """
        A configured fee stays, unless another is told.
        """
        alpha = self.merge(configure("m", base_fee=2), shelf(PRICED))
        self.assertEqual(self.rates(alpha), {"m": Rates(1000, 2000, 500, 2)})
        entry = recorded.openrouter("m", "0.000001", "0.000002", request="0.005")
        alpha = self.merge(
            configure("m", base_fee=2), shelf(entry), rate=Decimal("0.001")
        )
        self.assertEqual(self.rates(alpha), {"m": Rates(1000, 2000, 1000, 5)})

    def test_feed(self) -> None:
        """
        It goes before the provider's rates, and after its own word.
        """
        feed = verdict({"m": QUOTED})
        alpha = self.merge(configure("m", **DEFAULT), feed=feed)
        self.assertEqual(self.rates(alpha), {"m": QUOTED})
        self.assertEqual(source_of(alpha), "config")
        alpha = self.merge(configure("m", **DEFAULT), shelf(PRICED), feed)
        self.assertEqual(self.rates(alpha), {"m": TOLD})

    def test_feed_helps_out(self) -> None:
        """
        Where the provider says that it does not know, or nothing.
        """
        for entry in (UNPRICED, {"id": "m"}):
            alpha = self.merge(configure(), shelf(entry), verdict({"m": QUOTED}))
            self.assertEqual(self.rates(alpha), {"m": QUOTED})

    def test_unknown(self) -> None:
        """
        Null is not free: not even at the provider's rates, nor on one's own
        machine.
        """
        for settings in (DEFAULT, {"tier": "local"}, {}):
            alpha = self.merge(configure(**settings), shelf(UNPRICED))
            self.assertEqual(self.rates(alpha), {"m": None})

    def test_unknown_but_configured(self) -> None:
        """
        For a model that is configured, the baseline holds.
        """
        alpha = self.merge(configure("m", **DEFAULT), shelf(UNPRICED))
        self.assertEqual(self.rates(alpha), {"m": Rates(3, 4, 3)})
        alpha = self.merge(configure("m"), shelf(UNPRICED))
        self.assertEqual(self.rates(alpha), {"m": None})

    def test_no_word_of_prices(self) -> None:
        """
        The provider's rates hold; on one's own machine there may be none.
        """
        listed = shelf({"id": "m"})
        for settings, expected in (
            (DEFAULT, Rates(3, 4, 3)),
            ({"tier": "local"}, Rates(0, 0, 0)),
            ({"input_rate": 3}, None),
            ({}, None),
        ):
            alpha = self.merge(configure(**settings), listed)
            self.assertEqual(self.rates(alpha), {"m": expected})

    def test_quoted_without_a_price(self) -> None:
        """
        That is not known either.
        """
        alpha = self.merge(configure(), feed=verdict({"m": None}))
        self.assertEqual(self.rates(alpha), {"m": None})

    def test_quoted_without_a_price_but_configured(self) -> None:
        """
        The provider goes on serving at its own rates what it served before.
        """
        config = configure(auto_discover=False, **DEFAULT)
        catalog = Catalog([self.merge(config, feed=verdict({"m": None}))])
        self.assertEqual(
            [offer.rates for offer in catalog.offers("m")], [Rates(3, 4, 3)]
        )

    def test_quoted_without_a_price_beside_a_list(self) -> None:
        """
        Nothing that cannot be used is added to it.
        """
        own = {"name": "x", "input_rate": 1, "output_rate": 2}
        for discover, settings in ((False, {}), (True, DEFAULT)):
            config = configure(own, auto_discover=discover, **settings)
            alpha = self.merge(config, feed=verdict({"m": None}))
            self.assertEqual(self.rates(alpha), {"x": Rates(1, 2, 1)})


class ModelTests(MergeTestCase):
    """
    Which models there are.
    """

    def test_configured_ones_stay(self) -> None:
        """
        Whatever is listed.
        """
        alpha = self.merge(configure("x", **DEFAULT), shelf(PRICED))
        self.assertEqual([each.name for each in alpha.models], ["x", "m"])

    def test_alias(self) -> None:
        """
        It costs what it stands for costs, and that can be asked for by its own
        name, too.
        """
        alias = {"name": "mine", "upstream": "m"}
        alpha = self.merge(configure(alias), shelf(PRICED))
        self.assertEqual(self.rates(alpha), {"mine": TOLD, "m": TOLD})
        self.assertEqual(alpha.models[0].upstream, "m")
        self.assertIsNone(alpha.models[1].upstream)

    def test_aliases_that_are_told(self) -> None:
        """
        They do not get in the way of models that have these names.
        """
        entries = [
            {**PRICED, "alias_ids": ["x", "y", "z"]},
            recorded.routstr("x", (1, 1, 1), (0, 0, 0)),
        ]
        alpha = self.merge(configure("y", **DEFAULT), shelf(*entries))
        self.assertEqual(
            {each.name: each.upstream for each in alpha.models},
            {"y": None, "m": None, "x": None, "z": "m"},
        )
        self.assertEqual(self.rates(alpha)["z"], TOLD)

    def test_max_output(self) -> None:
        """
        It is told of configured models, too.
        """
        alpha = self.merge(configure({"name": "mine", "upstream": "m"}), shelf(PRICED))
        for model in alpha.models:
            assert isinstance(model, MarketModel)
            self.assertEqual(model.max_output, 16384)

    def test_none(self) -> None:
        """
        A provider that lists none is not asked for any.
        """
        alpha = self.merge(configure(**DEFAULT), shelf())
        self.assertFalse(alpha.takes_any)

    def test_any(self) -> None:
        """
        One that takes any goes on doing so, with the feed's prices for some.
        """
        config = configure(auto_discover=False, **DEFAULT)
        alpha = self.merge(config, feed=verdict({"m": QUOTED}))
        catalog = Catalog([alpha])
        self.assertEqual(
            [offer.rates for name in "mx" for offer in catalog.offers(name)],
            [QUOTED, Rates(3, 4, 3)],
        )

    def test_not_asked_for(self) -> None:
        """
        What somebody listed before is of no interest any more.
        """
        config = configure("m", auto_discover=False, **DEFAULT)
        self.assertIs(self.merge(config, shelf(PRICED)), config.providers[0])

    def test_many(self) -> None:
        """
        There is an end to it.
        """
        entries = [{"id": f"m{n}", "aliases": [f"a{n}"]} for n in range(MOST_MODELS)]
        alpha = self.merge(configure("m", tier="local"), shelf(*entries))
        self.assertEqual(len(alpha.models), MOST_MODELS)

    def test_everything_else_stays(self) -> None:
        """
        Key, tier, limits.
        """
        config = configure(api_key="k", tier="frontier", max_in_flight=3)
        alpha = self.merge(config, shelf(PRICED))
        before = config.providers[0]
        for name in ProviderSettings.model_fields.keys() - {"models"}:
            self.assertEqual(getattr(alpha, name), getattr(before, name), name)


class SellerTests(SynchronousTestCase):
    """
    Those that only the feed knows.
    """

    def test_seller(self) -> None:
        """
        It comes last.
        """
        seller = Seller(
            "routstr",
            "Node One",
            "one",
            "https://node.example/v1",
            {"m": QUOTED, "x": None},
            SecretStr("k"),
        )
        market = Market({}, verdict(None, seller), None)
        _, added = merge(configure("m"), market, Names())
        assert isinstance(added, MarketProvider)
        self.assertEqual(
            (added.name, added.kind, added.url, added.tier, added.base_fee),
            ("routstr-node-one", "routstr", seller.endpoint, "standard", 0),
        )
        self.assertEqual((added.source, added.api_key), ("tokenstats", SecretStr("k")))
        self.assertFalse(added.takes_any)
        catalog = Catalog([added])
        self.assertEqual(catalog.offers("m")[0].rates, QUOTED)
        self.assertEqual(catalog.unpriced("x"), ["routstr-node-one"])
        self.assertEqual(catalog.offers("other"), [])

    def test_other_sources(self) -> None:
        """
        Only Routstr nodes are such.
        """
        seller = Seller("openrouter", "x", "y", "https://openrouter.ai/api/v1", {})
        market = Market({}, verdict(None, seller), None)
        _, added = merge(configure("m"), market, Names())
        self.assertEqual(added.kind, "openai")

    def test_endpoints(self) -> None:
        """
        In the spelling that the feed's are brought into.
        """
        config = configure("m", url="https://Alpha.example:443")
        self.assertEqual(endpoints(config), {URL: "alpha"})


ENTRIES = st.lists(
    st.fixed_dictionaries(
        {"id": st.sampled_from("abc")},
        optional={
            "sats_pricing": st.none()
            | st.fixed_dictionaries(
                {
                    "prompt": st.sampled_from([None, 0.001, -1]),
                    "completion": st.sampled_from([None, 0.001]),
                }
            ),
            "alias_ids": st.lists(st.sampled_from("abcd")),
        },
    )
)


class PropertyTests(MergeTestCase):
    """
    Whatever is told.
    """

    @given(
        ENTRIES,
        st.dictionaries(st.sampled_from("abce"), st.none() | st.just(QUOTED)),
        st.lists(st.sampled_from("abf"), unique=True),
        st.booleans(),
    )
    def test_never_free(
        self,
        entries: list[Any],
        quoted: dict[str, Rates | None],
        configured: list[str],
        has_rates: bool,
    ) -> None:
        """
        Nobody says that anything is free, and so nothing is; what is configured
        is there; no name is there twice.
        """
        config = configure(*configured, **(DEFAULT if has_rates else {}))
        try:
            listed = shelf(*entries)
        except ValueError:
            listed = None
        alpha = self.merge(config, listed, verdict(quoted))
        names = [each.name for each in alpha.models]
        self.assertEqual(len(names), len({*names}))
        self.assertLessEqual(set(configured), set(names))
        for rates in self.rates(alpha).values():
            self.assertTrue(rates is None or (rates.input > 0 and rates.output > 0))
