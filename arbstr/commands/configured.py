"""
C{arbstr check} and C{providers}: what a configuration says; and what else needs
one.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

from attrs import asdict, frozen

from arbstr.config.load import ConfigError, Loaded, default_path, load_config
from arbstr.config.model import ModelSettings, ProviderSettings
from arbstr.routing.catalog import Catalog, Offer

from . import replay
from .tables import table

_ANY = "(any)"
_DISCOVERED = "(discovered)"


def run(options: argparse.Namespace) -> int:
    """
    Do what is asked with the configuration that is named.

    @return: the exit code.
    @raise ConfigError: it cannot be used.
    @raise CommandError: see L{arbstr.commands.replaying.run}.
    """
    loaded = load_config(options.config or _found_path())
    if options.command == replay.NAME:
        # The database takes a lot to import, and is for this command only.
        from . import replaying

        return replaying.run(options, loaded.config)
    if options.command == "check":
        _check(loaded)
    else:
        _providers(loaded, as_json=options.json)
    return 0


def _found_path() -> str:
    path = default_path(os.environ)
    if path is None:
        raise ConfigError(
            ["expected --config FILE, ARBSTR_CONFIG or etc/arbstr.yaml, found none"]
        )
    return path


def _check(loaded: Loaded) -> None:
    config = loaded.config
    models = Catalog(config.providers).models()
    counts = (
        _count(len(config.providers), "provider"),
        _count(len(models), "model"),
        _count(len(config.policies.rules), "policy", "policies"),
    )
    print(f"{loaded.path}: ok, {', '.join(counts)}")
    for name, source in loaded.key_sources.items():
        print(f"  key of {name}: {source}")
    for warning in loaded.warnings:
        print(f"warning: {warning}", file=sys.stderr)


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


@frozen
class _Model:
    """
    A model's rates at one provider, in sats per 1,000,000 tokens and sats per
    request; C{None} where the provider is to tell them.
    """

    name: str
    upstream: str
    input_rate: float | None
    output_rate: float | None
    cached_input_rate: float | None
    base_fee: float | None


@frozen
class _Provider:
    """
    What is shown of a provider.
    """

    name: str
    kind: str
    url: str | None
    tier: str
    key: str
    models: list[_Model]


def _providers(loaded: Loaded, *, as_json: bool) -> None:
    providers = [
        _describe(provider, loaded.key_sources[provider.name])
        for provider in loaded.config.providers
    ]
    if as_json:
        print(json.dumps([asdict(provider) for provider in providers], indent=2))
    else:
        print(_table(providers))


def _describe(provider: ProviderSettings, key: str) -> _Provider:
    catalog = Catalog([provider])
    names = catalog.models() or ([_ANY] if provider.takes_any else [])
    offers = [offer for name in names for offer in catalog.offers(name)]
    models = [_model(offer) for offer in offers]
    models += map(_unpriced, catalog.unpriced_of(provider.name))
    if provider.auto_discover:
        models.append(_unpriced(ModelSettings(name=_DISCOVERED)))
    return _Provider(
        name=provider.name,
        kind=provider.kind,
        url=provider.url,
        tier=provider.tier,
        key=key,
        models=models,
    )


def _model(offer: Offer) -> _Model:
    return _Model(
        name=offer.model,
        upstream=offer.upstream_model,
        input_rate=offer.rates.input,
        output_rate=offer.rates.output,
        cached_input_rate=offer.rates.cached_input,
        base_fee=offer.rates.base_fee,
    )


def _unpriced(model: ModelSettings) -> _Model:
    """
    What the provider itself is to tell of.
    """
    return _Model(model.name, model.upstream or model.name, None, None, None, None)


_HEADINGS = ("NAME", "KIND", "TIER", "URL", "KEY", "MODEL", "INPUT", "OUTPUT", "FEE")


def _table(providers: Sequence[_Provider]) -> str:
    """
    A line for every model; a provider's own columns stand in its first one.
    """
    rows: list[tuple[str, ...]] = [_HEADINGS]
    for provider in providers:
        own: tuple[str, ...] = (
            provider.name,
            provider.kind,
            provider.tier,
            provider.url or "-",
            provider.key,
        )
        for model in provider.models:
            rates = (model.input_rate, model.output_rate, model.base_fee)
            rows.append((*own, model.name, *map(_rate, rates)))
            own = ("",) * len(own)
    return table(rows)


def _rate(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.10g}"
