"""
What is asked of the books: query parameters as frozen, checked questions.

Times are milliseconds since the epoch, UTC.  A range holds its first moment and
not its last, so that ranges that follow each other count every request once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from attrs import field, frozen

from arbstr.errors import ApiError, bad_request

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

# The first moment that there is a date for.
_EARLIEST = -62_135_596_800_000
_HOUR_MS = 3_600_000
_RANGES = {
    "last_1h": _HOUR_MS,
    "last_24h": 24 * _HOUR_MS,
    "last_7d": 7 * 24 * _HOUR_MS,
    "last_30d": 30 * 24 * _HOUR_MS,
}
_DEFAULT_RANGE = "last_7d"
_FLAGS = {"true": True, "false": False}

GROUPS = ("model", "provider", "tier", "policy", "hour", "day")
SORTS = ("timestamp", "cost_sats", "latency_ms")
ORDERS = ("desc", "asc")

_LAST_PAGE = 10**9
_PER_PAGE = 20
_MOST_PER_PAGE = 100

_STATS_FILTERS = ("range", "since", "until", "model", "provider")
_LISTING_FILTERS = (*_STATS_FILTERS, "policy", "success", "streaming")

_SHOWN_CHARACTERS = 100
# A number with more digits than this is simply huge.
_MOST_DIGITS = 18

_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_A_TIME = "an RFC 3339 time such as 2026-01-31T12:00:00Z"


@frozen
class Filters:
    """
    Which requests count.  C{None} leaves nothing out.

    @ivar since: the first millisecond of the range.
    @ivar until: the first one after it.
    @ivar model: any case, as are C{provider} and C{policy}.
    """

    since: int
    until: int
    model: str | None = None
    provider: str | None = None
    policy: str | None = None
    success: bool | None = None
    streaming: bool | None = None


@frozen
class StatsQuery:
    """
    Totals over requests.

    @ivar group_by: one of L{GROUPS}.
    """

    filters: Filters
    group_by: str | None = None


@frozen
class ListingQuery:
    """
    A page of requests.

    @ivar page: counted from 1.
    @ivar sort: one of L{SORTS}.
    @ivar order: one of L{ORDERS}.
    """

    filters: Filters
    page: int = 1
    per_page: int = _PER_PAGE
    sort: str = "timestamp"
    order: str = "desc"


def parse_stats(parameters: Mapping[str, str], now: int) -> StatsQuery:
    """
    What C{GET /v1/stats} asks.

    @param now: in milliseconds since the epoch.
    @raise ApiError: a parameter is unknown, or is not what it may be.
    """
    given = _Given(parameters, (*_STATS_FILTERS, "group_by"))
    return StatsQuery(_filters(given, now), given.choice("group_by", GROUPS))


def parse_listing(parameters: Mapping[str, str], now: int) -> ListingQuery:
    """
    What C{GET /v1/requests} asks.

    @param now: in milliseconds since the epoch.
    @raise ApiError: a parameter is unknown, or is not what it may be.
    """
    names = (*_LISTING_FILTERS, "page", "per_page", "sort", "order")
    given = _Given(parameters, names)
    page = given.number("page", 1)
    if page > _LAST_PAGE:
        raise given.refused("page", f"a number from 1 to {_LAST_PAGE}")
    return ListingQuery(
        _filters(given, now),
        page=page,
        per_page=min(given.number("per_page", _PER_PAGE), _MOST_PER_PAGE),
        sort=given.choice("sort", SORTS) or SORTS[0],
        order=given.choice("order", ORDERS) or ORDERS[0],
    )


def rfc_3339(moment: int) -> str:
    """
    @param moment: in milliseconds since the epoch.
    """
    told = (_EPOCH + moment * _MILLISECOND).isoformat(timespec="milliseconds")
    return told.replace("+00:00", "Z")


@frozen
class _Given:
    """
    The parameters of one request.

    @ivar names: those that there may be.
    """

    _values: Mapping[str, str]
    _names: Sequence[str] = field()

    def __attrs_post_init__(self) -> None:
        for name in self._values:
            if name not in self._names:
                expected = ", ".join(self._names)
                raise bad_request(
                    f"{_shown(name)}: unknown parameter, expected one of {expected}",
                    param=name[:_SHOWN_CHARACTERS],
                )

    def refused(self, name: str, expected: str) -> ApiError:
        """
        The error for a value that cannot be used.
        """
        found = _shown(self._values[name])
        return bad_request(f"{name}: expected {expected}, found {found}", param=name)

    def text(self, name: str) -> str | None:
        """
        Any text but none.
        """
        if self._values.get(name) == "":
            raise self.refused(name, "a name")
        return self._values.get(name)

    def choice(self, name: str, choices: Sequence[str]) -> str | None:
        """
        One of a few words.
        """
        value = self._values.get(name)
        if value is not None and value not in choices:
            raise self.refused(name, " or ".join(choices))
        return value

    def flag(self, name: str) -> bool | None:
        """
        C{true} or C{false}.
        """
        value = self.choice(name, tuple(_FLAGS))
        return None if value is None else _FLAGS[value]

    def number(self, name: str, default: int) -> int:
        """
        A whole number from 1 on, however large.
        """
        value = self._values.get(name)
        if value is None:
            return default
        number = 0
        if value.isascii() and value.isdigit():
            # Python refuses to read thousands of digits.
            number = int(value) if len(value) <= _MOST_DIGITS else 10**_MOST_DIGITS
        if number < 1:
            raise self.refused(name, "a whole number from 1 on")
        return number

    def moment(self, name: str) -> int | None:
        """
        A time, in milliseconds since the epoch.  It must have an offset: one
        without could be anybody's local time.
        """
        value = self._values.get(name)
        if value is None:
            return None
        # The + of an offset that was not quoted for a URL arrives as a space.
        value = value[:11] + value[11:].replace(" ", "+")
        if _RFC_3339.fullmatch(value) is None:
            raise self.refused(name, _A_TIME)
        try:
            utc = datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            raise self.refused(name, _A_TIME) from None
        return (utc - _EPOCH) // _MILLISECOND


def _filters(given: _Given, now: int) -> Filters:
    length = _RANGES[given.choice("range", tuple(_RANGES)) or _DEFAULT_RANGE]
    since, until = given.moment("since"), given.moment("until")
    end = now if until is None else until
    start = max(end - length, _EARLIEST) if since is None else since
    if start > end:
        raise given.refused("since", f"a time not after until, {rfc_3339(end)}")
    return Filters(
        since=start,
        until=end,
        model=given.text("model"),
        provider=given.text("provider"),
        policy=given.text("policy"),
        success=given.flag("success"),
        streaming=given.flag("streaming"),
    )


def _shown(value: str) -> str:
    cut = value[:_SHOWN_CHARACTERS]
    return repr(cut if cut == value else f"{cut}…")
