"""
C{arbstr stats}, C{requests}, C{health}, C{models} and C{route}: what a running
daemon tells, as tables.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from attrs import frozen

from . import route
from .ask import Daemon
from .tables import NOTHING, cell, table

_URL = "http://127.0.0.1:8080"

_FILTERS = {
    "range": "last_1h, last_24h, last_7d (default) or last_30d",
    "since": "RFC 3339, such as 2026-01-31T12:00:00Z",
    "until": "RFC 3339",
    "model": "of this model only",
    "provider": "of this provider only",
}
_STATS = {**_FILTERS, "group_by": "model, provider, tier, policy, hour or day"}
_REQUESTS = {
    **_FILTERS,
    "policy": "of this policy only",
    "success": "true or false",
    "streaming": "true or false",
    "page": "1 is the first",
    "per_page": "20; at most 100",
    "sort": "timestamp (default), cost_sats or latency_ms",
    "order": "desc (default) or asc",
}
_GROUPS = ("models", "providers", "tiers", "policies", "hours", "days")


def add_commands(commands: Any) -> None:
    """
    Add the commands to the parsers of an L{argparse.ArgumentParser}.
    """
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--url", default=_URL, help=f"of the daemon: {_URL}")
    common.add_argument(
        "--token", help="the daemon's server.auth_token; better in $ARBSTR_TOKEN"
    )
    common.add_argument("--json", action="store_true", help="the same as JSON")
    for command in _COMMANDS.values():
        parser = commands.add_parser(command.name, parents=[common], help=command.help)
        for name, meaning in command.parameters.items():
            option = f"--{name.replace('_', '-')}"
            parser.add_argument(option, dest=name, metavar="VALUE", help=meaning)
        if command.item is not None:
            parser.add_argument(
                "item", nargs="?", metavar=command.item, help="only this one"
            )
    route.add_command(commands, common)


def is_command(name: str) -> bool:
    """
    Whether a command is one of these.
    """
    return name == route.NAME or name in _COMMANDS


def run(options: argparse.Namespace) -> int:
    """
    Ask, and print.

    @return: the exit code: 1 where all is far from well, else 0.
    @raise CommandError: the daemon could not be asked, or refused.
    """
    daemon = Daemon(options.url, options.token or os.environ.get("ARBSTR_TOKEN"))
    if options.command == route.NAME:
        return route.run(options, daemon)
    command = _COMMANDS[options.command]
    item = getattr(options, "item", None)
    given = {name: getattr(options, name) for name in command.parameters}
    parameters = {name: value for name, value in given.items() if value is not None}
    path, member = command.path, command.member
    if item is not None:
        path, member = f"{path}/{quote(item, safe='')}", "request_id"
    answer = daemon.get(path, parameters, member)
    if options.json:
        print(json.dumps(answer, indent=2))
    elif item is not None:
        print(_details(answer))
    else:
        print(command.show(answer))
    return 1 if answer.get("status") == "unhealthy" else 0


def _details(answer: Mapping[str, Any]) -> str:
    """
    Every value of an object in a line of its own.
    """
    return table([["FIELD", "VALUE"], *_fields(answer, "")])


def _fields(value: object, name: str) -> list[list[str]]:
    if isinstance(value, dict):
        inner = [(f"{name}.{key}".lstrip("."), each) for key, each in value.items()]
    elif isinstance(value, list):
        inner = [(f"{name}[{at}]", each) for at, each in enumerate(value)]
    else:
        return [[name, cell(value)]]
    return [line for key, each in inner for line in _fields(each, key)]


def _stats(answer: Mapping[str, Any]) -> str:
    headings = [
        "REQUESTS",
        "ERRORS",
        "STREAMING",
        "INPUT",
        "OUTPUT",
        "SATS",
        "SAVED",
        "AVG MS",
        "P50 MS",
        "P95 MS",
        "P50 TTFT",
        "P95 TTFT",
    ]
    rows = [["", *headings], ["total", *_totals(answer)]]
    for group in _GROUPS:
        for name, totals in answer.get(group, {}).items():
            rows.append([name, *_totals(totals)])
    lines = [f"{answer['since']} to {answer['until']}", table(rows)]
    return "\n".join([*lines, *_messages(answer)])


def _totals(answer: Mapping[str, Any]) -> list[str]:
    counts, costs = answer["counts"], answer["costs"]
    performance = answer["performance"]
    values = (
        counts["total"],
        counts["error"],
        counts["streaming"],
        costs["total_input_tokens"],
        costs["total_output_tokens"],
        costs["total_cost_sats"],
        costs["total_savings_sats"],
        performance["avg_latency_ms"],
        performance["p50_latency_ms"],
        performance["p95_latency_ms"],
        performance["p50_ttft_ms"],
        performance["p95_ttft_ms"],
    )
    return [cell(value) for value in values]


def _messages(answer: Mapping[str, Any]) -> list[str]:
    return [answer["message"]] if "message" in answer else []


def _requests(answer: Mapping[str, Any]) -> str:
    headings = [
        "TIME",
        "REQUEST",
        "MODEL",
        "PROVIDER",
        "POLICY",
        "TIER",
        "TOKENS",
        "SATS",
        "MS",
        "RESULT",
    ]
    rows = [_request(row) for row in answer["data"]]
    page = f"page {answer['page']} of {answer['total_pages']}"
    return f"{table([headings, *rows])}\n{page}, {answer['total']} requests"


def _request(row: Mapping[str, Any]) -> list[str]:
    tokens = row["tokens"]
    counted = NOTHING
    if tokens["output"] is not None:
        about = "~" if tokens["estimated"] else ""
        counted = f"{about}{cell(tokens['input'])}+{tokens['output']}"
    values = (
        row["timestamp"],
        row["request_id"],
        row["model"],
        row["provider"],
        row["policy"],
        row["tier"],
        counted,
        row["cost"]["sats"],
        row["timing"]["latency_ms"],
        _result(row),
    )
    return [cell(value) for value in values]


def _result(row: Mapping[str, Any]) -> str:
    error = row.get("error")
    if error is None:
        return "ok"
    told = (error["status"], error["message"])
    return " ".join(str(each) for each in told if each is not None)


def _health(answer: Mapping[str, Any]) -> str:
    headings = ["PROVIDER", "CIRCUIT", "FAILURES", "TRIPS", "TIER", "COOLING UNTIL"]
    keys = ("state", "failure_count", "trip_count", "tier", "cooling_until")
    rows = [
        [name, *(cell(provider.get(key)) for key in keys)]
        for name, provider in answer["providers"].items()
    ]
    told = f"{answer['status']}\n{table([headings, *rows])}"
    error = answer.get("config", {}).get("error")
    if error is None:
        return told
    lines = ["The file in its present state cannot be used:", *error.splitlines()]
    return f"{told}\n{table([[line] for line in lines])}"


def _models(answer: Mapping[str, Any]) -> str:
    headings = ["MODEL", "TIER", "INPUT", "OUTPUT", "FEE", "PROVIDERS"]
    keys = ("tier", "input_rate", "output_rate", "base_fee")
    rows = [
        [
            model["id"],
            *(cell(model["arbstr"][key]) for key in keys),
            ", ".join(model["arbstr"]["providers"]),
        ]
        for model in answer["data"]
    ]
    return table([headings, *rows])


@frozen
class _Command:
    """
    One of the commands.

    @ivar member: what every answer has.
    @ivar parameters: those of the query, and what is said of each.
    @ivar item: how one of the items is called, where it can be asked for.
    """

    name: str
    help: str
    path: str
    member: str
    show: Callable[[Mapping[str, Any]], str]
    parameters: Mapping[str, str] = {}
    item: str | None = None


_COMMANDS = {
    command.name: command
    for command in (
        _Command(
            "stats",
            "what was spent and saved",
            "/v1/stats",
            "counts",
            _stats,
            _STATS,
        ),
        _Command(
            "requests",
            "the log, newest first",
            "/v1/requests",
            "data",
            _requests,
            _REQUESTS,
            item="REQUEST_ID",
        ),
        _Command("health", "how the circuits are", "/health", "providers", _health),
        _Command("models", "what can be asked for", "/v1/models", "data", _models),
    )
}
