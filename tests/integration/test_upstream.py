"""
What is sent to providers, and over which connections.
"""

from __future__ import annotations

import json
from typing import Any

from .harness import (
    MODEL,
    DaemonTestCase,
    chat,
    coroutine,
)
from .providers import (
    FIRST,
    STREAM_HEAD,
    WHOLE,
    Connection,
    FakeProvider,
    Received,
    Script,
    answers,
    chunk,
    completion,
    delta,
    fails,
    http,
    is_silent,
    serves,
    streams,
)

JSON = "Content-Type: application/json"
WHOLE_ANSWER = http(200, json.dumps(completion()).encode(), JSON)


def writes(data: bytes, close: bool = False) -> Script:
    """
    Answers every request with these very bytes.

    @param close: and closes the connection then.
    """

    def script(connection: Connection, request: Received) -> None:
        connection.write(data)
        if close:
            connection.close()

    return script


class TranslationTests(DaemonTestCase):
    """
    What differs from provider to provider.
    """

    async def sent(self, settings: dict[str, Any], **fields: Any) -> Any:
        """
        What a provider of these settings gets to see.
        """
        alpha = self.provider("alpha")
        self.start({"alpha": settings})
        answer = await self.ask(chat(**fields))
        self.assertEqual(answer.status, 200)
        (received,) = alpha.requests
        return received.json()

    @coroutine
    async def test_alias(self) -> None:
        """
        The provider's own id for the model is sent to it.
        """
        model = {"name": MODEL, "upstream": "openai/gpt-4o-2024"}
        sent = await self.sent({"models": [model]})
        self.assertEqual(sent, {**chat(), "model": "openai/gpt-4o-2024"})

    @coroutine
    async def test_each_its_own_alias(self) -> None:
        alpha, beta = self.provider("alpha", fails(500)), self.provider("beta")
        self.start(
            {"alpha": {"models": [{"name": MODEL, "upstream": "openai/gpt-4o"}]}}
        )
        await self.ask()
        models = [each.requests[0].json()["model"] for each in (alpha, beta)]
        self.assertEqual(models, ["openai/gpt-4o", MODEL])

    @coroutine
    async def test_bytes_as_they_came(self) -> None:
        """
        Where nothing has to be changed.
        """
        alpha = self.provider("alpha")
        self.start()
        body = (
            '{ "messages":[{"role":"user","content":"H\\u00e9 ü"}],\n'
            f'"seed": 12345678901234567890, "top_p": 1.50, "model":"{MODEL}" }}'
        ).encode()
        kind = {"Content-Type": "application/json"}
        answer = await self.request("POST", "/v1/chat/completions", body, kind)
        self.assertEqual(answer.status, 200)
        self.assertEqual(alpha.requests[0].body, body)

    @coroutine
    async def test_cap_for_routstr(self) -> None:
        """
        Its nodes reserve the whole context unless C{max_tokens} says less.
        """
        sent = await self.sent({"kind": "routstr"}, max_completion_tokens=5)
        self.assertEqual(sent, chat(max_tokens=5))

    @coroutine
    async def test_null_cap_for_routstr(self) -> None:
        """
        Its nodes refuse that.
        """
        sent = await self.sent({"kind": "routstr"}, max_tokens=None)
        self.assertEqual(sent, chat())

    @coroutine
    async def test_cap_for_others(self) -> None:
        sent = await self.sent({}, max_completion_tokens=5, max_tokens=None)
        self.assertEqual(sent, chat(max_completion_tokens=5, max_tokens=None))

    @coroutine
    async def test_base_url_with_a_path(self) -> None:
        alpha = self.provider("alpha")
        self.start({"alpha": {"url": alpha.url.replace("/v1", "/proxy/openai/")}})
        await self.ask()
        self.assertEqual(
            alpha.requests[0].line, "POST /proxy/openai/chat/completions HTTP/1.1"
        )


class ReuseTests(DaemonTestCase):
    """
    Connections to providers are used again where that is safe.
    """

    async def ask_twice(self, script: Script, stream: bool) -> FakeProvider:
        alpha = self.provider("alpha", script)
        self.start()
        for _ in range(2):
            answer = await self.ask(chat(stream=stream))
            self.assertEqual(answer.status, 200)
        return alpha

    @coroutine
    async def test_buffered(self) -> None:
        alpha = await self.ask_twice(serves, stream=False)
        self.assertEqual((alpha.connected, len(alpha.connections)), (1, 1))

    @coroutine
    async def test_streams(self) -> None:
        alpha = await self.ask_twice(serves, stream=True)
        self.assertEqual((alpha.connected, len(alpha.connections)), (1, 1))

    @coroutine
    async def test_after_bytes_that_follow_done(self) -> None:
        """
        Those are read and forgotten.
        """
        alpha = await self.ask_twice(
            streams(*WHOLE, b": bye\n\n", delta("more")), stream=True
        )
        self.assertEqual(alpha.connected, 1)

    @coroutine
    async def test_after_refusals(self) -> None:
        alpha = self.provider("alpha", fails(422))
        self.start()
        await self.ask()
        await self.ask()
        self.assertEqual(alpha.connected, 1)

    @coroutine
    async def test_not_if_the_provider_says_so(self) -> None:
        script = answers(200, completion(), "Connection: close")
        alpha = await self.ask_twice(script, stream=False)
        self.assertEqual(alpha.connected, 2)

    @coroutine
    async def test_not_after_a_stream_that_broke_off(self) -> None:
        """
        The provider might go on sending it.
        """
        error = b'data: {"error": {"message": "x"}}\n\n'
        begun = STREAM_HEAD + chunk(FIRST) + chunk(delta("x")) + chunk(error)
        alpha = await self.ask_twice(writes(begun), stream=True)
        await self.soon(lambda: not alpha.connections)
        self.assertEqual(alpha.connected, 2)

    @coroutine
    async def test_many_at_once(self) -> None:
        alpha = self.provider("alpha", is_silent)
        self.start()
        asking = [self.ask() for _ in range(5)]
        await alpha.asked(5)
        self.assertEqual(alpha.connected, 5)
        for connection in list(alpha.connections):
            connection.write(WHOLE_ANSWER)
        statuses = [(await each).status for each in asking]
        self.assertEqual(statuses, [200] * 5)
