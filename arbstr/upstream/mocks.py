"""
All the mock providers of a configuration.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from arbstr.config.model import Config, ProviderSettings

from .mock import MockProvider


class Mocks:
    """
    Runs those that the configuration names.

    @param reactor: listens, and waits.
    """

    _log = Logger()

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._running: dict[str, MockProvider] = {}

    def use(self, config: Config) -> Config:
        """
        Start those that are new, and let those that run behave as they should now.

        @return: the configuration with their URLs in it.
        """
        mocks = [each for each in config.providers if each.kind == "mock"]
        for provider in mocks:
            if provider.name not in self._running:
                mock = MockProvider(provider, self._reactor)
                mock.start()
                self._running[provider.name] = mock
        for provider in mocks:
            self._running[provider.name].use(provider)
        providers = tuple(map(self._with_url, config.providers))
        return config.model_copy(update={"providers": providers})

    def stop_others(self, config: Config) -> None:
        """
        Stop those that a configuration does not name.  What they are answering
        they answer to its end.
        """
        named = {each.name for each in config.providers if each.kind == "mock"}
        for name in self._running.keys() - named:
            self._running.pop(name).stop().addErrback(
                lambda reason: self._log.failure("A mock provider goes on", reason)
            )

    def stop(self) -> Deferred[Any]:
        """
        Stop all.
        """
        stopping = [mock.stop() for mock in self._running.values()]
        self._running.clear()
        return gatherResults(stopping)

    def _with_url(self, provider: ProviderSettings) -> ProviderSettings:
        if provider.kind != "mock":
            return provider
        url = self._running[provider.name].url
        return provider.model_copy(update={"url": url})
