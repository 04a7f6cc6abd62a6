"""
Routing alone.
"""

from __future__ import annotations

import subprocess
import sys

from .bench import Bench


def plan(bench: Bench) -> str:
    """
    What C{python -m benchmarks.routing plan} tells: how long one plan takes
    among more and more providers.
    """
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.routing", "plan"],
        capture_output=True,
        text=True,
    )
    if run.returncode:
        bench.wrong.append(f"plan: {run.stderr.strip()}")
    return run.stdout.rstrip()
