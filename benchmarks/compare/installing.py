"""
What it takes to get a program.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from .proxy import Unavailable

_LONGEST_SECONDS = 900
_TOLD = 1000


def run(*command: str, directory: Path | None = None) -> str:
    """
    Run a program to its end.

    @param directory: where; by default here.
    @return: what it wrote to its standard output.
    @raise Unavailable: there is no such program, it failed or took too long.
    """
    try:
        ran = subprocess.run(
            command,
            cwd=directory,
            capture_output=True,
            text=True,
            timeout=_LONGEST_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{command[0]}: {error}") from None
    if ran.returncode:
        why = (ran.stderr or ran.stdout).strip()[-_TOLD:]
        raise Unavailable(f"{' '.join(command)}: {why}")
    return ran.stdout
