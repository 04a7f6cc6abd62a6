"""
How the configuration in use came about.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define

from arbstr.clock import rfc3339

_MOST_PROBLEMS = 10


@define
class ConfigStatus:
    """
    When the configuration was read, and what has been wrong with it since.

    @ivar loaded_at: when the one in use was read, in seconds since the epoch.
    @ivar error: why the latest attempt to read it again has changed nothing, a
        line for each problem; C{None} if it has not failed.
    """

    loaded_at: float
    error: str | None = None

    def loaded(self, now: float) -> None:
        """
        Another one is in use.
        """
        self.loaded_at, self.error = now, None

    def failed(self, problems: Sequence[str]) -> None:
        """
        The one in use stays.

        @param problems: a line each; the first ten are kept.
        """
        told = list(problems[:_MOST_PROBLEMS])
        if len(problems) > len(told):
            told.append(f"and {len(problems) - len(told)} more, which the log tells")
        self.error = "\n".join(told)

    def as_json(self) -> dict[str, object]:
        """
        For C{/health}.
        """
        return {"loaded_at": rfc3339(self.loaded_at), "error": self.error}
