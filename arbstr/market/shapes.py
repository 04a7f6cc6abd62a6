"""
The shapes in which servers list a model: OpenAI, Ollama, mesh-llm, llama.cpp, vLLM,
OpenRouter, Routstr.  Common to all is C{id}; they are told apart by how they say
what the model costs, if they do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from attrs import frozen

from .prices import (
    MILLION,
    BrokenPrice,
    Price,
    make_price,
    read_number,
    usable_prices,
)

_LONGEST_ID = 256
_MOST_ALIASES = 16
_MOST_OFFERS = 1000
_MOST_TOKENS = 2**31
_MSATS = Decimal("0.001")
_LATEST = ":latest"
_MESH_UNIT = "msat_per_million_tokens"


@frozen
class Listed:
    """
    A model as a provider lists it.

    @ivar aliases: other names that the provider takes for it.
    @ivar states_price: whether the list says anything of what it costs; if
        not, the configuration's rates hold.
    @ivar prices: what it says, the best source first; empty if it says that it
        does not know.
    @ivar max_output: the most tokens that it answers with.
    """

    id: str
    aliases: tuple[str, ...] = ()
    states_price: bool = False
    prices: tuple[Price, ...] = ()
    max_output: int | None = None


class Rejected(ValueError):
    """
    One entry cannot be used; its text says why.

    @ivar id: whose entry it is, if that can be told.
    """

    def __init__(self, reason: str, id: str | None = None) -> None:
        super().__init__(reason)
        self.id = id


def read_entry(entry: object) -> Listed | None:
    """
    One element of C{data}.

    @return: C{None} for a model that is switched off.
    @raise Rejected: it cannot be used.
    """
    if not isinstance(entry, Mapping):
        raise Rejected("an entry is not an object")
    id = entry.get("id")
    if not isinstance(id, str):
        raise Rejected("an id is not text")
    if not is_name(id):
        raise Rejected("an id is empty, not printable or too long")
    if entry.get("enabled") is False:
        return None
    try:
        states_price, prices = _read_prices(entry)
    except BrokenPrice as broken:
        raise Rejected(str(broken), id) from None
    return Listed(
        id=id,
        aliases=tuple(_aliases(id, entry)),
        states_price=states_price,
        prices=prices,
        max_output=_max_output(entry),
    )


def is_name(text: str) -> bool:
    """
    Can it go into headers, log lines and requests?
    """
    return 0 < len(text) <= _LONGEST_ID and text.isprintable() and text == text.strip()


def _aliases(id: str, entry: Mapping[str, object]) -> Iterator[str]:
    """
    llama.cpp and Routstr list them.  Ollama takes a name without a tag for the
    latest.
    """
    if entry.get("owned_by") == "library" and id.endswith(_LATEST):
        bare = id.removesuffix(_LATEST)
        if is_name(bare):
            yield bare
    for key in ("aliases", "alias_ids"):
        told = entry.get(key)
        for alias in told[:_MOST_ALIASES] if isinstance(told, list) else ():
            if isinstance(alias, str) and is_name(alias) and alias != id:
                yield alias


def _max_output(entry: Mapping[str, object]) -> int | None:
    limit = _mapping(entry.get("top_provider")).get("max_completion_tokens")
    if isinstance(limit, bool) or not isinstance(limit, int):
        return None
    return limit if 0 < limit <= _MOST_TOKENS else None


def _read_prices(entry: Mapping[str, object]) -> tuple[bool, tuple[Price, ...]]:
    """
    Whether anything is said of prices, and what.
    """
    pricing = entry.get("pricing")
    if "sats_pricing" in entry:
        # Null until the node knows what a bitcoin is worth, but it knows dollars.
        sats, usd = _routstr(entry["sats_pricing"]), _dollars(pricing, has_fee=False)
    elif isinstance(pricing, Mapping) and {"prompt", "completion"} & pricing.keys():
        sats, usd = None, _dollars(pricing, has_fee=True)
    elif isinstance(entry.get("payment"), Mapping):
        return _mesh(_mapping(entry["payment"]))
    else:
        return False, ()
    return True, usable_prices(sats, usd)


def _routstr(pricing: object) -> Price | None:
    """
    Sats for a token.  The fee for a request that it shows is never charged.
    """
    told = _mapping(pricing)
    return make_price(
        "sats",
        read_number(told.get("prompt"), MILLION),
        read_number(told.get("completion"), MILLION),
        read_number(told.get("input_cache_read"), MILLION),
    )


def _dollars(pricing: object, *, has_fee: bool) -> Price | None:
    """
    US dollars for a token, as text or as numbers.
    """
    told = _mapping(pricing)
    return make_price(
        "usd",
        read_number(told.get("prompt"), MILLION),
        read_number(told.get("completion"), MILLION),
        read_number(told.get("input_cache_read"), MILLION),
        read_number(told.get("request")) if has_fee else None,
    )


def _mesh(payment: Mapping[str, object]) -> tuple[bool, tuple[Price, ...]]:
    """
    Msats for a million tokens, at each of those who offer the model.  Which of
    them serves, nobody says beforehand: the dearest counts.  Where somebody
    serves it for nothing, nothing is stated.
    """
    offers = payment.get("offers")
    told = offers[:_MOST_OFFERS] if isinstance(offers, list) else []
    if payment.get("free_available") is True or not (
        told or payment.get("paid_available") is True
    ):
        return False, ()
    prices = [price for each in told if (price := _mesh_offer(each)) is not None]
    if not prices:
        return True, ()
    dearest = Price(
        "sats",
        max(price.input for price in prices),
        max(price.output for price in prices),
    )
    return True, (dearest,)


def _mesh_offer(offer: object) -> Price | None:
    told = _mapping(offer)
    if told.get("rate_unit", _MESH_UNIT) != _MESH_UNIT:
        return None
    pricing = _mapping(told.get("pricing"))
    return make_price(
        "sats",
        read_number(pricing.get("input_msat_per_million"), _MSATS),
        read_number(pricing.get("output_msat_per_million"), _MSATS),
    )


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
