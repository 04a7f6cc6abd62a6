"""
What of a running daemon follows its configuration, and changes with it.
"""

from __future__ import annotations

from attrs import define

from arbstr.circuit import CircuitBreakerRegistry
from arbstr.config.model import Config
from arbstr.dispatch import Dispatcher
from arbstr.ledger.writer import LogLedger
from arbstr.routing.prepared import Prepared
from arbstr.routing.router import Router
from arbstr.upstream.cost import usd_per_sat
from arbstr.web.guard import Guard


@define
class Live:
    """
    The one place where another configuration, or another view of the market,
    takes the place of the one before.

    @ivar config: the one in use.
    """

    config: Config
    router: Router
    circuits: CircuitBreakerRegistry
    dispatcher: Dispatcher
    log: LogLedger
    guard: Guard

    def use(self, config: Config, prepared: Prepared | None = None) -> None:
        """
        Serve new requests by this configuration; those that are being served
        keep their plans.  All of it changes at once, between two turns of the
        reactor.  Circuits and cool-downs of providers that keep their names
        stay as they are.

        @param config: every provider in it has a URL.  Its secrets are hidden
            already.
        @param prepared: the same for the router, if that has been done.
        """
        self.router.use(prepared or config)
        self.circuits.configure(self.router.catalog.providers, config.circuit)
        self.dispatcher.configure(
            config.retry, config.streaming, usd_per_sat(config.btc_usd)
        )
        self.log.enabled = config.logging.log_requests
        self.guard.configure(config.server)
        self.config = config
