"""
A provider's section of the settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from .base import Settings
from .fields import (
    BaseUrl,
    Count,
    Name,
    Number,
    OptionalSecret,
    Seconds,
    Share,
    list_of_one,
)

Tier = Literal["local", "standard", "frontier"]


class Timeouts(Settings):
    """
    Limits of one attempt at a provider, in seconds.

    C{first_byte} runs from the start of the attempt to the response's
    headers; C{idle} between any two pieces of the body; C{total} over all.
    """

    connect: Seconds = 5
    first_byte: Seconds = 30
    idle: Seconds = 60
    total: Seconds = 600


def _check_failure(value: Any) -> Any:
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if value in ("none", "cut", "stall"):
        return value
    if type(value) is int and 300 <= value <= 599:
        return value
    raise ValueError("expected none, cut, stall or an HTTP status from 300 to 599")


class MockSettings(Settings):
    """
    How a built-in mock provider behaves.

    @ivar latency_seconds: before the first byte of an answer.
    @ivar chunk_seconds: between two chunks of a stream.
    @ivar failure: what goes wrong: an HTTP status, or C{cut} (the connection
        is closed halfway through the answer), C{stall} (nothing more is said,
        halfway through a stream or instead of an answer) or C{none}.
    @ivar failure_rate: the share of requests that it goes wrong for.
    """

    latency_seconds: Number = 0.02
    chunk_seconds: Number = 0.01
    failure: Annotated[
        Literal["none", "cut", "stall"] | int, BeforeValidator(_check_failure)
    ] = "none"
    failure_rate: Share = 1


class ModelSettings(Settings):
    """
    One model at one provider; rates left out are the provider's.
    """

    name: Name
    upstream: Name | None = None
    input_rate: Number | None = None
    output_rate: Number | None = None
    cached_input_rate: Number | None = None
    base_fee: Number | None = None


def _model_from_name(value: Any) -> Any:
    if isinstance(value, str):
        return {"name": value}
    if not isinstance(value, Mapping | ModelSettings):
        raise ValueError("expected a name or a mapping")
    return value


class ProviderSettings(Settings):
    """
    An OpenAI-compatible server, what it serves and what it charges.

    @ivar auto_discover: what it serves, and what it charges if it says so, is
        asked of the provider itself, beside what stands here.
    """

    name: Name
    kind: Literal["openai", "routstr", "mock"] = "openai"
    url: BaseUrl | None = None
    api_key: OptionalSecret = None
    tier: Tier = "standard"
    input_rate: Number | None = None
    output_rate: Number | None = None
    cached_input_rate: Number | None = None
    base_fee: Number = 0
    models: Annotated[
        tuple[Annotated[ModelSettings, BeforeValidator(_model_from_name)], ...],
        BeforeValidator(list_of_one),
    ] = ()
    auto_discover: bool = False
    timeouts: Timeouts = Timeouts()
    max_in_flight: Count = 64
    mock: MockSettings = MockSettings()

    @property
    def takes_any(self) -> bool:
        """
        It lists no models, and so is asked for any.  What a provider is yet to
        tell of itself does not count as no list.
        """
        return not self.models and not self.auto_discover
