"""
The C{arbstr} command: looks at a configuration without starting anything, and
asks a running daemon.

The daemon itself is C{twistd arbstr}.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from . import __version__
from .commands import replay, reports
from .commands.ask import CommandError
from .config.problems import ConfigError


def main(argv: Sequence[str] | None = None) -> int:
    """
    @param argv: the arguments after the command's name; C{None} for those of
        the process.
    @return: the exit code: 0; or 1 for a configuration that cannot be used, a
        database that cannot be read, a daemon that does not answer or is
        unhealthy, or a request that it would refuse.
    """
    options = _parser().parse_args(argv)
    try:
        if reports.is_command(options.command):
            return reports.run(options)
        # To read a configuration takes a lot to import.
        from .commands import configured

        return configured.run(options)
    except (ConfigError, CommandError) as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="arbstr",
        description="Looks at arbstr's configuration, and asks a running daemon.  "
        "The daemon is: twistd arbstr",
    )
    parser.add_argument("--version", action="version", version=f"arbstr {__version__}")
    config = argparse.ArgumentParser(add_help=False)
    config.add_argument(
        "--config",
        metavar="FILE",
        help="default: $ARBSTR_CONFIG, else etc/arbstr.yaml",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser(
        "check", parents=[config], help="say everything that is wrong with the file"
    )
    providers = commands.add_parser(
        "providers", parents=[config], help="list providers, models, rates and keys"
    )
    providers.add_argument("--json", action="store_true", help="the same as JSON")
    replay.add_command(commands, config)
    reports.add_commands(commands)
    return parser
