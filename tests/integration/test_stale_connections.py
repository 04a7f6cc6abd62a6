"""
Connections to providers that were closed while they were idle.
"""

from __future__ import annotations

from .harness import DaemonTestCase, chat, coroutine
from .providers import Connection, Received, serves


class StaleConnectionTests(DaemonTestCase):
    """
    The provider closes a connection as soon as it is used once more.
    """

    def setUp(self) -> None:
        super().setUp()
        self.used: set[Connection] = set()
        self.alpha = self.provider("alpha", self.once)

    def once(self, connection: Connection, request: Received) -> None:
        """
        Serve the first request of each connection.
        """
        if connection in self.used:
            self.again(connection)
        else:
            self.used.add(connection)
            serves(connection, request)

    def again(self, connection: Connection) -> None:
        """
        What comes of the others.
        """
        connection.close()

    @coroutine
    async def test_sent_again(self) -> None:
        """
        Nobody notices, whether the answer is streamed or not.
        """
        self.start()
        for stream in (False, True, False):
            answer = await self.ask(chat(stream=stream))
            self.assertEqual(answer.status, 200)
            self.assertIsNone(answer.header("X-Arbstr-Retries"))
        self.assertEqual((len(self.alpha.requests), self.alpha.connected), (5, 3))
        self.assertEqual(self.daemon.circuits.failure_count("alpha"), 0)

    @coroutine
    async def test_a_byte_of_an_answer(self) -> None:
        """
        Then it is a failure like any other.
        """
        self.start(retry={"max_attempts": 1})
        self.assertEqual((await self.ask()).status, 200)

        def begin(connection: Connection) -> None:
            connection.write(b"HTTP/1.1 200 OK\r\nContent-")
            connection.close()

        self.again = begin  # type: ignore[method-assign]
        self.assertEqual((await self.ask()).status, 502)
        self.assertEqual((len(self.alpha.requests), self.alpha.connected), (2, 1))
        self.assertEqual(self.daemon.circuits.failure_count("alpha"), 1)
