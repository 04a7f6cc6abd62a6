"""
Writing responses.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from twisted.web.http import RESPONSES, Request

from arbstr.errors import ApiError
from arbstr.headers import set_headers
from arbstr.keyring import hide_all

JSON_TYPE = "application/json"


def prepare(
    request: Request,
    status: int,
    body: bytes,
    content_type: str = JSON_TYPE,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """
    Make everything ready for an answer but its body.

    @return: the body, to be sent with it.
    """
    request.setResponseCode(status)
    told = {"Content-Type": content_type, "Content-Length": str(len(body))}
    set_headers(request.responseHeaders, {**(headers or {}), **told})
    return body


def prepare_json(request: Request, status: int, value: object) -> bytes:
    """
    Make a JSON value ready to be answered with.
    """
    return prepare(request, status, dump(value))


def prepare_error(
    request: Request, error: ApiError, headers: Mapping[str, str] | None = None
) -> bytes:
    """
    Make an error ready to be answered with.
    """
    body = error.raw_body() or dump(error.body())
    told = {**(headers or {}), **headers_of(error)}
    return prepare(request, error.status, body, headers=told)


def send(request: Request, body: bytes) -> None:
    """
    Answer with what has been prepared.
    """
    request.write(body)
    request.finish()


def raw_error(error: ApiError, request_id: str) -> bytes:
    """
    A whole response, for where there is no request to answer.  The connection
    has to be closed after it.
    """
    body = dump(error.body())
    headers = {
        "Content-Type": JSON_TYPE,
        "Content-Length": str(len(body)),
        "X-Arbstr-Request-Id": request_id,
        "X-Request-Id": request_id,
        **headers_of(error),
        "Connection": "close",
    }
    reason = RESPONSES.get(error.status, b"Refused").decode("ascii")
    head = [f"HTTP/1.1 {error.status} {reason}"]
    head += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


def headers_of(error: ApiError) -> dict[str, str]:
    """
    The headers that go with an error, without any secret.
    """
    headers: dict[str, str] = hide_all(error.headers)
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    return headers


def dump(value: object) -> bytes:
    """
    A value as JSON in UTF-8.
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "backslashreplace"
    )


def hang_up(request: Request) -> None:
    """
    Close the connection: what has gone out cannot be mended.
    """
    request.loseConnection()
