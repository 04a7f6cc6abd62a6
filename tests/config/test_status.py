"""
Tests for L{arbstr.config.status}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from arbstr.config.status import ConfigStatus


class ConfigStatusTests(SynchronousTestCase):
    """
    What C{/health} says of the configuration.
    """

    def setUp(self) -> None:
        self.status = ConfigStatus(0)

    def test_at_the_start(self) -> None:
        self.assertEqual(
            self.status.as_json(), {"loaded_at": "1970-01-01T00:00:00Z", "error": None}
        )

    def test_failed(self) -> None:
        """
        The one in use is as old as it was.
        """
        self.status.failed(["one", "two"])
        self.assertEqual(
            self.status.as_json(),
            {"loaded_at": "1970-01-01T00:00:00Z", "error": "one\ntwo"},
        )

    def test_many_problems(self) -> None:
        self.status.failed([str(number) for number in range(12)])
        assert self.status.error is not None
        lines = self.status.error.splitlines()
        self.assertEqual(lines[9:], ["9", "and 2 more, which the log tells"])

    def test_loaded(self) -> None:
        """
        What was wrong before does not matter any more.
        """
        self.status.failed(["one"])
        self.status.loaded(60)
        self.assertEqual(
            self.status.as_json(), {"loaded_at": "1970-01-01T00:01:00Z", "error": None}
        )
