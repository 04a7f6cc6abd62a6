"""
Requests as they come in, over a connection that only remembers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from attrs import define
from twisted.internet.error import ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.resource import IResource, Resource
from twisted.web.server import Site
from twisted.web.test.requesthelper import DummyChannel

from arbstr.errors import ApiError
from arbstr.web.guard import Guard
from arbstr.web.site import ArbstrRequest, make_site

MOST_BYTES = 1000


class Channel(DummyChannel):
    """
    What a request is read from and answered to.
    """

    def __init__(self, site: Site, transport: StringTransport) -> None:
        super().__init__()
        self.site = site
        self.transport = transport  # type: ignore[assignment]


class Open:
    """
    A gate that everybody may pass.
    """

    def admit(self, request: ArbstrRequest) -> ApiError | None:
        return None

    def refused(self, request: ArbstrRequest, error: ApiError) -> None:
        pass


@define
class Incoming:
    """
    A request, and what it was answered with.
    """

    request: ArbstrRequest
    transport: StringTransport

    @classmethod
    def make(
        cls,
        root: IResource | None = None,
        headers: Mapping[str, str] | None = None,
        version: bytes = b"HTTP/1.1",
    ) -> Incoming:
        """
        A request whose headers have been read, on its way to a resource.
        """
        transport = StringTransport()
        resource = root or Resource()
        gate = resource if isinstance(resource, Guard) else Open()
        channel = Channel(make_site(resource, gate, MOST_BYTES), transport)
        request = channel.site.requestFactory(channel)
        assert isinstance(request, ArbstrRequest)
        request.clientproto = version
        for name, value in (headers or {}).items():
            request.requestHeaders.addRawHeader(name, value)
        request.gotLength(0)
        return cls(request, transport)

    def receive(self, method: str, path: str) -> Incoming:
        """
        All of it is here: let the resource answer.
        """
        request = self.request
        request.requestReceived(method.encode(), path.encode(), request.clientproto)
        return self

    def leave(self) -> None:
        """
        The client hangs up.
        """
        self.request.connectionLost(Failure(ConnectionLost()))

    @property
    def status(self) -> int:
        """
        The answer's status.
        """
        assert self.request.startedWriting, "there is no answer"
        return int(self.request.code)

    @property
    def body(self) -> bytes:
        """
        The answer's body so far.
        """
        written: bytes = self.transport.value()
        return written.partition(b"\r\n\r\n")[2]

    def header(self, name: str) -> str | None:
        """
        The only value of one of the answer's headers.
        """
        values = self.request.responseHeaders.getRawHeaders(name, [])
        assert len(values) <= 1, f"{name}: {values}"
        return values[0] if values else None

    def error(self) -> dict[str, Any]:
        """
        The OpenAI-shaped error in the body.
        """
        error: dict[str, Any] = json.loads(self.body)["error"]
        return error
