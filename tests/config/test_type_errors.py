"""
Values of the wrong type or size, and how that is said.
"""

from __future__ import annotations

from .support import SettingTestCase


class TypeTests(SettingTestCase):
    """
    One test for every type.
    """

    def test_number(self) -> None:
        """
        Text is not a number.
        """
        self.assert_wrong(
            "retry: {total_seconds: ten}",
            "retry.total_seconds: expected a number, found 'ten'",
        )

    def test_number_from_yes(self) -> None:
        """
        Neither is truth.
        """
        self.assert_wrong(
            "server: {rate_limit_rps: yes}",
            "server.rate_limit_rps: expected a number, found true",
        )

    def test_whole_number(self) -> None:
        """
        Requests cannot be halved.
        """
        self.assert_wrong(
            "server: {max_in_flight: 1.5}",
            "server.max_in_flight: expected a whole number, found 1.5",
        )

    def test_negative(self) -> None:
        """
        There is no negative rate.
        """
        self.assert_wrong(
            "server: {rate_limit_rps: -1}",
            "server.rate_limit_rps: expected at least 0, found -1",
        )

    def test_zero_time(self) -> None:
        """
        A time-out of nothing would fail every request.
        """
        self.assert_wrong(
            "circuit: {open_seconds: 0}",
            "circuit.open_seconds: expected more than 0, found 0",
        )

    def test_too_long(self) -> None:
        """
        No timer can run that long.
        """
        self.assert_wrong(
            "retry: {total_seconds: 1.0e+300}",
            "retry.total_seconds: expected at most 31536000, found 1e+300",
        )

    def test_infinite(self) -> None:
        """
        Numbers are finite.
        """
        self.assert_wrong(
            "server: {rate_limit_rps: .inf}",
            "server.rate_limit_rps: expected a finite number, found inf",
        )

    def test_not_a_number(self) -> None:
        """
        And they are numbers.
        """
        self.assert_wrong(
            "server: {rate_limit_rps: .nan}",
            "server.rate_limit_rps: expected at least 0, found nan",
        )

    def test_share(self) -> None:
        """
        A share is at most everything.
        """
        self.assert_wrong(
            "routing: {complexity_threshold_high: 1.5}",
            "routing.complexity_threshold_high: expected at most 1, found 1.5",
        )

    def test_truth(self) -> None:
        """
        Switches are on or off.
        """
        self.assert_wrong(
            "streaming: {failover: maybe}",
            "streaming.failover: expected true or false, found 'maybe'",
        )

    def test_text(self) -> None:
        """
        A number that should be text wants quotes.
        """
        self.assert_wrong(
            "server: {allowed_hosts: [80]}",
            "server.allowed_hosts[0]: expected text, found 80 "
            '(text needs "quotes" here)',
        )

    def test_empty_text(self) -> None:
        """
        An empty name names nothing.
        """
        self.assert_wrong(
            "server: {allowed_hosts: ['']}",
            "server.allowed_hosts[0]: expected text that is not empty, found ''",
        )

    def test_unprintable_text(self) -> None:
        """
        Names travel in headers and log lines.
        """
        self.assert_wrong(
            r'server: {allowed_hosts: ["a\r\nb"]}',
            "server.allowed_hosts[0]: expected printable text without surrounding "
            "spaces, found text of 4 characters",
        )

    def test_list(self) -> None:
        """
        A mapping is not a list.
        """
        self.assert_wrong(
            "policies: {rules: {name: a}}",
            "policies.rules: expected a list, found a mapping",
        )

    def test_empty_list(self) -> None:
        """
        Some lists need an item.
        """
        self.assert_wrong(
            "server: {listen: []}", "server.listen: expected at least one, found none"
        )

    def test_mapping(self) -> None:
        """
        A section is a mapping.
        """
        self.assert_wrong("retry: 3", "retry: expected a mapping, found 3")

    def test_nothing(self) -> None:
        """
        A section whose keys are all commented out is better left out.
        """
        self.assert_wrong("retry:", "retry: expected a mapping, found nothing")

    def test_choice(self) -> None:
        """
        The choices are named.
        """
        self.assert_wrong(
            "logging: {level: loud}",
            "logging.level: expected 'debug', 'info', 'warn', 'error' or 'critical', "
            "found 'loud'",
        )
