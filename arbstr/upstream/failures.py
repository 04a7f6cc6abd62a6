"""
How an attempt at a provider can fail, and what follows from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import define, frozen

from arbstr.redact import redact

Kind = Literal["connect", "protocol", "timeout", "5xx", "4xx"]

# What a provider says about our key, our balance or its own load with it, or
# about its not having the model: nothing that the client could mend.
_NOT_THE_CLIENTS = frozenset({401, 402, 403, 404, 408, 429})
_OUR_ACCOUNT = frozenset({401, 402, 403})
_WORTH_ANOTHER_TRY = frozenset({408, 429})


# What is made for every request is not frozen: that takes thrice the time.
@define
class Head:
    """
    What a provider's response says before its body, as far as it is passed on.
    """

    status: int
    content_type: str
    retry_after: str | None = None
    processing_ms: str | None = None
    request_id: str | None = None
    cost_msats: str | None = None


@define
class Reply:
    """
    A provider's whole answer.

    @ivar json: the body, decoded, if it was JSON.
    """

    head: Head
    body: bytes
    json: Any = None


@define(eq=False)
class AttemptFailed(Exception):
    """
    One attempt at one provider came to nothing.

    @ivar kind: what the circuit breaker is told.
    @ivar message: redacted, one line, for people.
    @ivar status: the HTTP status, if there was a response.
    @ivar reply: the provider's answer, if it is one that the client may see.
    @ivar content_sent: the client has seen part of the answer: no other
        provider can take over.
    @ivar ours: this machine could not ask, which says nothing about the provider.
    """

    kind: Kind
    message: str
    status: int | None = None
    reply: Reply | None = None
    content_sent: bool = False
    ours: bool = False

    def __str__(self) -> str:
        return self.message

    @property
    def is_clients(self) -> bool:
        """
        The request itself is at fault: no other provider would take it.
        """
        return (
            self.kind == "4xx"
            and self.status not in _NOT_THE_CLIENTS
            and not self._is_unknown_model()
        )

    @property
    def is_retryable(self) -> bool:
        """
        The same provider might do better in a while.
        """
        if self.kind == "4xx":
            return self.status in _WORTH_ANOTHER_TRY
        return self.kind != "protocol"

    @property
    def passes_on(self) -> bool:
        """
        The client gets the provider's answer, where no candidate is left.
        """
        return self.kind == "4xx" and self.status not in _OUR_ACCOUNT

    @property
    def cools_as(self) -> int | None:
        """
        The HTTP status that says for how long to leave the provider alone.
        """
        return 404 if self._is_unknown_model() else self.status

    @property
    def retry_after(self) -> str | None:
        """
        When the provider says that it is worth another try.
        """
        return None if self.reply is None else self.reply.head.retry_after

    def _is_unknown_model(self) -> bool:
        if self.status != 400 or self.reply is None:
            return False
        error = read_error(self.reply.json)
        return error.type == "invalid_model" or error.code == "model_not_found"


@frozen
class ErrorObject:
    """
    A provider's error, in whichever of the shapes in use it came.
    """

    message: str | None = None
    type: str | None = None
    code: str | None = None


def read_error(body: Any) -> ErrorObject:
    """
    Find the error in a decoded body: C{{"error": {...}}} as OpenAI has it,
    C{{"error": "text"}}, FastAPI's C{{"detail": ...}}, or a flat object.
    """
    if not isinstance(body, dict):
        return ErrorObject()
    error = body.get("error") or body.get("detail") or body
    if isinstance(error, dict) and isinstance(error.get("error"), (dict, str)):
        error = error["error"]
    if isinstance(error, str):
        return ErrorObject(message=error)
    if not isinstance(error, Mapping):
        return ErrorObject()
    return ErrorObject(
        message=_text(error.get("message") or error.get("reason")),
        type=_text(error.get("type")),
        code=_text(error.get("code")),
    )


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, (dict, list)):
        return None
    return str(value)


def describe(status: int, reply: Reply | None) -> str:
    """
    One line on a failed response, safe to log and to show.
    """
    if reply is None or not reply.body:
        return f"HTTP {status}"
    found = read_error(reply.json).message
    if found is None:
        found = reply.body.decode("utf-8", "replace")
    return f"HTTP {status}: {redact(found)}"
