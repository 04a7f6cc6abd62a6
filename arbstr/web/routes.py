"""
Serves what Klein's routes say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from klein import Klein
from twisted.internet.defer import CancelledError, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from werkzeug.routing import MapAdapter

from .respond import hang_up, send
from .site import ArbstrRequest

# Some paths can be written in many ways.
_MOST_PLAIN = 256

Failed = Callable[[ArbstrRequest, Failure], bytes]


class Routes(Resource):
    """
    A Klein application as a resource.

    Klein's own resource serves more kinds of applications than ours is, and takes
    a tenth of a request's time for it: templates, resources within resources,
    hosts, errors of many handlers.  Our routes answer bytes or C{None}, at once
    or later, and have one handler of errors.  As with Klein's, a client that
    leaves cancels what is being done for it.
    """

    isLeaf = True
    _log = Logger()

    def __init__(self, app: Klein, failed: Failed) -> None:
        """
        @param failed: makes an answer of a request and a failure.
        """
        Resource.__init__(self)
        self._app = app
        self._failed = failed
        self._map: MapAdapter = app.url_map.bind("localhost")
        # Of routes without variables, by method and path: Klein's map need not
        # be searched for the same again.
        self._plain: dict[tuple[bytes, bytes], str] = {}

    def render(self, request: ArbstrRequest) -> int:
        """
        See L{IResource.render}.
        """
        serving = maybeDeferred(self._serve, request)
        if not serving.called:
            request.notifyFinish().addErrback(lambda _: serving.cancel())
        serving.addErrback(self._understand, request)
        serving.addCallback(self._answer, request)
        serving.addErrback(self._give_up, request)
        return NOT_DONE_YET

    def _serve(self, request: ArbstrRequest) -> Any:
        """
        @raise HTTPException: there is no such route.
        """
        key = request.method, request.path
        endpoint = self._plain.get(key)
        if endpoint is not None:
            return self._app.execute_endpoint(endpoint, request)
        path = b"/" + b"/".join(request.postpath or ())
        endpoint, values = self._map.match(
            path.decode("utf-8"), request.method.decode("ascii", "replace")
        )
        if not values and len(self._plain) < _MOST_PLAIN:
            self._plain[key] = endpoint
        return self._app.execute_endpoint(endpoint, request, **values)

    def _understand(self, reason: Failure, request: ArbstrRequest) -> bytes | None:
        """
        What is answered instead.
        """
        if not _is_over(request):
            return self._failed(request, reason)
        if not reason.check(CancelledError):
            self._log.failure("Nobody is left to be told of a failure", reason)
        return None

    def _answer(self, body: bytes | None, request: ArbstrRequest) -> None:
        """
        @param body: C{None} where the route has answered by itself.
        """
        if _is_over(request):
            return
        send(request, body or b"")

    def _give_up(self, reason: Failure, request: ArbstrRequest) -> None:
        self._log.failure("An answer could not be written", reason)
        if not _is_over(request):
            hang_up(request)


def _is_over(request: ArbstrRequest) -> bool:
    return request.gone or bool(request.finished)
