"""
The types that settings are made of.

A validator raises C{ValueError} with a message that says what was expected;
L{arbstr.config.validation} adds where it was and what was found.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from .hosts import is_link_local
from .listen import listen_description
from .secrets import is_header_safe

T = TypeVar("T")

#: A year: a timer that is further away overflows the reactor's poll.
_MAX_SECONDS = 31_536_000

# A name or an IPv4 address; an IPv6 address.
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")


def _refuse_bool(value: Any) -> Any:
    """
    YAML's C{yes} is not the number one.
    """
    if isinstance(value, bool):
        raise ValueError("expected a number")
    return value


def list_of_one(value: Any) -> Any:
    """
    A single item may stand for a list of one.
    """
    return [value] if isinstance(value, str | int | float) else value


def only(value: T, why: str) -> Callable[[T], T]:
    """
    A validator for a key that this version knows but cannot vary.
    """

    def check(candidate: T) -> T:
        if candidate != value:
            raise ValueError(f"expected {str(value).lower()}, since {why}")
        return candidate

    return check


def not_empty(value: tuple[T, ...]) -> tuple[T, ...]:
    """
    Unlike C{min_length}, this does not count wrong items as missing ones.
    """
    if not value:
        raise ValueError("expected at least one, found none")
    return value


def _check_printable(value: str) -> str:
    """
    Names travel in response headers and log lines.
    """
    if not value.isprintable() or value != value.strip():
        raise ValueError("expected printable text without surrounding spaces")
    return value


def _check_url(value: str) -> str:
    if not re.fullmatch("[!-~]+", value):
        raise ValueError("expected a URL in ASCII, without spaces")
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("expected a URL with a valid host and port") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError("expected a URL without user:password in it (use api_key)")
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("expected an http:// or https:// URL")
    if parts.query or parts.fragment:
        raise ValueError("expected a base URL without query or fragment")
    if parts.path.rstrip("/").endswith("/chat/completions"):
        raise ValueError("expected the base URL, which ends before /chat/completions")
    if is_link_local(host):
        raise ValueError("expected an address that is not link-local")
    if not _HOST.fullmatch(host):
        # Whoever connects might read it in another way than we do here.
        raise ValueError("expected a URL with a plain host name or address")
    return value.rstrip("/")


def _check_database_url(value: str) -> str:
    if not value.startswith(("sqlite://", "postgresql+psycopg://")):
        # Not quoted back: it may hold a password.
        raise ValueError(
            "expected sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME, "
            "found something else"
        )
    return value


def _check_secret(value: SecretStr) -> SecretStr:
    if not is_header_safe(value.get_secret_value()):
        raise ValueError(
            "expected printable ASCII without spaces, found other characters"
        )
    return value


def _empty_to_none(value: Any) -> Any:
    """
    C{${VAR:-}} is how a file says that there may be none.
    """
    return (value.strip() or None) if isinstance(value, str) else value


Number = Annotated[
    float, BeforeValidator(_refuse_bool), Field(ge=0, allow_inf_nan=False)
]
Seconds = Annotated[
    float,
    BeforeValidator(_refuse_bool),
    Field(gt=0, le=_MAX_SECONDS, allow_inf_nan=False),
]
Count = Annotated[int, BeforeValidator(_refuse_bool), Field(ge=1)]
Share = Annotated[Number, Field(le=1)]
Name = Annotated[str, Field(min_length=1), AfterValidator(_check_printable)]
Names = Annotated[tuple[Name, ...], BeforeValidator(list_of_one)]
BaseUrl = Annotated[str, AfterValidator(_check_url)]
DatabaseUrl = Annotated[str, AfterValidator(_check_database_url)]
ListenDescription = Annotated[str, AfterValidator(listen_description)]
Secret = Annotated[SecretStr, AfterValidator(_check_secret)]
OptionalSecret = Annotated[Secret | None, BeforeValidator(_empty_to_none)]
