"""
No part of a secret ever comes out: marked ones are put everywhere, and whatever
the daemon says, logs and stores is searched for them.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import SynchronousTestCase

from .certificates import Authority
from .harness import chat, coroutine, reactor
from .leaks import BUG, ECHOES, PRIVATE, REPLACED, ROUTES, SECRETS, echoes, found
from .process import DaemonProcess, ProcessTestCase
from .providers import serves
from .wire import Answer

PROMPT = "Platypus-prompt-2120"

KEYS = ("key from the environment", "expanded key", "literal key")
NAMES = ("alpha", "beta", "gamma")


class SearchTests(SynchronousTestCase):
    """
    The search finds what it is for, lest the rest prove nothing.
    """

    def test_echoes_are_found(self) -> None:
        """
        Every way of giving a key back would be noticed.
        """
        for name, secret in SECRETS.items():
            for echo, answer in ECHOES.items():
                told = answer(secret).decode("latin-1")
                self.assertIn(name, found(SECRETS, told), echo)

    def test_part(self) -> None:
        """
        So would eight characters out of the middle.
        """
        self.assertEqual(found(SECRETS, "what: Narwhal_ (8)"), ["expanded key"])
        self.assertEqual(found(SECRETS, "what: Narwhal (7)"), [])


class CanaryTests(ProcessTestCase):
    """
    A daemon, used in every way there is.
    """

    timeout = 60

    def configured(self, log_format: str) -> str:
        """
        A file with secrets in all the places where there may be one.
        """
        for name in (*NAMES, "later"):
            self.provider(name, echoes)
        self.provider("healthy", serves)
        # Of an authority that nobody trusts.
        self.provider("untrusted", serves, Authority.make().issue())
        urls = {
            **{name: provider.url for name, provider in self.providers.items()},
            "no-such-name": "http://nobody.invalid/v1",
            "refusing": "http://127.0.0.1:1/v1",
        }
        keys = dict.fromkeys(urls, "${EXPANDED}")
        keys["gamma"] = keys["later"] = REPLACED[0]
        # That of alpha is found under the name that it has by convention.
        keys["alpha"] = ""
        return self.written(
            providers=[
                {
                    "name": name,
                    "url": url,
                    "tier": "local",
                    "timeouts": {"connect": 1, "first_byte": 2},
                    "models": ["fine", "bug"] if name == "healthy" else [*ECHOES],
                    "api_key": keys[name],
                }
                for name, url in urls.items()
            ],
            server={"auth_token": "${TOKEN}"},
            circuit={"failure_threshold": 1000},
            retry={"max_attempts": 1},
            logging={"level": "debug", "format": log_format},
        )

    def environ(self) -> dict[str, str]:
        bug = Path(self.mktemp()).absolute()
        bug.mkdir(parents=True)
        (bug / "sitecustomize.py").write_text(BUG)
        return {
            "ARBSTR_ALPHA_API_KEY": SECRETS["key from the environment"],
            "EXPANDED": SECRETS["expanded key"],
            "TOKEN": SECRETS["token"],
            "SECRET": SECRETS["literal key"],
            "PYTHONPATH": str(bug),
        }

    def headers(self, **more: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {SECRETS['token']}", **PRIVATE, **more}

    async def post(self, model: str, headers: dict[str, str], **fields: Any) -> Answer:
        messages = [{"role": "user", "content": PROMPT}]
        return await self.ask(chat(model=model, messages=messages, **fields), headers)

    async def echoed(self) -> list[Answer]:
        """
        What comes of providers that give their keys back.
        """
        answers = []
        for name in (*NAMES, "untrusted", "no-such-name", "refusing"):
            headers = self.headers(**{"X-Arbstr-Provider": name})
            for model in ECHOES if name in NAMES else ("json-400",):
                stream = model.startswith("stream-") or name == "untrusted"
                answers.append(await self.post(model, headers, stream=stream))
        return answers

    async def strangers(self) -> list[Answer]:
        """
        Requests with wrong secrets, or with right ones in the wrong place.
        """
        token = SECRETS["token"]
        return [
            await self.get("/providers"),
            await self.get("/providers", Authorization=f"Bearer {token}x"),
            await self.get("/providers", Authorization=f"Basic {token}"),
            await self.get("/providers", **self.headers(Host=f"{token}.example")),
            await self.get("/providers", **self.headers(Origin=f"http://{token}")),
            await self.post("fine", self.headers(**{"Content-Type": "text/plain"})),
            await self.post("fine", self.headers(**{"X-Arbstr-Policy": token})),
            await self.post("fine", self.headers(**{"X-Arbstr-Provider": token})),
            await self.post("fine", self.headers(**{"X-Arbstr-Max-Cost-Sats": token})),
            await self.post(token, self.headers()),
            await self.get("/v1/models/" + token.replace("%", "%25"), **self.headers()),
        ]

    async def ours(self) -> list[Answer]:
        """
        Everything else that can be asked for.
        """
        answers = [
            await self.post("fine", self.headers()),
            await self.post("fine", self.headers(), stream=True),
            await self.post("bug", self.headers()),
        ]
        # The books are written a little later.
        while b'"total":0,' in (await self.get("/v1/requests", **self.headers())).body:
            pass
        for path in ROUTES:
            answers.append(await self.get(path, **self.headers()))
        body = json.dumps(chat(model="json-400")).encode()
        json_headers = self.headers(**{"Content-Type": "application/json"})
        for path in ("/v1/cost", "/v1/route"):
            answers.append(await self.request("POST", path, body, json_headers))
        return answers

    async def after_a_reload(self, process: DaemonProcess, path: str) -> list[Answer]:
        """
        What comes of a key that took another's place.
        """
        file = Path(path)
        before, after = map(json.dumps, REPLACED)
        file.write_text(file.read_text().replace(before, after))
        process.signal("HUP")
        await process.logged(" again: ")
        headers = self.headers(**{"X-Arbstr-Provider": "later"})
        return [await self.post(model, headers) for model in ("json-500", "basic")]

    async def commands(self, path: str, environ: dict[str, str]) -> str:
        """
        What the command lines print.
        """
        arbstr = str(Path(sys.executable).with_name("arbstr"))
        printed = b""
        for arguments in (
            ["check", "--config", path],
            ["providers", "--config", path],
            ["providers", "--json", "--config", path],
            ["health", "--url", f"http://127.0.0.1:{self.port}"],
        ):
            out, err, code = await getProcessOutputAndValue(
                arbstr, arguments, {**os.environ, **environ}, reactor=reactor
            )
            self.assertIn(code, (0, 1))
            printed += out + err
        return printed.decode()

    def files(self, process: DaemonProcess) -> dict[str, str]:
        """
        All files that the daemon has made, as they are now.
        """
        return {
            path.name: path.read_bytes().decode("latin-1")
            for path in process.directory.iterdir()
        }

    async def use(self, log_format: str) -> None:
        """
        Use a daemon, and search everything that came out.
        """
        path, environ = self.configured(log_format), self.environ()
        process = await self.serve("--config", path, environ=environ)
        answers = [*await self.echoed(), *await self.strangers(), *await self.ours()]
        printed = await self.commands(path, environ)
        answers += await self.after_a_reload(process, path)
        files = self.files(process)
        self.assertEqual(set(files), {"arbstr.db", "arbstr.db-shm", "arbstr.db-wal"})
        process.signal("TERM")
        self.assertEqual(await process.exited(), 0)
        answered = {
            f"answer {number}": f"{[*answer.headers.getAllRawHeaders()]}"
            f"\n{answer.body.decode('latin-1')}"
            for number, answer in enumerate(answers)
        }
        stored = {
            **files,
            **{f"{k} at last": v for k, v in self.files(process).items()},
        }
        kept = {"log": process.log, "complaints": process.complaints, **stored}
        private = {**SECRETS, **PRIVATE}
        for what, text in {**answered, "commands": printed}.items():
            self.assertEqual(found(private, text), [], f"{what}: {text}")
        for what, text in kept.items():
            self.assertEqual(found({**private, "prompt": PROMPT}, text), [], what)
        self.assert_used(process, answers)
        self.assert_nothing_forwarded()

    def assert_used(self, process: DaemonProcess, answers: list[Answer]) -> None:
        """
        It has been what it looks like: keys were sent, and given back, failures
        were told, and a bug was one.
        """
        for name, key in zip(NAMES, KEYS, strict=True):
            asked = self.providers[name].requests
            self.assertGreaterEqual(len(asked), len(ECHOES) - 1)
            for request in asked:
                self.assertEqual(
                    request.headers["authorization"], f"Bearer {SECRETS[key]}"
                )
        last = self.providers["later"].requests[-1]
        self.assertEqual(last.headers["authorization"], f"Bearer {REPLACED[1]}")
        statuses = {answer.status for answer in answers}
        self.assertLessEqual({200, 400, 401, 403, 404, 415, 422, 500, 502}, statuses)
        for told in (
            "Traceback",
            "printed [redacted]",
            "unhandled: [redacted]",
            "TLS: ",
        ):
            self.assertIn(told, process.log)

    def assert_nothing_forwarded(self) -> None:
        """
        What a client says of itself goes to no provider.
        """
        for provider in self.providers.values():
            for request in provider.requests:
                head = "\n".join((request.line, *request.head))
                self.assertEqual(
                    found({**PRIVATE, "token": SECRETS["token"]}, head), []
                )

    @coroutine
    async def test_log_in_text(self) -> None:
        await self.use("text")

    @coroutine
    async def test_log_in_json(self) -> None:
        await self.use("json")

    @coroutine
    async def test_password_of_the_database(self) -> None:
        """
        One that cannot be used does not show it either.
        """
        secret = {"password": "Pangolin/8+Aardvark"}
        url = "postgresql+psycopg://user:Pangolin%2F8+Aardvark@127.0.0.1:1/books"
        self.provider("alpha")
        process = self.spawn("--config", self.written(database={"url": url}))
        self.assertEqual(await process.exited(), 1)
        self.assertIn("database postgresql+psycopg://user:***@", process.everything)
        self.assertEqual(found(secret, process.everything), [])
