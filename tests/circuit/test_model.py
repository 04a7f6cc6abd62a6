"""
The registry against the reference model: whatever happens, in whatever order,
both say the same.

C{HYPOTHESIS_PROFILE=deep} runs ten thousand random examples of fifty steps; the
default is a small sample, the same each time.
"""

from __future__ import annotations

import os

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from .fixture import CLOSED
from .model import ModelWorld
from .real import RealWorld
from .world import (
    NAMES,
    OPEN_SECONDS,
    OPEN_SECONDS_MAX,
    THRESHOLD,
    Outcome,
    Reaction,
    Request,
    World,
)

names = st.sampled_from(NAMES)
any_number = st.integers(min_value=0, max_value=99)
reactions = st.just(Reaction.KEEP) | st.sampled_from(Reaction)
verdicts = st.sampled_from([Outcome.SUCCESS, Outcome.FAILURE])
seconds = st.sampled_from([1, 10, OPEN_SECONDS, OPEN_SECONDS_MAX])
singles = st.builds(
    Request, st.tuples(names), is_single=st.just(True), reaction=reactions
)
choosers = st.builds(
    Request,
    st.lists(names, max_size=4).map(tuple),
    timeout=st.none() | seconds,
    reaction=reactions,
)


class CircuitMachine(RuleBasedStateMachine):
    """
    Lets the same things happen in both worlds.
    """

    def __init__(self) -> None:
        super().__init__()
        self.real = RealWorld()
        self.model = ModelWorld()
        self.worlds: tuple[World, World] = (self.real, self.model)
        self.trips = dict.fromkeys(NAMES, 0)

    @rule(requests=st.lists(singles | choosers, min_size=1, max_size=4))
    def ask(self, requests: list[Request]) -> None:
        """
        Requests come.
        """
        for world in self.worlds:
            for request in requests:
                world.ask(request)

    @precondition(lambda self: self.model.held)
    @rule(which=any_number, outcome=st.sampled_from(Outcome))
    def resolve(self, which: int, outcome: Outcome) -> None:
        """
        The outcome of any permit, however late.
        """
        number = self.model.held[which % len(self.model.held)]
        for world in self.worlds:
            world.resolve(number, outcome)

    @precondition(lambda self: self.model.streams)
    @rule(which=any_number, outcome=verdicts)
    def end_stream(self, which: int, outcome: Outcome) -> None:
        """
        The end of any stream, however late.
        """
        number = self.model.streams[which % len(self.model.streams)]
        for world in self.worlds:
            world.end_stream(number, outcome)

    @precondition(lambda self: self.model.held)
    @rule(which=any_number)
    def forget(self, which: int) -> None:
        """
        A permit is collected unresolved.
        """
        number = self.model.held[which % len(self.model.held)]
        for world in self.worlds:
            world.forget(number)

    @precondition(lambda self: self.model.waiting)
    @rule(which=any_number)
    def cancel(self, which: int) -> None:
        """
        Somebody who waits leaves.
        """
        number = self.model.waiting[which % len(self.model.waiting)]
        for world in self.worlds:
            world.cancel(number)

    @rule(name=names, outcome=verdicts, is_stream=st.booleans())
    def record(self, name: str, outcome: Outcome, is_stream: bool) -> None:
        """
        An outcome without a permit.
        """
        for world in self.worlds:
            world.record(name, outcome, is_stream=is_stream)

    @rule(names=st.lists(names, min_size=1, unique=True))
    def trip(self, names: list[str]) -> None:
        """
        Failures enough for a trip, perhaps of several at once.
        """
        for world in self.worlds:
            for name in names * THRESHOLD:
                world.record(name, Outcome.FAILURE, is_stream=False)

    @rule(name=names, reactor_is_late=st.booleans())
    def come_due(self, name: str, reactor_is_late: bool) -> None:
        """
        An open circuit's time comes, to the second.
        """
        retry_at = self.model.circuits()[name].retry_at
        if retry_at is not None:
            self.pass_time(retry_at - self.model.now, reactor_is_late)

    @rule(name=names)
    def start_probe(self, name: str) -> None:
        """
        The whole way to a probe in flight.
        """
        self.trip([name])
        self.come_due(name, reactor_is_late=False)
        self.ask([Request((name,), is_single=True)])

    @rule(name=names, requests=st.lists(choosers, min_size=1, max_size=3))
    def outage(self, name: str, requests: list[Request]) -> None:
        """
        One probe in flight and everything else down: nothing but waiting.
        """
        self.start_probe(name)
        self.trip(list(NAMES))
        self.ask(requests)

    @rule(name=names)
    def recover(self, name: str) -> None:
        """
        The whole way there and back: what was issued before is late.
        """
        self.start_probe(name)
        for number in self.probes():
            if self.real.permits[number].provider == name:
                for world in self.worlds:
                    world.resolve(number, Outcome.SUCCESS)

    @precondition(lambda self: self.probes())
    @rule(which=any_number, outcome=st.sampled_from(Outcome))
    def resolve_probe(self, which: int, outcome: Outcome) -> None:
        """
        The outcome of a probe in flight.
        """
        number = self.probes()[which % len(self.probes())]
        for world in self.worlds:
            world.resolve(number, outcome)

    @rule(seconds=seconds, reactor_is_late=st.booleans())
    def pass_time(self, seconds: float, reactor_is_late: bool) -> None:
        """
        The clock moves, and perhaps the reactor has not noticed yet.
        """
        for world in self.worlds:
            world.pass_time(seconds, reactor_is_late=reactor_is_late)

    @invariant()
    def both_say_the_same(self) -> None:
        """
        To every request, and of every circuit.
        """
        assert not self.real.problems, self.real.problems
        assert self.real.answers == self.model.answers
        assert self.real.circuits() == self.model.circuits()
        assert self.real.held == self.model.held

    @invariant()
    def one_probe_in_flight(self) -> None:
        """
        At most, for each provider.
        """
        probed = self.probed()
        assert len(probed) == len(set(probed)), probed

    @invariant()
    def nobody_waits_in_vain(self) -> None:
        """
        Whoever waits does so for a probe in flight, and not for one beside a
        healthy candidate.
        """
        circuits = self.real.circuits()
        for number in self.real.waiting:
            candidates = self.real.requests[number].names
            assert set(candidates) & set(self.probed()), number
            assert all(circuits[name].state is not CLOSED for name in candidates)

    @invariant()
    def trip_count_never_falls(self) -> None:
        """
        It tells generations apart.
        """
        for name, circuit in self.real.circuits().items():
            assert circuit.trips >= self.trips[name]
            self.trips[name] = circuit.trips

    def teardown(self) -> None:
        """
        When all who hold a permit have let go of it, nobody waits, nothing is
        held and no timer is left.
        """
        while self.real.held:
            self.real.resolve(self.real.held[0], Outcome.RELEASE)
        assert not self.real.waiting
        assert all(permit.resolved for permit in self.real.permits.values())
        assert not self.real.clock.getDelayedCalls()
        assert not self.real.problems, self.real.problems

    def probes(self) -> list[int]:
        """
        Those that hold a probe.
        """
        return [n for n in self.real.held if self.real.permits[n].is_probe]

    def probed(self) -> list[str]:
        """
        The providers of all probes in flight.
        """
        return [self.real.permits[number].provider for number in self.probes()]


DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"


class CircuitMachineTests(SynchronousTestCase):
    """
    Runs the machine.
    """

    def test_real_world_is_like_the_model(self) -> None:
        """
        Nothing that happens in the one can be told from the other.
        """
        run_state_machine_as_test(
            CircuitMachine,
            settings=settings(
                max_examples=10_000 if DEEP else 200,
                stateful_step_count=50,
                derandomize=not DEEP,
                deadline=None,
                # trial would not show what is in a group of errors.
                report_multiple_bugs=False,
            ),
        )
