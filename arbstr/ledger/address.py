"""
Where a database is, as the configuration says it.
"""

from __future__ import annotations

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from . import postgres
from .engines import DatabaseError


def parse(url: str) -> URL:
    """
    @param url: C{sqlite:///FILE}, C{sqlite://} for a database in memory, or
        C{postgresql+psycopg://…}.
    @raise DatabaseError: it is none of these.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    sqlite_file = parsed is not None and parsed.drivername == "sqlite"
    if parsed is None or not (
        parsed.drivername == postgres.DRIVER
        or (sqlite_file and not parsed.query and not parsed.host)
    ):
        # Not quoted back: it may hold a password.
        raise DatabaseError(
            "database.url: expected sqlite:///FILE or "
            "postgresql+psycopg://USER:PASSWORD@HOST/NAME, found something else"
        )
    return parsed


def shown(url: URL) -> str:
    """
    For people; without a password.
    """
    if url.drivername == postgres.DRIVER:
        return url.set(query={}).render_as_string(hide_password=True)
    return url.database or "in memory"


def is_in_memory(url: URL) -> bool:
    """
    Whether it ends with the process.
    """
    return url.drivername != postgres.DRIVER and url.database in (None, "", ":memory:")
