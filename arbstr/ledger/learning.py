"""
What of the log is worth learning from again after a restart.
"""

from __future__ import annotations

from sqlalchemy import Connection, select

from .tables import DONE, requests

_ROWS = 10_000
_COLUMNS = (
    "model",
    "policy",
    "input_chars",
    "input_tokens",
    "output_tokens",
    "choices",
    "tokens_estimated",
    "error_status",
    "attempts",
)


def newest(connection: Connection, before_ms: int) -> list[dict[str, object]]:
    """
    The newest finished requests, the oldest of them first.

    @param before_ms: only what was accepted earlier, since the epoch.
    """
    query = (
        select(*(requests.c[name] for name in _COLUMNS))
        .where(requests.c.state == DONE, requests.c.timestamp < before_ms)
        .order_by(requests.c.timestamp.desc(), requests.c.id.desc())
        .limit(_ROWS)
    )
    rows = connection.execute(query).mappings().all()
    return [dict(row) for row in reversed(rows)]
