"""
Tests for L{arbstr.live}: all that follows a configuration changes with it.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from arbstr.circuit import CircuitState
from arbstr.config.model import CircuitSettings, Config, ProviderSettings
from arbstr.daemon import build
from arbstr.routing.prepared import prepare
from tests.routing.market import ask, names, seller

ALPHA, BETA = seller("alpha", 1, 1), seller("beta", 2, 2)


class LiveTests(SynchronousTestCase):
    """
    A daemon that was built for C{alpha} and C{beta}.
    """

    def setUp(self) -> None:
        config = Config(providers=(ALPHA, BETA))
        self.daemon = build(config, MemoryReactorClock(), Clock())

    def use(self, *providers: ProviderSettings, failure_threshold: int = 3) -> Config:
        """
        Change to these providers.
        """
        circuit = CircuitSettings(failure_threshold=failure_threshold)
        config = Config(providers=providers, circuit=circuit)
        self.daemon.live.use(config)
        return config

    def test_what_is_in_use(self) -> None:
        config = self.use(BETA)
        self.assertIs(self.daemon.live.config, config)

    def test_prepared(self) -> None:
        """
        What a thread has made ready for the router is used as it is.
        """
        config = Config(providers=(BETA,))
        prepared = prepare(config)
        self.daemon.live.use(config, prepared)
        self.assertIs(self.daemon.live.router.catalog, prepared.catalog)

    def test_router_and_circuits_know_the_same(self) -> None:
        """
        Whoever is planned for has a circuit.
        """
        self.use(seller("gamma"), BETA)
        plan = self.daemon.live.router.plan(ask())
        self.assertEqual(names(plan), ["gamma", "beta"])
        self.assertEqual(list(self.daemon.circuits.snapshots()), ["gamma", "beta"])

    def test_open_circuit_survives(self) -> None:
        for _ in range(3):
            self.daemon.circuits.record_failure("beta", "5xx", "test")
        self.use(BETA)
        self.assertIs(self.daemon.circuits.state("beta"), CircuitState.OPEN)

    def test_circuit_settings(self) -> None:
        self.use(BETA, failure_threshold=1)
        self.daemon.circuits.record_failure("beta", "5xx", "test")
        self.assertIs(self.daemon.circuits.state("beta"), CircuitState.OPEN)
