"""
The built-in mock provider: a real HTTP server on the loopback interface, so
that arbstr can be seen at work, circuits included, without key or network.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from arbstr.config.model import ProviderSettings
from arbstr.errors import ApiError, no_such_model
from arbstr.quiet import QuietSite

from .wire import ChatRequest

_ANSWER = (
    "This is the built-in mock provider {name}. It thinks about nothing, but it "
    "counts its tokens, streams when asked to, and breaks when told to."
)


class MockProvider:
    """
    One mock provider's server.

    @ivar url: the base URL to be configured, once it was started.
    @param reactor: listens, and waits.
    @param chance: a random number in 0…1, to fail by.
    """

    url: str

    def __init__(
        self,
        provider: ProviderSettings,
        reactor: Any,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._reactor = reactor
        self._chance = chance
        self._site = QuietSite(self._tree(provider), reactor=reactor)

    def use(self, provider: ProviderSettings) -> None:
        """
        Behave by other settings from now on, under the same URL.
        """
        self._site.resource = self._tree(provider)

    def start(self) -> str:
        """
        Listen on a port of the loopback interface that is free.

        @return: the base URL to be configured.
        """
        self._port = self._reactor.listenTCP(0, self._site, interface="127.0.0.1")
        self.url = f"http://127.0.0.1:{self._port.getHost().port}/v1"
        return self.url

    def stop(self) -> Deferred[None]:
        """
        Listen no more.
        """
        return maybeDeferred(self._port.stopListening)

    def _tree(self, provider: ProviderSettings) -> Resource:
        root, v1, chat = Resource(), Resource(), Resource()
        root.putChild(b"v1", v1)
        v1.putChild(b"models", _Models(provider))
        v1.putChild(b"chat", chat)
        completions = _Completions(provider, self._reactor, self._chance)
        chat.putChild(b"completions", completions)
        return root


class _Models(Resource):
    """
    C{GET /v1/models}.
    """

    isLeaf = True

    def __init__(self, provider: ProviderSettings) -> None:
        Resource.__init__(self)
        self._models = [model.upstream or model.name for model in provider.models]

    def render_GET(self, request: Request) -> bytes:
        """
        The models, as OpenAI lists them.
        """
        request.setHeader("Content-Type", "application/json")
        data = [
            {"id": name, "object": "model", "created": 0, "owned_by": "mock"}
            for name in self._models
        ]
        return _dump({"object": "list", "data": data})


class _Completions(Resource):
    """
    C{POST /v1/chat/completions}.
    """

    isLeaf = True
    _log = Logger()

    def __init__(
        self, provider: ProviderSettings, reactor: Any, chance: Callable[[], float]
    ) -> None:
        Resource.__init__(self)
        self._name = provider.name
        self._models = {model.upstream or model.name for model in provider.models}
        self._settings = provider.mock
        self._reactor = reactor
        self._chance = chance
        # A newcomer can break a provider from a prompt: "mock-cheap:500".
        self._order = re.compile(
            rf"(?<![\w-]){re.escape(provider.name)}:(cut|stall|[345][0-9][0-9])\b"
        )

    def render_POST(self, request: Request) -> int:
        """
        Answer, or go wrong as ordered.
        """
        ended = request.notifyFinish()
        serving = Deferred.fromCoroutine(self._serve(request))
        serving.addErrback(lambda reason: reason.trap(CancelledError))
        serving.addErrback(
            lambda reason: self._log.failure("The mock provider failed", reason)
        )
        ended.addErrback(lambda _: serving.cancel())
        return NOT_DONE_YET

    async def _serve(self, request: Request) -> None:
        content = request.content
        assert content is not None
        try:
            chat = ChatRequest.parse(content.read())
            if self._models and chat.model not in self._models:
                raise no_such_model(chat.model)
        except ApiError as error:
            _send(request, error.status, error.body())
            return
        failure = self._failure(chat)
        await self._wait(self._settings.latency_seconds)
        if isinstance(failure, int):
            told = ApiError(f"{self._name} was told to answer {failure}", failure)
            _send(request, failure, told.body())
        elif chat.stream:
            await self._stream(request, chat, failure)
        elif failure == "stall":
            await Deferred()
        elif failure == "cut":
            self._cut(request, b'{"id":"chatcmpl-mock","choices":[')
        else:
            _send(request, 200, self._whole(chat))

    def _failure(self, chat: ChatRequest) -> str | int:
        ordered = self._order.search(chat.last_user_text[:65536])
        if ordered:
            return int(ordered[1]) if ordered[1].isdigit() else ordered[1]
        if self._chance() < self._settings.failure_rate:
            return self._settings.failure
        return "none"

    def _whole(self, chat: ChatRequest) -> dict[str, Any]:
        words = self._words(chat)
        message = {"role": "assistant", "content": "".join(words)}
        return {
            **self._header(chat, "chat.completion"),
            "choices": [
                {"index": 0, "message": message, "finish_reason": _reason(chat, words)}
            ],
            "usage": _usage(chat, words),
        }

    async def _stream(
        self, request: Request, chat: ChatRequest, failure: str | int
    ) -> None:
        request.setHeader("Content-Type", "text/event-stream")
        words = self._words(chat)
        events = list(self._events(chat, words))
        if failure != "none":
            events = events[: len(events) // 2]
        for number, event in enumerate(events):
            if number:
                await self._wait(self._settings.chunk_seconds)
            request.write(b"data: " + _dump(event) + b"\n\n")
        if failure == "cut":
            self._cut(request, b"")
        elif failure == "stall":
            await Deferred()
        else:
            request.write(b"data: [DONE]\n\n")
            request.finish()

    def _events(self, chat: ChatRequest, words: list[str]) -> Iterator[dict[str, Any]]:
        header = self._header(chat, "chat.completion.chunk")

        def chunk(delta: Mapping[str, str], reason: str | None) -> dict[str, Any]:
            choice = {"index": 0, "delta": delta, "finish_reason": reason}
            return {**header, "choices": [choice]}

        yield chunk({"role": "assistant", "content": ""}, None)
        for word in words:
            yield chunk({"content": word}, None)
        yield chunk({}, _reason(chat, words))
        if chat.usage_wanted:
            yield {**header, "choices": [], "usage": _usage(chat, words)}

    def _header(self, chat: ChatRequest, kind: str) -> dict[str, Any]:
        return {
            "id": "chatcmpl-mock",
            "object": kind,
            "created": int(time.time()),
            "model": chat.model,
        }

    def _words(self, chat: ChatRequest) -> list[str]:
        words = re.findall(r"\S+\s*", _ANSWER.format(name=self._name))
        return words if chat.output_cap is None else words[: chat.output_cap]

    def _wait(self, seconds: float) -> Deferred[None]:
        return deferLater(self._reactor, seconds)

    def _cut(self, request: Request, data: bytes) -> None:
        request.write(data)
        cast(ITCPTransport, request.transport).abortConnection()


def _reason(chat: ChatRequest, words: list[str]) -> str:
    return "length" if len(words) == chat.output_cap else "stop"


def _usage(chat: ChatRequest, words: list[str]) -> dict[str, int]:
    return {
        "prompt_tokens": chat.input_tokens,
        "completion_tokens": len(words),
        "total_tokens": chat.input_tokens + len(words),
    }


def _send(request: Request, status: int, value: object) -> None:
    request.setResponseCode(status)
    request.setHeader("Content-Type", "application/json")
    body = _dump(value)
    request.setHeader("Content-Length", str(len(body)))
    request.write(body)
    request.finish()


def _dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
