"""
What routing saves, and what it takes: C{python -m benchmarks.routing cost}
and C{python -m benchmarks.routing plan}.

C{cost} lets ways to choose among five providers with base fees and cached rates
serve the same generated requests, and adds up what these truly cost: in a
market that is written down there, and in some that are drawn at random.  C{plan}
times one plan among more and more providers.
"""

from __future__ import annotations

import sys

from .costs import compare_costs
from .plans import time_plans

_COMMANDS = {"cost": compare_costs, "plan": time_plans}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in _COMMANDS:
        sys.exit(f"expected one of: {', '.join(_COMMANDS)}")
    _COMMANDS[sys.argv[1]]()
