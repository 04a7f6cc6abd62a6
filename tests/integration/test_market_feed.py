"""
The feed of prices, over real sockets.
"""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

from cryptography import x509

from tests.market import feed, recorded

from .certificates import Authority
from .harness import chat, coroutine
from .marketplace import FEED_INTERVAL, PUBLIC, FeedTestCase, asked_for, lists
from .providers import FakeProvider, answers, completion, is_silent

NODE_KEY = "sk-node-0123456789abcdef"


class OverlayTests(FeedTestCase):
    """
    Providers that are configured anyway.
    """

    def setUp(self) -> None:
        super().setUp()
        self.alpha = self.provider("alpha")

    async def prices(self) -> dict[str, Any]:
        """
        The rates and sources of alpha's models.
        """
        alpha = await self.provider_of("alpha")
        return {
            each["id"]: (each["input_rate"], each["output_rate"], each["source"])
            for each in alpha["models"]
        }

    @coroutine
    async def test_prices(self) -> None:
        """
        The feed's go before the provider's rates, not before a model's own, and
        what is not in the list is added.
        """
        for model in ("gpt-4o", "own", "new"):
            self.quotes.append(self.quote(model, endpoint=self.alpha.url))
        own = {"name": "own", "input_rate": 7, "output_rate": 8}
        models = ["gpt-4o", own, "other"]
        self.open_market({"alpha": {"models": models}}, tokenstats=self.feed_settings())
        await self.settle()
        self.assertEqual(
            await self.prices(),
            {
                "gpt-4o": (2500, 10000, "tokenstats"),
                "own": (7, 8, "config"),
                "other": (1000, 1000, "config"),
                "new": (2500, 10000, "tokenstats"),
            },
        )
        market = await self.market()
        self.assertEqual((market["skipped"], market["quotes_seen"]), ([], 3))
        self.assertEqual(market["routable_market_providers"], 0)
        await self.ask(chat(model="new"))
        (asked,) = self.alpha.requests
        self.assertEqual(asked.headers["authorization"], "Bearer sk-alpha-key")

    @coroutine
    async def test_providers_own_word(self) -> None:
        """
        It knows better than the feed what it charges.
        """
        self.alpha.script = lists(recorded.ROUTSTR)
        for model in ("gpt-4o", "new"):
            row = self.quote(model, endpoint=self.alpha.url, price_in_sats=1)
            self.quotes.append(row)
        self.open_market(
            {"alpha": {"auto_discover": True}}, tokenstats=self.feed_settings()
        )
        await self.settle()
        self.assertEqual(
            await self.prices(),
            {
                "gpt-4o": (2500, 10000, "discovered"),
                "gpt-4o-mini": (150, 600, "discovered"),
                "new": (1, 10000, "tokenstats"),
            },
        )

    @coroutine
    async def test_no_list(self) -> None:
        """
        Who takes any model, goes on doing so, at the configured rates.
        """
        self.quotes.append(self.quote(endpoint=self.alpha.url))
        self.open_market({"alpha": {"models": []}}, tokenstats=self.feed_settings())
        await self.settle()
        route = await self.route("whatever", max_tokens=1000)
        self.assertTrue(route["alpha"]["eligible"])
        self.assertLess(route["alpha"]["expected_cost_sats"], 1.1)
        route = await self.route("gpt-4o", max_tokens=1000)
        self.assertGreater(route["alpha"]["expected_cost_sats"], 0.2)

    @coroutine
    async def test_null_sats(self) -> None:
        """
        The feed's dollars stand in, at the feed's rate; nothing is free.
        """
        fields = {
            "endpoint": self.alpha.url,
            "price_in_sats": None,
            "price_out_sats": None,
        }
        self.quotes.append(self.quote(**fields))
        self.open_market(tokenstats=self.feed_settings())
        await self.settle()
        self.assertEqual(await self.prices(), {"gpt-4o": (2500, 10000, "tokenstats")})

    @coroutine
    async def test_feed_fails(self) -> None:
        """
        What it told last holds, and the error is told.
        """
        self.quotes.append(self.quote(endpoint=self.alpha.url))
        self.open_market(tokenstats=self.feed_settings())
        await self.settle()
        before = await self.market()
        self.broken = True
        for _ in range(5):
            await self.settle(FEED_INTERVAL)
        market = await self.market()
        self.assertEqual(market["last_error"], "HTTP 503")
        self.assertEqual(market["last_success_at"], before["last_success_at"])
        self.assertEqual(await self.prices(), {"gpt-4o": (2500, 10000, "tokenstats")})
        self.broken = False
        await self.settle(FEED_INTERVAL)
        self.assertIsNone((await self.market())["last_error"])

    @coroutine
    async def test_gap(self) -> None:
        """
        Three empty answers in a row are believed.
        """
        self.quotes.append(self.quote(endpoint=self.alpha.url))
        self.open_market(tokenstats=self.feed_settings())
        await self.settle()
        self.quotes.clear()
        for _ in range(2):
            await self.settle(FEED_INTERVAL)
            self.assertEqual(
                await self.prices(), {"gpt-4o": (2500, 10000, "tokenstats")}
            )
        await self.settle(FEED_INTERVAL)
        self.assertEqual(await self.prices(), {"gpt-4o": (1000, 1000, "config")})

    @coroutine
    async def test_asked(self) -> None:
        """
        In which way.
        """
        settings = self.feed_settings(source="routstr", blend_ratio=2.5)
        self.open_market(tokenstats=settings)
        await self.settle()
        self.assertEqual(
            [each.line for each in self.feed.requests],
            [
                "GET /health HTTP/1.1",
                "GET /api/quotes?limit=2000&source=routstr&ratio=2.5 HTTP/1.1",
                "GET /api/nodes HTTP/1.1",
            ],
        )
        for request in self.feed.requests:
            self.assertNotIn("authorization", request.headers)

    @coroutine
    async def test_nobody_waits(self) -> None:
        """
        A feed that says nothing keeps nobody from being served.
        """
        self.feed.script = is_silent
        self.open_market(tokenstats=self.feed_settings())
        self.stopped.advance(0)
        await self.feed.asked()
        self.assertEqual((await self.ask()).status, 200)
        await self.settle(10)
        market = await self.market()
        self.assertEqual(market["last_error"], "no answer within 10 seconds")

    @coroutine
    async def test_no_feed(self) -> None:
        """
        Then there is nothing to say of it.
        """
        self.open_market()
        self.assertIsNone(await self.market())

    @coroutine
    async def test_hostile(self) -> None:
        """
        What is no answer of a feed changes nothing.
        """
        self.quotes.append(self.quote(endpoint=self.alpha.url))
        self.open_market(tokenstats=self.feed_settings())
        await self.settle()
        script = self.feed.script
        for answer, error in (
            ([], "/health does not say that it is a feed"),
            ({"status": "ok"}, "/health does not say that it is a feed"),
        ):
            self.feed.script = answers(200, answer)
            await self.settle(FEED_INTERVAL)
            self.assertEqual((await self.market())["last_error"], error)
        self.feed.script = script
        self.quotes[:] = [
            self.quote(endpoint=self.alpha.url, price_in_sats=-1),
            self.quote(endpoint=self.alpha.url, price_out_sats=1e308),
            self.quote("x" * 300),
            {"rows": "wrong"},
        ]
        await self.settle(FEED_INTERVAL)
        market = await self.market()
        self.assertIsNone(market["last_error"])
        self.assertIn("left out 4 of 4 quotes", market["notes"][0])
        self.assertEqual(await self.prices(), {"gpt-4o": (2500, 10000, "tokenstats")})

    @coroutine
    async def test_nodes_fail(self) -> None:
        """
        Then everybody counts as reliable.
        """
        self.quotes.append(self.quote(endpoint=self.alpha.url))
        self.nodes = {"not": "a list"}  # type: ignore[assignment]
        self.open_market(tokenstats=self.feed_settings())
        await self.settle()
        self.assertEqual(await self.prices(), {"gpt-4o": (2500, 10000, "tokenstats")})

    @coroutine
    async def test_dollars_of_a_bitcoin(self) -> None:
        """
        The feed's rate serves the books, and the lists of others, where none is
        configured.
        """
        self.alpha.script = lists(recorded.OPENROUTER)
        self.open_market(
            {"alpha": {"auto_discover": True, "models": []}},
            tokenstats=self.feed_settings(),
        )
        await self.settle()
        prices = await self.prices()
        self.assertEqual(prices["openai/gpt-4o-mini"], (150, 600, "discovered"))
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "cost": 0.5}
        self.alpha.script = answers(200, completion(usage=usage))
        await self.ask(chat(model="openai/gpt-4o-mini"))
        self.assertEqual(self.ledger.rows[0].provider_cost_sats, Decimal(500))

    @coroutine
    async def test_configured_dollars_of_a_bitcoin(self) -> None:
        """
        What is configured goes first.
        """
        self.open_market(tokenstats=self.feed_settings(), btc_usd=50_000)
        await self.settle()
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "cost": 0.5}
        self.alpha.script = answers(200, completion(usage=usage))
        await self.ask()
        self.assertEqual(self.ledger.rows[0].provider_cost_sats, Decimal(1000))

    @coroutine
    async def test_reload(self) -> None:
        """
        Another configuration is merged with what is known at once; without a
        feed it is what counts.
        """
        self.quotes.append(self.quote(endpoint=self.alpha.url))
        self.open_market(tokenstats=self.feed_settings())
        await self.settle()
        models = {"alpha": {"models": ["gpt-4o", "other"]}}
        settings = self.feed_settings(min_reliability=0.1)
        await self.daemon.market.use(self.configure(models, tokenstats=settings))
        self.assertEqual(
            await self.prices(),
            {
                "gpt-4o": (2500, 10000, "tokenstats"),
                "other": (1000, 1000, "config"),
            },
        )
        await self.daemon.market.use(self.configure())
        self.assertEqual(await self.prices(), {"gpt-4o": (1000, 1000, "config")})
        self.assertIsNone(await self.market())


class SellerTests(FeedTestCase):
    """
    Providers that only the feed knows.  Nothing is configured but beta, which is
    dear.
    """

    def setUp(self) -> None:
        super().setUp()
        self.authority = Authority.make()
        self.provider("beta")
        self.node = self.seller()

    def seller(self) -> FakeProvider:
        """
        A node on a public name, over TLS.
        """
        name = x509.DNSName(PUBLIC)
        node = FakeProvider("node", _serves_node, self.authority.issue(name))
        self.start_fake(node)
        return node

    @property
    def host(self) -> str:
        """
        The node's name and port.
        """
        return self.node.url.removesuffix("/v1").replace("https://127.0.0.1", PUBLIC)

    def open(self, **settings: object) -> None:
        """
        Start the daemon; the key is for the node.
        """
        settings.setdefault("keys", {f"routstr:one@{self.host}": NODE_KEY})
        self.open_market(
            {"beta": {"input_rate": 1e6, "output_rate": 1e6}},
            tls_policy=self.authority.policy(),
            tokenstats=self.feed_settings(**settings),
        )

    def sells(self, model: object = "gpt-4o", **fields: object) -> None:
        """
        The node sells this.
        """
        fields.setdefault("endpoint", f"https://{self.host}")
        self.quotes.append(self.quote(model, **fields))

    @coroutine
    async def test_seller(self) -> None:
        """
        It is there, with all that others have, and serves.
        """
        self.sells()
        self.sells("new")
        self.open()
        await self.settle()
        node = await self.provider_of("routstr-node-one")
        self.assertEqual(
            (node["source"], node["kind"], node["url"], node["tier"], node["has_key"]),
            ("tokenstats", "routstr", f"https://{self.host}/v1", "standard", True),
        )
        self.assertEqual(
            node["circuit"], {"state": "closed", "failure_count": 0, "trip_count": 0}
        )
        self.assertEqual((await self.market())["routable_market_providers"], 1)
        self.assertIn("new", await self.models())
        answer = await self.ask()
        self.assertEqual(answer.header("X-Arbstr-Provider"), "routstr-node-one")
        (asked,) = asked_for(self.node, "/v1/chat/completions")
        self.assertEqual(asked.headers["authorization"], f"Bearer {NODE_KEY}")
        self.assertEqual(asked.headers["host"], self.host)
        for path in ("/providers", "/health", "/v1/models"):
            self.assertNotIn(NODE_KEY.encode(), (await self.get(path)).body)

    @coroutine
    async def test_balance(self) -> None:
        """
        Its balance is watched, like that of a node in the configuration.
        """
        self.sells()
        self.open()
        await self.settle()
        await self.settle()
        node = await self.provider_of("routstr-node-one")
        self.assertEqual(node["balance"]["msats"], 50_000_000)

    @coroutine
    async def test_key_of_another(self) -> None:
        """
        Whoever announces the same id, or anything else, gets no key and no
        request: not at another address of this machine either.
        """
        thief = FakeProvider("thief", _serves_node, self.authority.issue())
        self.start_fake(thief)
        theirs = thief.url.removesuffix("/v1")
        for number, endpoint in enumerate(
            (
                theirs,
                theirs.replace("127.0.0.1", PUBLIC),
                theirs.replace("https", "http"),
                f"https://{self.host}@{theirs.removeprefix('https://')}",
                "https://169.254.169.254",
                "http://abc.onion",
            )
        ):
            self.sells(f"m{number}", endpoint=endpoint, price_in_sats=1)
        self.sells(provider_id="two")
        self.open()
        await self.settle()
        market = await self.market()
        self.assertEqual(market["routable_market_providers"], 0)
        self.assertEqual(
            sorted(each["reason"] for each in market["skipped"]),
            ["missing_api_key"] * 2 + ["unsafe_endpoint"] * 5,
        )
        self.assertNotIn("sk-node", str(market))
        self.assertEqual(thief.requests + self.node.requests, [])

    @coroutine
    async def test_appears_and_fails(self) -> None:
        """
        One that comes later has a circuit, and keeps it with its cool-down while
        the market changes.
        """
        self.open()
        await self.settle()
        self.assertNotIn("routstr-node-one", await self.providers_of())
        self.sells()
        await self.settle(FEED_INTERVAL)
        self.daemon.circuits.record_failure("routstr-node-one", "5xx", "test")
        self.node.script = answers(429, {}, "Retry-After: 300")
        await self.ask()
        self.sells("new")
        self.quotes[0]["price_in_sats"] = 1
        await self.settle(FEED_INTERVAL)
        node = await self.provider_of("routstr-node-one")
        self.assertEqual(len(node["models"]), 2)
        self.assertEqual(node["circuit"]["failure_count"], 1)
        self.assertIsNotNone(node["cooling_until"])

    @coroutine
    async def test_trips(self) -> None:
        """
        Its circuit opens like any other, and stays open.
        """
        self.sells()
        self.open()
        await self.settle()
        self.trip("routstr-node-one")
        self.sells("new")
        await self.settle(FEED_INTERVAL / 3)
        await self.settle(FEED_INTERVAL)
        health = (await self.get("/health")).json()["providers"]
        self.assertEqual(health["routstr-node-one"]["trip_count"], 1)
        answer = await self.ask()
        self.assertEqual(answer.status, 200)

    @coroutine
    async def test_unreliable(self) -> None:
        """
        By the feed's own polls, where there were some.
        """
        self.sells()
        self.nodes = [feed.node(reliability=0.0, poll_total=0)]
        self.open()
        await self.settle()
        self.assertIn("routstr-node-one", await self.providers_of())
        self.nodes = [feed.node(reliability=0.1)]
        await self.settle(FEED_INTERVAL)
        self.assertNotIn("routstr-node-one", await self.providers_of())
        (skipped,) = (await self.market())["skipped"]
        self.assertEqual(
            (skipped["reason"], skipped["reliability"]), ("low_reliability", 0.1)
        )

    @coroutine
    async def test_stale(self) -> None:
        """
        Quotes of yesterday are none.
        """
        self.sells(observed_at=feed.moment(time.time() - 86_400))
        self.open()
        await self.settle()
        self.assertNotIn("routstr-node-one", await self.providers_of())
        (skipped,) = (await self.market())["skipped"]
        self.assertEqual(
            (skipped["source"], skipped["reason"], skipped["models_count"]),
            ("*", "stale_quotes", 1),
        )

    @coroutine
    async def test_unpriced(self) -> None:
        """
        Without a price it is shown, and not used.
        """
        prices = ("price_in_sats", "price_out_sats", "price_in_usd", "price_out_usd")
        self.sells(**dict.fromkeys(prices))
        self.open()
        await self.settle()
        node = await self.provider_of("routstr-node-one")
        self.assertIsNone(node["models"][0]["input_rate"])
        self.assertEqual((await self.ask()).header("X-Arbstr-Provider"), "beta")
        route = await self.route("gpt-4o")
        self.assertEqual(
            route["routstr-node-one"]["excluded_because"], "no price known"
        )

    @coroutine
    async def test_same_name(self) -> None:
        """
        Two that call themselves the same are told apart, for as long as they are
        there.
        """
        self.sells()
        self.sells(endpoint=f"https://{self.host}/two")
        keys = {f"routstr@{self.host}": NODE_KEY}
        self.open(keys=keys)
        await self.settle()
        before = set(await self.providers_of())
        self.assertEqual(len(before), 3)
        self.quotes.reverse()
        self.sells(endpoint=f"https://{self.host}/a-third")
        await self.settle(FEED_INTERVAL)
        after = set(await self.providers_of())
        self.assertEqual(len(after), 4)
        self.assertLess(before, after)

    @coroutine
    async def test_key_taken_away(self) -> None:
        """
        A reload without the key ends it at once.
        """
        self.sells()
        self.open()
        await self.settle()
        settings = self.feed_settings(keys={})
        await self.daemon.market.use(self.configure(tokenstats=settings))
        self.assertNotIn("routstr-node-one", await self.providers_of())
        self.assertEqual((await self.ask()).header("X-Arbstr-Provider"), "beta")


def _serves_node(connection: Any, request: Any) -> None:
    if request.line.startswith("GET /v1/balance/info "):
        answers(200, recorded.BALANCE)(connection, request)
    else:
        answers(200, completion())(connection, request)
