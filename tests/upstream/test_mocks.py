"""
Tests for L{arbstr.upstream.mocks}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from arbstr.config.model import Config
from arbstr.upstream.mocks import Mocks

ELSEWHERE = {"name": "real", "url": "https://real.example/v1", "models": []}


class Reactor(MemoryReactorClock):
    """
    Numbers its ports, and remembers which are closed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.closed: list[int] = []

    def listenTCP(self, port: int, *arguments: Any, **options: Any) -> Any:
        number = len(self.tcpServers)
        listening = super().listenTCP(number, *arguments, **options)

        def stop() -> Deferred[None]:
            self.closed.append(number)
            return succeed(None)

        listening.stopListening = stop
        return listening


class MocksTests(SynchronousTestCase):
    """
    Mock providers that come and go with the configuration.
    """

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.mocks = Mocks(self.reactor)

    def config(self, *names: str) -> Config:
        """
        One of mock providers with these names, and one that is none.
        """
        rates = {"input_rate": 1, "output_rate": 1}
        mocks = [{"name": name, "kind": "mock", **rates} for name in names]
        return Config.model_validate({"providers": [*mocks, ELSEWHERE]})

    def urls(self, *names: str) -> list[str | None]:
        """
        Where the providers are once these are in use.
        """
        config = self.config(*names)
        used = self.mocks.use(config)
        self.mocks.stop_others(config)
        return [provider.url for provider in used.providers]

    def test_addresses(self) -> None:
        """
        Each has its own; that of a real provider is left alone.
        """
        self.assertEqual(
            self.urls("a", "b"),
            [
                "http://127.0.0.1:0/v1",
                "http://127.0.0.1:1/v1",
                "https://real.example/v1",
            ],
        )

    def test_those_that_stay_keep_theirs(self) -> None:
        self.urls("a", "b")
        self.assertEqual(
            self.urls("c", "b")[:2], ["http://127.0.0.1:2/v1", "http://127.0.0.1:1/v1"]
        )

    def test_others_are_stopped(self) -> None:
        self.urls("a", "b", "c")
        self.urls("b")
        self.assertEqual(sorted(self.reactor.closed), [0, 2])

    def test_one_that_has_become_real(self) -> None:
        """
        Its name alone does not keep a mock.
        """
        self.urls("real-soon")
        self.mocks.stop_others(
            Config.model_validate({"providers": [{**ELSEWHERE, "name": "real-soon"}]})
        )
        self.assertEqual(self.reactor.closed, [0])

    def test_stop(self) -> None:
        self.urls("a", "b")
        self.successResultOf(self.mocks.stop())
        self.assertEqual(self.reactor.closed, [0, 1])
