"""
How it went to ask somebody.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.logger import Logger

from arbstr.clock import rfc3339


@define
class Report:
    """
    Remembers when it went well, and what was wrong since.  The log is told once
    of the same error.

    @ivar what: is asked for, for the log.
    @ivar now: the wall clock, in seconds since the epoch.
    @ivar last_error: C{None} if the last time went well.
    @ivar failures: how many there were in a row.
    """

    _log = Logger()

    what: str
    now: Callable[[], float]
    last_poll_at: float | None = None
    last_success_at: float | None = None
    last_error: str | None = None
    failures: int = 0
    _remark: str | None = field(default=None, init=False)

    def succeeded(self, remark: str | None = None) -> None:
        """
        It went well.

        @param remark: though not all of it.
        """
        if self.last_error is not None:
            self._log.info("{what}: there is an answer again", what=self.what)
        if remark is not None and remark != self._remark:
            self._log.warn("{what}: {remark}", what=self.what, remark=remark)
        self.last_poll_at = self.last_success_at = self.now()
        self.last_error, self._remark, self.failures = None, remark, 0

    def failed(self, error: str) -> None:
        """
        It did not.
        """
        if error != self.last_error:
            self._log.warn("{what}: {error}", what=self.what, error=error)
        self.last_poll_at, self.last_error = self.now(), error
        self.failures += 1

    def as_json(self) -> dict[str, object]:
        """
        For C{/providers}.
        """
        return {
            "last_success_at": shown(self.last_success_at),
            "last_error": self.last_error,
            "remark": self._remark,
        }


def shown(moment: float | None) -> str | None:
    """
    A time, if there is one.
    """
    return None if moment is None else rfc3339(moment)
