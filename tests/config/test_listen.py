"""
Where to listen.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from arbstr.config.listen import is_loopback, listen_description, with_backlog


class DescriptionTests(SynchronousTestCase):
    """
    L{listen_description}.
    """

    def test_host_and_port(self) -> None:
        """
        C{HOST:PORT} becomes an endpoint; no host means all interfaces.
        """
        for value, expected in (
            ("127.0.0.1:8080", "tcp:8080:interface=127.0.0.1"),
            ("localhost:80", "tcp:80:interface=localhost"),
            (":8080", "tcp:8080:interface="),
            ("[::1]:8080", r"tcp6:8080:interface=\:\:1"),
        ):
            self.assertEqual(listen_description(value), expected)

    def test_descriptions_stay(self) -> None:
        """
        An endpoint description is left alone.
        """
        for value in (
            "tcp:8080",
            "tcp:port=8080:interface=127.0.0.1",
            "tcp:interface=127.0.0.1:port=8080",
            r"tcp6:8080:interface=\:\:1",
            "unix:/run/arbstr.sock",
            "systemd:domain=INET:index=0",
        ):
            self.assertEqual(listen_description(value), value)

    def test_neither(self) -> None:
        """
        Anything else is refused, with both forms named.
        """
        for value in ("", "8080", "127.0.0.1", "http://127.0.0.1:8080", "a b:c"):
            error = self.assertRaises(ValueError, listen_description, value)
            self.assertEqual(
                str(error),
                "expected HOST:PORT or a Twisted endpoint such as "
                "tcp:8080:interface=127.0.0.1",
                value,
            )

    def test_port_out_of_range(self) -> None:
        """
        A port that cannot be is found before anything listens.
        """
        for value in ("localhost:65536", "tcp:99999", "tcp:http", "tcp:port=-1"):
            error = self.assertRaises(ValueError, listen_description, value)
            self.assertEqual(str(error), "expected a port from 0 to 65535", value)


class LoopbackTests(SynchronousTestCase):
    """
    L{is_loopback}.
    """

    def test_out_of_reach(self) -> None:
        """
        Loopback interfaces and sockets in the file system are not reachable
        from other machines.
        """
        for description in (
            "tcp:8080:interface=127.0.0.1",
            "tcp:8080:interface=127.8.9.10",
            "tcp:8080:interface=localhost",
            r"tcp6:8080:interface=\:\:1",
            "unix:/run/arbstr.sock",
        ):
            self.assertTrue(is_loopback(description), description)

    def test_reachable(self) -> None:
        """
        Everything else is, also what cannot be told.
        """
        for description in (
            "tcp:8080",
            "tcp:8080:interface=",
            "tcp:8080:interface=0.0.0.0",
            "tcp:8080:interface=example.org",
            r"tcp6:8080:interface=\:\:",
            "tcp:8080:interface=0",
            "tcp:8080:interface=localhost.evil",
            "tcp:8080:interface=127.0.0.1.evil",
            r"tcp6:8080:interface=\:\:ffff\:0.0.0.0",
            "tcp:8080:127.0.0.1",
            "tcp:8080:interface=127.0.0.1:interface=0.0.0.0",
            r"tcp:8080:interface=127.0.0.1:interf\ace=0.0.0.0",
            r"ssl:8080:interface=127.0.0.1:privateKey=x\\:interface=0.0.0.0",
            "UNIX:/run/arbstr.sock",
            "systemd:domain=INET:index=0",
        ):
            self.assertFalse(is_loopback(description), description)

    def test_escaped(self) -> None:
        """
        Backslashes are taken away as Twisted does it.
        """
        self.assertTrue(is_loopback(r"tcp:80:inter\face=\127.0.0\.1"))


class BacklogTests(SynchronousTestCase):
    """
    L{with_backlog}.
    """

    def test_told(self) -> None:
        """
        Every kind of endpoint that has one is told.
        """
        for description in (
            "tcp:8080",
            r"tcp6:8080:interface=\:\:1",
            "ssl:8443:interface=127.0.0.1:privateKey=key.pem",
            "unix:/run/arbstr.sock:mode=660",
        ):
            expected = f"{description}:backlog=512"
            self.assertEqual(with_backlog(description, 512), expected)

    def test_left_alone(self) -> None:
        """
        Whoever wants another has it, also without its name; other endpoints have
        none.
        """
        for description in (
            "tcp:8080:backlog=7",
            "tcp:8080:127.0.0.1:7",
            "systemd:domain=INET:index=0",
        ):
            self.assertEqual(with_backlog(description, 512), description)
