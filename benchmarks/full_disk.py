"""
A disk that has no room left, and is given some again.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet.task import deferLater

from .asking import Clients
from .booked import Books
from .daemon import http_client, running, stopped
from .mocks import configured

DISK_BYTES = 1_048_576

_AT_ONCE = 8
_REQUESTS = 40
_MOST_SECONDS = 60


class CannotTry(Exception):
    """
    Why there is no such disk to be had.
    """


@contextmanager
def small_disk(place: Path) -> Iterator[None]:
    """
    A file system in memory that holds L{DISK_BYTES}, until the end.

    @param place: the directory that it hides meanwhile.
    @raise CannotTry: it cannot be mounted.
    """
    options = f"size={DISK_BYTES},mode=700"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        told = getattr(error, "stderr", None) or error
        raise CannotTry(
            f"Cannot mount a tmpfs, which takes root: {told}".rstrip()
        ) from error
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


@define
class FullDisk:
    """
    What happens to a daemon whose disk fills.

    @ivar ballast: a file that takes up room beside the books.
    @ivar clients: ask it, a few requests at a time.
    @ivar wrong: what should not have happened.
    """

    ballast: Path
    clients: Clients
    reactor: Any
    wrong: list[str] = field(factory=list)

    async def happen(self) -> None:
        """
        Fill the disk, go on, give it room, and go on.
        """
        self._print("", "asked", "not 200", "waiting", "free KB", "health tells")
        await self._until("filled", full=True, asking=True)
        await self._ask("full", _REQUESTS)
        if await self._error() is None:
            self.wrong.append("Health says nothing while the disk is full")
        self.ballast.unlink()
        await self._until("freed", full=False, asking=False)
        await self._ask("later", _REQUESTS)
        await self._until("settled", full=False, asking=False)

    async def _until(self, name: str, full: bool, asking: bool) -> None:
        """
        Wait until health tells of an error, or of none and of no rows that
        wait, for as long as it may take.
        """
        before = len(self.clients.answers)
        deadline = time.monotonic() + _MOST_SECONDS
        while True:
            ledger = await self._ledger()
            if full and ledger["error"] is not None:
                break
            if not full and ledger["error"] is None and not ledger["waiting"]:
                break
            if time.monotonic() > deadline:
                self.wrong.append(f"It was not {name} in {_MOST_SECONDS} seconds")
                break
            if asking:
                await self._run(_AT_ONCE)
            else:
                await deferLater(self.reactor, 0.1)
        await self._tell(name, before)

    async def _ask(self, name: str, requests: int) -> None:
        before = len(self.clients.answers)
        await self._run(requests)
        await self._tell(name, before)

    async def _run(self, requests: int) -> None:
        await self.clients.run(iter(range(requests)), _AT_ONCE)

    async def _tell(self, name: str, before: int) -> None:
        answers = self.clients.answers[before:]
        bad = sum(not answer.good for answer in answers)
        if bad:
            self.wrong.append(f"{bad} requests were not served: {name}")
        ledger = await self._ledger()
        disk = os.statvfs(self.ballast.parent)
        free = disk.f_bavail * disk.f_frsize // 1024
        self._print(name, len(answers), bad, ledger["waiting"], free, ledger["error"])

    async def _error(self) -> object:
        return (await self._ledger())["error"]

    async def _ledger(self) -> dict[str, Any]:
        response = await self.clients.client.get(
            f"{self.clients.url}/health", timeout=_MOST_SECONDS
        )
        ledger: dict[str, Any] = (await response.json())["ledger"]
        if ledger["dropped"]:
            self.wrong.append(f"{ledger['dropped']} rows were lost")
        return ledger

    def _print(self, name: str, *cells: object) -> None:
        print(f"{name:<8}" + "".join(f" {cell!s:>8}" for cell in cells))


async def full(reactor: Any, directory: Path, bytes_left: int) -> list[str]:
    """
    A disk that fills while requests are served, and gets room again.

    @param bytes_left: as many are left on the disk before the books are there.
    @return: what was wrong.
    @raise CannotTry: there is no such disk to be had.
    """
    disk = directory / "disk"
    disk.mkdir()
    path = disk / "books.db"
    config = configured(directory, attempts=3, failure_rate=0, database=path)
    with small_disk(disk):
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(DISK_BYTES - bytes_left))
        async with (
            http_client(reactor) as client,
            running(directory, "--config", str(config)) as process,
        ):
            clients = Clients.of(process, client)
            happening = FullDisk(ballast, clients, reactor)
            await happening.happen()
            wrong = happening.wrong + await stopped(process)
        books = Books.read(path)
    missing = books.without_row(clients.answers)
    print(f"answers {len(clients.answers)}, rows {books.count}, ", end="")
    print(f"integrity {books.integrity}")
    if missing or books.count != len(clients.answers):
        wrong.append(f"{len(missing)} answers have no finished row")
    return wrong + books.wrong()
