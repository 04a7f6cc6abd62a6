"""
What the logged requests would have cost under another configuration; nothing is
sent, and nothing is written.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from arbstr.config.load import default_path, load_config
from arbstr.config.model import Config
from arbstr.errors import ApiError
from arbstr.ledger.engines import DatabaseError
from arbstr.ledger.onlooker import Onlooker
from arbstr.ledger.query import Filters, parse_stats, rfc_3339
from arbstr.routing.replay import Comparison, Replay, Tally

from .ask import CommandError
from .replay import RANGE
from .tables import cell, table

_NO_POLICY = "none"


def run(options: argparse.Namespace, config: Config) -> int:
    """
    Replay, and print.

    @param config: what the requests are replayed through.
    @return: the exit code.
    @raise ConfigError: the configuration that says where the log is cannot be
        used.
    @raise CommandError: the database cannot be read, or an option makes no
        sense.
    """
    filters = _filters(options)
    try:
        with closing(Onlooker(options.database or _database())) as books:
            replay = Replay(config)
            for row in books.finished(filters.since, filters.until):
                replay.add(row)
    except DatabaseError as error:
        raise CommandError(f"{error}") from None
    answer = _as_json(replay, filters, books.name)
    if options.json:
        print(json.dumps(answer, indent=2, default=float))
    else:
        print(_as_text(answer))
    return 0


def _filters(options: argparse.Namespace) -> Filters:
    given = {name: getattr(options, name) for name in RANGE}
    parameters = {name: value for name, value in given.items() if value is not None}
    try:
        return parse_stats(parameters, round(time.time() * 1000)).filters
    except ApiError as error:
        raise CommandError(f"--{error.message}") from None


def _database() -> str:
    running = default_path(os.environ)
    if running is None:
        raise CommandError(
            "expected --database URL, ARBSTR_CONFIG or etc/arbstr.yaml, found none"
        )
    return load_config(running, os.environ).config.database.url


def _as_json(replay: Replay, filters: Filters, database: str) -> dict[str, object]:
    """
    All that came of it; sats are exact.
    """
    policies = {each or _NO_POLICY: found for each, found in replay.policies.items()}
    return {
        "since": rfc_3339(filters.since),
        "until": rfc_3339(filters.until),
        "database": database,
        "total": _compared(replay.total),
        "policies": {name: _compared(policies[name]) for name in sorted(policies)},
        "providers": {
            name: _compared(replay.providers[name]) for name in sorted(replay.providers)
        },
        "left_out": {
            "failed": _tally(replay.failed),
            "without_usage": _tally(replay.unreported),
            "refused": {
                code: _tally(replay.refused[code]) for code in sorted(replay.refused)
            },
        },
        "unknown_policies": dict(sorted(replay.unknown_policies.items())),
        "without_complexity": replay.unjudged,
    }


def _compared(comparison: Comparison) -> dict[str, object]:
    return {
        "was": _tally(comparison.was),
        "would_be": _tally(comparison.would_be),
        "saved_sats": comparison.saved,
        "moved": comparison.moved,
    }


def _tally(tally: Tally) -> dict[str, object]:
    return {"requests": tally.requests, "cost_sats": tally.sats}


def _as_text(answer: Mapping[str, Any]) -> str:
    lines = [f"{answer['since']} to {answer['until']}, {answer['database']}"]
    if answer["total"]["was"]["requests"]:
        lines += [table(_by_policy(answer)), table(_by_provider(answer))]
    else:
        lines.append("No requests to compare in this range")
    return "\n".join([*lines, *_notes(answer)])


def _by_policy(answer: Mapping[str, Any]) -> list[list[str]]:
    named = {"total": answer["total"], **answer["policies"]}
    rows = [["POLICY", "REQUESTS", "MOVED", "SATS", "WOULD BE", "SAVED"]]
    for name, compared in named.items():
        values = (
            compared["was"]["requests"],
            compared["moved"],
            compared["was"]["cost_sats"],
            compared["would_be"]["cost_sats"],
            compared["saved_sats"],
        )
        rows.append([name, *map(cell, values)])
    return rows


def _by_provider(answer: Mapping[str, Any]) -> list[list[str]]:
    rows = [["PROVIDER", "SERVED", "SATS", "WOULD SERVE", "WOULD BE"]]
    for name, compared in answer["providers"].items():
        was, would_be = compared["was"], compared["would_be"]
        values = (
            was["requests"],
            was["cost_sats"],
            would_be["requests"],
            would_be["cost_sats"],
        )
        rows.append([name, *map(cell, values)])
    return rows


def _notes(answer: Mapping[str, Any]) -> list[str]:
    """
    What is left out, and what is not as it was.
    """
    left_out = answer["left_out"]
    whys = {"failed": left_out["failed"], "without usage": left_out["without_usage"]}
    for code, tally in left_out["refused"].items():
        whys[f"would be refused ({code})"] = tally
    notes = [
        f"left out: {why}: {_count(tally['requests'])}, {cell(tally['cost_sats'])} sats"
        for why, tally in whys.items()
        if tally["requests"]
    ]
    notes += [
        f"policy {name!r} is not configured: {_count(count)} replayed without one"
        for name, count in answer["unknown_policies"].items()
    ]
    unjudged = answer["without_complexity"]
    if unjudged:
        notes.append(f"no complexity is known: {_count(unjudged)} taken for complex")
    return notes


def _count(requests: int) -> str:
    return f"{requests} request{'' if requests == 1 else 's'}"
