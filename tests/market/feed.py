"""
What a tokenstats feed answers, as its source has it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]

# Seconds since the epoch, and as the feed writes it: in nanoseconds.
NOW = 1_795_300_375.0


def moment(seconds: float = NOW) -> str:
    """
    A time as the feed writes it.
    """
    told = datetime.fromtimestamp(seconds, UTC)
    return f"{told:%Y-%m-%dT%H:%M:%S.%f}123Z"


def health(btc_usd: object = 100_000.0) -> Json:
    """
    C{/health}.
    """
    return {
        "ok": True,
        "service": "tokenstats",
        "quotes": 3,
        "nodes": 1,
        "btc_usd": btc_usd,
        "last_updated": moment(),
        "ts": moment(),
    }


def quote(model: object = "gpt-4o", **fields: object) -> Json:
    """
    A row of C{/api/quotes}: a Routstr node at 2500/10000 sats for a million.
    """
    return {
        "source": "routstr",
        "provider": "Node One",
        "provider_id": "one",
        "model": model,
        "price_in_usd": 2.5,
        "price_out_usd": 10.0,
        "price_in_sats": 2500.0,
        "price_out_sats": 10000.0,
        "blended_usd": 8.125,
        "blend_ratio": 3.0,
        "delta_out_pct": None,
        "delta_in_pct": None,
        "prev_price_in_usd": None,
        "prev_price_out_usd": None,
        "endpoint": "https://node.example",
        "region": None,
        "context_length": 128000,
        "observed_at": moment(),
        "node": None,
        **fields,
    }


def openrouter_quote(model: object = "openai/gpt-4o", **fields: object) -> Json:
    """
    A row of OpenRouter's, whose endpoint has its /v1.
    """
    return quote(
        model,
        **{
            "source": "openrouter",
            "provider": "openrouter",
            "provider_id": "openrouter",
            "endpoint": "https://openrouter.ai/api/v1",
            **fields,
        },
    )


def node(provider_id: str = "one", reliability: float = 1.0, **fields: object) -> Json:
    """
    A row of C{/api/nodes}.
    """
    return {
        "provider_id": provider_id,
        "name": "Node One",
        "endpoint": "https://node.example",
        "onion": None,
        "mint": "https://mint.example",
        "version": "0.4.5",
        "region": None,
        "pubkey": "ab" * 32,
        "discovered_via": "38421",
        "last_seen": moment(),
        "reliability": reliability,
        "poll_ok": 60,
        "poll_total": 60,
        "last_latency_ms": 120,
        **fields,
    }
