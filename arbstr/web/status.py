"""
What there is, and how it is doing: models, providers, health.
"""

from __future__ import annotations

from attrs import frozen

from arbstr.circuit import (
    CircuitBreakerRegistry,
    CircuitSnapshot,
    CircuitState,
    CoolDowns,
)
from arbstr.config.market import source_of
from arbstr.config.model import ProviderSettings
from arbstr.config.status import ConfigStatus
from arbstr.errors import no_such_model
from arbstr.ledger.writer import Ledger
from arbstr.market.watch import Watch
from arbstr.routing.catalog import Offer
from arbstr.routing.plan import Candidate
from arbstr.routing.router import Router
from arbstr.routing.strategy import cheapest
from arbstr.routing.tiers import TIERS

# What "cheapest" means where no request says how long it is.
_TYPICAL_TOKENS = 1000


@frozen
class Status:
    """
    Answers questions about the daemon; every answer is a JSON value.

    @ivar created: when the daemon was started, in seconds since the epoch.
    @ivar market: where providers, models and prices come from at run time.
    @ivar config: that a file which is read again is broken is told, but changes
        nothing about the health of what is served.
    """

    router: Router
    circuits: CircuitBreakerRegistry
    cooldowns: CoolDowns
    ledger: Ledger
    created: int
    config: ConfigStatus
    market: Watch

    def models(self) -> dict[str, object]:
        """
        C{GET /v1/models}.
        """
        data = [self.model(name) for name in self.router.catalog.models()]
        return {"object": "list", "data": data}

    def model(self, name: str) -> dict[str, object]:
        """
        C{GET /v1/models/NAME}.

        @raise ApiError: no provider lists it.
        """
        if not self.router.catalog.lists(name):
            raise no_such_model(name)
        ranked = cheapest(map(_typical, self.router.catalog.offers(name)))
        tiers = {each.provider.tier for each in ranked}
        return {
            "id": name,
            "object": "model",
            "created": self.created,
            "owned_by": "arbstr",
            "arbstr": {
                **_rates(ranked[0].offer),
                "cheapest_provider": ranked[0].name,
                "providers": [each.name for each in ranked],
                "tier": next(tier for tier in TIERS if tier in tiers),
            },
        }

    def providers(self) -> dict[str, object]:
        """
        C{GET /providers}.
        """
        circuits = self._circuits()
        return {
            "providers": [
                {
                    "name": provider.name,
                    "kind": provider.kind,
                    "url": provider.url,
                    "tier": provider.tier,
                    "rates": _default_rates(provider),
                    "models": self._models_of(provider),
                    "circuit": circuits[provider.name],
                    "cooling_until": self.cooldowns.ends(provider.name),
                    "has_key": provider.api_key is not None,
                    **self.market.describe(provider),
                }
                for provider in self.router.catalog.providers.values()
            ],
            "market": self.market.as_json(),
        }

    def health(self) -> tuple[int, dict[str, object]]:
        """
        C{GET /health}.  Without its books the daemon serves on, but is not well.

        @return: the HTTP status and the body.
        """
        circuits = self._circuits()
        states = [circuit["state"] for circuit in circuits.values()]
        ledger = self.ledger.status()
        if states and all(state == CircuitState.OPEN for state in states):
            status = "unhealthy"
        elif set(states) <= {CircuitState.CLOSED} and ledger["error"] is None:
            status = "ok"
        else:
            status = "degraded"
        providers = {
            name: {
                **circuit,
                "tier": self.router.catalog.providers[name].tier,
                "cooling_until": self.cooldowns.ends(name),
            }
            for name, circuit in circuits.items()
        }
        code = 503 if status == "unhealthy" else 200
        return code, {
            "status": status,
            "providers": providers,
            "ledger": ledger,
            "config": self.config.as_json(),
        }

    def _models_of(self, provider: ProviderSettings) -> list[dict[str, object]]:
        """
        Those that it can be asked for, and then those that it cannot, since
        nobody knows what they cost.
        """
        catalog, name = self.router.catalog, provider.name
        models = [
            {"id": each.model, "upstream": each.upstream_model, **_rates(each)}
            for each in catalog.offers_of(name)
        ]
        models += [
            {"id": each.name, "upstream": each.upstream or each.name, **_UNKNOWN}
            for each in catalog.unpriced_of(name)
        ]
        sources = {each.name: source_of(each) for each in provider.models}
        for model in models:
            id = str(model["id"])
            model["source"] = sources[id]
            model["cooling_until"] = self.cooldowns.ends(name, id)
        return models

    def _circuits(self) -> dict[str, dict[str, object]]:
        return {
            name: circuit_as_json(circuit)
            for name, circuit in self.circuits.snapshots().items()
        }


def circuit_as_json(circuit: CircuitSnapshot) -> dict[str, object]:
    """
    A circuit, as routes tell of it.
    """
    return {
        "state": circuit.state.value,
        "failure_count": circuit.failure_count,
        "trip_count": circuit.trip_count,
    }


def _typical(offer: Offer) -> Candidate:
    expected = offer.rates.expected_sats(_TYPICAL_TOKENS, _TYPICAL_TOKENS)
    return Candidate(offer, expected)


def _rates(offer: Offer) -> dict[str, object]:
    return {
        "input_rate": offer.rates.input,
        "output_rate": offer.rates.output,
        "cached_input_rate": offer.rates.cached_input,
        "base_fee": offer.rates.base_fee,
    }


_UNKNOWN: dict[str, object] = dict.fromkeys(
    ("input_rate", "output_rate", "cached_input_rate", "base_fee")
)


def _default_rates(provider: ProviderSettings) -> dict[str, object]:
    """
    What holds for models without rates of their own; C{None} where every model
    has to have some.
    """
    return {
        "input_rate": provider.input_rate,
        "output_rate": provider.output_rate,
        "cached_input_rate": provider.cached_input_rate,
        "base_fee": provider.base_fee,
    }
