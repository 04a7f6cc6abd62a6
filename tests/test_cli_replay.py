"""
The command C{arbstr replay}.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine

from arbstr.ledger import migrations
from arbstr.ledger.row import RequestLog
from arbstr.ledger.rows import Entry, write_all

from .config.support import FileTestCase
from .ledger.databases import a_row
from .test_cli import Result, run

OTHER = """\
providers:
  - {name: cheap, kind: mock, input_rate: 1000, output_rate: 2000, models: [gpt-4o]}
  - {name: alpha, kind: mock, input_rate: 2000, output_rate: 4000, models: [gpt-4o]}
policies: {rules: [{name: code, providers: {only: [alpha]}}]}
"""


class ReplayTestCase(FileTestCase):
    """
    Replays a log with a few requests in it.
    """

    def setUp(self) -> None:
        self.patch(os, "environ", {"PATH": os.environ.get("PATH", "")})
        self.books = Path(self.mktemp()).absolute()
        self.engine = create_engine(f"sqlite:///{self.books}")
        self.addCleanup(self.engine.dispose)
        with self.engine.begin() as connection:
            migrations.upgrade(connection)
        self.count = 0

    def add(self, ago: timedelta = timedelta(minutes=1), **changes: Any) -> None:
        """
        A request of a thousand tokens and as many more, which cost 9 sats.
        """
        self.count += 1
        row: RequestLog = a_row(
            f"r{self.count}",
            timestamp=datetime.now(UTC) - ago,
            **{
                "input_tokens": 1000,
                "output_tokens": 1000,
                "cost_sats": Decimal(9),
                **changes,
            },
        )
        with self.engine.begin() as connection:
            write_all(connection, [Entry(row, True)])

    def replay(self, *options: str, config: str = OTHER) -> Result:
        """
        Run the command on these books.
        """
        database = f"sqlite:///{self.books}"
        return run(
            "replay", "--config", self.write(config), "--database", database, *options
        )

    def answer(self, *options: str) -> Any:
        """
        What it says as JSON.
        """
        result = self.replay("--json", *options)
        self.assertEqual((result.code, result.err), (0, ""))
        return json.loads(result.out)


class OutputTests(ReplayTestCase):
    """
    What is printed.
    """

    def test_tables(self) -> None:
        """
        By policy and by provider, and then what is left out.
        """
        self.add()
        self.add(policy="code")
        self.add(policy="gone")
        self.add(success=False, error_status=502)
        self.add(tokens_estimated=True)
        self.add(model="o3")
        result = self.replay()
        self.assertEqual((result.code, result.err), (0, ""))
        heading, *lines = result.out.splitlines()
        self.assertRegex(heading, rf"^\S+Z to \S+Z, {self.books}$")
        self.assertEqual(
            lines,
            [
                "POLICY  REQUESTS  MOVED  SATS  WOULD BE  SAVED",
                "total   3         2      27    12        15",
                "code    1         0      9     6         3",
                "gone    1         1      9     3         6",
                "none    1         1      9     3         6",
                "PROVIDER  SERVED  SATS  WOULD SERVE  WOULD BE",
                "alpha     3       27    1            6",
                "cheap     0       0     2            6",
                "left out: failed: 1 request, 9 sats",
                "left out: without usage: 1 request, 9 sats",
                "left out: would be refused (model_not_found): 1 request, 9 sats",
                "policy 'gone' is not configured: 1 request replayed without one",
            ],
        )

    def test_exact(self) -> None:
        """
        Large sums are told to the last digit.
        """
        for cost in ("8999999999.123456789", "0.000000001", "8999999999"):
            self.add(cost_sats=Decimal(cost))
        # A number in the database has no more than 17 digits.
        stored = Decimal(repr(8999999999.123456789)) + Decimal("0.000000001")
        self.assertIn(f"  {stored + 8999999999}  ", self.replay().out)

    def test_json(self) -> None:
        """
        Programs get all of it.
        """
        self.add()
        answer = self.answer()
        self.assertEqual(answer["database"], str(self.books))
        compared = {
            "was": {"requests": 1, "cost_sats": 9},
            "would_be": {"requests": 1, "cost_sats": 3},
            "saved_sats": 6,
            "moved": 1,
        }
        self.assertEqual(answer["total"], compared)
        self.assertEqual(answer["policies"], {"none": compared})
        self.assertEqual(
            answer["providers"]["cheap"]["would_be"], {"requests": 1, "cost_sats": 3}
        )
        self.assertEqual(
            answer["left_out"],
            {
                "failed": {"requests": 0, "cost_sats": 0},
                "without_usage": {"requests": 0, "cost_sats": 0},
                "refused": {},
            },
        )
        self.assertEqual(answer["unknown_policies"], {})
        self.assertEqual(answer["without_complexity"], 0)

    def test_nothing(self) -> None:
        """
        An empty log is no error.
        """
        result = self.replay()
        self.assertEqual(result.code, 0)
        self.assertIn("No requests to compare in this range", result.out)

    def test_not_judged(self) -> None:
        """
        Where tiers count, it is told that older requests were never judged.
        """
        self.add()
        result = self.replay(config=OTHER.replace("models", "tier: local, models", 1))
        self.assertIn("no complexity is known: 1 request taken", result.out)


class RangeTests(ReplayTestCase):
    """
    Which requests are replayed.
    """

    def setUp(self) -> None:
        super().setUp()
        self.add(timedelta(minutes=1))
        self.add(timedelta(days=2))
        self.add(timedelta(days=20))

    def requests(self, *options: str) -> object:
        """
        How many are.
        """
        return self.answer(*options)["total"]["was"]["requests"]

    def test_default(self) -> None:
        """
        Those of a week.
        """
        self.assertEqual(self.requests(), 2)

    def test_range(self) -> None:
        """
        Or of another time that ends now.
        """
        self.assertEqual(self.requests("--range", "last_24h"), 1)
        self.assertEqual(self.requests("--range", "last_30d"), 3)

    def test_since(self) -> None:
        """
        Or of any other.
        """
        self.assertEqual(self.requests("--since", "1970-01-01T00:00:00Z"), 3)

    def test_wrong(self) -> None:
        """
        What is none is refused.
        """
        result = self.replay("--range", "forever")
        self.assertEqual((result.code, result.out), (1, ""))
        self.assertIn("--range: expected last_1h or", result.err)


class RefusedTests(ReplayTestCase):
    """
    One line, and nothing else, where it cannot be done.
    """

    def refused(self, *arguments: str) -> str:
        """
        What is said.
        """
        result = run("replay", *arguments)
        self.assertEqual((result.code, result.out), (1, ""))
        self.assertEqual(result.err.count("\n"), 1)
        return result.err

    def test_no_database(self) -> None:
        """
        There is no such file.
        """
        config, missing = self.write(OTHER), f"{self.books}.gone"
        self.assertEqual(
            self.refused("--config", config, "--database", f"sqlite:///{missing}"),
            f"database {missing}: there is no such file\n",
        )

    def test_newer(self) -> None:
        """
        The database is of a newer version.
        """
        with self.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'x'")
        database = f"sqlite:///{self.books}"
        error = self.refused("--config", self.write(OTHER), "--database", database)
        self.assertIn("its schema is x, of a newer version of arbstr", error)

    def test_bad_config(self) -> None:
        """
        The configuration is none.
        """
        config = self.write(OTHER.replace("1000", "ten"))
        self.assertEqual(
            self.refused("--config", config, "--database", "sqlite://"),
            f"{config}:2: providers[0].input_rate: expected a number, found 'ten'\n",
        )

    def test_no_running_config(self) -> None:
        """
        Nobody says where the log is.
        """
        self.assertEqual(
            self.refused("--config", self.write(OTHER)),
            "expected --database URL, ARBSTR_CONFIG or etc/arbstr.yaml, found none\n",
        )


class DatabaseTests(ReplayTestCase):
    """
    Which log is replayed.
    """

    def test_running_config(self) -> None:
        """
        That of the configuration that the daemon runs with.
        """
        self.add()
        running = self.write(f"{OTHER}database: {{url: 'sqlite:///{self.books}'}}\n")
        os.environ["ARBSTR_CONFIG"] = running
        result = run("replay", "--config", self.write(OTHER), "--json")
        self.assertEqual(json.loads(result.out)["total"]["moved"], 1)
