"""
OpenAI's own client in front of the daemon: what it makes of the answers is
what most people get to see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from openai import (
    APIError,
    BadRequestError,
    DefaultHttpxClient,
    InternalServerError,
    OpenAI,
)
from openai.types.chat import ChatCompletionChunk
from twisted.internet.threads import deferToThread

from .broken_streams import BROKEN, SOUND, by_model
from .harness import MODEL, coroutine
from .process import DaemonProcess, ProcessTestCase

Result = TypeVar("Result")


class ClientTestCase(ProcessTestCase):
    """
    Starts a daemon, and uses OpenAI's client for Python on it.
    """

    async def use(
        self, job: Callable[[OpenAI], Result], *arguments: str
    ) -> tuple[DaemonProcess, Result]:
        """
        Start the daemon, and do something with a client of it.

        @param job: runs in a thread.
        """
        process = await self.serve(*(arguments or ("--mock",)))

        def run() -> Result:
            # A proxy that the environment names is none of this test's.
            direct = DefaultHttpxClient(trust_env=False)
            url = f"http://127.0.0.1:{self.port}/v1"
            with OpenAI(
                base_url=url, api_key="unused", timeout=30, http_client=direct
            ) as client:
                return job(client)

        return process, await deferToThread(run)


class OpenAITests(ClientTestCase):
    """
    The client keeps its defaults, retries among them.
    """

    @coroutine
    async def test_buffered(self) -> None:
        _, completion = await self.use(
            lambda client: client.chat.completions.create(
                model=MODEL, messages=[{"role": "user", "content": "Hi"}]
            )
        )
        choice = completion.choices[0]
        self.assertIn("mock provider mock-cheap", choice.message.content or "")
        self.assertEqual(choice.finish_reason, "stop")
        assert completion.usage is not None
        self.assertGreater(completion.usage.completion_tokens, 0)

    @coroutine
    async def test_streaming(self) -> None:
        """
        Every chunk has a choice: the one with the usage was not asked for.
        """
        _, chunks = await self.use(
            lambda client: list(
                client.chat.completions.create(
                    model=MODEL,
                    messages=[{"role": "user", "content": "Hi"}],
                    stream=True,
                )
            )
        )
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        self.assertIn("mock provider mock-cheap", text)
        self.assertEqual(chunks[-1].choices[0].finish_reason, "stop")

    @coroutine
    async def test_streaming_with_usage(self) -> None:
        _, chunks = await self.use(
            lambda client: list(
                client.chat.completions.create(
                    model=MODEL,
                    messages=[{"role": "user", "content": "Hi"}],
                    stream=True,
                    stream_options={"include_usage": True},
                )
            )
        )
        last = chunks[-1]
        self.assertEqual(last.choices, [])
        assert last.usage is not None
        self.assertGreater(last.usage.completion_tokens, 0)

    @coroutine
    async def test_models(self) -> None:
        _, models = await self.use(lambda client: list(client.models.list()))
        self.assertEqual(
            [model.id for model in models],
            ["claude-sonnet-4.5", "gpt-4o", "gpt-4o-mini"],
        )

    @coroutine
    async def test_unknown_model(self) -> None:
        """
        The error is one that a program can act upon, and has the id under
        which the log has the request.
        """

        def ask(client: OpenAI) -> Any:
            with self.assertRaises(BadRequestError) as raised:
                client.chat.completions.create(
                    model="no-such-model", messages=[{"role": "user", "content": "Hi"}]
                )
            return raised.exception

        process, error = await self.use(ask)
        self.assertEqual(error.code, "model_not_found")
        self.assertIn("no-such-model", error.message)
        await process.logged(f"[{error.request_id}] 400 ")

    @coroutine
    async def test_broken_stream(self) -> None:
        """
        What came before the break is there; then it is an error, not an end.
        """

        def ask(client: OpenAI) -> tuple[list[ChatCompletionChunk], APIError]:
            chunks = []
            with self.assertRaises(APIError) as raised:
                for chunk in client.chat.completions.create(
                    model=MODEL,
                    messages=[{"role": "user", "content": "mock-cheap:cut"}],
                    stream=True,
                    extra_headers={"X-Arbstr-Provider": "mock-cheap"},
                ):
                    chunks.append(chunk)
            return chunks, raised.exception

        _, (chunks, error) = await self.use(ask)
        self.assertGreater(len(chunks), 1)
        self.assertIn("mock-cheap", error.message)

    @coroutine
    async def test_exhausted_retries_are_not_multiplied(self) -> None:
        """
        The client would try twice more by itself.
        """
        providers = [
            {
                "name": "broken",
                "kind": "mock",
                "models": [MODEL],
                "input_rate": 1,
                "output_rate": 1,
                "mock": {"failure": 500},
            }
        ]

        def ask(client: OpenAI) -> Any:
            with self.assertRaises(InternalServerError) as raised:
                client.chat.completions.create(
                    model=MODEL, messages=[{"role": "user", "content": "Hi"}]
                )
            return raised.exception

        process, error = await self.use(
            ask, "--config", self.written(providers=providers)
        )
        self.assertEqual(error.status_code, 502)
        process.signal("TERM")
        await process.exited()
        self.assertEqual(process.log.count(" 502 model=gpt-4o "), 1)
        self.assertEqual(process.log.count("broken:5xx"), 3)


class FaultTests(ClientTestCase):
    """
    A provider that breaks its streams in every way there is.
    """

    timeout = 120

    async def streams(self, models: Iterable[str]) -> dict[str, tuple[str, str, str]]:
        """
        Ask for a stream of each of these models, one after the other.

        @return: by model, the text, the finish_reason, and what was raised, if
            anything was.
        """

        def ask_all(client: OpenAI) -> dict[str, tuple[str, str, str]]:
            return {model: _stream(client, model) for model in models}

        self.provider("alpha", by_model)
        _, heard = await self.use(ask_all, "--config", self.written(**faulty(self)))
        return heard

    @coroutine
    async def test_broken(self) -> None:
        """
        Each of them raises what programs expect to be raised, and says who broke
        it.
        """
        heard = await self.streams(BROKEN)
        self.assertEqual(list(heard), list(BROKEN))
        for model, (_, _, error) in heard.items():
            self.assertRegex(error, r"^APIError: .*\balpha: ", model)

    @coroutine
    async def test_whole(self) -> None:
        """
        Those that only look odd come to their ends.
        """
        heard = await self.streams(SOUND)
        self.assertEqual(heard, dict.fromkeys(SOUND, ("Hello!", "stop", "")))


def faulty(test: ProcessTestCase) -> dict[str, Any]:
    """
    Sections of a configuration in which the provider serves all that it can break,
    and is not waited for.
    """
    timeouts = {"first_byte": 1, "idle": 1}
    models = {"models": [*BROKEN, *SOUND], "timeouts": timeouts}
    return {
        "providers": test.settings({"alpha": models})["providers"],
        "circuit": {"failure_threshold": 1000},
    }


def _stream(client: OpenAI, model: str) -> tuple[str, str, str]:
    text = finish = error = ""
    try:
        for chunk in client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "Hi"}], stream=True
        ):
            (choice,) = chunk.choices
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
    except APIError as raised:
        error = f"APIError: {raised.message}"
    except Exception as stumbled:
        error = repr(stumbled)
    return text, finish, error
