"""
What only Routstr nodes tell: the balance of our key there.
"""

from __future__ import annotations

from collections.abc import Mapping

from .models import BadAnswer, decode

_MOST_MSATS = 21_000_000 * 10**8 * 1000
_VERSION = "/v1"


def balance_url(base: str) -> str:
    """
    Where a node tells it.

    @param base: the provider's URL, with or without C{/v1} at its end.
    """
    root = base.removesuffix(_VERSION)
    return f"{root}{_VERSION}/balance/info"


def read_balance(body: bytes) -> int:
    """
    Msats that can be spent: what is set aside for requests on their way is not
    among them.

    @raise BadAnswer: it does not say.
    """
    answer = decode(body)
    balance = answer.get("balance") if isinstance(answer, Mapping) else None
    if isinstance(balance, bool) or not isinstance(balance, int):
        raise BadAnswer("the answer has no 'balance' in whole msats")
    # A node may charge a little more than there is.
    return min(max(0, balance), _MOST_MSATS)
