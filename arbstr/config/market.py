"""
What the market tells at run time: where the feed of prices is, and providers
and models that no file names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from .base import Settings
from .fields import BaseUrl, Name, Number, OptionalSecret, Seconds, Share
from .providers import ModelSettings, ProviderSettings

Source = Literal["config", "discovered", "tokenstats"]

OPENROUTER = "openrouter"
"""
The one source of which everybody knows where it is.
"""

# Host and, where it is not 443, port.
_BINDING = re.compile(
    r"(?P<who>.+)@(?P<host>[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+(?::\d+)?)"
)


def read_binding(name: str) -> tuple[str, str] | None:
    """
    What a name under C{tokenstats.keys} means.

    @return: whose key it is (a source, a provider's id, or both with a colon
        between them), and the only host that it may be sent to, with its port
        if that is not 443; C{None} if it names no host.
    """
    if name.lower() == OPENROUTER:
        return OPENROUTER, "openrouter.ai"
    match = _BINDING.fullmatch(name)
    if match is None:
        return None
    return match["who"], match["host"].lower().removesuffix(":443")


def _check_bindings(keys: Mapping[str, SecretStr | None]) -> Mapping[str, SecretStr]:
    """
    Anybody can announce a provider: a key without a host would go to all.
    """
    if any(read_binding(name) is None for name in keys):
        raise ValueError(
            "expected openrouter, or names such as routstr:ID@node.example that say "
            "which host the key is for, found one without"
        )
    return {name: key for name, key in keys.items() if key is not None}


class TokenstatsSettings(Settings):
    """
    A feed of prices, and the keys for providers that it names.

    @ivar min_reliability: providers that answered the feed's own polls less
        often are left out.
    @ivar stale_after_secs: older quotes are left out.
    @ivar blend_ratio: output tokens for an input token where the feed sorts by
        price.
    @ivar source: only quotes of this one; C{None} takes all.
    @ivar keys: see L{read_binding}.
    """

    url: BaseUrl = "https://tokenstats.ai"
    poll_interval_secs: Annotated[Seconds, Field(ge=5)] = 60
    min_reliability: Share = 0.5
    stale_after_secs: Seconds = 600
    blend_ratio: Number = 3
    source: Name | None = None
    keys: Annotated[dict[Name, OptionalSecret], AfterValidator(_check_bindings)] = (
        Field(default_factory=dict, repr=False)
    )


class MarketModel(ModelSettings):
    """
    A model as the market tells of it; never in a file.

    @ivar priced: C{False} where nobody knows what it costs: it must not be
        taken for free.
    @ivar max_output: the most tokens that the provider lets it answer with.
    """

    source: Source = "config"
    priced: bool = True
    max_output: int | None = None


class MarketProvider(ProviderSettings):
    """
    A provider as the market tells of it; never in a file.

    @ivar open_list: it takes models that are not listed, too.
    """

    source: Source = "config"
    open_list: bool = False

    @property
    def takes_any(self) -> bool:
        """
        See L{ProviderSettings.takes_any}.
        """
        return self.open_list


def source_of(settings: ProviderSettings | ModelSettings) -> Source:
    """
    Where a provider, or a model and its price, comes from.
    """
    if isinstance(settings, MarketProvider | MarketModel):
        return settings.source
    return "config"
