"""
Valid inputs made slightly, or thoroughly, invalid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from random import Random

from attrs import define, field

# Longer inputs find nothing that these do not, and take their time.
MOST_BYTES = 4096

_EDGES = b"\x00\x09\x0a\x0d\x20\x22\x2c\x3a\x5b\x5c\x5d\x7b\x7d\x7f\x80\xc3\xed\xff"
_NUMBERS = (
    *(b"0", b"-1", b"1", b"255", b"65536", b"2147483648", b"-9223372036854775809"),
    *(b"18446744073709551616", b"1e999", b"-0.0", b"1E-5", b"NaN", b"9" * 400),
)
_AT_ONCE = (1, 1, 1, 2, 3, 6)
_LONGEST_RANGE = 64
_REPEATED = 40


@define
class Mutator:
    """
    Makes inputs of seeds.

    @ivar seeds: what is valid.
    @ivar tokens: what means something to the reader.
    """

    seeds: Sequence[bytes]
    tokens: Sequence[bytes]
    _chance: Random
    _ways: Sequence[Callable[[bytearray], None]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        # Those that know the format come more often.
        self._ways = (
            *(self._insert_token, self._insert_token, self._overwrite_token),
            *(self._set_byte, self._flip_bit, self._insert_edge, self._insert_number),
            *(self._remove, self._remove, self._repeat, self._move, self._splice),
            self._cut,
        )

    def make(self) -> bytes:
        """
        An input: a seed as it is in a few of a hundred cases, a changed one else.
        """
        seed = self._chance.choice(self.seeds)
        return seed if self._chance.random() < 0.03 else self.mutate(seed)

    def mutate(self, data: bytes) -> bytes:
        """
        These bytes, changed in one way, or in several.
        """
        changed = bytearray(data)
        for _ in range(self._chance.choice(_AT_ONCE)):
            self._chance.choice(self._ways)(changed)
        return bytes(changed[: max(MOST_BYTES, len(data))])

    def _place(self, data: bytearray) -> int:
        return int(self._chance.random() * (len(data) + 1))

    def _range(self, data: bytearray) -> slice:
        start = self._place(data)
        return slice(start, start + self._chance.randint(1, _LONGEST_RANGE))

    def _insert_token(self, data: bytearray) -> None:
        place = self._place(data)
        data[place:place] = self._chance.choice(self.tokens)

    def _overwrite_token(self, data: bytearray) -> None:
        place = self._place(data)
        token = self._chance.choice(self.tokens)
        data[place : place + len(token)] = token

    def _insert_edge(self, data: bytearray) -> None:
        data.insert(self._place(data), self._chance.choice(_EDGES))

    def _insert_number(self, data: bytearray) -> None:
        place = self._place(data)
        data[place : place + self._chance.randint(0, 3)] = self._chance.choice(_NUMBERS)

    def _set_byte(self, data: bytearray) -> None:
        place = self._place(data)
        data[place : place + 1] = bytes([self._chance.randrange(256)])

    def _flip_bit(self, data: bytearray) -> None:
        if data:
            data[self._chance.randrange(len(data))] ^= 1 << self._chance.randrange(8)

    def _remove(self, data: bytearray) -> None:
        del data[self._range(data)]

    def _repeat(self, data: bytearray) -> None:
        part = data[self._range(data)]
        place = self._place(data)
        often = self._chance.choice((1, 1, 1, 2, _REPEATED))
        data[place:place] = part * often

    def _move(self, data: bytearray) -> None:
        where = self._range(data)
        part = data[where]
        del data[where]
        place = self._place(data)
        data[place:place] = part

    def _splice(self, data: bytearray) -> None:
        other = self._chance.choice(self.seeds)
        data[self._place(data) :] = other[self._chance.randint(0, len(other)) :]

    def _cut(self, data: bytearray) -> None:
        del data[self._place(data) :]


def split(data: bytes, chance: Random) -> list[bytes]:
    """
    The same bytes in several reads; at times each in one of its own.
    """
    if len(data) <= MOST_BYTES and chance.random() < 0.02:
        return [data[place : place + 1] for place in range(len(data))]
    ends = [chance.randint(0, len(data)) for _ in range(chance.randint(1, 6))]
    bounds = [0, *sorted(ends), len(data)]
    return [data[start:end] for start, end in pairwise(bounds)]
