"""
Tests for L{arbstr.web.site}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from .incoming import Incoming


class RequestTests(SynchronousTestCase):
    """
    What is known of a request.
    """

    def test_path(self) -> None:
        request = Incoming.make().receive("GET", "/a%2Fb/%C3%A9?c=%20d&e=").request
        self.assertEqual(request.readable_path(), "/a/b/é")
        self.assertEqual(request.args, {b"c": [b" d"], b"e": [b""]})

    def test_unreadable_path(self) -> None:
        request = Incoming.make().receive("GET", "/%ff").request
        self.assertRaises(UnicodeDecodeError, request.readable_path)

    def test_no_query(self) -> None:
        self.assertEqual(Incoming.make().receive("GET", "/").request.args, {})

    def test_client_leaves(self) -> None:
        """
        What is done for it is cancelled; by then it is known why.
        """
        incoming = Incoming.make()
        gone: list[bool] = []
        serving: Deferred[None] = Deferred(lambda _: gone.append(incoming.request.gone))
        incoming.request.serving = serving.addErrback(lambda _: None)
        incoming.leave()
        self.assertEqual(gone, [True])
