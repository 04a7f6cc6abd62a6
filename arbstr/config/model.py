"""
The settings: frozen, typed, and refusing what they do not know.

Units: rates are sats per 1,000,000 tokens, fees are sats per request, times
are seconds, sizes are bytes.  What a section means is said once, in the
annotated C{etc/arbstr.yaml}.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from .base import Settings
from .fields import (
    Count,
    DatabaseUrl,
    ListenDescription,
    Name,
    Names,
    Number,
    OptionalSecret,
    Seconds,
    Share,
    list_of_one,
    not_empty,
    only,
)
from .listen import is_loopback
from .market import TokenstatsSettings
from .providers import (
    MockSettings,
    ModelSettings,
    ProviderSettings,
    Tier,
    Timeouts,
)

__all__ = [
    "CircuitSettings",
    "ComplexityWeights",
    "Config",
    "DatabaseSettings",
    "LoggingSettings",
    "MockSettings",
    "ModelSettings",
    "PoliciesSettings",
    "PolicyRule",
    "ProviderFilter",
    "ProviderSettings",
    "RetrySettings",
    "RoutingSettings",
    "ServerSettings",
    "Settings",
    "Strategy",
    "StreamingSettings",
    "Tier",
    "Timeouts",
    "TokenstatsSettings",
]

Strategy = Literal[
    "cheapest", "lowest_cost", "lowest_latency", "round_robin", "balanced"
]


class ServerSettings(Settings):
    """
    Where arbstr listens, who may talk to it, and how much at once.
    """

    listen: Annotated[
        tuple[ListenDescription, ...],
        BeforeValidator(list_of_one),
        AfterValidator(not_empty),
    ] = ("tcp:8080:interface=127.0.0.1",)
    auth_token: OptionalSecret = None
    allowed_hosts: Names = ()
    rate_limit_rps: Number = 0
    max_in_flight: Count = 256
    max_body_bytes: Count = 20_971_520
    shutdown_grace_seconds: Annotated[Number, Field(le=86_400)] = 30
    workers: Annotated[
        Count, AfterValidator(only(1, "this version runs one process"))
    ] = 1

    @field_validator("auth_token", mode="after")
    @classmethod
    def _guarded(
        cls, token: SecretStr | None, info: ValidationInfo
    ) -> SecretStr | None:
        for description in info.data.get("listen", ()):
            if token is None and not is_loopback(description):
                raise ValueError(
                    "expected a token or a loopback interface, since "
                    f"{description!r} is reachable from other machines"
                )
        return token


class DatabaseSettings(Settings):
    """
    Where the request log is kept.

    @ivar keep_days: older rows are deleted; without it they are kept for ever.
    """

    url: Annotated[DatabaseUrl, Field(repr=False)] = "sqlite:///arbstr.db"
    keep_days: Annotated[Number, Field(gt=0)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_path(cls, value: Any) -> Any:
        """
        C{path: FILE} is understood as C{url: sqlite:///FILE}.
        """
        if not isinstance(value, Mapping) or "path" not in value:
            return value
        rest = {key: item for key, item in value.items() if key != "path"}
        if "url" in rest:
            raise ValueError("expected either url or path, found both")
        if not isinstance(value["path"], str) or not value["path"]:
            raise ValueError("expected the name of a file as path, found none")
        return {**rest, "url": f"sqlite:///{value['path']}"}


class ProviderFilter(Settings):
    """
    Which providers a policy may use: all, or C{only} these, less C{ignore}.
    """

    only: Names = ()
    ignore: Names = ()

    def allow(self, name: str) -> bool:
        """
        May this one be used?
        """
        return name not in self.ignore and (not self.only or name in self.only)


class PolicyRule(Settings):
    """
    Constraints on the requests that name the rule or match its keywords.

    @ivar sats_per_second: what a second less of waiting is worth to the
        strategy C{balanced}.
    """

    name: Name
    allowed_models: Names = ()
    strategy: Strategy | None = None
    sats_per_second: Number = 1
    max_sats_per_1m_output: Number | None = None
    max_sats_per_request: Number | None = None
    keywords: Names = ()
    providers: ProviderFilter = ProviderFilter()


class PoliciesSettings(Settings):
    """
    The rules, in the order in which their keywords are tried.
    """

    default_strategy: Strategy = "cheapest"
    rules: tuple[PolicyRule, ...] = ()


class ComplexityWeights(Settings):
    """
    How much each signal of the complexity score counts.
    """

    context_length: Number = 1
    code_blocks: Number = 1
    multi_file: Number = 1
    reasoning_keywords: Number = 1
    conversation_depth: Number = 1


def _on_or_off(value: Any) -> Any:
    """
    YAML reads a bare C{on} as true.
    """
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


class RoutingSettings(Settings):
    """
    Thresholds between the tiers, and how far ahead is looked.

    @ivar later_turns: what a provider's cache should save of later turns counts in
        the choice for this one.
    """

    complexity_threshold_low: Share = 0.4
    complexity_threshold_high: Share = 0.7
    complexity_weights: ComplexityWeights = ComplexityWeights()
    extra_keywords: Names = ()
    tiers: Annotated[Literal["auto", "on", "off"], BeforeValidator(_on_or_off)] = "auto"
    later_turns: bool = False

    @field_validator("complexity_threshold_high", mode="after")
    @classmethod
    def _ordered(cls, high: float, info: ValidationInfo) -> float:
        low = info.data.get("complexity_threshold_low", high)
        if low > high:
            raise ValueError(
                f"expected at least complexity_threshold_low ({low:g}), found {high:g}"
            )
        return high


class CircuitSettings(Settings):
    """
    When a circuit opens and for how long, see L{arbstr.circuit.breaker}.
    """

    failure_threshold: Count = 3
    open_seconds: Seconds = 30
    open_multiplier: Annotated[Number, Field(ge=1)] = 1.0
    open_seconds_max: Seconds = 300


class RetrySettings(Settings):
    """
    How long and how often one request is tried.

    @ivar total_seconds: for all of a buffered request, back-off included; for
        a stream, up to its first byte.
    """

    max_attempts: Count = 3
    backoff_seconds: Annotated[tuple[Number, ...], AfterValidator(not_empty)] = (
        1,
        2,
        4,
    )
    total_seconds: Seconds = 30


class StreamingSettings(Settings):
    """
    Whether a stream may go on to the next provider before its first content.
    """

    failover: bool = False


class LoggingSettings(Settings):
    """
    What the log says, and in which shape.
    """

    level: Literal["debug", "info", "warn", "error", "critical"] = "info"
    format: Literal["text", "json"] = "text"
    log_requests: bool = True


class Config(Settings):
    """
    The whole configuration.

    @ivar btc_usd: US dollars for a bitcoin, for costs that providers tell in
        dollars; C{None} leaves these unknown, unless the feed tells the rate.
    @ivar tokenstats: C{None} is no feed.
    """

    server: ServerSettings = ServerSettings()
    database: DatabaseSettings = DatabaseSettings()
    providers: Annotated[tuple[ProviderSettings, ...], AfterValidator(not_empty)]
    policies: PoliciesSettings = PoliciesSettings()
    routing: RoutingSettings = RoutingSettings()
    circuit: CircuitSettings = CircuitSettings()
    retry: RetrySettings = RetrySettings()
    streaming: StreamingSettings = StreamingSettings()
    btc_usd: Annotated[Number, Field(gt=0)] | None = None
    tokenstats: TokenstatsSettings | None = None
    logging: LoggingSettings = LoggingSettings()
