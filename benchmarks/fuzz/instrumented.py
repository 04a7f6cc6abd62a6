"""
One target under C{atheris}, in a process that ends with it:

    python -m benchmarks.fuzz.instrumented TARGET SEEDS [LIBFUZZER'S OPTIONS]
"""

from __future__ import annotations

import sys
import zlib
from pathlib import Path
from random import Random

import atheris

# What is imported elsewhere first would not be measured.
with atheris.instrument_imports(include=["arbstr", "yaml"]):
    from .parsers import targets


def main(title: str, seeds: str, *options: str) -> None:
    """
    Fuzz it.

    @param seeds: the directory of its inputs; new ones are written there.
    """
    target = targets(Path(seeds).parent)[title]

    def check(data: bytes) -> None:
        target.check(data, Random(zlib.crc32(data)))

    atheris.Setup([sys.argv[0], seeds, *options], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
