"""
The configuration of C{--mock}: it needs no file, no keys and no network.
"""

from __future__ import annotations

from .model import (
    Config,
    DatabaseSettings,
    ModelSettings,
    PoliciesSettings,
    PolicyRule,
    ProviderSettings,
    ServerSettings,
    StreamingSettings,
)

# There is no account behind the mock providers that could be banned.
_AS_MANY_AS_THE_DAEMON = ServerSettings().max_in_flight


def builtin_config() -> Config:
    """
    Two built-in providers with different prices, one policy, and the request
    log in memory.
    """
    return Config(
        database=DatabaseSettings(url="sqlite://"),
        providers=(
            ProviderSettings(
                name="mock-cheap",
                kind="mock",
                input_rate=5_000,
                output_rate=15_000,
                max_in_flight=_AS_MANY_AS_THE_DAEMON,
                models=_models("gpt-4o", "gpt-4o-mini", "claude-sonnet-4.5"),
            ),
            ProviderSettings(
                name="mock-expensive",
                kind="mock",
                input_rate=10_000,
                output_rate=30_000,
                base_fee=1,
                max_in_flight=_AS_MANY_AS_THE_DAEMON,
                models=_models("gpt-4o", "claude-sonnet-4.5"),
            ),
        ),
        policies=PoliciesSettings(
            rules=(
                PolicyRule(
                    name="code",
                    keywords=("code", "function", "implement"),
                    max_sats_per_1m_output=50_000,
                ),
            )
        ),
        streaming=StreamingSettings(failover=True),
    )


def _models(*names: str) -> tuple[ModelSettings, ...]:
    return tuple(ModelSettings(name=name) for name in names)
