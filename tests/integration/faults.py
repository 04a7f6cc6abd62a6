"""
Providers that misbehave, byte by byte.

A fault is what a provider does once a request has come, step by step: bytes to
write, or something else to do.  After the last step it is silent, and the
connection stays open::

    Fault("half a status line", "connect", b"HTTP/1.1 2", fin)

The kind is what the attempt has to come to: C{connect}, C{protocol} or
C{timeout}.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from .clocks import reactor
from .providers import Connection, Received

Step = bytes | Callable[["Play", Connection], Awaitable[None]]

# Turns of the reactor in which bytes get from one end of a connection to the
# other: a reset would overtake them otherwise.
_TURNS = 3


async def fin(play: Play, connection: Connection) -> None:
    """
    Close the connection.
    """
    connection.close()


async def rst(play: Play, connection: Connection) -> None:
    """
    Reset the connection.
    """
    connection.reset()


async def pause(play: Play, connection: Connection) -> None:
    """
    Wait until the test says C{release}.
    """
    while not play.released and connection.is_open:
        await _turn()


def drip(data: bytes) -> Step:
    """
    Write these bytes again and again, one at a time.
    """

    async def drip(play: Play, connection: Connection) -> None:
        play.hold(connection)
        while True:
            for byte in data:
                if not connection.is_open:
                    return
                connection.write(bytes([byte]))
                await _turn()

    return drip


@define(eq=False, init=False)
class Play:
    """
    A script that takes these steps for every request.

    @ivar released: the test has said so.
    """

    steps: tuple[Step, ...]
    released: bool = False
    _playing: list[Deferred[None]] = field(factory=list)
    _held: list[Connection] = field(factory=list)

    def __init__(self, *steps: Step) -> None:
        self.__attrs_init__(steps)

    def __call__(self, connection: Connection, request: Received) -> None:
        self._playing.append(Deferred.fromCoroutine(self._play(connection)))

    def release(self) -> None:
        """
        Go on, if this is paused, and do not pause again.
        """
        self.released = True

    @property
    def is_holding(self) -> bool:
        """
        Whoever asked is still waiting, and nothing new will come.
        """
        return any(connection.is_open for connection in self._held)

    def hold(self, connection: Connection) -> None:
        """
        Nothing new will come.
        """
        self._held.append(connection)

    def ended(self) -> Deferred[list[None]]:
        """
        Fires when nothing goes on any more; connections have to be closed for
        that.
        """
        return gatherResults(self._playing)

    async def _play(self, connection: Connection) -> None:
        for step in self.steps:
            if not connection.is_open:
                return
            if isinstance(step, bytes):
                connection.write(step)
                for _ in range(_TURNS):
                    await _turn()
            else:
                await step(self, connection)
        self.hold(connection)


@frozen(init=False)
class Fault:
    """
    Something that a provider may do.

    @ivar name: as the table of faults has it.
    @ivar kind: what the attempt is to come to.
    """

    name: str
    kind: str
    steps: tuple[Step, ...]

    def __init__(self, name: str, kind: str, *steps: Step) -> None:
        self.__attrs_init__(name, kind, steps)

    @property
    def status(self) -> int:
        """
        What the client is told if there is no other provider.
        """
        return 504 if self.kind == "timeout" else 502

    @property
    def attempts(self) -> int:
        """
        How often a provider is asked that may be asked twice: one that talks
        nonsense would do so again.
        """
        return 1 if self.kind == "protocol" else 2


class Named(Protocol):
    """
    A line of a table.
    """

    @property
    def name(self) -> str:
        """
        What it is called there.
        """


def for_each(*tables: Iterable[Named]) -> Callable[[type], type]:
    """
    Make a test of every line and every method C{check_...} of a test case.
    """

    def add_tests(case: type) -> type:
        checks = [name for name in dir(case) if name.startswith("check_")]
        for fault in (fault for table in tables for fault in table):
            words = re.sub("[^a-z0-9]+", "_", fault.name.lower()).strip("_")
            for check in checks:
                name = f"test_{words}_{check.removeprefix('check_')}"
                assert not hasattr(case, name), f"{name} is there already"
                setattr(case, name, _test_of(getattr(case, check), fault, name))
        return case

    return add_tests


def _test_of(
    check: Callable[..., Awaitable[None]], fault: Named, name: str
) -> Callable[..., Deferred[None]]:
    def test(case: object) -> Deferred[None]:
        return Deferred.fromCoroutine(check(case, fault))  # type: ignore[arg-type]

    test.__name__ = name
    test.__doc__ = check.__doc__
    return test


def _turn() -> Deferred[None]:
    return deferLater(reactor, 0)
