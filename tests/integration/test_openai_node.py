"""
OpenAI's client for Node.js in front of the daemon: another reading of the same
protocol than that of L{tests.integration.test_openai_sdk}.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any
from unittest import SkipTest, mock

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase

from .broken_streams import BROKEN, SOUND, by_model
from .harness import coroutine
from .node import client
from .process import ProcessTestCase
from .test_openai_sdk import faulty


class FaultTests(ProcessTestCase):
    """
    A provider that breaks its streams in every way there is.
    """

    # The first one may have to install the client.
    timeout = 360

    async def streams(self, models: Iterable[str]) -> dict[str, dict[str, Any]]:
        """
        Ask for a stream of each of these models, one after the other.
        """
        modules = await deferToThread(client.installed)
        self.provider("alpha", by_model)
        await self.serve("--config", self.written(**faulty(self)))
        url = f"http://127.0.0.1:{self.port}/v1"
        return await deferToThread(client.ask, modules, url, list(models))

    @coroutine
    async def test_broken(self) -> None:
        """
        Each of them raises what programs expect to be raised, and says who broke
        it.
        """
        heard = await self.streams(BROKEN)
        self.assertEqual(list(heard), list(BROKEN))
        for model, each in heard.items():
            self.assertRegex(each["error"] or "", r"^APIError: .*\balpha: ", model)

    @coroutine
    async def test_whole(self) -> None:
        """
        Those that only look odd come to their ends.
        """
        heard = await self.streams(SOUND)
        whole = {
            model: (each["text"], each["finish"], each["error"])
            for model, each in heard.items()
        }
        self.assertEqual(whole, dict.fromkeys(SOUND, ("Hello!", "stop", None)))


class MissingTests(SynchronousTestCase):
    """
    Where there is no Node.js.
    """

    def setUp(self) -> None:
        """
        Find none.
        """
        self.patch(client, "_programs", lambda: False)

    def test_skipped(self) -> None:
        """
        Tests are skipped, and say what to install.
        """
        with mock.patch.dict(os.environ, {"CI": ""}):
            error = self.assertRaises(SkipTest, client.installed)
        self.assertIn("apt-get install nodejs npm", str(error))

    def test_ci(self) -> None:
        """
        In CI that is an error: nobody would see what was skipped.
        """
        with mock.patch.dict(os.environ, {"CI": "true"}):
            error = self.assertRaises(RuntimeError, client.installed)
        self.assertIn("apt-get install nodejs npm", str(error))
