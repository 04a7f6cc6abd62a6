"""
One connection to a provider, which speaks HTTP/1.1.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol as Interface
from typing import cast

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer, ISSLTransport, ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.http import PotentialDataLoss

from arbstr.sending import unsent, write_now

from .parser import ResponseParser
from .response import WHOLE, Response


class NeverAnswered(Exception):
    """
    A connection that had been idle was lost before a byte of an answer came:
    the provider had closed it already.
    """


class Owner(Interface):
    """
    Knows the connections.
    """

    def made(self, connection: Connection) -> None:
        """
        A connection stands.
        """

    def released(self, connection: Connection) -> None:
        """
        It is free for another request.
        """

    def lost(self, connection: Connection) -> None:
        """
        It is gone.
        """


class Connection(Protocol):
    """
    Sends one request after another, each after the answer to the last.

    @ivar key: what it may be used for again.
    @ivar idle_since: kept by the owner.
    @ivar closing: it may not be used for anything any more.
    """

    def __init__(self, owner: Owner, key: Hashable) -> None:
        self.key = key
        self.idle_since = 0.0
        self._owner = owner
        self._parser = ResponseParser()
        self._answer: Deferred[Response] | None = None
        self._response: Response | None = None
        self._used = self.closing = self._paused = False

    def connectionMade(self) -> None:
        """
        See L{IProtocol.connectionMade}.
        """
        self._tcp.setTcpNoDelay(True)
        self._owner.made(self)

    def send(self, request: bytes) -> Deferred[Response]:
        """
        Send a request.

        @param request: all of it.
        @return: fires with the head of the response, or fails with
            L{MalformedResponse<arbstr.upstream.parser.MalformedResponse>},
            L{NeverAnswered}, or why the connection was lost.  Cancelling it
            cuts the connection.
        """
        self._parser.begin()
        answer = self._answer = Deferred(self._cancelled)
        write_now(self._tcp, request)
        return answer

    def dataReceived(self, data: bytes) -> None:
        """
        See L{IProtocol.dataReceived}.
        """
        parser, response = self._parser, self._response
        if response is None and self._answer is None:
            # Nothing was asked: who knows what else they mix up.
            self.abort()
            return
        body = parser.feed(data)
        if response is None or parser.complete or parser.fault is not None:
            self._turn(body)
        elif body:
            response.received(body)
            response.hold()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        See L{IProtocol.connectionLost}.
        """
        self._owner.lost(self)
        self._parser.stop()
        answer, self._answer = self._answer, None
        response, self._response = self._response, None
        if response is not None:
            if reason.check(ConnectionDone) and not self._parser.delimited:
                # Whether that was all of it, HTTP cannot tell.
                reason = Failure(PotentialDataLoss())
            response.ended(reason)
        elif answer is not None:
            unheard = self._used and self._parser.silent
            answer.errback(NeverAnswered() if unheard else reason)

    def pause(self) -> None:
        """
        Read no more for now.
        """
        if not self._paused:
            self._paused = True
            cast(IPushProducer, self.transport).pauseProducing()

    def resume(self) -> None:
        """
        Read on.
        """
        if self._paused:
            self._paused = False
            cast(IPushProducer, self.transport).resumeProducing()

    def abort(self) -> None:
        """
        Cut the connection.  TLS would otherwise wait for the provider's
        consent, and it would go on sending meanwhile.
        """
        self.closing = True
        self._tcp.abortConnection()

    def close(self) -> None:
        """
        Close the connection, while it is idle.
        """
        if ISSLTransport.providedBy(self.transport):
            # It would wait until the provider consents.
            self.abort()
        else:
            self.closing = True
            self._tcp.loseConnection()

    @property
    def _tcp(self) -> ITCPTransport:
        return cast(ITCPTransport, self.transport)

    def _turn(self, body: bytes) -> None:
        """
        There is more to a read than a piece of a body: a head, an end or a fault.
        """
        parser, response, answer = self._parser, self._response, None
        if parser.fault is not None:
            if response is not None and body:
                response.received(body)
            self._fail(parser.fault)
            return
        if response is None:
            if parser.status is None:
                return
            answer, self._answer = self._answer, None
            response = Response(parser.status, parser.headers, parser.first, self)
        complete = parser.complete
        self._response = None if complete else response
        if complete:
            # Before anybody is told: they may have another request at once.
            response.detach()
            self._release()
        if body:
            response.received(body)
        if complete:
            response.ended(WHOLE)
        if answer is not None:
            answer.callback(response)
        response.hold()

    def _release(self) -> None:
        """
        The answer is complete.
        """
        if self._parser.reusable and not self.closing and not unsent(self._tcp):
            self._used = True
            self.resume()
            self._owner.released(self)
        else:
            self.abort()

    def _fail(self, fault: Exception) -> None:
        answer, self._answer = self._answer, None
        response, self._response = self._response, None
        self.abort()
        if answer is not None:
            answer.errback(fault)
        elif response is not None:
            response.ended(Failure(fault))

    def _cancelled(self, answer: Deferred[Response]) -> None:
        self._answer = None
        self.abort()
