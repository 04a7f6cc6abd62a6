"""
Tests for L{arbstr.web.routes}.
"""

from __future__ import annotations

from klein import Klein
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from werkzeug.exceptions import MethodNotAllowed, NotFound

from arbstr.web.respond import prepare
from arbstr.web.routes import Routes
from arbstr.web.site import ArbstrRequest

from .incoming import Incoming


class Application:
    """
    Some routes, and what became of them.
    """

    app = Klein()

    def __init__(self) -> None:
        self.waiting: Deferred[bytes | None] = Deferred()
        self.failures: list[Failure] = []

    @app.route("/now", methods=["GET"])
    def now(self, request: ArbstrRequest) -> bytes:
        return prepare(request, 200, b"now")

    @app.route("/later", methods=["GET"])
    def later(self, request: object) -> Deferred[bytes | None]:
        return self.waiting

    @app.route("/named/<path:name>", methods=["GET"])
    def named(self, request: ArbstrRequest, name: str) -> bytes:
        return prepare(request, 200, name.encode())

    @app.route("/broken", methods=["GET"])
    def broken(self, request: object) -> bytes:
        raise ZeroDivisionError

    def failed(self, request: ArbstrRequest, failure: Failure) -> bytes:
        self.failures.append(failure)
        return prepare(request, 500, b"failed")


class RoutesTests(SynchronousTestCase):
    """
    Klein's routes, served.
    """

    def setUp(self) -> None:
        self.application = Application()
        self.routes = Routes(self.application.app, self.application.failed)

    def ask(self, path: str, method: str = "GET") -> Incoming:
        """
        A request that has been rendered.
        """
        return Incoming.make(self.routes).receive(method, path)

    def assert_answered(self, asked: Incoming, body: bytes) -> None:
        """
        It is finished, with this.
        """
        self.assertTrue(asked.request.finished)
        self.assertEqual(asked.body, body)

    def test_at_once(self) -> None:
        """
        The second time the route is known.
        """
        for _ in range(2):
            self.assert_answered(self.ask("/now"), b"now")

    def test_variables(self) -> None:
        for name in ("a", "a/b"):
            self.assert_answered(self.ask(f"/named/{name}"), name.encode())

    def test_later(self) -> None:
        request = self.ask("/later")
        self.assertFalse(request.request.finished)
        body = prepare(request.request, 200, b"later")
        self.application.waiting.callback(body)
        self.assert_answered(request, b"later")

    def test_no_route(self) -> None:
        self.assert_answered(self.ask("/other"), b"failed")
        self.assert_answered(self.ask("/now", "POST"), b"failed")
        raised = [failure.type for failure in self.application.failures]
        self.assertEqual(raised, [NotFound, MethodNotAllowed])

    def test_failure(self) -> None:
        self.assert_answered(self.ask("/broken"), b"failed")
        (failure,) = self.application.failures
        self.assertTrue(failure.check(ZeroDivisionError))

    def test_failure_of_half_an_answer(self) -> None:
        """
        Where it has been broken off, it gets no end.
        """
        asked = self.ask("/later")
        asked.request.write(b"half")
        asked.request.loseConnection()
        written = asked.transport.value()
        self.application.waiting.callback(b"")
        self.assertFalse(asked.request.finished)
        self.assertEqual(asked.transport.value(), written)

    def test_client_leaves(self) -> None:
        """
        What is done for it is cancelled, and nobody is told.
        """
        cancelled: list[object] = []
        self.application.waiting = Deferred(cancelled.append)
        self.ask("/later").leave()
        self.assertEqual(cancelled, [self.application.waiting])
        self.assertEqual(self.application.failures, [])

    def test_failure_with_nobody_left(self) -> None:
        """
        It goes to the log.
        """
        self.application.waiting = Deferred(
            lambda waiting: waiting.errback(ZeroDivisionError())
        )
        self.ask("/later").leave()
        (logged,) = self.flushLoggedErrors(ZeroDivisionError)
        self.assertTrue(logged.check(ZeroDivisionError))
