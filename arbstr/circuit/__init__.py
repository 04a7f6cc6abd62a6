"""
Circuit breakers: one for each provider, and the choice among several; and what
else keeps requests from a provider.
"""

from .breaker import CircuitSnapshot, CircuitState
from .budget import RetryBudget
from .cooldown import CoolDown, CoolDowns
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
    "CoolDown",
    "CoolDowns",
    "Permit",
    "PermitAlreadyResolved",
    "ProbeGuard",
    "RetryBudget",
]
