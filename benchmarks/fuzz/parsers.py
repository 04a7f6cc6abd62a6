"""
Fast fuzzing without feedback: seeds, mutations, and many of them.
"""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import Random
from types import FrameType

from attrs import define

from .mutation import Mutator
from .targets import Configuration, Request, Stream, Target

# What one input may take before it is called a hang.
_MOST_SECONDS = 10
_ENOUGH_WRONG = 5
_SEED = 4
# Of a hundred inputs: YAML is slow to read.
_SHARES = {"stream": 50, "request": 40, "configuration": 10}


class Hang(Exception):
    """
    An input that is not finished with in time.
    """


@define
class Tally:
    """
    What came of one target's inputs.

    @ivar slowest: the seconds that the slowest took.
    """

    inputs: int = 0
    valid: int = 0
    wrong: int = 0
    seconds: float = 0.0
    slowest: float = 0.0


def targets(directory: Path) -> Mapping[str, Target]:
    """
    All of them, by name.

    @param directory: where files can be written.
    """
    return {
        "stream": Stream(),
        "request": Request(),
        "configuration": Configuration(directory),
    }


@contextmanager
def watched() -> Iterator[None]:
    """
    Let what takes too long raise L{Hang}.
    """

    def hung(number: int, frame: FrameType | None) -> None:
        raise Hang(f"It is not finished with after {_MOST_SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, hung)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def attempt(target: Target, data: bytes, chance: Random) -> bool:
    """
    One input, within its time; to be called where it is L{watched}.
    """
    signal.setitimer(signal.ITIMER_REAL, _MOST_SECONDS)
    return target.check(data, chance)


def parsers(count: int) -> list[str]:
    """
    So many inputs for all targets together.

    @return: what was wrong, with the inputs that showed it.
    """
    wrong: list[str] = []
    headings = ("inputs", "valid", "wrong", "per s", "slowest ms")
    print(f"{'':<14}" + "".join(f" {each:>10}" for each in headings))
    with tempfile.TemporaryDirectory() as name, watched():
        for title, target in targets(Path(name)).items():
            tally = Tally()
            _run(target, count * _SHARES[title] // 100, tally, wrong)
            cells = (
                *(tally.inputs, tally.valid, tally.wrong),
                f"{tally.inputs / max(tally.seconds, 1e-9):.0f}",
                f"{1000 * tally.slowest:.0f}",
            )
            print(f"{title:<14}" + "".join(f" {cell:>10}" for cell in cells))
    return wrong


def _run(target: Target, count: int, tally: Tally, wrong: list[str]) -> None:
    chance = Random(_SEED)
    mutator = Mutator(target.seeds, target.tokens, chance)
    began = before = time.monotonic()
    for _ in range(count):
        data = mutator.make()
        tally.inputs += 1
        try:
            tally.valid += attempt(target, data, chance)
        except Exception as error:
            tally.wrong += 1
            wrong.append(f"{type(error).__name__}: {error}\n  of {data!r}")
            if tally.wrong == _ENOUGH_WRONG:
                break
        now = time.monotonic()
        tally.slowest = max(tally.slowest, now - before)
        before = now
    tally.seconds = before - began
