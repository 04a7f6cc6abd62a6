"""
Compile what has to be too fast to be what is measured.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

_HERE = Path(__file__).parent
_LOAD = ("load.c", "response.c")
_PROVIDER = ("provider.c", "timers.c")
_OPTIONS = ("-O2", "-Wall", "-Wextra", "-Werror")


class BuildError(Exception):
    """
    The tools cannot be compiled here; says why.
    """


@frozen
class Tools:
    """
    The compiled programs.

    @ivar load: see C{load.c}.
    @ivar provider: see C{provider.c}.
    @ivar compiler: its version.
    """

    load: Path
    provider: Path
    compiler: str


def build(directory: Path) -> Tools:
    """
    Compile both programs, unless they are there and newer than their source.

    @param directory: where they go; made if need be.
    @raise BuildError: there is no compiler, or it complains.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        raise BuildError("expected a C compiler named cc on PATH, found none")
    directory.mkdir(parents=True, exist_ok=True)
    load = _compiled(compiler, _LOAD, directory)
    provider = _compiled(compiler, _PROVIDER, directory)
    version = subprocess.run(
        [compiler, "--version"], capture_output=True, text=True, check=True
    )
    return Tools(load, provider, version.stdout.splitlines()[0])


def _compiled(compiler: str, sources: Sequence[str], directory: Path) -> Path:
    files = [_HERE / name for name in sources]
    program = directory / files[0].stem
    changed = max(each.stat().st_mtime for each in _HERE.glob("*.[ch]"))
    if program.exists() and program.stat().st_mtime > changed:
        return program
    run = subprocess.run(
        [compiler, *_OPTIONS, "-o", str(program), *map(str, files)],
        capture_output=True,
        text=True,
    )
    if run.returncode:
        raise BuildError(f"{files[0]}: {run.stderr}")
    return program
