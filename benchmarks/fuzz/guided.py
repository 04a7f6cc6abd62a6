"""
Fuzzing led by coverage, with C{atheris}.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from .parsers import targets

_INSTALL = "atheris is not installed: pip install 'arbstr[fuzz]'"
# Seconds that an input may take; libFuzzer counts in whole ones.
_MOST_SECONDS = 10
_DONE = re.compile(r"^Done (\d+) runs in (\d+) ", re.M)
_COVERED = re.compile(r" cov: (\d+) ")


class CannotTry(Exception):
    """
    Why there is nothing to lead by.
    """


def coverage(seconds: int) -> list[str]:
    """
    Each target for so many seconds, in a process of its own: C{atheris} never
    returns.

    @return: what was wrong.
    @raise CannotTry: C{atheris} is not installed.
    """
    if find_spec("atheris") is None:
        raise CannotTry(_INSTALL)
    wrong = []
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for title, target in targets(directory).items():
            seeds = directory / title
            seeds.mkdir()
            for number, seed in enumerate(target.seeds):
                (seeds / str(number)).write_bytes(seed)
            told = _guided(title, seeds, seconds)
            done = _DONE.search(told)
            covered = _COVERED.findall(told) or ["nothing"]
            if done:
                runs, took = done.groups()
                print(f"{title:<14} {runs:>9} inputs in {took} s, cov: {covered[-1]}")
            else:
                wrong.append(f"{title}:\n{told[-3000:]}")
    return wrong


def _guided(title: str, seeds: Path, seconds: int) -> str:
    """
    @return: what C{libFuzzer} said.
    """
    command = [
        *(sys.executable, "-m", "benchmarks.fuzz.instrumented", title, str(seeds)),
        *(f"-max_total_time={seconds}", f"-timeout={_MOST_SECONDS}", "-seed=4"),
        *("-max_len=4096", f"-artifact_prefix={seeds}/"),
    ]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return done.stdout
