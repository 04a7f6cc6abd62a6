"""
Tests for L{arbstr.ledger.query}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from arbstr.errors import ApiError
from arbstr.ledger.query import (
    GROUPS,
    Filters,
    ListingQuery,
    StatsQuery,
    parse_listing,
    parse_stats,
    rfc_3339,
)

HOUR = 3_600_000
DAY = 24 * HOUR
NOW = 20_000 * DAY  # 2024-10-04


class QueryTestCase(SynchronousTestCase):
    """
    Parses parameters, all of which C{GET /v1/requests} knows.
    """

    def parse(self, **parameters: str) -> ListingQuery:
        """
        What is asked.
        """
        return parse_listing(parameters, NOW)

    def span(self, **parameters: str) -> tuple[int, int]:
        """
        The range that is asked for.
        """
        filters = self.parse(**parameters).filters
        return filters.since, filters.until

    def refusal(self, **parameters: str) -> ApiError:
        """
        The error for parameters that cannot be used.
        """
        error: ApiError = self.assertRaises(ApiError, self.parse, **parameters)
        self.assertEqual((error.status, error.type), (400, "invalid_request_error"))
        return error

    def assert_refused(self, name: str, expected: str, *values: str) -> None:
        """
        None of the values can be used; the error names the parameter, what it
        may be, and what it was.
        """
        for value in values:
            error = self.refusal(**{name: value})
            self.assertEqual(error.param, name)
            self.assertEqual(
                error.message, f"{name}: expected {expected}, found {value!r}"
            )


class RangeTests(QueryTestCase):
    """
    C{range}, C{since}, C{until}.
    """

    def test_default(self) -> None:
        """
        The last seven days.
        """
        self.assertEqual(self.span(), (NOW - 7 * DAY, NOW))

    def test_presets(self) -> None:
        """
        Each ends now.
        """
        presets = {
            "last_1h": HOUR,
            "last_24h": DAY,
            "last_7d": 7 * DAY,
            "last_30d": 30 * DAY,
        }
        for name, length in presets.items():
            self.assertEqual(self.span(range=name), (NOW - length, NOW))

    def test_explicit_range_overrides_preset(self) -> None:
        """
        Nothing is left of the preset where both ends are given.
        """
        since, until = "2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z"
        self.assertEqual(
            self.span(range="last_1h", since=since, until=until),
            (18262 * DAY, 18263 * DAY),
        )

    def test_since_alone(self) -> None:
        """
        It reaches until now.
        """
        span = self.span(range="last_1h", since="2020-01-01T00:00:00Z")
        self.assertEqual(span, (18262 * DAY, NOW))

    def test_until_alone(self) -> None:
        """
        The preset's length counts back from it.
        """
        span = self.span(range="last_24h", until="2020-01-02T00:00:00Z")
        self.assertEqual(span, (18262 * DAY, 18263 * DAY))

    def test_empty_range(self) -> None:
        """
        It may end where it begins.
        """
        moment = "2020-01-01T00:00:00Z"
        self.assertEqual(
            self.span(since=moment, until=moment), (18262 * DAY, 18262 * DAY)
        )

    def test_offsets_and_fractions(self) -> None:
        """
        Whatever RFC 3339 allows, also with the C{+} that became a space.
        """
        for spelling in (
            "2020-01-01T02:00:00.5+02:00",
            "2020-01-01T02:00:00.5 02:00",
            "2019-12-31t19:00:00.500-05:00",
            "2020-01-01 00:00:00.500999z",
        ):
            self.assertEqual(self.span(since=spelling)[0], 18262 * DAY + 500, spelling)

    def test_not_a_time(self) -> None:
        """
        Neither what is no time, nor what is not in the calendar, nor what
        could be anybody's local time.
        """
        for name in ("since", "until"):
            self.assert_refused(
                name,
                "an RFC 3339 time such as 2026-01-31T12:00:00Z",
                "",
                "yesterday",
                "1700000000",
                "2020-01-01",
                "2020-01-01T00:00:00",
                "2020-02-30T00:00:00Z",
                "2020-01-01T25:00:00Z",
                "0001-01-01T00:00:00+01:00",
                "٢٠٢٠-01-01T00:00:00Z",
            )

    def test_since_after_until(self) -> None:
        """
        The error names the end.
        """
        error = self.refusal(since="2020-01-02T00:00:00Z", until="2020-01-01T00:00:00Z")
        self.assertEqual(error.param, "since")
        self.assertEqual(
            error.message,
            "since: expected a time not after until, 2020-01-01T00:00:00.000Z, "
            "found '2020-01-02T00:00:00Z'",
        )

    def test_since_in_the_future(self) -> None:
        """
        The end is now, where no other is given.
        """
        self.assertEqual(self.refusal(since="2100-01-01T00:00:00Z").param, "since")

    def test_not_a_preset(self) -> None:
        """
        The error lists those that there are.
        """
        self.assert_refused(
            "range",
            "last_1h or last_24h or last_7d or last_30d",
            "last_2h",
            "LAST_1H",
            "",
        )

    def test_told_as_rfc_3339(self) -> None:
        """
        To the millisecond, in UTC.
        """
        self.assertEqual(rfc_3339(NOW + 7), "2024-10-04T00:00:00.007Z")


class FilterTests(QueryTestCase):
    """
    The other filters.
    """

    def test_none(self) -> None:
        """
        Nothing is left out but what is not in the range.
        """
        self.assertEqual(self.parse().filters, Filters(NOW - 7 * DAY, NOW))

    def test_all(self) -> None:
        """
        They go together.
        """
        query = self.parse(
            model="m", provider="p", policy="q", success="true", streaming="false"
        )
        self.assertEqual(
            query.filters,
            Filters(
                NOW - 7 * DAY,
                NOW,
                model="m",
                provider="p",
                policy="q",
                success=True,
                streaming=False,
            ),
        )

    def test_empty_names(self) -> None:
        """
        A name that is given is a name.
        """
        for name in ("model", "provider", "policy"):
            self.assert_refused(name, "a name", "")

    def test_not_a_flag(self) -> None:
        """
        Two words are understood.
        """
        for name in ("success", "streaming"):
            self.assert_refused(name, "true or false", "1", "True", "")

    def test_unknown_parameter(self) -> None:
        """
        A slip of the pen is no filter that is silently not applied.
        """
        error = self.refusal(modle="gpt-4o")
        self.assertEqual(error.param, "modle")
        self.assertEqual(
            error.message,
            "'modle': unknown parameter, expected one of range, since, until, model, "
            "provider, policy, success, streaming, page, per_page, sort, order",
        )

    def test_long_values_are_cut(self) -> None:
        """
        An error repeats what is to blame, but not all of a novel.
        """
        error = self.refusal(range="x" * 5000)
        self.assertTrue(error.message.endswith(f"found '{'x' * 100}…'"))


class StatsTests(SynchronousTestCase):
    """
    What is asked of totals.
    """

    def test_no_grouping(self) -> None:
        """
        There is none by default.
        """
        query = parse_stats({"model": "m"}, NOW)
        self.assertEqual(query, StatsQuery(Filters(NOW - 7 * DAY, NOW, model="m")))

    def test_grouping(self) -> None:
        """
        By any of the groups.
        """
        for group in ("model", "provider", "tier", "policy", "hour", "day"):
            self.assertEqual(parse_stats({"group_by": group}, NOW).group_by, group)

    def test_unknown_grouping(self) -> None:
        """
        The error lists them.
        """
        for value in ("week", ""):
            error = self.assertRaises(ApiError, parse_stats, {"group_by": value}, NOW)
            self.assertEqual((error.status, error.param), (400, "group_by"))
            self.assertIn(" or ".join(GROUPS), error.message)

    def test_no_pages(self) -> None:
        """
        What only makes sense for a listing is refused.
        """
        for name in ("page", "success", "sort"):
            error = self.assertRaises(ApiError, parse_stats, {name: "1"}, NOW)
            self.assertEqual((error.status, error.param), (400, name))


class PageTests(QueryTestCase):
    """
    C{page}, C{per_page}, C{sort}, C{order}.
    """

    def test_defaults(self) -> None:
        """
        The twenty newest.
        """
        query = self.parse()
        self.assertEqual((query.page, query.per_page), (1, 20))
        self.assertEqual((query.sort, query.order), ("timestamp", "desc"))

    def test_page_size_is_clamped(self) -> None:
        """
        However many are wanted.
        """
        for wanted, got in (("1", 1), ("100", 100), ("101", 100), ("9" * 5000, 100)):
            self.assertEqual(self.parse(per_page=wanted).per_page, got)

    def test_numbers(self) -> None:
        """
        Pages and their sizes are whole numbers from one on.
        """
        for name in ("page", "per_page"):
            self.assert_refused(
                name,
                "a whole number from 1 on",
                "0",
                "-1",
                "1.5",
                "ten",
                "",
                "1_0",
                "²",
            )

    def test_last_page(self) -> None:
        """
        Far beyond any log, and still a number that a database can count with.
        """
        self.assertEqual(self.parse(page="1000000000").page, 10**9)
        self.assert_refused("page", "a number from 1 to 1000000000", "1000000001")
        self.assertEqual(self.refusal(page="9" * 5000).param, "page")

    def test_sorts_and_orders(self) -> None:
        """
        Each of them.
        """
        for sort in ("timestamp", "cost_sats", "latency_ms"):
            for order in ("asc", "desc"):
                query = self.parse(sort=sort, order=order)
                self.assertEqual((query.sort, query.order), (sort, order))

    def test_unknown_sorts_and_orders(self) -> None:
        """
        No column but those.
        """
        self.assert_refused(
            "sort", "timestamp or cost_sats or latency_ms", "id", "1;--", ""
        )
        self.assert_refused("order", "desc or asc", "DESC", "down", "")
