"""
C{auto_discover}: what providers say of themselves, over real sockets.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.logger import capturedLogs, formatEvent

from tests.market import recorded

from .harness import MODEL, chat, coroutine
from .marketplace import (
    INTERVAL,
    NODE_INTERVAL,
    MarketTestCase,
    asked_for,
    by_path,
    lists,
)
from .providers import (
    Connection,
    Received,
    answers,
    chunk,
    completion,
    http,
    is_silent,
    serves,
)

# As a file has them: no list and no rates.
DISCOVERED: dict[str, Any] = {
    "auto_discover": True,
    "models": [],
    "input_rate": None,
    "output_rate": None,
}
LISTED: dict[str, Any] = {"auto_discover": True}
RATES = ("input_rate", "output_rate", "cached_input_rate", "base_fee")


def by_id(provider: Any) -> dict[str, Any]:
    """
    The rates of a provider's models.
    """
    return {
        model["id"]: tuple(model[rate] for rate in RATES)
        for model in provider["models"]
    }


UNKNOWN = (None, None, None, None)


class KindTests(MarketTestCase):
    """
    Every kind of server there is.
    """

    async def assert_discovers(
        self, answer: object, expected: dict[str, Any], **settings: Any
    ) -> None:
        """
        A provider with this list has these models at these rates.
        """
        self.provider("alpha", lists(answer))
        btc_usd = settings.pop("btc_usd", None)
        self.open_market({"alpha": {**DISCOVERED, **settings}}, btc_usd=btc_usd)
        await self.settle()
        alpha = await self.provider_of("alpha")
        self.assertEqual(by_id(alpha), expected)
        self.assertEqual(alpha["source"], "discovered")
        self.assertEqual({each["source"] for each in alpha["models"]}, {"discovered"})
        self.assertIsNone(alpha["discovery"]["last_error"])
        routable = {id for id, rates in expected.items() if rates != UNKNOWN}
        self.assertEqual(set(await self.models()), routable)

    @coroutine
    async def test_openai(self) -> None:
        """
        It says nothing of prices: the configured ones hold.
        """
        await self.assert_discovers(
            recorded.OPENAI,
            {"gpt-4o": (5, 10, 5, 0), "gpt-4o-mini": (5, 10, 5, 0)},
            input_rate=5,
            output_rate=10,
        )

    @coroutine
    async def test_openai_without_rates(self) -> None:
        """
        Where there are none, nobody knows what it costs.
        """
        await self.assert_discovers(
            recorded.OPENAI, {"gpt-4o": UNKNOWN, "gpt-4o-mini": UNKNOWN}
        )
        route = await self.route("gpt-4o")
        self.assertEqual(route["alpha"]["excluded_because"], "no price known")
        answer = await self.ask()
        self.assertEqual((answer.status, answer.header("Retry-After")), (503, "5"))
        self.assertEqual(answer.error()["code"], "no_price_known")

    @coroutine
    async def test_ollama(self) -> None:
        """
        One's own machine is free, and a name without a tag is the latest.
        """
        free = (0, 0, 0, 0)
        await self.assert_discovers(
            recorded.OLLAMA,
            {"llama3.2:latest": free, "qwen2.5:7b": free, "llama3.2": free},
            tier="local",
        )
        await self.ask(chat(model="llama3.2"))
        (asked,) = asked_for(self.providers["alpha"], "/v1/chat/completions")
        self.assertEqual(asked.json()["model"], "llama3.2:latest")

    @coroutine
    async def test_mesh(self) -> None:
        """
        Some models have offers, and some offers have prices.  The server closes
        the connection after the list.
        """

        def closes(connection: Connection, request: Received) -> None:
            body = json.dumps(recorded.MESH).encode()
            connection.write(http(200, body, "Connection: close"))
            connection.close()

        self.provider("alpha", by_path({"/v1/models": closes}))
        self.open_market({"alpha": {**DISCOVERED, "tier": "local"}})
        await self.settle()
        self.assertEqual(
            by_id(await self.provider_of("alpha")),
            {
                "qwen2.5-7b": (150, 600, 150, 0),
                "own": (0, 0, 0, 0),
                "mesh": (0, 0, 0, 0),
                "llama-8b": UNKNOWN,
            },
        )

    @coroutine
    async def test_llama_cpp(self) -> None:
        """
        Names are paths, with spaces.
        """
        free = (0, 0, 0, 0)
        name = "/models/Qwen 2.5.gguf"
        await self.assert_discovers(
            recorded.LLAMA_CPP,
            {name: free, "loading": free, "qwen": free},
            tier="local",
        )
        answer = await self.ask(chat(model=name))
        self.assertEqual(answer.status, 200)

    @coroutine
    async def test_llama_cpp_loading(self) -> None:
        """
        It answers 503 until it has loaded, and is asked again soon.
        """
        loading = [answers(503, {"error": {"message": "Loading model"}})]
        loaded = answers(200, recorded.LLAMA_CPP)

        def models(connection: Connection, request: Received) -> None:
            (loading.pop() if loading else loaded)(connection, request)

        self.provider("alpha", by_path({"/v1/models": models}))
        self.open_market({"alpha": {**DISCOVERED, "tier": "local"}})
        await self.settle()
        alpha = await self.provider_of("alpha")
        self.assertEqual(alpha["discovery"]["last_error"], "HTTP 503")
        self.assertEqual(alpha["models"], [])
        await self.settle(5.5)
        self.assertIn("qwen", await self.models())

    @coroutine
    async def test_vllm(self) -> None:
        """
        The configured rates hold.
        """
        await self.assert_discovers(
            recorded.VLLM,
            {"Qwen/Qwen2.5-7B-Instruct": (5, 10, 5, 1)},
            input_rate=5,
            output_rate=10,
            base_fee=1,
        )

    @coroutine
    async def test_openrouter(self) -> None:
        """
        Dollars, at the configured rate.  What is free is; a router is no model.
        """
        await self.assert_discovers(
            recorded.OPENROUTER,
            {
                "openai/gpt-4o-mini": (150, 600, 75, 0),
                "meta-llama/llama-3.3-70b-instruct:free": (0, 0, 0, 0),
                "perplexity/sonar": (1000, 1000, 1000, 5),
            },
            btc_usd=100_000,
        )
        alpha = await self.provider_of("alpha")
        self.assertEqual(
            alpha["discovery"]["remark"],
            "left out 1 of 4 models: a price is negative (1)",
        )

    @coroutine
    async def test_openrouter_without_exchange_rate(self) -> None:
        """
        Dollars say nothing then, and nothing is not free.
        """
        await self.assert_discovers(
            recorded.OPENROUTER,
            {
                "openai/gpt-4o-mini": UNKNOWN,
                "meta-llama/llama-3.3-70b-instruct:free": UNKNOWN,
                "perplexity/sonar": UNKNOWN,
            },
        )

    @coroutine
    async def test_routstr(self) -> None:
        """
        Sats for a token, times a million; they go before the provider's rates.
        """
        await self.assert_discovers(
            recorded.ROUTSTR,
            {
                "gpt-4o-mini": (150, 600, 75, 0),
                "gpt-4o": (2500, 10000, 1250, 0),
            },
            kind="routstr",
            api_key=None,
            input_rate=1,
            output_rate=1,
        )

    @coroutine
    async def test_routstr_unpriced(self) -> None:
        """
        Null is not free, whatever the provider's rates are.
        """
        await self.assert_discovers(
            recorded.ROUTSTR_UNPRICED,
            {"gpt-4o-mini": UNKNOWN},
            kind="routstr",
            api_key=None,
            input_rate=1,
            output_rate=1,
        )

    @coroutine
    async def test_key(self) -> None:
        """
        Those who have one are asked with it.
        """
        self.provider("alpha", lists(recorded.OPENAI))
        self.open_market({"alpha": DISCOVERED})
        await self.settle()
        (asked,) = self.providers["alpha"].requests
        self.assertEqual(asked.line, "GET /v1/models HTTP/1.1")
        self.assertEqual(asked.headers["authorization"], "Bearer sk-alpha-key")
        self.assertEqual(asked.headers["accept-encoding"], "identity")


class BaselineTests(MarketTestCase):
    """
    What is configured stays.
    """

    @coroutine
    async def test_nobody_waits(self) -> None:
        """
        A provider that does not tell its list serves those that are configured.
        """
        self.provider("alpha", by_path({"/v1/models": is_silent}))
        self.open_market({"alpha": LISTED})
        self.stopped.advance(0)
        await self.providers["alpha"].asked()
        answer = await self.ask()
        self.assertEqual(answer.status, 200)
        self.assertTrue(self.daemon.market.is_busy)

    @coroutine
    async def test_silence(self) -> None:
        """
        It is waited for no longer than half a minute.
        """
        self.provider("alpha", by_path({"/v1/models": is_silent}))
        self.open_market({"alpha": LISTED})
        self.stopped.advance(0)
        await self.providers["alpha"].asked()
        await self.settle(30)
        alpha = await self.provider_of("alpha")
        self.assertEqual(
            alpha["discovery"]["last_error"], "no answer within 30 seconds"
        )
        await self.soon(lambda: not self.providers["alpha"].connections)

    @coroutine
    async def test_own_rates(self) -> None:
        """
        A model's rates in the configuration are never replaced; an alias gets the
        price of what it stands for.
        """
        self.provider("alpha", lists(recorded.ROUTSTR))
        models = [
            {"name": "gpt-4o", "input_rate": 7, "output_rate": 8, "base_fee": 1},
            {"name": "mini", "upstream": "gpt-4o-mini"},
            "unlisted",
        ]
        rates = {"input_rate": 3, "output_rate": 4}
        self.open_market({"alpha": {**LISTED, **rates, "models": models}})
        await self.settle()
        alpha = await self.provider_of("alpha")
        self.assertEqual(
            by_id(alpha),
            {
                "gpt-4o": (7, 8, 7, 1),
                "mini": (150, 600, 75, 0),
                "unlisted": (3, 4, 3, 0),
                "gpt-4o-mini": (150, 600, 75, 0),
            },
        )
        self.assertEqual(
            {each["id"]: each["source"] for each in alpha["models"]},
            {
                "gpt-4o": "config",
                "mini": "discovered",
                "unlisted": "config",
                "gpt-4o-mini": "discovered",
            },
        )
        await self.ask(chat(model="mini"))
        (asked,) = asked_for(self.providers["alpha"], "/v1/chat/completions")
        self.assertEqual(asked.json()["model"], "gpt-4o-mini")

    @coroutine
    async def test_unknown_before(self) -> None:
        """
        Without a list of its own, a provider is not asked for anything before it
        has told one.
        """
        self.provider("alpha", lists(recorded.OPENAI))
        self.open_market({"alpha": {**DISCOVERED, "tier": "local"}})
        self.assertEqual((await self.ask()).error()["code"], "no_price_known")
        await self.settle()
        self.assertEqual((await self.ask()).status, 200)

    @coroutine
    async def test_reload(self) -> None:
        """
        Another configuration is another baseline; what was told stays known, and
        the provider is not asked anew.
        """
        self.provider("alpha", lists(recorded.ROUTSTR))
        self.open_market({"alpha": LISTED})
        await self.settle()
        models = [{"name": "gpt-4o", "input_rate": 7, "output_rate": 8}, "other"]
        await self.daemon.market.use(
            self.configure({"alpha": {**LISTED, "models": models}})
        )
        self.assertEqual(
            by_id(await self.provider_of("alpha")),
            {
                "gpt-4o": (7, 8, 7, 0),
                "other": (1000, 1000, 1000, 0),
                "gpt-4o-mini": (150, 600, 75, 0),
            },
        )
        await self.settle(1)
        self.assertEqual(len(self.providers["alpha"].requests), 1)

    @coroutine
    async def test_reload_without(self) -> None:
        """
        Who is not to be asked any more, is what the configuration says.
        """
        self.provider("alpha", lists(recorded.ROUTSTR))
        self.open_market({"alpha": LISTED})
        await self.settle()
        await self.daemon.market.use(self.configure())
        alpha = await self.provider_of("alpha")
        self.assertEqual(by_id(alpha), {"gpt-4o": (1000, 1000, 1000, 0)})
        self.assertEqual((alpha["source"], alpha["discovery"]), ("config", None))
        await self.settle(INTERVAL)
        self.assertEqual(len(self.providers["alpha"].requests), 1)

    @coroutine
    async def test_reload_with_another_address(self) -> None:
        """
        Another server is asked for its own list.
        """
        self.provider("alpha", lists(recorded.ROUTSTR))
        self.provider("beta", lists(recorded.VLLM))
        rates = {"input_rate": 1, "output_rate": 1}
        self.open_market({"alpha": {**DISCOVERED, **rates}})
        await self.settle()
        moved = {**DISCOVERED, **rates, "url": self.providers["beta"].url}
        await self.daemon.market.use(self.configure({"alpha": moved}))
        self.assertNotIn("gpt-4o-mini", by_id(await self.provider_of("alpha")))
        await self.settle()
        alpha = await self.provider_of("alpha")
        self.assertEqual(set(by_id(alpha)), {"Qwen/Qwen2.5-7B-Instruct"})


class HostileTests(MarketTestCase):
    """
    Answers that are broken, or worse.
    """

    async def assert_changes_nothing(self, error: str, script: Any) -> None:
        """
        What was known stays known, and what is wrong is told.
        """
        scripts = [script, answers(200, recorded.ROUTSTR)]

        def models(connection: Connection, request: Received) -> None:
            (scripts.pop() if len(scripts) > 1 else script)(connection, request)

        self.provider("alpha", by_path({"/v1/models": models}))
        self.open_market({"alpha": LISTED})
        await self.settle()
        before = await self.provider_of("alpha")
        self.assertEqual(set(by_id(before)), {"gpt-4o", "gpt-4o-mini"})
        await self.settle(INTERVAL)
        after = await self.provider_of("alpha")
        self.assertEqual(after["models"], before["models"])
        self.assertIn(error, after["discovery"]["last_error"])
        self.assertEqual(
            after["discovery"]["last_success_at"],
            before["discovery"]["last_success_at"],
        )
        answer = await self.ask()
        self.assertEqual(answer.status, 200)

    @coroutine
    async def test_null(self) -> None:
        """
        Ollama without a model; or anybody.
        """
        await self.assert_changes_nothing(
            "'data' is null", answers(200, recorded.OLLAMA_EMPTY)
        )

    @coroutine
    async def test_wrong_types(self) -> None:
        """
        A list that is none.
        """
        await self.assert_changes_nothing(
            "'data' is not a list", answers(200, {"data": {"gpt-4o": "cheap"}})
        )

    @coroutine
    async def test_names_that_are_none(self) -> None:
        """
        Nothing of it can be used.
        """
        entries = [{"id": 4}, {"id": "x" * 300}, {"id": "a\r\nX-Evil: 1"}, None]
        await self.assert_changes_nothing(
            "left out 4 of 4 models", answers(200, {"data": entries})
        )

    @coroutine
    async def test_prices_that_are_none(self) -> None:
        """
        Negative, infinite, beyond belief.
        """
        entries = [
            recorded.routstr("gpt-4o", (-1, 1, 0), (1, 1, 1)),
            recorded.routstr("gpt-4o-mini", (1e308, 1, 0), (1, 1, 1)),
            recorded.routstr("free-money", (0, -1e-9, 0), (1, 1, 1)),
        ]
        await self.assert_changes_nothing(
            "a price is beyond belief (1), a price is negative (2)",
            answers(200, {"data": entries}),
        )

    @coroutine
    async def test_nan(self) -> None:
        """
        It is not JSON.
        """
        entry = recorded.routstr("gpt-4o", (float("nan"), 1, 0), (1, 1, 1))
        await self.assert_changes_nothing(
            "the answer is not JSON", answers(200, {"data": [entry]})
        )

    @coroutine
    async def test_html(self) -> None:
        """
        Nor is this.
        """
        page = http(200, b"<html>Welcome</html>", "Content-Type: text/html")
        await self.assert_changes_nothing(
            "the answer is not JSON", lambda connection, _: connection.write(page)
        )

    @coroutine
    async def test_error(self) -> None:
        """
        Whatever its body says.
        """
        await self.assert_changes_nothing("HTTP 500", answers(500, recorded.OPENAI))

    @coroutine
    async def test_announced_size(self) -> None:
        """
        50 MB are refused before they come.
        """

        def huge(connection: Connection, request: Received) -> None:
            connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 52428800\r\n\r\n{")

        await self.assert_changes_nothing("the answer is over 4194304 bytes long", huge)
        await self.soon(lambda: len(self.providers["alpha"].connections) <= 1)

    @coroutine
    async def test_size(self) -> None:
        """
        They are refused as soon as they are too many.
        """
        block = chunk(b'{"data": [' + b" " * 1_000_000)

        def huge(connection: Connection, request: Received) -> None:
            connection.write(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + block * 50
            )

        await self.assert_changes_nothing("the answer is over 4194304 bytes long", huge)

    @coroutine
    async def test_cut(self) -> None:
        """
        Half a list is none.
        """

        def cut(connection: Connection, request: Received) -> None:
            connection.write(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"data"')
            connection.cut()

        await self.assert_changes_nothing("lost", cut)

    @coroutine
    async def test_redirect(self) -> None:
        """
        It is not followed: the key is for this provider only.
        """
        thief = self.provider("thief")
        url = f"{thief.url}/models"
        await self.assert_changes_nothing(
            "HTTP 302", answers(302, {}, f"Location: {url}")
        )
        self.assertEqual(asked_for(thief, "/v1/models"), [])

    @coroutine
    async def test_many(self) -> None:
        """
        The first thousands are enough, and the daemon serves meanwhile.
        """
        data = [{"id": f"m{number}"} for number in range(100_000)]
        self.provider("alpha", lists({"data": data}))
        self.open_market({"alpha": {**DISCOVERED, "tier": "local"}})
        await self.settle()
        self.assertEqual(len(await self.models()), 5000)
        alpha = await self.provider_of("alpha")
        self.assertEqual(
            alpha["discovery"]["remark"],
            "100000 models, of which the first 5000 are taken",
        )

    @coroutine
    async def test_told_once(self) -> None:
        """
        The log does not repeat itself.
        """
        self.provider("alpha", by_path({"/v1/models": answers(500, {})}))
        self.open_market({"alpha": LISTED})
        with capturedLogs() as events:
            await self.settle()
            for _ in range(2):
                await self.settle(INTERVAL)
        self.assertEqual(len(self.providers["alpha"].requests), 3)
        told = [formatEvent(each) for each in events]
        self.assertEqual(told.count("the models of alpha: HTTP 500"), 1)

    @coroutine
    async def test_stop(self) -> None:
        """
        What is being asked is broken off.
        """
        self.provider("alpha", by_path({"/v1/models": is_silent}))
        self.open_market({"alpha": LISTED})
        self.stopped.advance(0)
        await self.providers["alpha"].asked()
        self.daemon.market.stop()
        await self.soon(lambda: not self.providers["alpha"].connections)


class ChangeTests(MarketTestCase):
    """
    Lists that change.
    """

    def change(self, *answered: object) -> Any:
        """
        A provider that answers these one after the other, the last for ever.
        """
        left = list(answered)

        def models(connection: Connection, request: Received) -> None:
            answer = left.pop(0) if len(left) > 1 else left[0]
            answers(200, answer)(connection, request)

        return by_path({"/v1/models": models})

    @coroutine
    async def test_vanished(self) -> None:
        """
        A model is gone when it has been missing three times in a row.
        """
        shorter = {"data": recorded.ROUTSTR["data"][:1]}
        self.provider("alpha", self.change(recorded.ROUTSTR, shorter))
        self.open_market({"alpha": DISCOVERED})
        await self.settle()
        for _ in range(2):
            await self.settle(INTERVAL)
            self.assertIn("gpt-4o", await self.models())
        await self.settle(INTERVAL)
        self.assertEqual(set(await self.models()), {"gpt-4o-mini"})

    @coroutine
    async def test_prices_of_a_node(self) -> None:
        """
        They are asked for every two minutes.
        """
        dearer = {"data": [recorded.routstr("gpt-4o", (1, 2, 0), (1, 1, 1))]}
        self.provider("alpha", self.change(recorded.ROUTSTR, dearer))
        node = {**DISCOVERED, "kind": "routstr", "api_key": None}
        self.open_market({"alpha": node})
        await self.settle()
        await self.settle(NODE_INTERVAL)
        self.assertEqual(
            by_id(await self.provider_of("alpha"))["gpt-4o"],
            (1_000_000, 2_000_000, 1_000_000, 0),
        )

    @coroutine
    async def test_last_known_price(self) -> None:
        """
        It holds where the node loses track of the bitcoin.
        """
        self.provider("alpha", self.change(recorded.ROUTSTR, recorded.ROUTSTR_UNPRICED))
        node = {**DISCOVERED, "kind": "routstr", "api_key": None}
        self.open_market({"alpha": node})
        await self.settle()
        await self.settle(NODE_INTERVAL)
        self.assertEqual(
            by_id(await self.provider_of("alpha"))["gpt-4o-mini"], (150, 600, 75, 0)
        )

    @coroutine
    async def test_circuits(self) -> None:
        """
        They are kept, with the cool-downs, when the list is swapped.
        """
        self.provider(
            "alpha",
            by_path(
                {
                    "/v1/models": self.change(recorded.OPENAI, recorded.ROUTSTR),
                    "/v1/chat/completions": answers(402, {"detail": "poor"}),
                }
            ),
        )
        self.provider("beta", serves)
        self.open_market({"alpha": LISTED})
        await self.ask()
        cooling = (await self.provider_of("alpha"))["cooling_until"]
        self.assertIsNotNone(cooling)
        self.trip("beta")
        await self.settle()
        await self.settle(INTERVAL)
        providers = await self.providers_of()
        self.assertIn("gpt-4o-mini", by_id(providers["alpha"]))
        self.assertEqual(providers["beta"]["circuit"]["trip_count"], 1)

    @coroutine
    async def test_requests_on_their_way(self) -> None:
        """
        They keep their plans.
        """
        waiting: list[Connection] = []
        chats = by_path(
            {
                "/v1/models": answers(200, recorded.VLLM),
                "/v1/chat/completions": lambda each, _: waiting.append(each),
            }
        )
        alpha = self.provider("alpha", chats)
        self.open_market({"alpha": LISTED})
        asking = self.ask()
        await alpha.asked()
        await self.settle()
        self.assertIn("Qwen/Qwen2.5-7B-Instruct", await self.models())
        answers(200, completion())(waiting[0], alpha.requests[0])
        answer = await asking
        self.assertEqual(answer.status, 200)


class BalanceTests(MarketTestCase):
    """
    Prepaid accounts at Routstr nodes.
    """

    def node(self, balance: Any, **settings: Any) -> None:
        """
        A node that says this of the balance.
        """
        self.balance = balance

        def info(connection: Connection, request: Received) -> None:
            self.balance(connection, request)

        self.provider("alpha", by_path({"/v1/balance/info": info}))
        self.provider("beta")
        self.open_market({"alpha": {"kind": "routstr", **settings}})

    def holds(self, msats: int) -> Any:
        """
        There is so much.
        """
        return answers(200, {**recorded.BALANCE, "balance": msats})

    @coroutine
    async def test_shown(self) -> None:
        """
        In msats, as the node says it of our key.
        """
        self.node(answers(200, recorded.BALANCE))
        await self.settle()
        alpha = await self.provider_of("alpha")
        self.assertEqual(alpha["balance"]["msats"], 50_000_000)
        self.assertIsNone(alpha["balance"]["last_error"])
        self.assertIsNone(alpha["discovery"])
        (asked,) = self.providers["alpha"].requests
        self.assertEqual(asked.line, "GET /v1/balance/info HTTP/1.1")
        self.assertEqual(asked.headers["authorization"], "Bearer sk-alpha-key")
        self.assertIsNone((await self.provider_of("beta"))["balance"])

    @coroutine
    async def test_too_small(self) -> None:
        """
        The request goes elsewhere, and the plan says why.
        """
        self.node(self.holds(100))
        await self.settle()
        answer = await self.ask(chat(max_tokens=1000))
        self.assertEqual(answer.header("X-Arbstr-Provider"), "beta")
        self.assertIsNone(answer.header("X-Arbstr-Retries"))
        route = await self.route(MODEL, max_tokens=1000)
        self.assertRegex(
            route["alpha"]["excluded_because"],
            "^balance of 0.1 sats is under the 0.99[0-9]* that it would set aside",
        )
        answer = await self.ask(chat(max_tokens=10))
        self.assertEqual(answer.header("X-Arbstr-Provider"), "alpha")

    @coroutine
    async def test_filled_up(self) -> None:
        """
        It is looked at every two minutes.
        """
        self.node(self.holds(0))
        await self.settle()
        self.balance = self.holds(10_000_000)
        await self.settle(NODE_INTERVAL)
        self.assertEqual((await self.ask()).header("X-Arbstr-Provider"), "alpha")

    @coroutine
    async def test_unknown(self) -> None:
        """
        What is not known is no reason to go elsewhere; the key is not shown.
        """
        self.node(answers(401, {"detail": "Unauthorized"}))
        await self.settle()
        alpha = await self.provider_of("alpha")
        self.assertIsNone(alpha["balance"]["msats"])
        self.assertEqual(alpha["balance"]["last_error"], "HTTP 401")
        self.assertEqual((await self.ask()).header("X-Arbstr-Provider"), "alpha")

    @coroutine
    async def test_no_longer_known(self) -> None:
        """
        After three failures in a row the last one keeps nobody away.
        """
        self.node(self.holds(0))
        await self.settle()
        self.balance = answers(200, {"balance": None})
        for expected in (0, 0, None):
            await self.settle(NODE_INTERVAL)
            alpha = await self.provider_of("alpha")
            self.assertEqual(alpha["balance"]["msats"], expected)

    @coroutine
    async def test_no_key(self) -> None:
        """
        Without one there is no account.
        """
        self.node(self.holds(0), api_key=None)
        await self.settle()
        self.assertEqual(self.providers["alpha"].requests, [])
        self.assertIsNone((await self.provider_of("alpha"))["balance"])
