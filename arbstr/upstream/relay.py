"""
The streaming body: from the provider's transport to the client's, with
back-pressure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from zope.interface import implementer

from arbstr.errors import client_stalled

from .body import BodyLimits, BodyReceiver
from .failures import AttemptFailed
from .stream import ChatStream

# Keep-alive comments and empty deltas are held back for a while, so that the
# next provider can still take over; then the client needs a sign of life.
_HOLD_SECONDS = 5
_HOLD_BYTES = 256 * 1024
# How long a client may go without reading anything.
_STALL_SECONDS = 60
# How long a provider may take to end its body after [DONE]: so long its
# connection can be used again.
_LINGER_SECONDS = 1


class Downstream(Protocol):
    """
    The client's side of a stream.
    """

    def open(self) -> None:
        """
        Send the response's headers with what is written next, unless they have
        been sent.
        """

    def write(self, data: bytes) -> None:
        """
        Send bytes of the body, at once.  There may be none.
        """

    def attach(self, producer: IPushProducer) -> None:
        """
        From now on tell this producer when the client is slow.
        """

    def detach(self) -> None:
        """
        The producer will write no more.
        """


@implementer(IPushProducer)
class Relay(BodyReceiver):
    """
    Passes one provider's stream on.

    @ivar content_sent: something that is more than headers and comments has
        gone to the client: no other provider can take over.
    @param on_content: called when the first content goes out.
    """

    def __init__(
        self,
        stream: ChatStream,
        downstream: Downstream,
        clock: IReactorTime,
        limits: BodyLimits,
        on_content: Callable[[], None],
    ) -> None:
        super().__init__(clock, limits)
        self.content_sent = False
        self._stream = stream
        self._downstream = downstream
        self._on_content = on_content
        self._held = bytearray()
        self._flowing = False
        self._hold_call: IDelayedCall | None = None
        self._linger_call: IDelayedCall | None = None
        self._stall_call: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """
        The provider has answered; its stream follows.
        """
        super().connectionMade()
        self._hold_call = self._clock.callLater(_HOLD_SECONDS, self._hold_over)

    def received(self, data: bytes) -> None:
        """
        Bytes of the stream.
        """
        if self._stream.done:
            return
        self._pass_on(self._stream.feed(data))
        if self._stream.error is not None:
            self.finish(AttemptFailed("protocol", self._stream.error.message))
        elif self._stream.done:
            self._linger_call = self._clock.callLater(
                _LINGER_SECONDS, self._linger_over
            )

    def ended(self) -> None:
        """
        The body ended: whether the answer did is another matter.
        """
        if not self._stream.done:
            self._pass_on(self._stream.close())
        if self._stream.complete:
            self.finish()
        elif self._stream.error is not None:
            self.finish(AttemptFailed("protocol", self._stream.error.message))
        else:
            self.finish(AttemptFailed("protocol", "the stream broke off"))

    def finish(self, failure: Exception | None = None) -> None:
        """
        See L{BodyReceiver.finish}.  What comes after C{[DONE]} cannot spoil
        the answer any more.
        """
        super().finish(None if self._stream.done else failure)

    def pauseProducing(self) -> None:
        """
        The client is slow.
        """
        self.hold_limits()
        if self._stall_call is None:
            self._stall_call = self._clock.callLater(
                _STALL_SECONDS, self._client_stalled
            )
        cast(IPushProducer, self.transport).pauseProducing()

    def resumeProducing(self) -> None:
        """
        The client has caught up.
        """
        self._stop_stall_timer()
        self.resume_limits()
        cast(IPushProducer, self.transport).resumeProducing()

    def stopProducing(self) -> None:
        """
        The client is gone; its departure cancels C{finished}.
        """

    def _pass_on(self, data: bytes) -> None:
        if self._flowing:
            if data:
                self._downstream.write(data)
        else:
            self._held += data
            if self._stream.started or len(self._held) > _HOLD_BYTES:
                self._flow()
        if self._stream.started and not self.content_sent:
            self.content_sent = True
            self._on_content()

    def _flow(self) -> None:
        self._flowing = True
        self._downstream.open()
        self._downstream.attach(self)
        self._downstream.write(bytes(self._held))
        self._held.clear()

    def _hold_over(self) -> None:
        self._hold_call = None
        if not self._flowing:
            self._flow()

    def _client_stalled(self) -> None:
        self._stall_call = None
        self.finish(client_stalled(_STALL_SECONDS))

    def _stop_stall_timer(self) -> None:
        if self._stall_call is not None:
            self._stall_call.cancel()
            self._stall_call = None

    def _linger_over(self) -> None:
        self._linger_call = None
        self.finish()

    def _cancelled(self, finished: Deferred[None]) -> None:
        super()._cancelled(finished)
        if self._stream.done:
            # Clients hang up as soon as they have seen [DONE].
            finished.callback(None)

    def _stop(self) -> None:
        for call in (self._hold_call, self._linger_call):
            if call is not None:
                call.cancel()
        self._hold_call = self._linger_call = None
        self._stop_stall_timer()
        if self._flowing:
            self._flowing = False
            self._downstream.detach()
        super()._stop()
