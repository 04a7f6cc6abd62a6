"""
Reading the configuration again while the daemon serves.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from arbstr.config.load import ConfigError, Loaded
from arbstr.config.model import Config
from arbstr.config.status import ConfigStatus
from arbstr.supervisor import Supervisor


class Reloader:
    """
    Reads the file that the daemon was started with once more and has it used.
    One that is broken changes nothing.

    @param load: reads it, in a thread of its own: a large one takes seconds.
    @param use: has it used.  Comes, when it is, to the names of settings that
        differ but cannot change now.
    @param status: is told what came of it.
    @param now: the wall clock, in seconds since the epoch.
    """

    _log = Logger()

    def __init__(
        self,
        load: Callable[[], Deferred[Loaded]],
        use: Callable[[Config], Deferred[list[str]]],
        status: ConfigStatus,
        supervisor: Supervisor,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._load = load
        self._use = use
        self._status = status
        self._supervisor = supervisor
        self._now = now
        self._wanted = False
        self._running: Deferred[None] | None = None

    def reload(self) -> None:
        """
        Read it again.  If that is being done already, it is done once more
        afterwards: the file may have changed since it was read.
        """
        self._wanted = True
        if self._running is None:
            self._running = Deferred.fromCoroutine(self._run())
            self._running.addErrback(lambda reason: reason.trap(CancelledError))
            self._running.addBoth(self._ended)

    def stop(self) -> None:
        """
        Whatever is being read is not used any more.
        """
        if self._running is not None:
            self._running.cancel()

    async def _run(self) -> None:
        while self._wanted:
            self._wanted = False
            self._supervisor.reloading()
            try:
                await self._reload()
            except CancelledError:
                raise
            except ConfigError as error:
                self._failed(error.problems)
            except Exception as error:
                self._log.failure("A bug of arbstr's own")
                self._failed([f"a bug of arbstr's own: {type(error).__name__}"])

    async def _reload(self) -> None:
        loaded = await self._load()
        kept = await self._use(loaded.config)
        self._status.loaded(self._now())
        for warning in loaded.warnings:
            self._log.warn("{line}", line=warning)
        for name in kept:
            self._log.warn(
                "{name} has changed in {path}, which takes effect when arbstr is "
                "started again",
                name=name,
                path=loaded.path,
            )
        count = len(loaded.config.providers)
        self._log.info(
            "Read {path} again: {count} providers", path=loaded.path, count=count
        )
        self._supervisor.ready(f"Serving for {count} providers")

    def _failed(self, problems: tuple[str, ...] | list[str]) -> None:
        self._status.failed(problems)
        for problem in problems:
            self._log.error("{line}", line=problem)
        self._log.error("Nothing has changed: the configuration cannot be used")
        self._supervisor.ready(f"Serving by an older configuration: {problems[0]}")

    def _ended(self, result: Any) -> None:
        self._running = None
