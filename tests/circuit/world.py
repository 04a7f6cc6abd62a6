"""
What happens between requests and providers, told in a way that both the real
registry and a reference model can act out.

Requests are numbered in the order in which they come; what they are told is
written down under their number.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum, auto

from attrs import frozen

from arbstr.circuit import CircuitState

NAMES = ("a", "b", "c")
THRESHOLD = 2
OPEN_SECONDS = 30
MULTIPLIER = 2
OPEN_SECONDS_MAX = 100


class Outcome(Enum):
    """
    What can become of a permit.
    """

    SUCCESS = auto()
    FAILURE = auto()
    RELEASE = auto()
    INCONCLUSIVE = auto()


class Reaction(Enum):
    """
    What a request does at once, inside the callback, when it gets its permit.
    """

    KEEP = auto()
    SUCCEED = auto()
    FAIL = auto()
    RELEASE = auto()
    ASK_AGAIN = auto()
    CANCEL_ANOTHER = auto()


@frozen
class Request:
    """
    Somebody who wants a permit.

    @ivar names: the candidates, best first.
    @ivar is_single: whether it asks for just this one provider.
    @ivar timeout: how many seconds a choice may take.
    """

    names: tuple[str, ...]
    is_single: bool = False
    timeout: float | None = None
    reaction: Reaction = Reaction.KEEP


@frozen
class Answer:
    """
    What a request is told.

    @ivar kind: C{normal} or C{probe} permit, C{refused} or C{cancelled}.
    """

    kind: str
    provider: str | None = None
    retry_at: float | None = None


@frozen
class Circuit:
    """
    What is to be seen of a circuit.
    """

    state: CircuitState
    failures: int
    stream_failures: int
    trips: int
    retry_at: float | None


class World(ABC):
    """
    The requests, and what they do when they are told something.

    @ivar answers: what each was told.
    @ivar waiting: those that were not told anything yet.
    @ivar held: those that hold a permit.
    @ivar streams: those whose stream has begun.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answers: dict[int, Answer] = {}
        self.waiting: list[int] = []
        self.held: list[int] = []
        self.streams: list[int] = []

    def ask(self, request: Request) -> None:
        """
        A request comes.
        """
        number = len(self.requests)
        self.requests.append(request)
        self.send(number, request)
        if number not in self.answers:
            self.waiting.append(number)

    def resolve(self, number: int, outcome: Outcome) -> None:
        """
        A request tells its permit the outcome.
        """
        self.held.remove(number)
        if outcome is Outcome.SUCCESS:
            self.streams.append(number)
        self.tell(number, outcome)

    def end_stream(self, number: int, outcome: Outcome) -> None:
        """
        A request tells its permit how the stream ended.
        """
        self.streams.remove(number)
        self.tell_stream(number, outcome)

    def forget(self, number: int) -> None:
        """
        A request loses its permit without having resolved it.
        """
        self.pass_time(0)
        self.held.remove(number)
        self.lose(number)

    def told(self, number: int, answer: Answer) -> None:
        """
        A request is told something, once, and reacts.
        """
        assert number not in self.answers, f"request {number} was told twice"
        self.answers[number] = answer
        if number in self.waiting:
            self.waiting.remove(number)
        if answer.kind in ("normal", "probe"):
            self.held.append(number)
            self._react(number)

    def _react(self, number: int) -> None:
        match self.requests[number].reaction:
            case Reaction.SUCCEED:
                self.resolve(number, Outcome.SUCCESS)
            case Reaction.FAIL:
                self.resolve(number, Outcome.FAILURE)
            case Reaction.RELEASE:
                self.resolve(number, Outcome.RELEASE)
            case Reaction.ASK_AGAIN:
                self.ask(Request(self.requests[number].names))
            case Reaction.CANCEL_ANOTHER if self.waiting:
                self.cancel(self.waiting[0])

    @abstractmethod
    def send(self, number: int, request: Request) -> None:
        """
        Passes a request on.
        """

    @abstractmethod
    def tell(self, number: int, outcome: Outcome) -> None:
        """
        Passes an outcome on.
        """

    @abstractmethod
    def tell_stream(self, number: int, outcome: Outcome) -> None:
        """
        Passes the end of a stream on.
        """

    @abstractmethod
    def lose(self, number: int) -> None:
        """
        Loses a permit, and lets that be noticed.
        """

    @abstractmethod
    def cancel(self, number: int) -> None:
        """
        The client of a waiting request leaves.
        """

    @abstractmethod
    def record(self, name: str, outcome: Outcome, *, is_stream: bool) -> None:
        """
        A success or a failure comes without a permit.
        """

    @abstractmethod
    def pass_time(self, seconds: float, *, reactor_is_late: bool = False) -> None:
        """
        Time passes.  Timers run, unless the reactor is late.
        """

    @abstractmethod
    def circuits(self) -> dict[str, Circuit]:
        """
        All that is to be seen of the circuits.
        """
