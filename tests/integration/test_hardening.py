"""
What must not be possible from outside: through a provider's answer, or through
a client's request.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import gatherResults

from arbstr.circuit.breaker import CircuitState
from arbstr.upstream import agent

from .harness import DaemonTestCase, chat, coroutine
from .providers import (
    Connection,
    Received,
    answers,
    completion,
    fails,
    serves,
)


class ProviderTests(DaemonTestCase):
    """
    Odd answers of a provider.
    """

    @coroutine
    async def test_headers_that_are_not_utf8(self) -> None:
        body = json.dumps(completion()).encode()
        head = b"HTTP/1.1 200 OK\r\nX-Request-Id: caf\xe9\r\nContent-Length: %d\r\n\r\n"
        whole = head % len(body) + body
        self.provider("alpha", lambda connection, _: connection.write(whole))
        self.start()
        answer = await self.ask()
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.header("X-Upstream-Request-Id"), "caf\ufffd")

    @coroutine
    async def test_key_is_not_echoed(self) -> None:
        def echo(connection: Connection, request: Received) -> None:
            key = request.headers["authorization"]
            fails(422, f"what is {key}?")(connection, request)

        self.provider("alpha", echo)
        self.start({"alpha": {"api_key": "canary-in-no-usual-shape"}})
        answer = await self.ask()
        self.assertEqual(answer.status, 422)
        self.assertNotIn(b"canary", answer.body)
        self.assertNotIn("canary", str(self.ledger.rows))

    @coroutine
    async def test_name_that_leads_to_a_link_local_address(self) -> None:
        """
        A name is as good as its addresses: nothing is sent to such a one.
        """
        url = self.provider("alpha").url.replace("127.0.0.1", "localhost")
        self.start({"alpha": {"url": url}})
        self.patch(agent, "is_link_local", "127.0.0.1".__eq__)
        answer = await self.ask()
        self.assertEqual(answer.status, 502)
        self.assertIn("the address is link-local", answer.error()["message"])
        self.assertEqual(self.providers["alpha"].requests, [])

    @coroutine
    async def test_retry_after_of_a_final_failure(self) -> None:
        overloaded = answers(503, {"error": "busy"}, "Retry-After: 7")
        self.provider("alpha", overloaded)
        self.start()
        answer = await self.ask()
        self.assertEqual(answer.status, 502)
        self.assertEqual(answer.header("Retry-After"), "7")
        self.assertIsNone(answer.header("x-should-retry"))


class CapacityTests(DaemonTestCase):
    """
    A provider gets no more requests at once than it may.
    """

    def hold(self, connection: Connection, request: Received) -> None:
        self.held.append((connection, request))

    def start_full(self, **settings: Any) -> None:
        self.held: list[tuple[Connection, Received]] = []
        self.provider("alpha", self.hold)
        self.start({"alpha": settings})

    @coroutine
    async def test_recovery_is_no_stampede(self) -> None:
        """
        Twenty wait for the verdict of a probe; two at once are allowed.
        """
        self.start_full(max_in_flight=2)
        self.trip("alpha")
        self.clock.skip(31)
        asking = [self.ask() for _ in range(20)]
        await self.soon(lambda: len(self.daemon.in_flight) == 20)
        await self.providers["alpha"].asked()
        (probe,) = self.held
        serves(*probe)
        # The probe itself still counts when those behind it are let go.
        await self.providers["alpha"].asked(2)
        serves(*self.held[1])
        statuses = [answer.status for answer in await gatherResults(asking)]
        self.assertEqual(sorted(statuses), [200] * 2 + [429] * 18)
        self.assertEqual(len(self.held), 2)
        self.assertIs(self.daemon.circuits.state("alpha"), CircuitState.CLOSED)

    @coroutine
    async def test_full_is_not_broken(self) -> None:
        """
        With the other's circuit open it is still a matter of a second.
        """
        self.provider("beta")
        self.start_full(max_in_flight=1)
        self.trip("beta")
        first = self.ask()
        await self.providers["alpha"].asked()
        answer = await self.ask()
        self.assertEqual((answer.status, answer.header("Retry-After")), (429, "1"))
        serves(*self.held[0])
        self.assertEqual((await first).status, 200)


class GateTests(DaemonTestCase):
    """
    A body is taken only from those who may send one.
    """

    async def upload(self, *headers: str) -> bytes:
        """
        Announce a body, and send none of it.

        @return: what came back nevertheless.
        """
        lines = [
            "POST /v1/chat/completions HTTP/1.1",
            "Content-Type: application/json",
            "Content-Length: 1000000",
            *headers,
        ]
        client = await self.connect()
        client.socket.write("\r\n".join([*lines, "", ""]).encode())
        await self.soon(lambda: b"}}" in client.data)
        await client.hang_up()
        return client.data

    @coroutine
    async def test_no_token(self) -> None:
        self.provider("alpha")
        self.start(server={"auth_token": "s3cret"})
        told = await self.upload("Host: localhost")
        self.assertTrue(told.startswith(b"HTTP/1.1 401 Unauthorized\r\n"))
        self.assertIn(b"\r\nWWW-Authenticate: Bearer\r\n", told)
        self.assertIn(b"\r\nX-Arbstr-Request-Id: ", told)

    @coroutine
    async def test_wrong_host(self) -> None:
        self.provider("alpha")
        self.start()
        told = await self.upload("Host: evil.example")
        self.assertTrue(told.startswith(b"HTTP/1.1 403 Forbidden\r\n"))

    @coroutine
    async def test_too_large_is_not_told_to_go_on(self) -> None:
        self.provider("alpha")
        self.start(server={"max_body_bytes": 1000})
        told = await self.upload("Host: localhost", "Expect: 100-continue")
        self.assertEqual(told.count(b"HTTP/1.1 "), 1)
        self.assertTrue(told.startswith(b"HTTP/1.1 413 "))

    @coroutine
    async def test_refusals_have_rows(self) -> None:
        """
        But not those of strangers, who could fill the books.
        """
        self.provider("alpha")
        self.start(server={"auth_token": "s3cret", "max_body_bytes": 1000})
        await self.upload("Host: localhost")
        await self.upload("Host: localhost", "Authorization: Bearer s3cret")
        known = {"Authorization": "Bearer s3cret"}
        await self.request("POST", "/v1/chat/completions", b"", known)
        statuses = [row.error_status for row in self.ledger.rows]
        self.assertEqual(statuses, [413, 415])

    @coroutine
    async def test_name_that_is_longer_than_any(self) -> None:
        self.provider("alpha")
        self.start()
        answer = await self.ask(chat() | {"model": "m" * 257})
        self.assertEqual((answer.status, answer.error()["param"]), (400, "model"))

    @coroutine
    async def test_more_members_than_anybody_needs(self) -> None:
        self.provider("alpha")
        self.start()
        more: dict[str, Any] = {f"x{number}": 0 for number in range(1001)}
        answer = await self.ask(chat() | more)
        self.assertEqual(answer.status, 400)
        self.assertEqual(self.providers["alpha"].requests, [])
