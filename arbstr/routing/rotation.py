"""
Whose turn it was: what the strategy C{round_robin} goes by.
"""

from __future__ import annotations

from collections import OrderedDict

#: So many turns are remembered; of others it is as if there had been none.
MOST_TURNS = 4096


class Rotation:
    """
    Counts the attempts for each policy and model, and remembers the last one of
    each provider.
    """

    def __init__(self, most_turns: int = MOST_TURNS) -> None:
        self._most = most_turns
        self._count = 0
        self._turns: OrderedDict[tuple[str | None, str, str], int] = OrderedDict()

    def took(self, policy: str | None, model: str, provider: str) -> None:
        """
        A provider has its turn: it is asked.
        """
        key = policy, model, provider
        self._count += 1
        self._turns[key] = self._count
        self._turns.move_to_end(key)
        if len(self._turns) > self._most:
            self._turns.popitem(last=False)

    def last_turn(self, policy: str | None, model: str, provider: str) -> int:
        """
        The number of its last one, which was the later the greater it is; 0 if
        there was none.
        """
        return self._turns.get((policy, model, provider), 0)
