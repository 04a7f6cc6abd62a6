"""
Tests for L{arbstr.ids}.
"""

from __future__ import annotations

import time
from itertools import pairwise
from uuid import RFC_4122, UUID

from twisted.trial.unittest import SynchronousTestCase

from arbstr.ids import new_id


class IdTests(SynchronousTestCase):
    """
    L{new_id} makes names for requests.
    """

    def test_uuid(self) -> None:
        """
        They are UUIDs, as they are usually written.
        """
        for name in (new_id() for _ in range(1000)):
            uuid = UUID(name)
            self.assertEqual(str(uuid), name)
            self.assertEqual((uuid.version, uuid.variant), (7, RFC_4122))

    def test_time(self) -> None:
        """
        They begin with the time, so that they are in order.
        """
        before = time.time_ns() // 1_000_000
        moment = UUID(new_id()).int >> 80
        after = time.time_ns() // 1_000_000
        self.assertTrue(before <= moment <= after, (before, moment, after))

    def test_different(self) -> None:
        """
        No two are the same, though they be of one millisecond, and all of the
        rest varies.
        """
        names = [UUID(new_id()).int for _ in range(1000)]
        self.assertEqual(len({*names}), 1000)
        varying = 0
        for one, other in pairwise(names):
            varying |= one ^ other
        fixed = 0xF << 76 | 0b11 << 62
        rest = (1 << 80) - 1
        self.assertEqual(varying & rest, rest & ~fixed)
