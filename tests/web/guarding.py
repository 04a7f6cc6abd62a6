"""
What the tests of L{arbstr.web.guard} share: a guard before an application.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from arbstr.config.model import ServerSettings
from arbstr.web.guard import Guard
from arbstr.web.inflight import InFlight
from arbstr.web.site import ArbstrRequest
from tests.fakes import ListLedger

from .incoming import Incoming

TOKEN = "s3cret"
JSON = "application/json"


class Application(Resource):
    """
    What is behind the guard.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.passed: list[str] = []

    def render(self, request: ArbstrRequest) -> bytes:
        self.passed.append(f"{request.method.decode()} {request.path.decode()}")
        request.finish()
        return b""


class GuardTestCase(SynchronousTestCase):
    """
    A guard before an application.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.in_flight = InFlight(self.clock)
        self.application = Application()
        self.configure()

    def configure(self, **settings: Any) -> None:
        """
        Start anew with other settings.
        """
        self.ledger = ListLedger()
        self.guard = Guard(
            self.application,
            ServerSettings(**settings),
            self.in_flight,
            self.ledger,
            self.clock,
        )

    def send(
        self, method: str = "GET", path: str = "/providers", **headers: str
    ) -> Incoming:
        """
        A request comes.

        @param headers: underscores stand for hyphens.
        """
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Incoming.make(self.guard, named).receive(method, path)

    def post(self, **headers: str) -> Incoming:
        """
        A request with a body comes.
        """
        return self.send("POST", "/v1/chat/completions", **headers)

    def assert_passes(self, incoming: Incoming) -> None:
        """
        The application got the request.
        """
        request = incoming.request
        expected = f"{request.method.decode()} {request.path.decode()}"
        self.assertEqual(self.application.passed[-1:], [expected])
        self.application.passed.clear()

    def assert_refused(
        self, incoming: Incoming, status: int, kind: str
    ) -> dict[str, Any]:
        """
        The application did not: the client got an error of this type.
        """
        self.assertEqual(incoming.status, status)
        error = incoming.error()
        self.assertEqual(error["type"], kind)
        self.assertEqual(self.application.passed, [])
        return error
