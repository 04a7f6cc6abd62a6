"""
SIGHUP: the file is read again, and new requests follow it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .harness import MODEL, coroutine
from .process import DaemonProcess, ProcessTestCase
from .providers import DONE, answers, begins_a_stream, chunk, delta, fails

READ_AGAIN = " again: "
NOTHING_CHANGED = "Nothing has changed: "


class ReloadTestCase(ProcessTestCase):
    """
    A daemon whose file can be written anew.
    """

    async def serve_file(self, **sections: Any) -> DaemonProcess:
        """
        Start a daemon by a file.

        @param sections: what it holds besides all providers added so far.
        """
        self.path = self.written(**sections)
        return await self.serve("--config", self.path)

    async def hang_up(self, process: DaemonProcess, text: str, log: str) -> None:
        """
        Write the file anew, have it read, and wait until the log says so once
        more.
        """
        Path(self.path).write_text(text, "utf-8")
        times = process.log.count(log) + 1
        process.signal("HUP")
        await process.logged(log, times)

    async def change(
        self,
        process: DaemonProcess,
        *names: str,
        providers: dict[str, dict[str, Any]] | None = None,
        **sections: Any,
    ) -> None:
        """
        The file names only these providers, all by default, and it is read.
        """
        settings = self.settings(providers, **sections)
        if names:
            entries = settings["providers"]
            settings["providers"] = [each for each in entries if each["name"] in names]
        await self.hang_up(process, json.dumps(settings), READ_AGAIN)

    async def serves(self, name: str) -> None:
        """
        The next request is served by this provider.
        """
        answer = await self.ask()
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(answer.header("X-Arbstr-Provider"), name)

    async def health(self) -> Any:
        """
        What C{/health} says.
        """
        return (await self.get("/health")).json()


class FollowTests(ReloadTestCase):
    """
    What new requests meet.
    """

    @coroutine
    async def test_other_providers(self) -> None:
        self.provider("alpha")
        process = await self.serve_file()
        await self.serves("alpha")
        self.provider("beta")
        await self.change(process, "beta")
        await self.serves("beta")
        self.assertEqual(list((await self.health())["providers"]), ["beta"])

    @coroutine
    async def test_other_rates(self) -> None:
        """
        Whoever has become the cheapest serves, and is paid by its new rates.
        """
        self.provider("alpha")
        self.provider("beta")
        process = await self.serve_file()
        await self.serves("alpha")
        cheap = {"input_rate": 100, "output_rate": 100}
        await self.change(process, providers={"beta": cheap})
        answer = await self.ask()
        self.assertEqual(answer.header("X-Arbstr-Provider"), "beta")
        self.assertEqual(answer.header("X-Arbstr-Cost-Sats"), "0.003")

    @coroutine
    async def test_other_models(self) -> None:
        self.provider("alpha")
        process = await self.serve_file()
        await self.change(process, providers={"alpha": {"models": ["llama"]}})
        models = (await self.get("/v1/models")).json()["data"]
        self.assertEqual([each["id"] for each in models], ["llama"])
        self.assertEqual((await self.ask()).status, 400)

    @coroutine
    async def test_policies(self) -> None:
        self.provider("alpha")
        self.provider("beta")
        process = await self.serve_file()
        rules = [{"name": "new", "providers": {"ignore": ["alpha"]}}]
        await self.change(process, policies={"rules": rules})
        answer = await self.ask(headers={"X-Arbstr-Policy": "new"})
        self.assertEqual(answer.header("X-Arbstr-Provider"), "beta")

    @coroutine
    async def test_token(self) -> None:
        self.provider("alpha")
        process = await self.serve_file()
        await self.change(process, server={"auth_token": "new"})
        self.assertEqual((await self.ask()).status, 401)
        answer = await self.ask(headers={"Authorization": "Bearer new"})
        self.assertEqual(answer.status, 200)

    @coroutine
    async def test_log(self) -> None:
        self.provider("alpha")
        process = await self.serve_file()
        await self.change(process, logging={"format": "json"})
        await self.serves("alpha")
        await process.logged('"outcome": "ok"')

    @coroutine
    async def test_mock_providers(self) -> None:
        """
        They start when the file names them and end when it does not.
        """
        self.provider("alpha")
        process = await self.serve_file()
        mock = {
            "name": "pretender",
            "kind": "mock",
            "input_rate": 1,
            "output_rate": 1,
            "models": [MODEL],
        }
        alone = self.settings()
        both = {**alone, "providers": [*alone["providers"], mock]}
        await self.hang_up(process, json.dumps(both), READ_AGAIN)
        await self.serves("pretender")
        await self.hang_up(process, json.dumps(alone), READ_AGAIN)
        await self.serves("alpha")

    @coroutine
    async def test_streams_go_on(self) -> None:
        """
        Even those of a provider that is gone.
        """
        alpha = self.provider("alpha", begins_a_stream)
        process = await self.serve_file()
        begun = await self.begin_stream()
        self.provider("beta")
        await self.change(process, "beta")
        alpha.connections[0].write(
            chunk(delta("lo!", finish="stop") + DONE) + chunk(b"")
        )
        answer = await begun.ended()
        self.assertTrue(answer.whole)
        self.assertTrue(answer.body.endswith(DONE))

    @coroutine
    async def test_open_circuit_stays_open(self) -> None:
        """
        A reload is no reason to ask a provider that is down.
        """
        alpha = self.provider("alpha", fails(500))
        self.provider("beta")
        process = await self.serve_file()
        for _ in range(3):
            await self.serves("beta")
        before = (await self.health())["providers"]["alpha"]
        self.assertEqual(before["state"], "open")
        asked = len(alpha.requests)
        await self.change(process, circuit={"failure_threshold": 9})
        self.assertEqual((await self.health())["providers"]["alpha"], before)
        await self.serves("beta")
        self.assertEqual(len(alpha.requests), asked)

    @coroutine
    async def test_cool_down_survives(self) -> None:
        alpha = self.provider("alpha", answers(429, {}, "Retry-After: 200"))
        self.provider("beta")
        process = await self.serve_file()
        await self.serves("beta")
        await self.change(process)
        await self.serves("beta")
        self.assertEqual(len(alpha.requests), 1)

    @coroutine
    async def test_more_than_once(self) -> None:
        self.provider("alpha")
        self.provider("beta")
        process = await self.serve_file()
        for name in ("beta", "alpha", "beta"):
            await self.change(process, name)
            await self.serves(name)


class BrokenFileTests(ReloadTestCase):
    """
    A file that cannot be used changes nothing.
    """

    BROKEN = "providers: []\ncolour: blue\n"

    async def serve_and_break(self) -> DaemonProcess:
        """
        Start a daemon, and let it read a file with two errors.
        """
        self.provider("alpha")
        process = await self.serve_file()
        await self.hang_up(process, self.BROKEN, NOTHING_CHANGED)
        return process

    @coroutine
    async def test_requests_are_served(self) -> None:
        await self.serve_and_break()
        await self.serves("alpha")

    @coroutine
    async def test_every_error_is_logged(self) -> None:
        process = await self.serve_and_break()
        for number in (1, 2):
            self.assertIn(f"{self.path}:{number}: ", process.log)
        self.assertNotIn("Traceback", process.everything)

    @coroutine
    async def test_health_shows_it(self) -> None:
        """
        What is served is as well as before.
        """
        await self.serve_and_break()
        health = await self.health()
        lines = health["config"]["error"].splitlines()
        self.assertEqual(len(lines), 2)
        self.assertTrue(lines[0].startswith(f"{self.path}:1: providers: "))
        self.assertEqual(health["status"], "ok")

    @coroutine
    async def test_until_it_is_mended(self) -> None:
        process = await self.serve_and_break()
        await self.change(process)
        self.assertIsNone((await self.health())["config"]["error"])

    @coroutine
    async def test_file_that_is_gone(self) -> None:
        self.provider("alpha")
        process = await self.serve_file()
        Path(self.path).unlink()
        process.signal("HUP")
        await process.logged(NOTHING_CHANGED)
        self.assertIn("expected a readable file, found none", process.log)
        await self.serves("alpha")

    @coroutine
    async def test_no_key_is_shown(self) -> None:
        """
        Not even one that stands where it should not.
        """
        self.provider("alpha")
        process = await self.serve_file()
        text = "providers: [{name: sk-canary-1, api_key: {sk-canary-2: sk-canary-3}}]"
        await self.hang_up(process, text, NOTHING_CHANGED)
        shown = process.everything + json.dumps(await self.health())
        for key in ("sk-canary-2", "sk-canary-3"):
            self.assertNotIn(key, shown)


class UnchangedTests(ReloadTestCase):
    """
    What stays as it is until the next start.
    """

    @coroutine
    async def test_named_in_a_warning(self) -> None:
        self.provider("alpha")
        process = await self.serve_file()
        database = {"url": "sqlite:///elsewhere.db", "keep_days": 3}
        await self.change(
            process, database=database, server={"max_body_bytes": 5_000_000}
        )
        for name in ("database.url", "database.keep_days", "server.max_body_bytes"):
            self.assertIn(f" {name} has changed in {self.path}", process.log)
        self.assertFalse((process.directory / "elsewhere.db").exists())

    @coroutine
    async def test_listen_of_the_command_line(self) -> None:
        """
        It stands over that of the file, whatever that says.
        """
        self.provider("alpha")
        process = await self.serve_file()
        await self.change(process, server={"listen": "127.0.0.1:1"})
        self.assertNotIn("has changed", process.log)
        await self.serves("alpha")

    @coroutine
    async def test_mock(self) -> None:
        """
        There is no file; it is no reason to end, either.
        """
        process = await self.serve("--mock")
        process.signal("HUP")
        await process.logged("SIGHUP: there is no file to be read again")
        await self.serves("mock-cheap")
