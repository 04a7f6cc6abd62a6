"""
Mock providers that fail at times, each in a way of its own.
"""

from __future__ import annotations

import json
from pathlib import Path

from .asking import MODELS

# Not 429: it would have the provider left alone for seconds.
_FAILURES = (500, 422, "cut")
_AS_MANY_AS_THE_DAEMON = 256


def configured(
    directory: Path,
    attempts: int,
    failure_rate: float = 0.05,
    database: Path | None = None,
) -> Path:
    """
    Write a configuration of one mock provider for each model, each of which
    fails in a way of its own.

    @param attempts: how often a request is tried.
    @param failure_rate: the share of these that fails.
    @param database: where the books will be; by default C{books.db} beside it.
    @return: the file.
    """
    providers = [
        {
            "name": f"mock-{failure}",
            "kind": "mock",
            "models": [model],
            # Such that no cost comes out even.
            "input_rate": 5_000.123 + 7 * place,
            "output_rate": 15_000.771 + 11 * place,
            "base_fee": 0.000_000_1 * place,
            "max_in_flight": _AS_MANY_AS_THE_DAEMON,
            "mock": {
                "latency_seconds": 0.002,
                "chunk_seconds": 0.001,
                "failure": failure,
                "failure_rate": failure_rate,
            },
        }
        for place, (model, failure) in enumerate(zip(MODELS, _FAILURES, strict=True))
    ]
    settings = {
        "database": {"path": str(database or directory / "books.db")},
        "providers": providers,
        # An open circuit would answer at once, and hide the providers.
        "circuit": {"failure_threshold": 1_000_000},
        "retry": {"max_attempts": attempts, "backoff_seconds": [0.02]},
    }
    path = directory / "arbstr.json"
    path.touch(0o600)
    path.write_text(json.dumps(settings), "utf-8")
    return path
