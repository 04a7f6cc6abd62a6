"""
A daemon that keeps books, and what they say of its requests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.ledger.databases import OnDatabase

from .harness import MODEL, Answer, DaemonTestCase
from .providers import Script

if TYPE_CHECKING:
    Mixin = DaemonTestCase
else:
    Mixin = object


class WithBooks(OnDatabase, Mixin):
    """
    A daemon whose rows go to a database.
    """

    def serve(self, *scripts: Script, **sections: Any) -> None:
        """
        Start the daemon with providers that do this: alpha, then beta.
        """
        for name, script in zip(("alpha", "beta"), scripts, strict=False):
            self.provider(name, script)
        self.books = self.database(self.new_url())
        self.start(database=self.books, **sections)

    async def told(self, path: str) -> Any:
        """
        What a report says once everything so far is in the books.
        """
        await self.daemon.ledger.drain()
        answer = await self.get(path)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()

    async def rows(self) -> list[dict[str, Any]]:
        """
        All requests, the newest first.
        """
        rows: list[dict[str, Any]] = (await self.told("/v1/requests"))["data"]
        return rows

    async def row(self) -> dict[str, Any]:
        """
        The only request, which both routes describe alike.
        """
        (row,) = await self.rows()
        alone = await self.told(f"/v1/requests/{row['request_id']}")
        self.assertEqual(alone, row)
        return row

    def assert_served(
        self, row: dict[str, Any], answer: Answer, *outcomes: tuple[str, str]
    ) -> None:
        """
        The row says what the answer's headers say.

        @param outcomes: each attempt's provider, and how it went.
        """
        self.assertEqual(row["request_id"], answer.header("X-Arbstr-Request-Id"))
        self.assertEqual(row["provider"], answer.header("X-Arbstr-Provider"))
        self.assertEqual(row["tier"], answer.header("X-Arbstr-Tier"))
        self.assertEqual(row["model"], MODEL)
        self.assertTrue(row["success"])
        self.assertNotIn("error", row)
        self.assert_attempts(row, *outcomes)

    def assert_failed(self, row: dict[str, Any], status: int, message: str) -> None:
        """
        The row tells of an error, and which.
        """
        self.assertFalse(row["success"])
        self.assertEqual(row["error"]["status"], status)
        self.assertIn(message, row["error"]["message"])

    def assert_attempts(self, row: dict[str, Any], *outcomes: tuple[str, str]) -> None:
        """
        Who was asked, in order, and how it went.
        """
        told = [(each["provider"], each["outcome"]) for each in row["attempts"]]
        self.assertEqual(told, list(outcomes))
