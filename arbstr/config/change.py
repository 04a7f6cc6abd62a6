"""
Which settings can change while the daemon runs.
"""

from __future__ import annotations

from typing import TypeVar

from pydantic import ValidationError

from .base import Settings
from .model import Config, ServerSettings
from .problems import ConfigError

#: What new requests are served by as soon as it is read again.  Any other setting
#: takes effect at the next start.
LIVE = frozenset(
    {
        "server.auth_token",
        "server.allowed_hosts",
        "server.rate_limit_rps",
        "server.max_in_flight",
        "server.shutdown_grace_seconds",
        "providers",
        "policies",
        "routing",
        "circuit",
        "retry",
        "streaming",
        "btc_usd",
        "tokenstats",
        "logging",
    }
)

_S = TypeVar("_S")


def change(running: Config, wanted: Config) -> tuple[Config, list[str]]:
    """
    How far a running daemon can follow a configuration.

    @return: the configuration to use, and the dotted names of those settings in
        which it is still the running one.
    @raise ConfigError: together with what it still is, the new one is not safe.
    """
    kept: list[str] = []
    config = _merge(running, wanted, "", kept)
    try:
        # The token may have gone with an address that is still listened on.
        ServerSettings.model_validate(config.server.model_dump())
    except ValidationError as error:
        raise ConfigError(
            f"server.{each['loc'][0]}: {each['msg'].removeprefix('Value error, ')}, "
            "and goes on being so until arbstr is started again"
            for each in error.errors()
        ) from None
    return config, kept


def _merge(running: _S, wanted: _S, path: str, kept: list[str]) -> _S:
    if path in LIVE or running == wanted:
        return wanted
    if isinstance(wanted, Settings) and isinstance(running, Settings):
        update = {
            name: _merge(
                getattr(running, name),
                getattr(wanted, name),
                f"{path}.{name}".removeprefix("."),
                kept,
            )
            for name in type(wanted).model_fields
        }
        return wanted.model_copy(update=update)
    kept.append(path)
    return running
