"""
Prompts of all sizes, through the whole path.
"""

from __future__ import annotations

from ..compare.scenarios import body
from ..markdown import markdown
from ..native.tools import Load
from ..processes import megabytes
from .bench import Bench

_SIZES = (
    ("1 KB", 1_000),
    ("100 KB", 100_000),
    ("1 MB", 1_000_000),
    ("10 MB", 10_000_000),
)
_WORDS = "The quick brown fox jumps over the lazy dog, 20 times or more.\n"


def prompts(bench: Bench) -> str:
    """
    What a request costs by the size of its body, sent one after another.
    """
    lines = [
        ("body", "p50, ms", "CPU µs a request", "CPU ms per MB", "memory after, MB")
    ]
    with bench.daemon() as daemon:
        for title, size in _SIZES:
            text = _WORDS * (size // len(_WORDS))
            path = bench.written(title, body(text))
            cost = bench.ask(daemon, Load(path, connections=1))
            lines.append(
                (
                    title,
                    f"{cost.report.p50 / 1000:.2f}",
                    f"{cost.processor:,.0f}",
                    f"{cost.processor / 1000 / (size / 1e6):.2f}",
                    f"{megabytes(daemon.pid):.1f}",
                )
            )
    return markdown(lines)
