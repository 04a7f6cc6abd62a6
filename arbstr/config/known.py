"""
The secrets of a configuration, for the process to know them by heart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, SecretStr

from arbstr.keyring import KEYRING, Keyring

from .model import Config

# As SQLAlchemy finds it in a URL, and where else a driver would take it from.
_PASSWORD = re.compile(r"://[^:@/]*:([^@]*)@|[?&]password=([^&]*)")


def hide_secrets_of(config: Config, keyring: Keyring = KEYRING) -> None:
    """
    From now on take this configuration's secrets out of everything that is
    logged, stored or told.  Those of former ones stay hidden.
    """
    secrets = [each for each in _secrets(config) if not keyring.knows(each)]
    if secrets:
        names = "\n".join(_names(config))
        keyring.add(secret for secret in secrets if secret not in names)


def _secrets(config: Config) -> Iterator[str]:
    """
    Whatever the settings hold as a secret, and the database's password.
    """
    yield from _held(config)
    for match in _PASSWORD.finditer(config.database.url):
        password = match[1] or match[2] or ""
        yield from (password, unquote(password))


def _held(value: object) -> Iterator[str]:
    match value:
        case SecretStr():
            yield value.get_secret_value()
        case BaseModel():
            for name, each in value:
                # There may be thousands of models, and none has a secret.
                if name != "models":
                    yield from _held(each)
        case Mapping():
            yield from _held(tuple(value.values()))
        case tuple():
            for each in value:
                yield from _held(each)


def _names(config: Config) -> Iterator[str]:
    """
    What logs, reports and routes call things.  A key that is part of one, such
    as C{lm-studio} for the provider C{lm-studio}, keeps nobody out.
    """
    for provider in config.providers:
        yield provider.name
        yield urlsplit(provider.url or "").hostname or ""
        for model in provider.models:
            yield from (model.name, model.upstream or "")
    yield from (rule.name for rule in config.policies.rules)
