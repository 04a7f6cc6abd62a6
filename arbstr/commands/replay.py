"""
C{arbstr replay}: its command line.
"""

from __future__ import annotations

import argparse
from typing import Any

NAME = "replay"

RANGE = {
    "range": "last_1h, last_24h, last_7d (default) or last_30d",
    "since": "RFC 3339, such as 2026-01-31T12:00:00Z",
    "until": "RFC 3339",
}


def add_command(commands: Any, config: argparse.ArgumentParser) -> None:
    """
    Add the command.

    @param config: the option that names a configuration.
    """
    parser = commands.add_parser(
        NAME,
        parents=[config],
        help="what the logged requests would have cost with this configuration",
    )
    for name, meaning in RANGE.items():
        parser.add_argument(f"--{name}", metavar="VALUE", help=meaning)
    parser.add_argument(
        "--database",
        metavar="URL",
        help="where the log is; default: that of $ARBSTR_CONFIG, else of "
        "etc/arbstr.yaml",
    )
    parser.add_argument("--json", action="store_true", help="the same as JSON")
