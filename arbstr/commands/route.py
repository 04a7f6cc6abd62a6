"""
C{arbstr route}: where a request would go, and why; nothing is sent.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any

from .ask import Daemon
from .tables import cell, table

NAME = "route"

_HEADERS = {
    "policy": ("X-Arbstr-Policy", "as if the client named this policy"),
    "provider": ("X-Arbstr-Provider", "as if it wanted this provider only"),
    "max_cost_sats": ("X-Arbstr-Max-Cost-Sats", "as if it would not spend more"),
    "complexity": ("X-Arbstr-Complexity", "as if it called it low, medium or high"),
}
_HEADINGS = (
    "RANK",
    "PROVIDER",
    "TIER",
    "SATS",
    "FIRST BYTE",
    "SUCCESS",
    "CIRCUIT",
    "WHY",
)


def add_command(commands: Any, common: argparse.ArgumentParser) -> None:
    """
    Add the command.

    @param common: the options that all commands have that ask a daemon.
    """
    parser = commands.add_parser(
        NAME, parents=[common], help="where a request would go, and why"
    )
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("prompt", metavar="PROMPT", nargs="?", default="")
    for name, (_, meaning) in _HEADERS.items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, dest=name, metavar="VALUE", help=meaning)
    parser.add_argument(
        "--max-tokens", type=int, metavar="COUNT", help="at most so long an answer"
    )
    parser.add_argument("--stream", action="store_true", help="as a stream")


def run(options: argparse.Namespace, daemon: Daemon) -> int:
    """
    Ask, and print.

    @return: the exit code: 1 where the request would be refused, else 0.
    @raise CommandError: the daemon could not be asked, or it does not know
        what the request names.
    """
    given = {header: getattr(options, name) for name, (header, _) in _HEADERS.items()}
    headers = {header: value for header, value in given.items() if value is not None}
    answer = daemon.post("/v1/route", _request(options), headers, "providers")
    print(json.dumps(answer, indent=2) if options.json else _route(answer))
    return 0 if answer.get("error") is None else 1


def _request(options: argparse.Namespace) -> dict[str, object]:
    """
    The chat completion that is asked about.
    """
    request: dict[str, object] = {
        "model": options.model,
        "messages": [{"role": "user", "content": options.prompt}],
    }
    if options.max_tokens is not None:
        request["max_tokens"] = options.max_tokens
    if options.stream:
        request["stream"] = True
    return request


def _route(answer: Mapping[str, Any]) -> str:
    policy = answer["policy"]
    tokens = (answer["estimated_input_tokens"], answer["estimated_output_tokens"])
    facts = [
        ["policy", f"{cell(policy['name'])} ({policy['reason']})"],
        ["strategy", cell(answer["strategy"])],
        ["tokens", f"~{tokens[0]}+{tokens[1]}"],
        ["complexity", _complexity(answer["complexity"])],
        ["tier", _tier(answer["tiers"])],
    ]
    rows = [_provider(each) for each in answer["providers"]]
    lines = [table(facts), table([_HEADINGS, *rows])]
    error = answer["error"]
    if error is not None:
        # A table of one cell: it shows nothing that a terminal would obey.
        lines.append(table([[f"refused with {error['status']}: {error['message']}"]]))
    return "\n".join(lines)


def _complexity(complexity: Mapping[str, Any]) -> str:
    """
    The score, and which signals it comes from or why from none.
    """
    signals = [
        f"{name} {_short(signal['value'])} x {_short(signal['weight'])}"
        for name, signal in complexity["signals"].items()
        if signal["value"] and signal["weight"]
    ]
    why = complexity["reason"] or ", ".join(signals) or "no signal"
    return f"{_short(complexity['score'])} ({why})"


def _tier(tiers: Mapping[str, Any]) -> str:
    limit = tiers["limit"]
    told = "any" if limit is None else f"up to {limit}"
    escalated = tiers["escalated_to"]
    if escalated is not None:
        told += f", escalated to {escalated}"
    return f"{told} ({tiers['reason']})"


def _short(number: float | None) -> str:
    return cell(None if number is None else round(float(number), 3))


def _provider(provider: Mapping[str, Any]) -> list[str]:
    seconds, success = provider["first_byte_seconds"], provider["success_rate"]
    values = (
        provider["rank"],
        provider["name"],
        provider["tier"],
        provider["expected_cost_sats"],
        None if seconds is None else f"{seconds:.3f} s",
        None if success is None else f"{success:.1%}",
        provider["circuit"]["state"],
        provider["excluded_because"] or provider["because"],
    )
    return [cell(value) for value in values]
