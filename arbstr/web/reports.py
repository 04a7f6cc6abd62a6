"""
What the books say: totals, and the log.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar, get_args

from attrs import frozen
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from arbstr.config.model import Tier
from arbstr.errors import ApiError, bad_request
from arbstr.ledger.engines import DatabaseError
from arbstr.ledger.listing import listing, one
from arbstr.ledger.matching import Known
from arbstr.ledger.query import parse_listing, parse_stats
from arbstr.ledger.reading import TooManyReads
from arbstr.ledger.stats import stats
from arbstr.routing.router import Router

# The arguments of a URL, as twisted.web has them.
Arguments = Mapping[bytes, Sequence[bytes]]

_RETRY_SECONDS = 5

_T = TypeVar("_T")


class Reader(Protocol):
    """
    The part of a database that reports use.
    """

    def read(self, query: Callable[[Connection], _T]) -> Deferred[_T]:
        """
        Ask something of the database in another thread.
        """


@frozen
class Reports:
    """
    Answers questions about past requests; every answer is a JSON value.

    @ivar known: the names that are configured now.
    @ivar now: the wall clock, in seconds since the epoch.
    """

    _log = Logger()

    database: Reader
    known: Callable[[], Known]
    now: Callable[[], float] = time.time

    async def stats(self, arguments: Arguments) -> dict[str, object]:
        """
        C{GET /v1/stats}.

        @raise ApiError: a parameter is not what it may be, or names a model or
            a provider that nobody knows; or the database cannot be read.
        """
        query = parse_stats(parameters(arguments), self._milliseconds())
        known = self.known()
        return await self._read(lambda each: stats(each, query, known))

    async def requests(self, arguments: Arguments) -> dict[str, object]:
        """
        C{GET /v1/requests}.

        @raise ApiError: as for L{stats}.
        """
        query = parse_listing(parameters(arguments), self._milliseconds())
        known = self.known()
        return await self._read(lambda each: listing(each, query, known))

    async def request(self, request_id: str) -> dict[str, object]:
        """
        C{GET /v1/requests/ID}.

        @raise ApiError: there is none, or it is not over yet; or the database
            cannot be read.
        """
        found = await self._read(lambda each: one(each, request_id))
        if found is None:
            raise ApiError(
                f"No finished request '{request_id}' is in the log",
                status=404,
                type="invalid_request_error",
                code="request_not_found",
            )
        return found

    async def _read(self, query: Callable[[Connection], _T]) -> _T:
        try:
            return await self.database.read(query)
        except TooManyReads:
            raise ApiError(
                "Too many reports are being made already",
                status=503,
                retry_after=_RETRY_SECONDS,
            ) from None
        except (SQLAlchemyError, DatabaseError):
            self._log.failure("The database cannot be read")
            raise ApiError(
                "The database cannot be read; the log says why",
                status=503,
                retry_after=_RETRY_SECONDS,
            ) from None

    def _milliseconds(self) -> int:
        return int(self.now() * 1000)


def known_names(router: Router) -> Known:
    """
    Every name that reports tell of even without traffic.
    """
    return Known(
        models=router.catalog.models(),
        providers=list(router.catalog.providers),
        tiers=get_args(Tier),
        policies=router.policies.names(),
    )


def parameters(arguments: Arguments) -> dict[str, str]:
    """
    The arguments of a URL, each given once.

    @raise ApiError: one is given twice, or is not UTF-8.
    """
    found = {}
    for name, values in arguments.items():
        told = name.decode("utf-8", "backslashreplace")
        if len(values) != 1:
            raise bad_request(
                f"{told}: expected one value, found {len(values)}", param=told
            )
        try:
            found[told] = values[0].decode("utf-8")
        except UnicodeDecodeError:
            raise bad_request(f"{told}: expected UTF-8", param=told) from None
    return found
