"""
Listening where the configuration says.
"""

from __future__ import annotations

from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactor, RaisingMemoryReactor
from twisted.trial.unittest import SynchronousTestCase

from arbstr.web.channel import CONNECTIONS
from arbstr.web.listening import CannotStart, Listening


class ListeningTests(SynchronousTestCase):
    """
    L{Listening}.
    """

    def listen(
        self,
        *descriptions: str,
        reactor: MemoryReactor | RaisingMemoryReactor | None = None,
    ) -> Listening:
        """
        Start to listen.
        """
        reactor = MemoryReactor() if reactor is None else reactor
        listening = Listening(descriptions, Factory(), reactor)
        listening.privilegedStartService()
        listening.startService()
        return listening

    def test_listens_once_on_each(self) -> None:
        reactor = MemoryReactor()
        self.listen(
            "tcp:8080:interface=127.0.0.1", r"tcp:8081:interface=\:\:1", reactor=reactor
        )
        self.assertEqual(
            [(port, interface) for port, _, _, interface in reactor.tcpServers],
            [(8080, "127.0.0.1"), (8081, "::1")],
        )

    def test_many_at_once(self) -> None:
        """
        As many may wait as there may be.
        """
        reactor = MemoryReactor()
        self.listen("tcp:8080", reactor=reactor)
        [(_, _, backlog, _)] = reactor.tcpServers
        self.assertEqual(backlog, CONNECTIONS)

    def test_addresses(self) -> None:
        """
        They are those that were bound, as people write them.
        """
        listening = self.listen("tcp:8080", r"tcp6:8081:interface=\:\:1")
        self.assertEqual(listening.addresses(), "0.0.0.0:8080, [::1]:8081")

    def test_address_that_is_taken(self) -> None:
        """
        The line on which the process ends says which it was and why.
        """
        reactor = RaisingMemoryReactor(
            listenException=CannotListenError("127.0.0.1", 8080, "in use")
        )
        with self.assertRaises(CannotStart) as raised:
            self.listen("tcp:8080:interface=127.0.0.1", reactor=reactor)
        self.assertEqual(
            raised.exception.code,
            "arbstr: cannot listen on tcp:8080:interface=127.0.0.1: "
            "Couldn't listen on 127.0.0.1:8080: in use.",
        )

    def test_description_that_makes_no_sense(self) -> None:
        with self.assertRaises(CannotStart) as raised:
            self.listen("gopher:70")
        self.assertEqual(
            raised.exception.code,
            "arbstr: cannot listen on gopher:70: Unknown endpoint type: 'gopher'",
        )

    def test_failure_is_one_that_twistd_notices(self) -> None:
        """
        twistd removes its pid file only after an C{Exception}, and Python ends
        without a traceback only after a C{SystemExit}.
        """
        self.assertTrue(issubclass(CannotStart, Exception))
        self.assertTrue(issubclass(CannotStart, SystemExit))
