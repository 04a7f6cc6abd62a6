"""
Errors as clients are told them.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from .harness import Answer, DaemonTestCase

JSON = {"Content-Type": "application/json"}
PATH = "/v1/chat/completions"


class ErrorTestCase(DaemonTestCase):
    """
    Tells errors apart.
    """

    def assert_error(
        self,
        answer: Answer,
        status: int,
        type: str,
        code: str | None = None,
        param: str | None = None,
        message: str | None = None,
    ) -> None:
        """
        It is this error, in the shape that OpenAI gives to errors.

        @param message: part of it.
        """
        self.assertEqual(answer.status, status, answer.body)
        self.assertEqual(answer.header("Content-Type"), "application/json")
        self.assertEqual(set(answer.json()), {"error"})
        error = answer.error()
        found = (error["type"], error["code"], error["param"])
        self.assertEqual(found, (type, code, param), error)
        self.assertEqual(set(error), {"message", "type", "code", "param"})
        self.assertIn(message or "", error["message"])
        request_id = answer.header("X-Arbstr-Request-Id")
        self.assertEqual(str(UUID(request_id)), request_id)
        self.assertEqual(answer.header("X-Request-Id"), request_id)

    def start_healthy(self, **sections: Any) -> None:
        self.provider("alpha")
        self.start(**sections)

    async def post(self, body: bytes, path: str = PATH, **headers: str) -> Answer:
        """
        POST these very bytes.
        """
        return await self.request("POST", path, body, JSON | headers)
