"""
Tests for L{arbstr.upstream.mock}.
"""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any, cast

from twisted.internet.error import ConnectionLost
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import getChildForRequest
from twisted.web.server import Site
from twisted.web.test.requesthelper import DummyRequest

from arbstr.config.model import MockSettings, ProviderSettings
from arbstr.upstream.mock import MockProvider
from tests.fakes import MODEL

LATENCY = 2
PAUSE = 1

ANSWER = (
    "This is the built-in mock provider mock-cheap. It thinks about nothing, but it "
    "counts its tokens, streams when asked to, and breaks when told to."
)
WORDS = len(ANSWER.split())
DONE = b"data: [DONE]\n\n"


class Asking(DummyRequest):
    """
    A request to a mock provider.
    """

    def __init__(self, method: bytes, path: str, body: bytes = b"") -> None:
        super().__init__([each.encode() for each in path.split("/")])
        self.method = method
        self.content = BytesIO(body)
        self.transport = StringTransport()

    @property
    def body(self) -> bytes:
        """
        All that was answered so far.
        """
        return b"".join(self.written)

    @property
    def is_cut(self) -> bool:
        """
        The connection was cut instead of the answer finished.
        """
        return self.transport.disconnected and not self.finished

    def header(self, name: str) -> str | None:
        """
        One of the answer's headers.
        """
        (value,) = self.responseHeaders.getRawHeaders(name, [None])
        return value

    def json(self) -> Any:
        """
        The whole answer.
        """
        assert self.finished == 1, "the answer is not finished"
        return json.loads(self.body)

    def events(self) -> list[Any]:
        """
        What the stream's events say, without its C{[DONE]}.
        """
        parts = self.body.removesuffix(DONE).split(b"\n\n")[:-1]
        return [json.loads(part.removeprefix(b"data: ")) for part in parts]

    def leave(self) -> None:
        """
        The client hangs up.
        """
        self.processingFailed(Failure(ConnectionLost()))


class MockTestCase(SynchronousTestCase):
    """
    A mock provider on a reactor that only remembers.
    """

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.chance = 0.0
        self.configure(MODEL)

    def configure(self, *models: Any, **mock: Any) -> None:
        """
        Start anew.

        @param models: what it serves; without any, everything.
        @param mock: how it behaves.
        """
        settings = ProviderSettings(
            name="mock-cheap",
            kind="mock",
            models=models,
            mock=MockSettings(latency_seconds=LATENCY, chunk_seconds=PAUSE, **mock),
        )
        self.provider = MockProvider(settings, self.reactor, lambda: self.chance)
        self.url = self.provider.start()
        _, factory, _, self.interface = self.reactor.tcpServers[-1]
        self.site = cast(Site, factory)

    def tearDown(self) -> None:
        """
        No timer is left.
        """
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def render(self, request: Asking) -> Asking:
        """
        Let the provider's resources take a request.
        """
        resource = getChildForRequest(self.site.resource, request)
        request.render(resource)
        return request

    def ask(self, content: str = "Hi", **fields: Any) -> Asking:
        """
        Send a chat completion request.
        """
        messages = [{"role": "user", "content": content}]
        body = {"model": MODEL, "messages": messages, **fields}
        return self.post(json.dumps(body).encode())

    def post(self, body: bytes) -> Asking:
        """
        Send what should be one.
        """
        return self.render(Asking(b"POST", "v1/chat/completions", body))

    def answer(self, content: str = "Hi", **fields: Any) -> Asking:
        """
        Send a request and wait for the first byte of its answer.
        """
        request = self.ask(content, **fields)
        self.reactor.advance(LATENCY)
        return request

    def assert_serves(self, request: Asking) -> None:
        """
        Nothing has gone wrong.
        """
        self.assertEqual(request.responseCode, 200)
        self.assertEqual(request.json()["choices"][0]["message"]["content"], ANSWER)

    def assert_error(self, request: Asking, status: int, message: str) -> None:
        """
        It answered with this error.
        """
        self.assertEqual(request.responseCode, status)
        self.assertEqual(request.json()["error"]["message"], message)


class ServerTests(MockTestCase):
    """
    The server around it.
    """

    def test_loopback_only(self) -> None:
        """
        Nobody else's business.
        """
        self.assertEqual(self.interface, "127.0.0.1")
        self.assertEqual(self.url, "http://127.0.0.1:0/v1")

    def test_stop(self) -> None:
        """
        One can wait for it to listen no more.
        """
        self.successResultOf(self.provider.stop())

    def test_other_settings(self) -> None:
        """
        They count from the next request on.
        """
        before = self.ask()
        settings = ProviderSettings(
            name="mock-cheap", kind="mock", mock=MockSettings(failure=503)
        )
        self.provider.use(settings)
        after = self.ask()
        self.reactor.advance(LATENCY)
        self.assert_serves(before)
        self.assert_error(after, 503, "mock-cheap was told to answer 503")

    def test_models(self) -> None:
        """
        They are listed by the names that this provider has for them.
        """
        self.configure("gpt-4o", {"name": "claude", "upstream": "claude-9"})
        request = self.render(Asking(b"GET", "v1/models"))
        listed = [each["id"] for each in request.json()["data"]]
        self.assertEqual(listed, ["gpt-4o", "claude-9"])
        self.assertEqual(request.header("Content-Type"), "application/json")

    def test_unknown_model(self) -> None:
        """
        As OpenAI would have it.
        """
        request = self.ask(model="gpt-9")
        self.assert_error(request, 404, "The model 'gpt-9' does not exist")
        self.assertEqual(request.json()["error"]["code"], "model_not_found")

    def test_upstream_name(self) -> None:
        """
        The public name is not this provider's.
        """
        self.configure({"name": MODEL, "upstream": "gpt-4o-2024"})
        self.assertEqual(self.ask(model=MODEL).responseCode, 404)
        self.assert_serves(self.answer(model="gpt-4o-2024"))

    def test_any_model(self) -> None:
        """
        A provider that lists none serves them all.
        """
        self.configure()
        self.assert_serves(self.answer(model="gpt-9"))

    def test_not_json(self) -> None:
        """
        A request that cannot be understood is refused.
        """
        request = self.post(b"{")
        self.assertEqual(request.responseCode, 400)
        self.assertEqual(request.json()["error"]["type"], "invalid_request_error")


class BufferedTests(MockTestCase):
    """
    Answers in one piece.
    """

    def test_after_its_latency(self) -> None:
        """
        It takes its time.
        """
        request = self.ask()
        self.reactor.advance(LATENCY - 1)
        self.assertEqual(request.body, b"")
        self.reactor.advance(1)
        self.assert_serves(request)

    def test_usage(self) -> None:
        """
        It counts a word as a token.
        """
        answer = self.answer().json()
        self.assertEqual(answer["usage"]["completion_tokens"], WORDS)
        self.assertEqual(
            answer["usage"]["total_tokens"], answer["usage"]["prompt_tokens"] + WORDS
        )
        self.assertEqual(answer["choices"][0]["finish_reason"], "stop")

    def test_capped(self) -> None:
        """
        C{max_tokens} is obeyed, and told.
        """
        answer = self.answer(max_tokens=3).json()
        (choice,) = answer["choices"]
        self.assertEqual(choice["message"]["content"].split(), ["This", "is", "the"])
        self.assertEqual(choice["finish_reason"], "length")
        self.assertEqual(answer["usage"]["completion_tokens"], 3)

    def test_headers(self) -> None:
        """
        The body is JSON, and as long as announced.
        """
        request = self.answer()
        self.assertEqual(request.header("Content-Length"), str(len(request.body)))
        self.assertEqual(request.header("Content-Type"), "application/json")


class StreamTests(MockTestCase):
    """
    Answers word by word.
    """

    def stream(self, content: str = "Hi", **fields: Any) -> Asking:
        """
        Ask for a stream, and wait for all of it.
        """
        request = self.answer(content, stream=True, **fields)
        for _ in range(WORDS + 3):
            self.reactor.advance(PAUSE)
        return request

    def test_whole(self) -> None:
        """
        The role, the words, the end.
        """
        request = self.stream()
        choices = [event["choices"][0] for event in request.events()]
        self.assertEqual(choices[0]["delta"]["role"], "assistant")
        text = "".join(choice["delta"].get("content", "") for choice in choices)
        self.assertEqual(text, ANSWER)
        self.assertEqual(choices[-1]["finish_reason"], "stop")
        self.assertTrue(request.body.endswith(DONE))
        self.assertEqual(request.finished, 1)

    def test_content_type(self) -> None:
        """
        It says that it is a stream.
        """
        kind = self.stream().header("Content-Type")
        self.assertEqual(kind, "text/event-stream")

    def test_pauses(self) -> None:
        """
        One event comes at once, every other after a while.
        """
        request = self.answer(stream=True, max_tokens=2)
        self.assertEqual(len(request.events()), 1)
        self.reactor.advance(PAUSE)
        self.assertEqual(len(request.events()), 2)
        self.reactor.advance(PAUSE)
        self.reactor.advance(PAUSE)
        self.assertEqual(request.finished, 1)

    def test_no_usage_unless_asked(self) -> None:
        """
        OpenAI's do not tell it either.
        """
        self.assertTrue(all("usage" not in each for each in self.stream().events()))

    def test_usage(self) -> None:
        """
        If asked for, it comes last, without a choice.
        """
        last = self.stream(stream_options={"include_usage": True}).events()[-1]
        self.assertEqual(last["choices"], [])
        self.assertEqual(last["usage"]["completion_tokens"], WORDS)

    def test_capped(self) -> None:
        """
        C{max_tokens} is obeyed here, too.
        """
        events = self.stream(max_tokens=3).events()
        self.assertEqual(len(events), 5)
        self.assertEqual(events[-1]["choices"][0]["finish_reason"], "length")

    def test_cut(self) -> None:
        """
        A cut stream stops in the middle, and does not look complete.
        """
        request = self.stream("mock-cheap:cut", max_tokens=4)
        self.assertEqual(len(request.events()), 3)
        self.assertNotIn(DONE, request.body)
        self.assertTrue(request.is_cut)


class FailureTests(MockTestCase):
    """
    It breaks when told to.
    """

    def test_status_from_prompt(self) -> None:
        """
        A newcomer needs no configuration to see an error.
        """
        request = self.answer("please, mock-cheap:500!")
        self.assert_error(request, 500, "mock-cheap was told to answer 500")

    def test_error_after_latency(self) -> None:
        """
        Failing takes as long as answering.
        """
        request = self.ask("mock-cheap:429")
        self.assertEqual(request.body, b"")
        self.reactor.advance(LATENCY)
        self.assertEqual(request.responseCode, 429)

    def test_cut_from_prompt(self) -> None:
        """
        The connection is cut halfway through the answer.
        """
        request = self.answer("mock-cheap:cut")
        self.assertTrue(request.body.startswith(b"{"))
        self.assertTrue(request.is_cut)

    def test_stall_from_prompt(self) -> None:
        """
        It says nothing, for ever.
        """
        request = self.answer("mock-cheap:stall")
        self.reactor.advance(86400)
        self.assertEqual(request.body, b"")
        request.leave()

    def test_order_to_another(self) -> None:
        """
        Each provider breaks by its own name only.
        """
        self.assert_serves(self.answer("mock-expensive:500 not-mock-cheap:500"))

    def test_not_an_order(self) -> None:
        """
        Numbers that are no failures are not taken for any.
        """
        self.assert_serves(self.answer("mock-cheap:200 mock-cheap:5000"))

    def test_configured(self) -> None:
        """
        A configured failure needs no prompt.
        """
        self.configure(failure=503)
        self.assertEqual(self.answer().responseCode, 503)

    def test_prompt_comes_before_configuration(self) -> None:
        """
        Whoever orders a failure gets that one.
        """
        self.configure(failure=503)
        self.assertEqual(self.answer("mock-cheap:404").responseCode, 404)

    def test_below_failure_rate(self) -> None:
        """
        The configured share of requests fails...
        """
        self.configure(failure=500, failure_rate=0.5)
        self.chance = 0.49
        self.assertEqual(self.answer().responseCode, 500)

    def test_above_failure_rate(self) -> None:
        """
        ...and the rest is served.
        """
        self.configure(failure=500, failure_rate=0.5)
        self.chance = 0.5
        self.assert_serves(self.answer())


class DepartureTests(MockTestCase):
    """
    The client leaves: nothing more is done for it.
    """

    def assert_left_alone(self, request: Asking) -> None:
        """
        Nothing is written, nothing awaited, nothing logged as a failure.
        """
        written = request.body
        request.leave()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(request.body, written)
        self.assertEqual(request.finished, 0)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_before_the_answer(self) -> None:
        """
        While the provider takes its time.
        """
        self.assert_left_alone(self.ask())

    def test_in_a_stream(self) -> None:
        """
        Between two events.
        """
        request = self.answer(stream=True)
        self.assertEqual(len(request.events()), 1)
        self.assert_left_alone(request)

    def test_while_stalled(self) -> None:
        """
        While it would wait for ever.
        """
        self.assert_left_alone(self.answer("mock-cheap:stall"))
