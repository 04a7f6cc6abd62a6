"""
Tests for L{arbstr.market.watch}: what is routed by, while answers come, threads
work and configurations change.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

from pydantic import SecretStr
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from arbstr.config.model import Config
from arbstr.keyring import hide
from arbstr.market.discovery import Tools
from arbstr.market.fetch import Fetcher
from arbstr.market.watch import Watch
from arbstr.routing.router import Router
from arbstr.upstream.failures import AttemptFailed

from . import recorded
from .feed import NOW, health, quote

MODELS = "https://alpha.example/v1/models"
FEED = "https://feed.example"


class FakeFetcher:
    """
    Answers when a test says so.

    @ivar asked: what is waiting for an answer, by URL, with the key.
    """

    def __init__(self) -> None:
        self.asked: dict[str, tuple[Deferred[bytes], SecretStr | None]] = {}

    async def get(
        self, url: str, seconds: float, key: SecretStr | None = None
    ) -> bytes:
        waiting: Deferred[bytes] = Deferred()
        self.asked[url] = (waiting, key)
        return await waiting

    def answer(self, url: str, value: object) -> None:
        """
        Answer a question.
        """
        self.asked.pop(url)[0].callback(json.dumps(value).encode())

    def fail(self, url: str) -> None:
        """
        Do not.
        """
        self.asked.pop(url)[0].errback(AttemptFailed("5xx", "HTTP 500"))


class WatchTests(SynchronousTestCase):
    """
    Threads work when a test lets them.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.fetcher = FakeFetcher()
        self.threads: list[Callable[[], None]] = []
        self.held = False
        self.put: list[Config] = []
        self.config = self.configure()
        self.router = Router(self.config)
        tools = Tools(
            cast(Fetcher, self.fetcher), self.in_thread, self.clock, lambda: NOW
        )
        self.watch = Watch(
            self.config,
            tools,
            self.router,
            lambda config, prepared: self.put.append(config),
        )
        self.addCleanup(self.nothing_left)

    def nothing_left(self) -> None:
        """
        After its end no timer runs.
        """
        self.watch.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def configure(self, *models: str, key: str = "sk-alpha", **settings: Any) -> Config:
        """
        One provider with this key, and a feed.
        """
        alpha = {
            "name": "alpha",
            "url": "https://alpha.example/v1",
            "api_key": key,
            "auto_discover": True,
            "models": models,
        }
        feed = {"url": FEED, "keys": {"routstr@node.example": "sk-node"}}
        return Config.model_validate(
            {"providers": [alpha], "tokenstats": feed, **settings}
        )

    def in_thread(self, work: Callable[[], Any]) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()

        def run() -> None:
            try:
                result = work()
            except Exception as error:
                done.errback(error)
            else:
                done.callback(result)

        self.threads.append(run)
        if not self.held:
            self.work()
        return done

    def work(self) -> None:
        """
        Let the threads do all that they have to do.
        """
        while self.threads:
            self.threads.pop(0)()

    def start(self) -> None:
        """
        Ask for the first time.
        """
        self.watch.start()
        self.clock.advance(0)

    def answer_feed(self, *quotes: object, btc_usd: object = 100_000.0) -> None:
        """
        The feed answers a whole poll.
        """
        self.fetcher.answer(f"{FEED}/health", health(btc_usd))
        self.fetcher.answer(f"{FEED}/api/quotes?limit=2000", quotes)
        self.fetcher.answer(f"{FEED}/api/nodes", [])

    def names(self) -> list[str]:
        """
        Who is routed to now.
        """
        return [each.name for each in self.put[-1].providers]

    def models(self) -> list[str]:
        """
        Alpha's models now.
        """
        return [each.name for each in self.put[-1].providers[0].models]

    def test_all_at_once(self) -> None:
        """
        Everybody is asked, and nobody waited for; a key goes where it belongs.
        """
        self.watch.start()
        self.assertEqual(self.fetcher.asked, {})
        self.clock.advance(0)
        self.assertEqual(
            {url: key for url, (_, key) in self.fetcher.asked.items()},
            {MODELS: SecretStr("sk-alpha"), f"{FEED}/health": None},
        )
        self.assertEqual(self.put, [])

    def test_answers(self) -> None:
        """
        Each is used as it comes.
        """
        self.start()
        self.fetcher.answer(MODELS, recorded.ROUTSTR)
        self.assertEqual(self.models(), ["gpt-4o-mini", "gpt-4o"])
        self.answer_feed(quote())
        self.assertEqual(self.names(), ["alpha", "routstr-node-one"])
        self.assertEqual(self.put[-1].btc_usd, 100_000)

    def test_nothing_new(self) -> None:
        """
        Then nothing is put into use.
        """
        self.start()
        for _ in range(3):
            self.fetcher.answer(MODELS, recorded.ROUTSTR)
            self.clock.advance(330)
        self.assertEqual(len(self.put), 1)

    def test_failure(self) -> None:
        """
        It changes nothing.
        """
        self.start()
        self.fetcher.fail(MODELS)
        self.assertEqual(self.put, [])
        told = self.watch.describe(self.config.providers[0])
        self.assertEqual(
            told["discovery"],
            {
                "last_success_at": None,
                "last_error": "HTTP 500",
                "remark": None,
                "models": None,
            },
        )

    def test_reload_while_a_thread_works(self) -> None:
        """
        What the thread had put together for another configuration is not used.
        """
        self.start()
        self.fetcher.answer(MODELS, recorded.ROUTSTR)
        self.held = True
        self.fetcher.answer(f"{FEED}/health", health())
        self.work()
        self.fetcher.answer(f"{FEED}/api/quotes?limit=2000", [quote()])
        self.work()
        self.fetcher.answer(f"{FEED}/api/nodes", [])
        self.threads.pop(0)()
        self.threads.pop(0)()
        self.assertTrue(self.watch.is_busy)
        used = self.watch.use(self.configure("mine", btc_usd=50_000))
        self.work()
        self.successResultOf(used)
        self.assertEqual({each.btc_usd for each in self.put[1:]}, {50_000})
        self.assertIn("mine", self.models())
        self.assertEqual(self.put[-1].btc_usd, 50_000)
        self.assertEqual(self.names(), ["alpha", "routstr-node-one"])

    def test_answers_while_a_thread_works(self) -> None:
        """
        They are put together afterwards.
        """
        self.start()
        self.held = True
        self.fetcher.answer(MODELS, recorded.ROUTSTR)
        self.threads.pop(0)()
        self.fetcher.answer(f"{FEED}/health", health())
        self.work()
        self.assertEqual(self.models(), ["gpt-4o-mini", "gpt-4o"])
        self.fetcher.fail(f"{FEED}/api/quotes?limit=2000")
        self.work()
        self.assertFalse(self.watch.is_busy)

    def test_reload_takes_a_thread(self) -> None:
        """
        The reactor does not wait for it, whoever does.
        """
        self.start()
        self.answer_feed(quote())
        self.held = True
        used = self.watch.use(self.configure("mine", tokenstats=None))
        self.assertNoResult(used)
        self.assertEqual(self.names(), ["alpha", "routstr-node-one"])
        self.work()
        self.successResultOf(used)
        self.assertEqual((self.names(), self.models()), (["alpha"], ["mine"]))

    def test_reload_with_another_key(self) -> None:
        """
        It is not told from then on.
        """
        key = "a-key-of-no-shape-0815"
        self.watch.use(self.configure(tokenstats={"keys": {"openrouter": key}}))
        self.assertEqual(hide(f"it is {key}"), "it is [redacted]")

    def test_reload_with_another_key_of_a_provider(self) -> None:
        """
        It is asked anew, and serves meanwhile what it listed.
        """
        self.start()
        self.fetcher.answer(MODELS, recorded.ROUTSTR)
        self.watch.use(self.configure(key="sk-other"))
        self.assertEqual(self.models(), ["gpt-4o-mini", "gpt-4o"])
        self.clock.advance(0)
        self.assertEqual(self.fetcher.asked[MODELS][1], SecretStr("sk-other"))

    def test_reload_that_breaks(self) -> None:
        """
        Whoever waits for it is told.
        """
        self.watch._put = cast(Any, None)
        self.failureResultOf(self.watch.use(self.configure("mine")), TypeError)

    def test_reload_before_the_start(self) -> None:
        """
        Nobody is asked yet.
        """
        self.watch.use(self.configure("mine"))
        self.clock.advance(0)
        self.assertEqual((self.models(), self.fetcher.asked), (["mine"], {}))

    def test_reload_asks_the_feed_again(self) -> None:
        """
        Another key may let more of it in.
        """
        self.start()
        self.answer_feed(quote())
        feed = {"url": FEED, "keys": {}}
        self.watch.use(self.configure(tokenstats=feed))
        self.assertEqual(self.names(), ["alpha"])
        self.clock.advance(0)
        self.assertIn(f"{FEED}/health", self.fetcher.asked)

    def test_another_feed(self) -> None:
        """
        What the one before said does not count.
        """
        self.start()
        self.answer_feed(quote())
        self.watch.use(self.configure(tokenstats={"url": "https://other.example"}))
        self.assertEqual(self.names(), ["alpha"])
        self.assertIsNone(self.put[-1].btc_usd)
        self.clock.advance(0)
        self.assertIn("https://other.example/health", self.fetcher.asked)

    def test_exchange_rate(self) -> None:
        """
        The last one holds while the feed does not know it.
        """
        self.start()
        self.answer_feed(btc_usd=100_000)
        self.clock.advance(66)
        self.answer_feed(btc_usd=None)
        self.assertEqual(self.put[-1].btc_usd, 100_000)

    def test_balance_of_a_seller(self) -> None:
        """
        Who comes to the market with an account is asked for its balance, and
        not any more when he has left.
        """
        self.start()
        self.answer_feed(quote())
        self.clock.advance(0)
        url = "https://node.example/v1/balance/info"
        self.assertEqual(self.fetcher.asked[url][1], SecretStr("sk-node"))
        self.fetcher.answer(url, {"balance": 61})
        self.assertEqual(self.router.balances.msats, {"routstr-node-one": 61})
        self.watch.use(self.configure(tokenstats=None))
        self.assertEqual(self.router.balances.msats, {})

    def test_comings_and_goings(self) -> None:
        """
        The log is told of them.
        """
        self.start()
        with capturedLogs() as events:
            self.answer_feed(quote())
            self.watch.use(self.configure(tokenstats=None))
        told = [formatEvent(each) for each in events]
        self.assertIn("routstr-node-one has come to the market", told)
        self.assertIn("routstr-node-one has left the market", told)

    def test_bug(self) -> None:
        """
        It is told, and the next answer is put into use all the same.
        """
        self.start()
        put, self.watch._put = self.watch._put, cast(Any, None)
        self.fetcher.answer(MODELS, recorded.ROUTSTR)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
        self.watch._put = put
        self.clock.advance(330)
        self.fetcher.answer(MODELS, recorded.ROUTSTR)
        self.assertEqual(len(self.put), 1)

    def test_stop_while_a_thread_works(self) -> None:
        """
        What it comes to is not used.
        """
        self.start()
        self.held = True
        self.fetcher.answer(MODELS, recorded.ROUTSTR)
        self.threads.pop(0)()
        self.watch.stop()
        self.work()
        self.assertEqual(self.put, [])
