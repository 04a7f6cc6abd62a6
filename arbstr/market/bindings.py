"""
Which key may be sent where.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen
from pydantic import SecretStr

from arbstr.config.market import OPENROUTER, read_binding

from .endpoints import host_of


@frozen
class _Binding:
    who: str
    host: str
    key: SecretStr = field(repr=False)


class Bindings:
    """
    The keys of C{tokenstats.keys}, each with the one host that it is for.
    """

    def __init__(self, keys: Mapping[str, SecretStr | None]) -> None:
        self._bindings = [
            _Binding(*bound, key)
            for name, key in keys.items()
            if key is not None and (bound := read_binding(name)) is not None
        ]

    def find(self, source: str, provider_id: str, endpoint: str) -> SecretStr | None:
        """
        The key for a provider: one that names both its source and its id goes
        before one of its id, and that before one of its source.  Whoever it is,
        the host has to be the one that the key is bound to.
        """
        host = host_of(endpoint)
        here = {each.who: each.key for each in self._bindings if each.host == host}
        names = [f"{source}:{provider_id}", provider_id, source]
        if source != OPENROUTER and provider_id == OPENROUTER:
            # Ids are chosen by those who have them.
            del names[1]
        return next((here[who] for who in names if who in here), None)


def hint(source: str, provider_id: str, endpoint: str) -> str:
    """
    What to write so that there is one.
    """
    if source == OPENROUTER:
        name = source
    else:
        name = f"{source}:{provider_id}@{host_of(endpoint)}"
    return f"add a key under tokenstats.keys as {name!r}"
