"""
Tests for L{arbstr.upstream.relay}.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import PotentialDataLoss

from arbstr.errors import ApiError
from arbstr.upstream.body import BodyLimits
from arbstr.upstream.failures import AttemptFailed
from arbstr.upstream.relay import Relay
from arbstr.upstream.stream import ChatStream
from tests.fakes import FakeDownstream, ProviderBody
from tests.integration.providers import DONE, FIRST, delta, event

HOLD_SECONDS = 5
HOLD_BYTES = 256 * 1024
LINGER_SECONDS = 1
IDLE = 10
TOTAL = 60

COMMENT = b": keep-alive\n\n"
CONTENT = delta("Hello!")
STOP = delta(finish="stop")
FACTS = b': arbstr {"provider":"alpha"}\n\n'


class RelayTestCase(SynchronousTestCase):
    """
    A relay between a provider that has sent its headers and a client.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.downstream = FakeDownstream()
        self.content_starts = 0
        self.relay_with(BodyLimits(idle=IDLE, total=TOTAL))

    def relay_with(self, limits: BodyLimits) -> None:
        """
        A provider held to these limits.
        """
        self.relay = Relay(
            ChatStream(usage_wanted=False, facts=lambda: {"provider": "alpha"}),
            self.downstream,
            self.clock,
            limits,
            self.content_started,
        )
        self.body = ProviderBody(self.relay)

    def begin(self, *pieces: bytes) -> None:
        """
        The stream begins with these.
        """
        self.body.begin()
        for piece in pieces:
            self.body.send(piece)

    def content_started(self) -> None:
        """
        The relay says so.
        """
        self.content_starts += 1

    def tearDown(self) -> None:
        """
        However it ended: no timer is left, no producer registered.
        """
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertIsNone(self.downstream.producer)

    def cancel(self) -> None:
        """
        The client has left.
        """
        self.relay.finished.cancel()
        self.failureResultOf(self.relay.finished, CancelledError)

    def assert_complete(self) -> None:
        """
        The answer was whole, and the client has all of it.
        """
        self.assertIsNone(self.successResultOf(self.relay.finished))
        self.assertTrue(self.downstream.data.endswith(FACTS + DONE))

    def assert_failed(self, kind: str, message: str) -> None:
        """
        It was not, and nothing makes it look so.
        """
        error = self.failureResultOf(self.relay.finished, AttemptFailed).value
        assert isinstance(error, AttemptFailed)
        self.assertEqual((error.kind, error.message), (kind, message))
        self.assertNotIn(b"[DONE]", self.downstream.data)


class HoldingTests(RelayTestCase):
    """
    Nothing goes out before there is content, lest another provider could not
    take over, but not for ever.
    """

    def tearDown(self) -> None:
        self.cancel()
        super().tearDown()

    def test_held_without_content(self) -> None:
        """
        Headers, comments and an empty first delta are no content.
        """
        self.begin(COMMENT, FIRST)
        self.assertEqual(self.downstream.calls, [])
        self.assertFalse(self.relay.content_sent)

    def test_content(self) -> None:
        """
        With the first content goes all that was held, in order.
        """
        self.begin(COMMENT, FIRST, CONTENT)
        self.assertEqual(self.downstream.calls, ["open", "attach", "write"])
        self.assertEqual(self.downstream.data, COMMENT + FIRST + CONTENT)
        self.assertTrue(self.relay.content_sent)

    def test_more_content(self) -> None:
        """
        The headers go out once; from then on pieces pass as they come.
        """
        self.begin(CONTENT)
        self.downstream.calls.clear()
        self.body.send(CONTENT)
        self.body.send(COMMENT)
        self.assertEqual(self.downstream.calls, ["write", "write"])
        self.assertEqual(self.downstream.data, CONTENT + CONTENT + COMMENT)

    def test_content_is_announced_once(self) -> None:
        """
        The first content is what the time to it is measured by.
        """
        self.begin(FIRST)
        self.assertEqual(self.content_starts, 0)
        self.body.send(CONTENT)
        self.body.send(CONTENT)
        self.assertEqual(self.content_starts, 1)

    def test_part_of_an_event(self) -> None:
        """
        Nothing is passed on that may yet turn out to be an error.
        """
        self.begin(CONTENT, CONTENT[:10])
        self.assertEqual(self.downstream.data, CONTENT)

    def test_nothing_to_pass_on(self) -> None:
        """
        What clients would stumble over is left out, and nothing written for it.
        """
        self.begin(CONTENT, b"event: ping\n\n")
        self.assertEqual(self.downstream.calls, ["open", "attach", "write"])

    def test_time(self) -> None:
        """
        A client gets a sign of life after a while.
        """
        self.begin(FIRST)
        self.clock.advance(HOLD_SECONDS - 1)
        self.assertEqual(self.downstream.calls, [])
        self.clock.advance(1)
        self.assertEqual(self.downstream.calls, ["open", "attach", "write"])
        self.assertEqual(self.downstream.data, FIRST)

    def test_time_with_nothing_held(self) -> None:
        """
        The headers alone are a sign of life, too.
        """
        self.begin()
        self.clock.advance(HOLD_SECONDS)
        self.assertEqual(self.downstream.calls, ["open", "attach", "write"])
        self.assertEqual(self.downstream.data, b"")

    def test_time_is_no_content(self) -> None:
        """
        Another provider can still take over.
        """
        self.begin(FIRST)
        self.clock.advance(HOLD_SECONDS)
        self.assertFalse(self.relay.content_sent)
        self.assertEqual(self.content_starts, 0)

    def test_content_after_the_time(self) -> None:
        """
        The headers are not sent again.
        """
        self.begin(FIRST)
        self.clock.advance(HOLD_SECONDS)
        self.body.send(CONTENT)
        self.assertEqual(self.downstream.calls, ["open", "attach", "write", "write"])
        self.assertTrue(self.relay.content_sent)

    def test_time_after_content(self) -> None:
        """
        It means nothing any more.
        """
        self.begin(CONTENT)
        self.clock.advance(HOLD_SECONDS)
        self.assertEqual(self.downstream.calls, ["open", "attach", "write"])

    def test_bytes(self) -> None:
        """
        No more than so much is held.
        """
        comment = b":" + b"x" * (HOLD_BYTES - 3) + b"\n\n"
        self.begin(comment)
        self.assertEqual(self.downstream.calls, [])
        self.body.send(COMMENT)
        self.assertEqual(self.downstream.calls, ["open", "attach", "write"])
        self.assertEqual(self.downstream.data, comment + COMMENT)
        self.assertFalse(self.relay.content_sent)


class BackPressureTests(RelayTestCase):
    """
    A slow client pauses the provider.
    """

    def setUp(self) -> None:
        super().setUp()
        self.begin(CONTENT)

    def test_pause_and_resume(self) -> None:
        """
        The provider's connection is told.
        """
        self.relay.pauseProducing()
        self.assertEqual(self.body.calls, ["pause"])
        self.relay.resumeProducing()
        self.assertEqual(self.body.calls, ["pause", "resume"])
        self.cancel()

    def test_relay_is_the_producer(self) -> None:
        """
        It is what the client's side tells.
        """
        self.assertIs(self.downstream.producer, self.relay)
        self.cancel()

    def test_silence_while_paused(self) -> None:
        """
        The provider is not blamed for it.
        """
        self.relay.pauseProducing()
        self.clock.advance(IDLE + 1)
        self.assertNoResult(self.relay.finished)
        self.cancel()

    def test_silence_after_pause(self) -> None:
        """
        The provider has all its idle time again.
        """
        self.clock.advance(IDLE - 1)
        self.relay.pauseProducing()
        self.relay.resumeProducing()
        self.clock.advance(IDLE - 1)
        self.assertNoResult(self.relay.finished)
        self.clock.advance(1)
        self.assert_failed("timeout", "nothing came for 10 seconds")

    def test_bytes_while_paused(self) -> None:
        """
        What was under way is passed on.
        """
        self.relay.pauseProducing()
        self.body.send(CONTENT)
        self.assertEqual(self.downstream.data, CONTENT + CONTENT)
        self.cancel()

    def test_stalled_client(self) -> None:
        """
        A client that reads nothing cannot keep a provider for ever; it is not
        the provider that has failed.
        """
        self.relay.pauseProducing()
        self.clock.advance(59)
        self.assertNoResult(self.relay.finished)
        self.clock.advance(1)
        error = self.failureResultOf(self.relay.finished, ApiError).value
        self.assertEqual(error.status, 499)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_slow_client_is_not_stalled(self) -> None:
        """
        Its patience begins anew whenever it has read something.
        """
        self.relay.pauseProducing()
        self.clock.advance(59)
        self.relay.resumeProducing()
        self.relay.pauseProducing()
        self.clock.advance(59)
        self.assertNoResult(self.relay.finished)
        self.cancel()

    def test_total_stands_still_while_paused(self) -> None:
        """
        What the client's slowness costs is not the provider's time.
        """
        self.relay.pauseProducing()
        self.clock.advance(50)
        self.relay.resumeProducing()
        for _ in range(int(TOTAL) - 1):
            self.clock.advance(1)
            self.body.send(CONTENT)
        self.assertNoResult(self.relay.finished)
        self.clock.advance(1)
        self.assert_failed("timeout", "the answer took too long")

    def test_cancelled_while_paused(self) -> None:
        """
        The client has left without ever catching up.
        """
        self.relay.pauseProducing()
        self.cancel()
        self.assertEqual(self.body.calls, ["pause", "stop"])

    def test_stop(self) -> None:
        """
        The transport's word on the departure is not needed: it is noticed, and
        cancels.
        """
        self.relay.stopProducing()
        self.assertEqual(self.body.calls, [])
        self.assertNoResult(self.relay.finished)
        self.cancel()


class EndTests(RelayTestCase):
    """
    How streams end.
    """

    def test_done_then_end(self) -> None:
        """
        A provider that ends its body soon after C{[DONE]} keeps its connection.
        """
        self.begin(CONTENT, DONE)
        self.assertNoResult(self.relay.finished)
        self.body.end()
        self.assert_complete()
        self.assertEqual(self.body.calls, [])

    def test_done_without_end(self) -> None:
        """
        One that does not is not waited for.
        """
        self.begin(CONTENT, DONE)
        self.clock.advance(LINGER_SECONDS)
        self.assert_complete()
        self.assertEqual(self.body.calls, ["stop"])

    def test_done_goes_out_at_once(self) -> None:
        """
        The client does not wait for the end of the provider's body.
        """
        self.begin(CONTENT, DONE)
        self.assertEqual(self.downstream.data, CONTENT + FACTS + DONE)
        self.body.end()
        self.assert_complete()

    def test_bytes_after_done(self) -> None:
        """
        They are ignored.
        """
        self.begin(CONTENT, DONE, CONTENT, event({"error": {"message": "late"}}))
        self.body.end()
        self.assert_complete()

    def test_connection_lost_after_done(self) -> None:
        """
        It cannot spoil the answer.
        """
        self.begin(CONTENT, DONE)
        self.body.end(ConnectionLost())
        self.assert_complete()

    def test_stalled_after_done(self) -> None:
        """
        Nor can an idle time shorter than the linger.
        """
        self.relay_with(BodyLimits(idle=LINGER_SECONDS / 2, total=TOTAL))
        self.begin(CONTENT, DONE)
        self.clock.advance(LINGER_SECONDS / 2)
        self.assert_complete()

    def test_cancelled_after_done(self) -> None:
        """
        Clients hang up as soon as they have seen C{[DONE]}: their answer is
        whole.
        """
        self.begin(CONTENT, DONE)
        self.relay.finished.cancel()
        self.assert_complete()
        self.assertEqual(self.body.calls, ["stop"])

    def test_finish_reason_without_done(self) -> None:
        """
        A stream that ends cleanly and finished is complete, and gets its
        C{[DONE]}.
        """
        self.begin(CONTENT, STOP)
        self.body.end()
        self.assert_complete()

    def test_closed_connection_as_the_end(self) -> None:
        """
        So does one whose end is that of the connection.
        """
        self.begin(CONTENT, STOP)
        self.body.end(PotentialDataLoss())
        self.assert_complete()

    def test_broken_off(self) -> None:
        """
        A clean end without C{finish_reason} is none.
        """
        self.begin(CONTENT)
        self.body.end()
        self.assert_failed("protocol", "the stream broke off")

    def test_broken_off_before_content(self) -> None:
        """
        The client has seen nothing of it.
        """
        self.begin(FIRST)
        self.body.end()
        self.assert_failed("protocol", "the stream broke off")
        self.assertEqual(self.downstream.calls, [])

    def test_connection_lost(self) -> None:
        """
        It may have lost the best part.
        """
        self.begin(CONTENT, STOP)
        self.body.end(ConnectionLost())
        self.assert_failed("connect", "the connection was lost midway")

    def test_error(self) -> None:
        """
        What the provider reports inside the stream is its failure, and its
        connection is cut.
        """
        self.begin(FIRST, event({"error": {"message": "overloaded"}}))
        self.assert_failed("protocol", "overloaded")
        self.assertEqual(self.body.calls, ["stop"])
        self.assertEqual(self.downstream.calls, [])

    def test_error_after_content(self) -> None:
        """
        The event itself is not relayed.
        """
        self.begin(CONTENT, event({"error": {"message": "overloaded"}}))
        self.assert_failed("protocol", "overloaded")
        self.assertEqual(self.downstream.data, CONTENT)
        self.assertTrue(self.relay.content_sent)

    def test_error_in_the_last_event(self) -> None:
        """
        Even one that lacks its blank line.
        """
        self.begin(CONTENT, event({"error": {"message": "overloaded"}}).rstrip())
        self.body.end()
        self.assert_failed("protocol", "overloaded")

    def test_stalled(self) -> None:
        """
        A stream that stalls is cut, and lets go of the client.
        """
        self.begin(CONTENT)
        self.clock.advance(IDLE)
        self.assert_failed("timeout", "nothing came for 10 seconds")
        self.assertEqual(self.body.calls, ["stop"])
        self.assertEqual(self.downstream.calls[-1], "detach")

    def test_comments_keep_alive(self) -> None:
        """
        Any byte is a sign of life.
        """
        self.begin(CONTENT)
        for _ in range(3):
            self.clock.advance(IDLE - 1)
            self.body.send(COMMENT)
        self.assertNoResult(self.relay.finished)
        self.cancel()

    def test_detached_before_told(self) -> None:
        """
        Whoever is told of the end may write to the client at once.
        """
        producers: list[object] = []
        self.begin(CONTENT)
        self.relay.finished.addErrback(
            lambda _: producers.append(self.downstream.producer)
        )
        self.body.end()
        self.assertEqual(producers, [None])

    def test_cancelled_before_content(self) -> None:
        """
        The provider's connection is cut, the client left alone.
        """
        self.begin(FIRST)
        self.cancel()
        self.assertEqual(self.body.calls, ["stop"])
        self.assertEqual(self.downstream.calls, [])

    def test_cancelled_after_content(self) -> None:
        """
        The producer is unregistered as well.
        """
        self.begin(CONTENT)
        self.cancel()
        self.assertEqual(self.body.calls, ["stop"])
        self.assertEqual(self.downstream.calls, ["open", "attach", "write", "detach"])

    def test_end_after_cancellation(self) -> None:
        """
        Nothing is written to a client that has left, not even the end.
        """
        self.begin(CONTENT, STOP)
        self.cancel()
        self.body.end()
        self.assertEqual(self.downstream.data, CONTENT + STOP)
