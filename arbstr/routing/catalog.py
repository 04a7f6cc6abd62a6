"""
Who serves which model, under which name and at what price.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import field, frozen

from arbstr.config.market import MarketModel, source_of
from arbstr.config.model import ModelSettings, ProviderSettings

from .money import Rates

# What is asked of those that take any model, as far as rates go.
_ANY = ModelSettings(name="any")


@frozen
class Offer:
    """
    One model at one provider.

    @ivar name: the provider's name.
    @ivar model: the public name, which clients use.
    @ivar upstream_model: the provider's own id for it.
    @ivar max_output: the most tokens that the provider lets it answer with, if
        it says so.
    """

    provider: ProviderSettings
    model: str
    upstream_model: str
    rates: Rates
    max_output: int | None = None
    name: str = field(init=False, eq=False, repr=False)

    @name.default
    def _name(self) -> str:
        return self.provider.name


class Catalog:
    """
    The offers of all providers, by model.  What nobody knows the price of is
    no offer.

    @ivar silent: the names of providers that have not said yet what they serve.
    """

    def __init__(self, providers: Iterable[ProviderSettings]) -> None:
        self.providers = {provider.name: provider for provider in providers}
        self._offers: dict[str, list[Offer]] = {}
        self._serve_any: list[ProviderSettings] = []
        self._rewarding: set[str] = set()
        self._reward_any: set[str] = set()
        self._by_provider: dict[str, list[Offer]] = {}
        self._unpriced: dict[str, list[str]] = {}
        self._unpriced_by_provider: dict[str, list[ModelSettings]] = {}
        for provider in self.providers.values():
            for model in provider.models:
                if _is_priced(provider, model):
                    offer = _offer(provider, model)
                    self._offers.setdefault(model.name, []).append(offer)
                    self._by_provider.setdefault(provider.name, []).append(offer)
                    if offer.rates.rewards_caching:
                        self._rewarding.add(model.name)
                else:
                    self._unpriced.setdefault(model.name, []).append(provider.name)
                    own = self._unpriced_by_provider.setdefault(provider.name, [])
                    own.append(model)
            if provider.takes_any:
                self._serve_any.append(provider)
                if _offer(provider, _ANY).rates.rewards_caching:
                    self._reward_any.add(provider.name)
        self.silent = [
            provider.name
            for provider in self.providers.values()
            if provider.auto_discover and source_of(provider) == "config"
        ]
        self._models = sorted(self._offers)

    def models(self) -> list[str]:
        """
        The models that some provider lists, sorted.
        """
        return self._models

    def lists(self, model: str) -> bool:
        """
        Does some provider list the model?
        """
        return model in self._offers

    def offers_of(self, provider: str) -> list[Offer]:
        """
        What a provider lists, by the provider's name.
        """
        return self._by_provider.get(provider, [])

    def offers(self, model: str) -> list[Offer]:
        """
        Every provider's offer of a model: those that list it, and those that
        take any.
        """
        listed = self._offers.get(model, [])
        if not self._serve_any:
            return listed
        named = self._who_list(model)
        # The client's own word for it, which need not be one for a configuration.
        wanted = ModelSettings.model_construct(name=model)
        return listed + [
            _offer(provider, wanted)
            for provider in self._serve_any
            if provider.name not in named
        ]

    def rewards_caching(self, model: str) -> bool:
        """
        Whether there is an offer of the model that has cached tokens cost less
        than others.
        """
        if model in self._rewarding or not self._reward_any:
            return model in self._rewarding
        return not self._reward_any <= self._who_list(model)

    def _who_list(self, model: str) -> set[str]:
        """
        The providers that list the model, at whatever price.
        """
        listed = self._offers.get(model, [])
        return {offer.name for offer in listed}.union(self.unpriced(model))

    def unpriced(self, model: str) -> list[str]:
        """
        The providers that list the model at a price that nobody knows.
        """
        return self._unpriced.get(model, [])

    def unpriced_of(self, provider: str) -> list[ModelSettings]:
        """
        What a provider lists at a price that nobody knows.
        """
        return self._unpriced_by_provider.get(provider, [])


def _offer(provider: ProviderSettings, model: ModelSettings) -> Offer:
    return Offer(
        provider=provider,
        model=model.name,
        upstream_model=model.upstream or model.name,
        rates=_rates(provider, model),
        max_output=model.max_output if isinstance(model, MarketModel) else None,
    )


def _is_priced(provider: ProviderSettings, model: ModelSettings) -> bool:
    """
    Does anybody know?  The configuration sees to it that every price is stated
    but those that providers are to tell.
    """
    if isinstance(model, MarketModel):
        return model.priced
    if not provider.auto_discover or provider.tier == "local":
        return True
    stated = (
        (model.input_rate, provider.input_rate),
        (model.output_rate, provider.output_rate),
    )
    return all(own is not None or default is not None for own, default in stated)


def _rates(provider: ProviderSettings, model: ModelSettings) -> Rates:
    """
    The model's own rates where it has some, else the provider's.

    A provider's cached rate goes with its input rate: a model with an input
    rate of its own and no cached rate charges the same for both.
    """
    input_rate = _first(model.input_rate, provider.input_rate, 0.0)
    if model.cached_input_rate is not None:
        cached = model.cached_input_rate
    elif model.input_rate is None and provider.cached_input_rate is not None:
        cached = provider.cached_input_rate
    else:
        cached = input_rate
    return Rates(
        input=input_rate,
        output=_first(model.output_rate, provider.output_rate, 0.0),
        cached_input=cached,
        base_fee=_first(model.base_fee, provider.base_fee),
    )


def _first(*values: float | None) -> float:
    return next(value for value in values if value is not None)
