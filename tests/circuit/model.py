"""
The reference model: what circuits should do, in the plainest way.

There is one queue for everybody, in the order in which they came, and every
question is answered by looking through all of it.
"""

from __future__ import annotations

from collections import deque

from attrs import define, frozen

from arbstr.circuit import CircuitState

from .fixture import CLOSED, HALF_OPEN, OPEN
from .world import (
    MULTIPLIER,
    NAMES,
    OPEN_SECONDS,
    OPEN_SECONDS_MAX,
    THRESHOLD,
    Answer,
    Circuit,
    Outcome,
    Request,
    World,
)


@define
class Breaker:
    """
    @ivar openings: how many in a row.
    @ivar until: when an open circuit may be probed; C{None} if it is closed.
    """

    failures: int = 0
    stream_failures: int = 0
    trips: int = 0
    openings: int = 0
    until: float | None = None
    probing: bool = False


@frozen
class Issued:
    """
    A permit.
    """

    name: str
    is_probe: bool
    generation: int


@frozen(order=True)
class Timer:
    """
    @ivar serial: decides among timers of the same time.
    """

    time: float
    serial: int
    number: int
    is_deadline: bool


class ModelWorld(World):
    """
    The reference.

    @ivar letters: answers on their way.
    @ivar sending: those who ask just now; they hear nothing before they have
        finished.
    @ivar early: answers to them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.serial = 0
        self.breakers = {name: Breaker() for name in NAMES}
        self.queue: list[int] = []
        self.timers: list[Timer] = []
        self.permits: dict[int, Issued] = {}
        self.letters: deque[tuple[int, Answer]] = deque()
        self.delivering = False
        self.sending: set[int] = set()
        self.early: dict[int, Answer] = {}

    def state(self, name: str) -> CircuitState:
        """
        The state of a circuit now.
        """
        breaker = self.breakers[name]
        if breaker.until is None:
            return CLOSED
        return HALF_OPEN if breaker.probing or self.now >= breaker.until else OPEN

    def is_due(self, name: str) -> bool:
        """
        Whether a probe is due.
        """
        return self.state(name) is HALF_OPEN and not self.breakers[name].probing

    def opens_at(self, number: int) -> float | None:
        """
        When the time of a request's first open candidate comes.
        """
        names = self.requests[number].names
        times = [
            self.breakers[name].until for name in names if self.state(name) is OPEN
        ]
        return min((time for time in times if time is not None), default=None)

    def is_worth_waiting(self, number: int) -> bool:
        """
        Whether some candidate has a probe in flight.
        """
        return any(self.breakers[name].probing for name in self.requests[number].names)

    def send(self, number: int, request: Request) -> None:
        answer = self.answer_at_once(number, request)
        if answer is None:
            self.queue.append(number)
            self.set_alarm(number)
            if request.timeout is not None:
                self.set_timer(number, self.now + request.timeout, is_deadline=True)
        self.sending.add(number)
        self.deliver()
        self.sending.remove(number)
        answer = answer or self.early.pop(number, None)
        if answer is not None:
            self.told(number, answer)

    def answer_at_once(self, number: int, request: Request) -> Answer | None:
        """
        The four rules; C{None} is to wait.
        """
        for name in request.names:
            self.offer(name)
            if self.is_due(name):
                return self.issue(number, name, is_probe=True)
        for name in request.names:
            if self.state(name) is CLOSED:
                return self.issue(number, name, is_probe=False)
        return None if self.is_worth_waiting(number) else self.refusal(number)

    def issue(self, number: int, name: str, *, is_probe: bool) -> Answer:
        """
        A new permit.
        """
        breaker = self.breakers[name]
        breaker.probing = is_probe
        self.permits[number] = Issued(name, is_probe, breaker.trips)
        return Answer("probe" if is_probe else "normal", name)

    def refusal(self, number: int) -> Answer:
        """
        Nothing to be had, nor to be waited for.
        """
        opens_at = self.opens_at(number)
        return Answer("refused", retry_at=self.now if opens_at is None else opens_at)

    def offer(self, name: str) -> None:
        """
        A probe that is due goes to the first who wants it.
        """
        if self.is_due(name) and (waiting := self.queue_of(name)):
            self.post(waiting[0], self.issue(waiting[0], name, is_probe=True))

    def queue_of(self, name: str) -> list[int]:
        """
        Those who wait for a provider, among others perhaps.
        """
        return [each for each in self.queue if name in self.requests[each].names]

    def look_again(self, number: int) -> None:
        """
        Something has changed for somebody who waits.
        """
        for name in self.requests[number].names:
            if number in self.queue:
                self.offer(name)
        if number in self.queue:
            if self.is_worth_waiting(number):
                self.set_alarm(number)
            else:
                self.post(number, self.refusal(number))

    def post(self, number: int, answer: Answer) -> None:
        """
        Ends a wait.  The answer is told when all state is as it should be.
        """
        self.leave(number)
        self.letters.append((number, answer))

    def leave(self, number: int) -> None:
        """
        Out of the queue.
        """
        self.queue.remove(number)
        self.timers = [timer for timer in self.timers if timer.number != number]

    def deliver(self) -> None:
        """
        Tells the answers, one after the other.
        """
        if not self.delivering:
            self.delivering = True
            while self.letters:
                number, answer = self.letters.popleft()
                if number in self.sending:
                    self.early[number] = answer
                elif number not in self.answers:
                    self.told(number, answer)
            self.delivering = False

    def set_alarm(self, number: int) -> None:
        """
        Wakes somebody up when the time of an open candidate comes.
        """
        self.timers = [
            timer
            for timer in self.timers
            if timer.number != number or timer.is_deadline
        ]
        opens_at = self.opens_at(number)
        if opens_at is not None:
            self.set_timer(number, opens_at, is_deadline=False)

    def set_timer(self, number: int, time: float, *, is_deadline: bool) -> None:
        """
        Timers of the same time run in the order in which they were set.
        """
        self.serial += 1
        self.timers.append(Timer(time, self.serial, number, is_deadline))

    def pass_time(self, seconds: float, *, reactor_is_late: bool = False) -> None:
        self.now += seconds
        while not reactor_is_late and self.timers and min(self.timers).time <= self.now:
            timer = min(self.timers)
            self.timers.remove(timer)
            if timer.is_deadline:
                self.post(timer.number, self.refusal(timer.number))
            else:
                self.look_again(timer.number)
            self.deliver()

    def cancel(self, number: int) -> None:
        if number in self.queue:
            self.leave(number)
        elif number in self.permits:
            self.tell(number, Outcome.RELEASE)
        self.told(number, Answer("cancelled"))

    def tell(self, number: int, outcome: Outcome) -> None:
        permit = self.permits[number]
        if not permit.is_probe:
            if permit.generation == self.breakers[permit.name].trips:
                self.record(permit.name, outcome, is_stream=False)
            return
        self.breakers[permit.name].probing = False
        if outcome is Outcome.SUCCESS:
            self.close(permit.name)
        elif outcome is Outcome.RELEASE:
            self.offer(permit.name)
        else:
            self.open(permit.name)
        self.deliver()

    def tell_stream(self, number: int, outcome: Outcome) -> None:
        permit = self.permits[number]
        if permit.generation == self.breakers[permit.name].trips:
            self.record(permit.name, outcome, is_stream=True)

    def lose(self, number: int) -> None:
        if self.permits[number].is_probe:
            self.tell(number, Outcome.FAILURE)

    def record(self, name: str, outcome: Outcome, *, is_stream: bool) -> None:
        breaker = self.breakers[name]
        if breaker.until is not None:
            return
        match outcome, is_stream:
            case Outcome.SUCCESS, False:
                breaker.failures = breaker.openings = 0
            case Outcome.SUCCESS, True:
                breaker.stream_failures = 0
            case Outcome.FAILURE, False:
                breaker.failures += 1
            case Outcome.FAILURE, True:
                breaker.stream_failures += 1
        if max(breaker.failures, breaker.stream_failures) >= THRESHOLD:
            breaker.trips += 1
            self.open(name)

    def open(self, name: str) -> None:
        """
        A trip, or a probe that failed.
        """
        breaker = self.breakers[name]
        seconds = min(OPEN_SECONDS * MULTIPLIER**breaker.openings, OPEN_SECONDS_MAX)
        breaker.openings += 1
        breaker.until = self.now + seconds
        for number in self.queue_of(name):
            self.look_again(number)

    def close(self, name: str) -> None:
        """
        A probe that succeeded.
        """
        breaker = self.breakers[name]
        breaker.failures = breaker.stream_failures = 0
        breaker.until = None
        for number in self.queue_of(name):
            self.post(number, self.issue(number, name, is_probe=False))

    def circuits(self) -> dict[str, Circuit]:
        return {
            name: Circuit(
                state=self.state(name),
                failures=breaker.failures,
                stream_failures=breaker.stream_failures,
                trips=breaker.trips,
                retry_at=breaker.until if self.state(name) is OPEN else None,
            )
            for name, breaker in self.breakers.items()
        }
