"""
Clients that stop reading: C{python -m benchmarks.stalled [READERS]}.

Each asks for a stream of 100 MB and reads nothing of it.  The daemon, in a
process of its own, must not keep it for them: it may hold at most 200 MB, serves
others meanwhile, and closes these connections after a minute.  The exit code is
1 if it does not.
"""

from __future__ import annotations

import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, cast

from attrs import define, field
from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IPullProducer
from twisted.internet.task import deferLater, react
from zope.interface import implementer

from tests.integration.process import DaemonProcess
from tests.integration.providers import (
    STREAM_HEAD,
    Connection,
    Received,
    chunk,
    delta,
    serves,
)

from .booked import Books
from .concurrency import Holdings
from .daemon import http_client, running, stopped
from .fuzz.exchanges import post
from .outside import entry, outside, written
from .rest import at_rest

STREAM_BYTES = 100_000_000
MOST_MEGABYTES = 200

_READERS = 100
_ENDLESS = "endless"
_SOUND = "sound"
_RECEIVE_BYTES = 4096
_PIECE = chunk(delta("x" * 65_000))
_ROW_SECONDS = 5
# The daemon gives them 60 seconds, and what is left in its sockets some more.
_GIVE_UP_SECONDS = 100
_MOST_WAIT_SECONDS = 5


@implementer(IPullProducer)
@define(eq=False)
class _Endless:
    """
    Writes a stream as fast as it is taken.
    """

    connection: Connection
    left: int = STREAM_BYTES

    def resumeProducing(self) -> None:
        """
        See L{IPullProducer.resumeProducing}.
        """
        self.connection.write(_PIECE)
        self.left -= len(_PIECE)
        if self.left <= 0:
            cast(IConsumer, self.connection.transport).unregisterProducer()
            self.connection.close()

    def stopProducing(self) -> None:
        """
        See L{IPullProducer.stopProducing}.
        """


def _script(connection: Connection, request: Received) -> None:
    if _ENDLESS.encode() in request.body:
        connection.write(STREAM_HEAD)
        transport = cast(IConsumer, connection.transport)
        transport.registerProducer(_Endless(connection), False)
    else:
        serves(connection, request)


def _reader(port: int) -> socket.socket:
    """
    A client that has asked, and does not read.
    """
    reader = socket.socket()
    # Before it connects: the window is agreed on then.
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
    reader.connect(("127.0.0.1", port))
    body = b'{"model":"%b","stream":true,"messages":[]}' % _ENDLESS.encode()
    reader.sendall(post(body))
    return reader


def _rest(reader: socket.socket) -> bytes:
    """
    What was on its way to a client when the daemon closed the connection.
    """
    reader.settimeout(_MOST_WAIT_SECONDS)
    told = b""
    try:
        while part := reader.recv(65536):
            told += part
    except ConnectionResetError:
        pass
    except TimeoutError:
        told += b"(it is still open)"
    reader.close()
    return told


@define
class Stalling:
    """
    What is seen of the daemon while its clients stall.

    @ivar most: the megabytes that it held at most.
    @ivar slowest: the seconds that the slowest other request took.
    """

    reactor: Any
    process: DaemonProcess
    client: HTTPClient
    most: float = 0.0
    slowest: float = 0.0
    asked: int = 0
    wrong: list[str] = field(factory=list)

    async def watch(self, before: Holdings) -> None:
        """
        Look, until it has got rid of them.
        """
        began = time.monotonic()
        print(f"{'second':>6} {'RSS MB':>8} {'fds':>5} {'other ms':>9}")
        # Our own connection to it is one.
        done = before.descriptors + 1
        told = 0
        while True:
            passed = time.monotonic() - began
            now = Holdings.of(self.process.pid)
            self.most = max(self.most, now.megabytes)
            over = passed > _ROW_SECONDS and now.descriptors <= done
            if over or passed > told * _ROW_SECONDS:
                told += 1
                took = await self._ask()
                figures = f"{now.megabytes:>8.1f} {now.descriptors:>5}"
                print(f"{passed:>6.0f} {figures} {1000 * took:>9.0f}", flush=True)
            if over:
                break
            if passed > _GIVE_UP_SECONDS:
                self.wrong.append(f"It still has {now.descriptors} descriptors")
                break
            await deferLater(self.reactor, 0.1)

    async def _ask(self) -> float:
        """
        @return: the seconds that another client's request took.
        """
        began = time.monotonic()
        self.asked += 1
        response = await self.client.post(
            f"http://127.0.0.1:{self.process.listening_port()}/v1/chat/completions",
            json={"model": _SOUND, "messages": []},
            timeout=_MOST_WAIT_SECONDS,
        )
        await response.content()
        if response.code != 200:
            self.wrong.append(f"Another client was answered {response.code}")
        took = time.monotonic() - began
        self.slowest = max(self.slowest, took)
        return took


async def _stall(reactor: Any, directory: Path, readers: int) -> list[str]:
    async with outside(reactor, _script) as provider:
        models = (_ENDLESS, _SOUND)
        config = written(directory, [entry("outside", provider.url, models)])
        async with running(directory, "--config", str(config)) as process:
            before = await at_rest(reactor, process, _SOUND)
            sockets = [_reader(process.listening_port()) for _ in range(readers)]
            async with http_client(reactor) as client:
                stalling = Stalling(reactor, process, client)
                await stalling.watch(before)
            after = Holdings.of(process.pid)
            wrong = stalling.wrong + await stopped(process)
    told = [_rest(each) for each in sockets]
    books = Books.read(directory / "books.db")
    asked = readers + stalling.asked + 1
    print(f"{readers} readers of {STREAM_BYTES / 1e6:.0f} MB each")
    print(f"resident {before.megabytes:.0f} MB, at most {stalling.most:.0f} MB", end="")
    print(f", {after.megabytes:.0f} MB in the end")
    print(f"slowest other request: {1000 * stalling.slowest:.0f} ms")
    print(f"requests {asked}, rows {books.count}")
    wrong += books.wrong()
    if books.count != asked:
        wrong.append("There are not as many rows as requests")
    if stalling.most > MOST_MEGABYTES:
        wrong.append(f"It held {stalling.most:.0f} MB")
    if any(b"[DONE]" in each or b"still open" in each for each in told):
        wrong.append("A stream looks whole, or is still open")
    return wrong


async def main(reactor: Any, readers: str = str(_READERS)) -> None:
    """
    Stall, and tell.

    @raise SystemExit: something was wrong.
    """
    with tempfile.TemporaryDirectory() as directory:
        wrong = await _stall(reactor, Path(directory), int(readers))
    if wrong:
        sys.exit("\n".join(wrong[:20]))


if __name__ == "__main__":
    react(
        lambda reactor, *arguments: Deferred.fromCoroutine(main(reactor, *arguments)),
        sys.argv[1:],
    )
