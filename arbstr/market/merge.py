"""
The configuration's providers with what the market tells of them, and those that
only the market knows: what is routed by.

The configuration is the baseline.  A model that it lists stays, and so do rates
that it gives a model.  Below these come, in this order, what the provider itself
says that the model costs, what the feed says, and the provider's configured rates.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from attrs import define, evolve, frozen

from arbstr.config.market import MarketModel, MarketProvider, Source
from arbstr.config.model import Config, ModelSettings, ProviderSettings
from arbstr.routing.money import Rates

from .endpoints import normalise
from .models import MOST_MODELS
from .names import Names
from .sellers import Seller, Verdict
from .shelf import Shelf, Told

_RATES = {"input_rate", "output_rate", "cached_input_rate", "base_fee"}
_NO_RATES = ModelSettings(name="any")


@frozen
class Market:
    """
    What is known of it.

    @ivar shelves: what providers that are asked for their lists have answered,
        by their names; one that has not is not among them.
    @ivar usd_per_sat: what a sat is worth, if anybody says so.
    """

    shelves: Mapping[str, Shelf]
    verdict: Verdict | None
    usd_per_sat: Decimal | None


def endpoints(config: Config) -> dict[str, str]:
    """
    The configured providers' names by their endpoints, normalised.  Of several
    at the same endpoint, each is meant.
    """
    return {
        normalise(each.url): each.name
        for each in config.providers
        if each.url is not None
    }


def merge(config: Config, market: Market, names: Names) -> tuple[ProviderSettings, ...]:
    """
    All providers, those of the configuration first.
    """
    merged = [_merge(provider, market) for provider in config.providers]
    if market.verdict is not None:
        taken = {provider.name for provider in config.providers}
        given = names.give(market.verdict.sellers, taken)
        for seller in market.verdict.sellers:
            merged.append(_from_feed(seller, given[seller.endpoint]))
    return tuple(merged)


def _merge(provider: ProviderSettings, market: Market) -> ProviderSettings:
    shelf = market.shelves.get(provider.name) if provider.auto_discover else None
    seller = None
    if market.verdict is not None and provider.url is not None:
        seller = market.verdict.overlays.get(normalise(provider.url))
    if shelf is None and seller is None:
        return provider
    told = {} if shelf is None else shelf.at(market.usd_per_sat).models
    models = _Models(provider, told, {} if seller is None else seller.models)
    return MarketProvider.model_construct(
        **dict(provider) | {"models": models.all()},
        source="config" if shelf is None else "discovered",
        open_list=provider.takes_any,
    )


@define
class _Models:
    """
    Puts a provider's models together.

    @ivar told: what it lists, by its own ids.
    @ivar quoted: what the feed says that its models cost.
    """

    _provider: ProviderSettings
    _told: Mapping[str, Told]
    _quoted: Mapping[str, Rates | None]

    def all(self) -> tuple[ModelSettings, ...]:
        """
        First those that are configured, then those that it lists, their other
        names, and those that only the feed knows.
        """
        models = {each.name: self._configured(each) for each in self._provider.models}
        for id in self._told:
            models.setdefault(id, self._listed(id, id))
        for id, told in self._told.items():
            for alias in told.listed.aliases:
                models.setdefault(alias, self._listed(alias, id))
        for name, rates in self._quoted.items():
            if rates is not None or self._waits_for_prices():
                models.setdefault(name, _quoted(name, rates))
        most = max(MOST_MODELS, len(self._provider.models))
        return tuple(models.values())[:most]

    def _waits_for_prices(self) -> bool:
        """
        Is it nothing new that nobody knows what its models cost?  A quote without
        a price takes nothing away from what the configuration says.
        """
        provider = self._provider
        return provider.auto_discover and not self._is_priced(_NO_RATES)

    def _configured(self, model: ModelSettings) -> ModelSettings:
        """
        A model that is configured, with whatever its entry leaves out.
        """
        id = model.upstream or model.name
        told = self._told.get(id)
        rates, source = self._rates(id)
        if told is None and rates is None:
            return model
        if rates is not None and model.input_rate is not None:
            # The cached rate goes with the input rate.
            rates = evolve(rates, cached_input=model.input_rate)
        if model.input_rate is not None and model.output_rate is not None:
            source = "config"
        return _market_model(
            source,
            model.name,
            rates,
            # As the configuration has it, where nobody else says anything.
            priced=rates is not None or self._is_priced(model),
            upstream=model.upstream,
            max_output=None if told is None else told.listed.max_output,
            **model.model_dump(include=_RATES, exclude_none=True),
        )

    def _listed(self, name: str, id: str) -> MarketModel:
        """
        A model that only the provider lists.
        """
        listed = self._told[id].listed
        rates, source = self._rates(id)
        # Where the list says nothing of prices, those of the configuration hold.
        priced = rates is not None or (
            not listed.states_price and self._is_priced(_NO_RATES)
        )
        return _market_model(
            source,
            name,
            rates,
            priced=priced,
            upstream=None if name == id else id,
            max_output=listed.max_output,
        )

    def _rates(self, id: str) -> tuple[Rates | None, Source]:
        """
        What the market says that it costs, and who says so.
        """
        told, quoted = self._told.get(id), self._quoted.get(id)
        if told is not None and told.rates is not None:
            return told.rates, "discovered"
        if quoted is not None:
            return quoted, "tokenstats"
        return None, "config" if told is None else "discovered"

    def _is_priced(self, model: ModelSettings) -> bool:
        """
        Does the configuration say what it costs?
        """
        default = self._provider
        return default.tier == "local" or (
            (model.input_rate is not None or default.input_rate is not None)
            and (model.output_rate is not None or default.output_rate is not None)
        )


def _from_feed(seller: Seller, name: str) -> MarketProvider:
    provider = MarketProvider(
        name=name,
        kind="routstr" if seller.source == "routstr" else "openai",
        url=seller.endpoint,
        api_key=seller.api_key,
        source="tokenstats",
    )
    models = tuple(_quoted(name, rates) for name, rates in seller.models.items())
    return provider.model_copy(update={"models": models})


def _quoted(name: str, rates: Rates | None) -> MarketModel:
    return _market_model("tokenstats", name, rates, priced=rates is not None)


def _market_model(
    source: Source, name: str, rates: Rates | None, *, priced: bool, **given: Any
) -> MarketModel:
    """
    @param given: other fields; they go before those that C{rates} would make.
    """
    told: dict[str, Any] = {}
    if rates is not None:
        told = {
            "input_rate": rates.input,
            "output_rate": rates.output,
            "cached_input_rate": rates.cached_input,
        }
        if rates.base_fee:
            # Where there is none, the provider's configured one holds.
            told["base_fee"] = rates.base_fee
    return MarketModel.model_construct(
        **{**told, **given}, name=name, source=source, priced=priced
    )
