"""
OpenAI's client for Node.js, as C{npm} installs it: once, into C{build/node}.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any
from unittest import SkipTest

_HERE = Path(__file__).parent
_PROJECT = _HERE / "package.json"
_SCRIPT = _HERE / "streams.cjs"
_PLACE = _HERE.parents[2] / "build/node"
_INSTALL = "Node.js or npm is not installed: apt-get install nodejs npm"
_INSTALL_SECONDS = 240
_SECONDS = 120


def installed() -> Path:
    """
    Install the client, unless it is.

    @return: where its modules are.
    @raise SkipTest: there is no Node.js on this machine, or the client cannot be
        had.  In CI it is an error.
    """
    if not _programs():
        raise _missing(_INSTALL)
    modules, project = _PLACE / "node_modules", _PLACE / "package.json"
    wanted = _PROJECT.read_text("utf-8")
    if modules.exists() and project.read_text("utf-8") == wanted:
        return modules
    shutil.rmtree(_PLACE, ignore_errors=True)
    _PLACE.mkdir(parents=True)
    project.write_text(wanted, "utf-8")
    command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(_PLACE)]
    try:
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS,
        )
    except (subprocess.SubprocessError, OSError) as error:
        shutil.rmtree(_PLACE)
        told = getattr(error, "stderr", None) or error
        raise _missing(f"npm could not install openai: {told}") from None
    return modules


def ask(modules: Path, url: str, models: list[str]) -> dict[str, dict[str, Any]]:
    """
    Ask for a stream of each of these models, one after the other.

    @param modules: where L{installed} found them.
    @param url: the base URL.
    @return: what the client made of it, by model: C{text}, C{finish}, and
        C{error}, where it raised.
    """
    done = subprocess.run(
        ["node", str(_SCRIPT), url, *models],
        check=True,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        env={**os.environ, "NODE_PATH": str(modules), "NO_PROXY": "*"},
    )
    heard = [json.loads(line) for line in done.stdout.splitlines()]
    return {each["model"]: each for each in heard}


def _programs() -> bool:
    return all(shutil.which(program) for program in ("node", "npm"))


def _missing(why: str) -> Exception:
    return RuntimeError(why) if os.environ.get("CI") else SkipTest(why)
