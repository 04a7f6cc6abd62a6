"""
The client's side of a streamed answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IPushProducer, IReactorTime, ITCPTransport
from twisted.python.failure import Failure

from arbstr.headers import set_headers

from .answer import AnsweredRequest

# A client that reads nothing may keep a broken answer open for so long.
_CLOSE_SECONDS = 10


class ClientStream:
    """
    Writes a stream to one client.

    @ivar opened: the headers have gone out.
    @param headers: says what headers to send, when the time has come.
    """

    def __init__(
        self,
        request: AnsweredRequest,
        headers: Callable[[], Mapping[str, str]],
        clock: IReactorTime,
    ) -> None:
        self.opened = False
        self._request = request
        self._headers = headers
        self._clock = clock

    @property
    def gone(self) -> bool:
        """
        The client has left, or the answer is finished or broken off.
        """
        return self._request.is_over

    def open(self) -> None:
        """
        Send the headers with what is written next, unless they have been sent.
        """
        if self.opened or self.gone:
            return
        self.opened = True
        set_headers(self._request.responseHeaders, self._headers())
        self._request.setResponseCode(200)

    def write(self, data: bytes) -> None:
        """
        Send bytes of the stream.
        """
        if not self._request.is_over:
            self._request.write(data)

    def attach(self, producer: IPushProducer) -> None:
        """
        From now on tell this producer when the client is slow.
        """
        if not self.gone:
            self._request.registerProducer(producer, True)  # type: ignore[no-untyped-call]

    def detach(self) -> None:
        """
        The producer will write no more.
        """
        if not self.gone:
            self._request.unregisterProducer()  # type: ignore[no-untyped-call]

    def end(self) -> None:
        """
        The answer is complete.
        """
        if not self.gone:
            self._request.finish()

    def break_off(self, told: bytes) -> None:
        """
        The answer ends here, and must not look complete: after the last bytes
        the connection is closed without the end that HTTP wants.

        @param told: an error event.
        """
        self.write(told)
        self._request.loseConnection()

    async def closed(self) -> None:
        """
        Wait until the connection is closed; if that takes long, or is given up,
        cut it.
        """
        if self._request.gone:
            return
        transport = cast(ITCPTransport, self._request.transport)
        timer = self._clock.callLater(_CLOSE_SECONDS, transport.abortConnection)

        def ended(reason: Failure) -> None:
            if reason.check(CancelledError):
                transport.abortConnection()

        try:
            await self._request.notifyFinish().addErrback(ended)
        finally:
            if timer.active():
                timer.cancel()
