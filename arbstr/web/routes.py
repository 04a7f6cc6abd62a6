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
        request.serving = serving.addBoth(self._served, request)
        return NOT_DONE_YET

    def _serve(self, request: ArbstrRequest) -> Any:
        """
        @raise HTTPException: there is no such route.
        """
        key = request.method, request.path
        endpoint = self._plain.get(key)
        if endpoint is not None:
            return self._app.execute_endpoint(endpoint, request)
        endpoint, values = self._map.match(
            request.readable_path(), request.method.decode("ascii", "replace")
        )
        if not values and len(self._plain) < _MOST_PLAIN:
            self._plain[key] = endpoint
        return self._app.execute_endpoint(endpoint, request, **values)

    def _served(self, result: bytes | Failure | None, request: ArbstrRequest) -> None:
        """
        @param result: C{None} where the route has answered by itself.
        """
        if request.is_over:
            if isinstance(result, Failure) and not result.check(CancelledError):
                self._log.failure("Nobody is left to be told of a failure", result)
            return
        try:
            if isinstance(result, Failure):
                result = self._failed(request, result)
            if not request.is_over:
                send(request, result or b"")
        except Exception:
            self._log.failure("An answer could not be written")
            if not request.is_over:
                hang_up(request)
