"""
Circuit breakers: one for each provider, and the choice among several.
"""

from .breaker import CircuitSnapshot, CircuitState
from .permit import (
    AllCircuitsOpen,
    CircuitOpen,
    Permit,
    PermitAlreadyResolved,
    ProbeGuard,
)
from .registry import CircuitBreakerRegistry

__all__ = [
    "AllCircuitsOpen",
    "CircuitBreakerRegistry",
    "CircuitOpen",
    "CircuitSnapshot",
    "CircuitState",
    "Permit",
    "PermitAlreadyResolved",
    "ProbeGuard",
]
