"""
Tests for L{arbstr.circuit.cooldown}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from arbstr.circuit import CoolDowns

# Tuesday, 10 March 2026, 12:00:00 UTC.
NOON = 1_773_144_000.0


class CoolDownTests(SynchronousTestCase):
    """
    For how long a provider is left alone.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.cooldowns = CoolDowns(self.clock, lambda: NOON + self.clock.seconds())

    def assert_cools(
        self, seconds: float | None, status: int, retry_after: str | None = None
    ) -> None:
        """
        An answer has alpha left alone for so long from now.
        """
        self.cooldowns.refused("alpha", "gpt-4o", status, retry_after)
        found = self.cooldowns.current("alpha", "gpt-4o")
        left = None if found is None else found.until - self.clock.seconds()
        self.assertEqual(left, seconds)

    def in_a_row(self, status: int, times: int) -> list[float]:
        """
        How long each lasts, if it is refused again as soon as it is asked.
        """
        lasted = []
        for _ in range(times):
            self.cooldowns.refused("alpha", "gpt-4o", status)
            found = self.cooldowns.current("alpha")
            assert found is not None
            lasted.append(found.until - self.clock.seconds())
            self.clock.advance(lasted[-1])
        return lasted

    def test_nothing(self) -> None:
        """
        Nobody has refused anything.
        """
        self.assertIsNone(self.cooldowns.current("alpha", "gpt-4o"))
        self.assertIsNone(self.cooldowns.ends("alpha"))

    def test_rate_limit_in_seconds(self) -> None:
        """
        As long as the provider says.
        """
        self.assert_cools(17, 429, "17")

    def test_rate_limit_until_a_date(self) -> None:
        """
        Which is of the wall clock.
        """
        self.assert_cools(90, 429, "Tue, 10 Mar 2026 12:01:30 GMT")

    def test_date_that_is_past(self) -> None:
        """
        There is nothing to wait for.
        """
        self.assert_cools(None, 429, "Tue, 10 Mar 2026 11:00:00 GMT")

    def test_longest(self) -> None:
        """
        Nobody is believed for more than five minutes.
        """
        self.assert_cools(300, 429, "86400")
        self.assert_cools(300, 429, "Wed, 11 Mar 2026 12:00:00 GMT")

    def test_rate_limit_without_a_time(self) -> None:
        """
        Five seconds, then twice as long each time, to a minute.
        """
        self.assertEqual(self.in_a_row(429, 6), [5, 10, 20, 40, 60, 60])

    def test_nonsense_is_no_time(self) -> None:
        """
        It counts as no header.
        """
        for nonsense in ("soon", "-5", "nan", "inf", "", "1e9", "9" * 5000, "\u0665"):
            self.cooldowns = CoolDowns(self.clock)
            self.assert_cools(5, 429, nonsense)

    def test_balance(self) -> None:
        """
        A minute, then twice as long each time, to an hour.
        """
        self.assertEqual(
            self.in_a_row(402, 8), [60, 120, 240, 480, 960, 1920, 3600, 3600]
        )

    def test_key(self) -> None:
        """
        Five minutes.
        """
        self.assert_cools(300, 401)
        self.clock.advance(300)
        self.assert_cools(300, 403)

    def test_model(self) -> None:
        """
        Five minutes, for this model at this provider.
        """
        self.assert_cools(300, 404)
        self.assertIsNone(self.cooldowns.current("alpha", "o3"))
        self.assertIsNone(self.cooldowns.current("alpha"))
        self.assertIsNone(self.cooldowns.current("beta", "gpt-4o"))

    def test_unavailable(self) -> None:
        """
        Only if the provider says for how long: else it just failed.
        """
        self.assert_cools(None, 503)
        self.assert_cools(20, 503, "20")

    def test_the_clients_own(self) -> None:
        """
        Says nothing of the provider.
        """
        for status in (400, 408, 413, 422, 500, 502):
            self.assert_cools(None, status, "20")

    def test_whole_provider(self) -> None:
        """
        All of its models.
        """
        self.assert_cools(17, 429, "17")
        for model in ("o3", None):
            self.assertIsNotNone(self.cooldowns.current("alpha", model))
        self.assertIsNone(self.cooldowns.current("beta", "gpt-4o"))

    def test_never_shortened(self) -> None:
        """
        A shorter one does not replace a longer one.
        """
        self.assert_cools(300, 401)
        self.assert_cools(300, 429, "1")

    def test_lengthened(self) -> None:
        """
        A longer one does.
        """
        self.assert_cools(1, 429, "1")
        self.assert_cools(300, 401)

    def test_over(self) -> None:
        """
        In the very moment that was told.
        """
        self.assert_cools(17, 429, "17")
        self.clock.advance(17)
        self.assertIsNone(self.cooldowns.current("alpha"))

    def test_served(self) -> None:
        """
        After a good answer what comes is not in a row any more.
        """
        self.in_a_row(429, 3)
        self.cooldowns.served("alpha")
        self.assertEqual(self.in_a_row(429, 1), [5])

    def test_told(self) -> None:
        """
        People are told the time of day.
        """
        self.assert_cools(17, 429, "17")
        self.assertEqual(self.cooldowns.ends("alpha"), "2026-03-10T12:00:17Z")
