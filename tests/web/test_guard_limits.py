"""
Tests for L{arbstr.web.guard}: what it lets pass, and how much of it.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from arbstr.config.model import ServerSettings
from arbstr.web.guard import TokenBucket

from .guarding import JSON, GuardTestCase


class PathTests(GuardTestCase):
    """
    Paths that nothing behind the guard could make sense of.
    """

    def test_not_utf8(self) -> None:
        """
        No route could be looked for.
        """
        self.assert_refused(self.send(path="/%ff"), 400, "invalid_request_error")

    def test_utf8(self) -> None:
        """
        Anything else is for the routes to judge.
        """
        self.assert_passes(self.send(path="/v1/models/%C3%A9"))


class ConfigureTests(GuardTestCase):
    """
    Other settings while the guard stands.
    """

    def change(self, **settings: Any) -> None:
        """
        The configuration changes.
        """
        self.guard.configure(ServerSettings(**settings))

    def test_token(self) -> None:
        self.change(auth_token="new")
        self.assert_refused(self.send(), 401, "authentication_error")
        self.assert_passes(self.send(Authorization="Bearer new"))

    def test_hosts(self) -> None:
        self.change(allowed_hosts=["box.example"])
        self.assert_passes(self.send(Host="box.example"))

    def test_in_flight(self) -> None:
        self.in_flight.run(self.waits())
        self.change(max_in_flight=1)
        self.assert_refused(self.post(Content_Type=JSON), 429, "rate_limit_error")

    async def waits(self) -> None:
        """
        Is in flight.
        """
        await Deferred()

    def test_rate(self) -> None:
        self.change(rate_limit_rps=1)
        self.assert_passes(self.post(Content_Type=JSON))
        self.assert_refused(self.post(Content_Type=JSON), 429, "rate_limit_error")

    def test_same_rate(self) -> None:
        """
        A reload is no way around the limit.
        """
        self.test_rate()
        self.change(rate_limit_rps=1)
        self.assert_refused(self.post(Content_Type=JSON), 429, "rate_limit_error")

    def test_still_closed(self) -> None:
        """
        A drain is not undone.
        """
        self.guard.close()
        self.change()
        self.assert_refused(self.send(), 503, "server_error")


class PostTests(GuardTestCase):
    """
    Requests with bodies.
    """

    def test_json(self) -> None:
        """
        Parameters and case do not matter.
        """
        for kind in (JSON, "application/json; charset=utf-8", "Application/JSON"):
            self.assert_passes(self.post(Content_Type=kind))

    def test_not_json(self) -> None:
        """
        What a page's form could send is refused.
        """
        for kind in ("text/plain", "application/x-www-form-urlencoded", "", "json"):
            incoming = self.post(Content_Type=kind)
            error = self.assert_refused(incoming, 415, "invalid_request_error")
            self.assertEqual(error["param"], "Content-Type")

    def test_no_content_type(self) -> None:
        """
        It has to be said.
        """
        self.assert_refused(self.post(), 415, "invalid_request_error")

    def test_get_needs_none(self) -> None:
        """
        It has no body.
        """
        self.assert_passes(self.send())


class LimitTests(GuardTestCase):
    """
    Our own limits.
    """

    def serve_for_ever(self) -> Deferred[None]:
        """
        A request is in flight.
        """

        async def serve() -> None:
            await Deferred()

        return self.in_flight.run(serve())

    def test_in_flight(self) -> None:
        """
        No more than so many at once.
        """
        self.configure(max_in_flight=1)
        serving = self.serve_for_ever()
        incoming = self.post(Content_Type=JSON)
        self.assert_refused(incoming, 429, "rate_limit_error")
        self.assertEqual(incoming.header("Retry-After"), "1")
        serving.cancel()
        self.failureResultOf(serving, CancelledError)
        self.assert_passes(self.post(Content_Type=JSON))

    def test_in_flight_does_not_keep_others_out(self) -> None:
        """
        One can still look at a daemon that is busy.
        """
        self.configure(max_in_flight=1)
        serving = self.serve_for_ever()
        self.assert_passes(self.send(path="/health"))
        serving.cancel()
        self.failureResultOf(serving, CancelledError)

    def test_rate(self) -> None:
        """
        No more than so many a second.
        """
        self.configure(rate_limit_rps=1)
        self.assert_passes(self.post(Content_Type=JSON))
        incoming = self.post(Content_Type=JSON)
        self.assert_refused(incoming, 429, "rate_limit_error")
        self.assertEqual(incoming.header("Retry-After"), "1")
        self.clock.advance(1)
        self.assert_passes(self.post(Content_Type=JSON))

    def test_long_wait(self) -> None:
        """
        C{Retry-After} is the time until the next may pass.
        """
        self.configure(rate_limit_rps=0.1)
        self.assert_passes(self.post(Content_Type=JSON))
        self.clock.advance(2.5)
        self.assertEqual(self.post(Content_Type=JSON).header("Retry-After"), "8")

    def test_rate_does_not_keep_others_out(self) -> None:
        """
        Looking is free.
        """
        self.configure(rate_limit_rps=1)
        for _ in range(3):
            self.assert_passes(self.send())

    def test_refused_requests_are_free(self) -> None:
        """
        A request that is refused does not use up anybody's turn.
        """
        self.configure(rate_limit_rps=1)
        self.assert_refused(self.post(), 415, "invalid_request_error")
        self.assert_passes(self.post(Content_Type=JSON))

    def test_closed(self) -> None:
        """
        A daemon that drains takes nothing new, and keeps no connection.
        """
        self.guard.close()
        incoming = self.send()
        self.assert_refused(incoming, 503, "server_error")
        self.assertEqual(incoming.header("Retry-After"), "1")
        self.assertEqual(incoming.header("Connection"), "close")


class TokenBucketTests(SynchronousTestCase):
    """
    L{TokenBucket}.
    """

    def setUp(self) -> None:
        self.clock = Clock()

    def take(self, bucket: TokenBucket, count: int) -> None:
        """
        So many tokens are there.
        """
        for _ in range(count):
            self.assertEqual(bucket.wait(), 0)

    def test_no_limit(self) -> None:
        """
        A rate of zero means none.
        """
        self.take(TokenBucket(0, self.clock), 1000)

    def test_burst(self) -> None:
        """
        A second's worth may pass at once.
        """
        bucket = TokenBucket(4, self.clock)
        self.take(bucket, 4)
        self.assertEqual(bucket.wait(), 0.25)

    def test_asking_costs_nothing(self) -> None:
        """
        Whoever is refused does not make others wait longer.
        """
        bucket = TokenBucket(4, self.clock)
        self.take(bucket, 4)
        bucket.wait()
        self.assertEqual(bucket.wait(), 0.25)

    def test_filled(self) -> None:
        """
        Tokens come steadily.
        """
        bucket = TokenBucket(4, self.clock)
        self.take(bucket, 4)
        self.clock.advance(0.5)
        self.take(bucket, 2)
        self.assertEqual(bucket.wait(), 0.25)

    def test_partly_filled(self) -> None:
        """
        Part of a token shortens the wait.
        """
        bucket = TokenBucket(4, self.clock)
        self.take(bucket, 4)
        self.clock.advance(0.125)
        self.assertEqual(bucket.wait(), 0.125)

    def test_never_over_its_size(self) -> None:
        """
        A quiet hour does not pay for a burst.
        """
        bucket = TokenBucket(4, self.clock)
        self.clock.advance(3600)
        self.take(bucket, 4)
        self.assertEqual(bucket.wait(), 0.25)

    def test_less_than_one_a_second(self) -> None:
        """
        One may pass, then none for a while.
        """
        bucket = TokenBucket(0.5, self.clock)
        self.take(bucket, 1)
        self.assertEqual(bucket.wait(), 2)
        self.clock.advance(2)
        self.take(bucket, 1)
