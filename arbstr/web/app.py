"""
The resource tree.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from attrs import frozen
from klein import Klein
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from arbstr.errors import (
    ApiError,
    bad_request,
    method_not_allowed,
    no_books,
    no_such_route,
    server_error,
)
from arbstr.routing.plan import RouteRequest
from arbstr.upstream.wire import ChatRequest

from .chat import Chat, route_request
from .explain import Explain
from .reports import Reports
from .respond import hang_up, prepare, prepare_error, prepare_json
from .routes import Routes
from .site import ArbstrRequest
from .status import Status

# What some route or other takes.
_METHODS = ["GET", "HEAD", "POST"]


@frozen
class WebApp:
    """
    Every route, and what is answered where there is none.
    """

    chat: Chat
    status: Status
    explain: Explain
    reports: Reports | None

    _log = Logger()
    app = Klein()

    def resource(self) -> IResource:
        """
        What serves the routes.
        """
        return Routes(self.app, self.failed)

    @app.route("/v1/chat/completions", methods=["POST"])
    def chat_completions(self, request: ArbstrRequest) -> Deferred[None]:
        """
        The main job.
        """
        return self.chat.handle(request)

    @app.route("/v1/models", methods=["GET"])
    def models(self, request: ArbstrRequest) -> bytes:
        """
        Every model that can be routed to.
        """
        return prepare_json(request, 200, self.status.models())

    @app.route("/v1/models/<path:name>", methods=["GET"])
    def model(self, request: ArbstrRequest, name: str) -> bytes:
        """
        One of them.
        """
        return prepare_json(request, 200, self.status.model(name))

    @app.route("/v1/cost", methods=["POST"])
    def cost(self, request: ArbstrRequest) -> bytes:
        """
        What a chat completion would cost.
        """
        return prepare_json(request, 200, self.explain.cost(_asked(request)))

    @app.route("/v1/route", methods=["POST"])
    def route(self, request: ArbstrRequest) -> bytes:
        """
        Where a chat completion would go, and why.
        """
        return prepare_json(request, 200, self.explain.route(_asked(request)))

    @app.route("/v1/stats", methods=["GET"])
    def stats(self, request: ArbstrRequest) -> Deferred[bytes]:
        """
        Totals over the log.
        """
        return _report(request, self._books().stats(request.args))

    @app.route("/v1/requests", methods=["GET"])
    def requests(self, request: ArbstrRequest) -> Deferred[bytes]:
        """
        The log.
        """
        return _report(request, self._books().requests(request.args))

    @app.route("/v1/requests/<request_id>", methods=["GET"])
    def request(self, request: ArbstrRequest, request_id: str) -> Deferred[bytes]:
        """
        One request.
        """
        return _report(request, self._books().request(request_id))

    @app.route("/providers", methods=["GET"])
    def providers(self, request: ArbstrRequest) -> bytes:
        """
        Who is configured.
        """
        return prepare_json(request, 200, self.status.providers())

    @app.route("/health", methods=["GET"])
    def health(self, request: ArbstrRequest) -> bytes:
        """
        How the circuits are.
        """
        code, body = self.status.health()
        return prepare_json(request, code, body)

    @app.route("/healthz", methods=["GET"])
    def healthz(self, request: ArbstrRequest) -> bytes:
        """
        Whether the process serves: for supervisors.
        """
        return prepare(request, 200, b"ok", "text/plain; charset=utf-8")

    def failed(self, request: ArbstrRequest, failure: Failure) -> bytes:
        """
        Whatever a route raises, and routes that do not exist.
        """
        error = self._error(request, failure)
        if request.startedWriting:
            # What is said now would be appended to what has gone out.
            hang_up(request)
            return b""
        return prepare_error(request, error)

    def _books(self) -> Reports:
        if self.reports is None:
            raise no_books()
        return self.reports

    def _error(self, request: ArbstrRequest, failure: Failure) -> ApiError:
        problem = failure.value
        method = request.method.decode("ascii", "replace")
        path = request.path.decode("ascii", "backslashreplace")
        if isinstance(problem, ApiError):
            return problem
        if isinstance(problem, MethodNotAllowed):
            allowed = sorted(problem.valid_methods or ())
            return method_not_allowed(method, path, allowed)
        if path == "*":
            return method_not_allowed(method, path, _METHODS)
        if isinstance(problem, HTTPException):
            # Not found, or found only under another spelling of the path.
            if problem.code in (400, None):
                return bad_request(f"Not a valid request: {method} {path}")
            return no_such_route(method, path)
        self._log.failure(
            "A bug of arbstr's own", failure, request_id=request.request_id
        )
        return server_error()


def _asked(request: ArbstrRequest) -> RouteRequest:
    """
    The chat completion that the client asks about.
    """
    return route_request(ChatRequest.parse(request.content.getvalue()), request)


def _report(
    request: ArbstrRequest,
    asking: Coroutine[Deferred[Any], Any, dict[str, object]],
) -> Deferred[bytes]:
    return Deferred.fromCoroutine(asking).addCallback(
        lambda answer: prepare_json(request, 200, answer)
    )
