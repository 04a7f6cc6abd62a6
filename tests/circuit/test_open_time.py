"""
How long a circuit stays open, and how that grows.
"""

from __future__ import annotations

from .fixture import CircuitTestCase


class OpenTimeTests(CircuitTestCase):
    """
    How long a circuit stays open.
    """

    def open_time(self) -> float:
        """
        How long C{a} will stay open from now.
        """
        retry_at = self.registry.retry_at("a")
        assert retry_at is not None
        return retry_at - self.clock.seconds()

    def reopen(self) -> float:
        """
        Lets the next probe fail.

        @return: the new open time.
        """
        self.clock.advance(self.open_time())
        self.acquire("a").failure("5xx", "test")
        return self.open_time()

    def recover(self) -> None:
        """
        Lets the next probe succeed.
        """
        self.clock.advance(self.open_time())
        self.acquire("a").success()

    def test_default_does_not_grow(self) -> None:
        """
        It is exact, trip after trip, whatever the jitter.
        """
        self.jitter = 1.0
        self.trip("a")
        self.assertEqual([self.reopen() for _ in range(3)], [30, 30, 30])

    def test_grows_up_to_the_maximum(self) -> None:
        """
        Each opening in a row lasts C{open_multiplier} times the one before.
        """
        self.configure(open_multiplier=2, open_seconds_max=100)
        self.trip("a")
        times = [self.open_time(), *(self.reopen() for _ in range(3))]
        self.assertEqual(times, [30, 60, 100, 100])

    def test_never_overflows(self) -> None:
        """
        An outage of thousands of probes stays at the maximum.
        """
        self.configure(open_multiplier=10, open_seconds_max=300)
        self.trip("a")
        times = {self.reopen() for _ in range(2000)}
        self.assertEqual(times, {300})

    def test_jitter_shortens_what_has_grown(self) -> None:
        """
        By up to a tenth, and never the first open time.
        """
        self.configure(open_multiplier=2)
        self.jitter = 1.0
        self.trip("a")
        self.assertEqual(self.open_time(), 30)
        self.assertEqual(self.reopen(), 54)

    def test_jitter_does_not_add_up(self) -> None:
        """
        What grows is the time without the jitter.
        """
        self.configure(open_multiplier=2)
        self.jitter = 1.0
        self.trip("a")
        self.reopen()
        self.assertEqual(self.reopen(), 108)

    def test_open_seconds_above_the_maximum(self) -> None:
        """
        The maximum limits growth only.
        """
        self.configure(open_seconds=600, open_multiplier=2, open_seconds_max=300)
        self.trip("a")
        self.assertEqual(self.open_time(), 600)
        self.assertEqual(self.reopen(), 600)

    def test_success_while_closed_resets(self) -> None:
        """
        The next trip is the first of a new row.
        """
        self.configure(open_multiplier=2)
        self.trip("a")
        self.recover()
        self.acquire("a").success()
        self.trip("a")
        self.assertEqual(self.open_time(), 30)

    def test_probe_success_alone_does_not_reset(self) -> None:
        """
        A provider that serves probes only is not back.
        """
        self.configure(open_multiplier=2)
        self.trip("a")
        self.recover()
        self.trip("a")
        self.assertEqual(self.open_time(), 60)
