"""
C{twistd arbstr} as it is started, watched and stopped: real processes.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from .harness import MODEL, chat, coroutine
from .process import ROOT, DaemonProcess, ProcessTestCase
from .providers import (
    DONE,
    begins_a_stream,
    fails,
)
from .wire import Answer

ORDERED_TO_CUT = [{"role": "user", "content": "mock-cheap:cut"}]


class ServingTests(ProcessTestCase):
    """
    What a newcomer starts serves.
    """

    @coroutine
    async def test_mock_answers(self) -> None:
        """
        C{--mock} needs nothing else.
        """
        await self.serve("--mock")
        answer = await self.ask()
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.header("X-Arbstr-Provider"), "mock-cheap")
        content = answer.json()["choices"][0]["message"]["content"]
        self.assertIn("mock provider mock-cheap", content)

    @coroutine
    async def test_mock_streams(self) -> None:
        await self.serve("--mock")
        answer = await self.ask(chat(stream=True))
        self.assertEqual(answer.status, 200)
        self.assertTrue(answer.whole)
        self.assertTrue(answer.body.endswith(DONE))

    @coroutine
    async def test_shipped_file_serves(self) -> None:
        """
        The annotated example starts with no key and no network.
        """
        process = await self.serve("--config", str(ROOT / "etc/arbstr.yaml"))
        answer = await self.ask()
        self.assertEqual(answer.status, 200)
        self.assertEqual(process.complaints, "")


class RefusalTests(ProcessTestCase):
    """
    What cannot be started says why, and ends with exit code 1.
    """

    async def refused(self, *arguments: str) -> DaemonProcess:
        process = self.spawn(*arguments)
        self.assertEqual(await process.exited(), 1)
        self.assertNotIn("Traceback", process.everything)
        return process

    @coroutine
    async def test_every_error_of_the_file(self) -> None:
        path = self.write_file(
            "server: {max_in_flight: many}\n"
            "providers:\n"
            "  - {name: one, url: ftp://one.example/v1, input_rate: -1}\n"
            "colour: blue\n"
        )
        process = await self.refused("--config", path)
        for where in (
            f"{path}:1: server.max_in_flight: ",
            f"{path}:3: providers[0].url: ",
            f"{path}:3: providers[0].input_rate: ",
            f"{path}:4: ",
        ):
            self.assertIn(where, process.complaints)
        self.assertEqual(process.log, "")

    @coroutine
    async def test_file_that_is_not_there(self) -> None:
        process = await self.refused("--config", "missing.yaml")
        self.assertEqual(
            process.complaints,
            "missing.yaml: expected a readable file, found none "
            "(No such file or directory)\n",
        )

    @coroutine
    async def test_mock_and_file(self) -> None:
        process = await self.refused("--mock", "--config", "arbstr.yaml")
        self.assertEqual(
            process.complaints, "expected --mock or --config, found both\n"
        )

    @coroutine
    async def test_open_to_others_without_token(self) -> None:
        process = await self.refused("--mock", "--listen", "0.0.0.0:0")
        self.assertEqual(
            process.complaints,
            "--listen: expected a token or a loopback interface, since "
            "'tcp:0:interface=0.0.0.0' is reachable from other machines\n",
        )

    @coroutine
    async def test_endpoint_that_twisted_refuses(self) -> None:
        description = "ssl:0:interface=127.0.0.1:privateKey=missing.pem"
        process = await self.refused("--mock", "--listen", description)
        (line,) = complaints_in(process.log)
        self.assertIn(f"cannot listen on {description}: ", line)


class BusyPortTests(ProcessTestCase):
    """
    Somebody else listens there already.
    """

    def setUp(self) -> None:
        super().setUp()
        self.taken = urlsplit(self.provider("in-the-way").url).netloc

    @coroutine
    async def test_one_line(self) -> None:
        process = self.spawn("--mock", "--listen", self.taken)
        self.assertEqual(await process.exited(), 1)
        (line,) = complaints_in(process.log)
        self.assertIn("Address already in use", line)
        self.assertEqual(process.complaints, "")

    @coroutine
    async def test_leaves_no_pid_file(self) -> None:
        process = self.spawn("--mock", "--listen", self.taken, twistd=("-n",))
        self.assertEqual(await process.exited(), 1)
        self.assertEqual(list(process.directory.iterdir()), [])

    @coroutine
    async def test_in_the_background(self) -> None:
        """
        The process that starts the daemon learns of it, and ends as well.
        """
        process = self.spawn("--mock", "--listen", self.taken, twistd=())
        self.assertEqual(await process.exited(), 1)
        self.assertIn("cannot listen on", process.complaints)
        files = [path.name for path in process.directory.iterdir()]
        self.assertEqual(files, ["twistd.log"])


class LogTests(ProcessTestCase):
    """
    Every request leaves its row, and ordinary use leaves nothing worse.
    """

    async def ordinary_use(self) -> list[Answer]:
        """
        Of everything a little.
        """
        return [
            await self.ask(),
            await self.ask(chat(stream=True)),
            await self.ask(chat(model="no-such-model")),
            await self.ask(chat(messages=ORDERED_TO_CUT)),
            await self.ask(
                chat(stream=True, messages=ORDERED_TO_CUT),
                {"X-Arbstr-Provider": "mock-cheap"},
            ),
        ]

    def request_ids(self, answers: list[Answer]) -> list[str | None]:
        return [answer.header("X-Arbstr-Request-Id") for answer in answers]

    async def use(self, log_format: str) -> tuple[DaemonProcess, list[Answer]]:
        """
        Use a daemon that logs in this format, and stop it.
        """
        path = self.written(
            providers=[
                {
                    "name": name,
                    "kind": "mock",
                    "models": [MODEL],
                    "input_rate": rate,
                    "output_rate": rate,
                }
                for rate, name in enumerate(("mock-cheap", "mock-expensive"))
            ],
            logging={"format": log_format},
        )
        process = await self.serve("--config", path)
        answers = await self.ordinary_use()
        process.signal("TERM")
        self.assertEqual(await process.exited(), 0)
        return process, answers

    @coroutine
    async def test_rows_in_text(self) -> None:
        process, answers = await self.use("text")
        rows = [
            line.split("ledger.writer.LogLedger ")[1].split(" ")[:2]
            for line in process.log.splitlines()
            if "LogLedger" in line
        ]
        self.assertEqual(
            rows,
            [
                [f"[{request_id}]", outcome]
                for request_id, outcome in zip(
                    self.request_ids(answers),
                    ("ok", "ok", "400", "ok", "502"),
                    strict=True,
                )
            ],
        )

    @coroutine
    async def test_rows_in_json(self) -> None:
        process, answers = await self.use("json")
        rows = [event for event in process.events() if "request" in event]
        ids = self.request_ids(answers)
        self.assertEqual([row["request_id"] for row in rows], ids)
        self.assertEqual([row["request"]["request_id"] for row in rows], ids)
        self.assertEqual(
            [row["request"]["success"] for row in rows],
            [True, True, False, True, False],
        )

    @coroutine
    async def test_nothing_worse_than_warnings(self) -> None:
        process, _ = await self.use("json")
        worse = [
            event
            for event in process.events()
            if event["level"] not in ("info", "warn") or "traceback" in event
        ]
        self.assertEqual(worse, [])

    @coroutine
    async def test_client_that_leaves_is_no_error(self) -> None:
        self.provider("alpha", begins_a_stream)
        self.provider("beta", fails(500))
        process = await self.serve("--config", self.written())
        begun = await self.begin_stream()
        begun.leave()
        await process.logged(" 499 model=gpt-4o ")
        process.signal("TERM")
        self.assertEqual(await process.exited(), 0)
        self.assertEqual(process.levels(), {"info"})


def complaints_in(log: str) -> list[str]:
    """
    The lines of a log of text that speak of errors.
    """
    return [line for line in log.splitlines() if line.split(" ")[1] == "error"]
