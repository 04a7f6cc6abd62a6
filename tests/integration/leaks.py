"""
Marked secrets, providers that give back what they were sent in every way that
they may, and a search for any part of a secret in what came out.
"""

from __future__ import annotations

import html
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from urllib.parse import quote, unquote

from .providers import (
    FIRST,
    STREAM_HEAD,
    Connection,
    Received,
    chunk,
    completion,
    delta,
    event,
    http,
)

# Marked, and with everything that anybody might escape.
SECRETS = {
    "key from the environment": 'env"Quokka\\7/Wombat+3<Emu>&9=Dingo',
    "expanded key": "Narwhal_4711.Beluga~Orca-0815",
    "literal key": "sk-literal-Axolotl/8+Salamander==",
    "token": "token'Pangolin%41#Aardvark;Okapi!",
    "key of later": "later|Hoatzin^Cassowary`Kea{0}",
}
REPLACED = (SECRETS["literal key"], SECRETS["key of later"])
PRIVATE = {
    "Cookie": "session=Capybara-cookie-5150",
    "X-Api-Key": "Marmoset-api-key-6160",
    "X-Cashu": "cashuATamarin-money-7170",
    "Proxy-Authorization": "Basic Galago-proxy-8180",
    "OpenAI-Organization": "org-Potto-organization-9190",
}
ROUTES = (
    "/",
    "/dashboard",
    "/v1/models",
    "/v1/models/json-400",
    "/v1/models/none",
    "/v1/stats",
    "/v1/stats?group_by=provider",
    "/v1/requests?per_page=100",
    "/v1/requests/none",
    "/providers",
    "/health",
    "/healthz",
    "/metrics",
    "/none",
)
"""
Whatever can be asked for without a body.
"""

# A bug of our own, with a secret in its message and in that of its cause; what
# nobody waits for that fails; and what somebody prints.
BUG = """
import os
from arbstr.routing.router import Router
from twisted.internet.defer import fail

plan = Router.plan

def buggy(self, request):
    if request.model == "bug":
        secret = os.environ["SECRET"]
        print("printed", secret)
        fail(ValueError(f"unhandled: {secret}"))
        try:
            {}[secret]
        except KeyError as error:
            raise RuntimeError(f"bug with {secret!r}") from error
    return plan(self, request)

Router.plan = buggy
"""


# Of every secret no part that is as long as this may come out.
PART = 8

_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{11,}")
_NUMBERED = re.compile(r"\\+(?:u00|x)([0-9A-Fa-f]{2})")

Answer = Callable[[str], bytes]


def parts(secret: str) -> set[str]:
    """
    All parts of a secret that must not be seen.
    """
    return {secret[at : at + PART] for at in range(len(secret) - PART + 1)}


def readings(text: str) -> Iterator[str]:
    """
    What a text says, and what it says once its escapes are taken away.
    """
    yield text
    for _ in range(3):
        text = _NUMBERED.sub(lambda match: chr(int(match[1], 16)), text)
        text = html.unescape(unquote(text)).replace("\\", "")
        yield text
    for encoded in dict.fromkeys(_ENCODED.findall(text)):
        for start in range(4):
            run = encoded[start:].replace("-", "+").replace("_", "/")
            yield b64decode(run[: len(run) // 4 * 4]).decode("latin-1")


def found(secrets: dict[str, str], text: str) -> list[str]:
    """
    Which secrets can be seen in a text, at least in part.
    """
    read = "\n".join(readings(text))
    return [
        name
        for name, secret in secrets.items()
        for told in {secret, secret.replace("\\", "")}
        if any(part in read for part in parts(told))
    ]


def _json(status: int, value: object, *headers: str) -> bytes:
    body = json.dumps(value).encode()
    return http(status, body, "Content-Type: application/json", *headers)


def _error(message: str, **more: object) -> dict[str, object]:
    return {"error": {"message": message, "type": "x", "code": None, **more}}


def _page(status: int, key: str) -> bytes:
    page = f"<html><p>Your key {html.escape(key)} is not good: {key}</html>"
    return http(status, page.encode(), "Content-Type: text/html")


def _echoing_headers(key: str) -> tuple[str, ...]:
    return (
        f"X-Request-Id: {key}",
        f"openai-processing-ms: {key}",
        f"Retry-After: {key}",
        f"X-Routstr-Cost-Msats: {key}",
        f"X-RateLimit-Limit: {key}",
        f"Set-Cookie: key={key}",
        f"Location: /{quote(key)}",
    )


def _stream(*events: bytes) -> bytes:
    return STREAM_HEAD + b"".join(map(chunk, events)) + chunk(b"")


def _escaped(key: str) -> str:
    return "".join(each if each.isalnum() else f"\\u{ord(each):04x}" for each in key)


def _basic(key: str) -> str:
    return b64encode(f"user:{key}".encode()).decode()


ECHOES: dict[str, Answer] = {
    "json-400": lambda key: _json(400, _error(f"what is {key}?", param=key, code=key)),
    "json-422-headers": lambda key: _json(422, _error("no"), *_echoing_headers(key)),
    "json-500": lambda key: _json(500, _error(f"{key} broke it", code=key)),
    "json-503-headers": lambda key: _json(503, _error("no"), *_echoing_headers(key)),
    "json-in-json": lambda key: _json(400, _error(json.dumps({"authorization": key}))),
    "json-twice": lambda key: _json(400, _error(json.dumps(json.dumps(key)))),
    "json-escaped": lambda key: http(
        400,
        b'{"error": "%s"}' % _escaped(key).encode(),
        "Content-Type: application/json",
    ),
    "json-detail": lambda key: _json(422, {"detail": [{"input": {"key": key}}]}),
    "json-text": lambda key: _json(400, {"error": key}),
    "json-list": lambda key: _json(400, [key]),
    "url": lambda key: _json(400, _error(f"/v1?key={quote(key, safe='')}&x=1")),
    "basic": lambda key: _json(400, _error(f"Authorization was Basic {_basic(key)}")),
    "basic-500": lambda key: _json(500, _error(f"sent: {_basic(key)}")),
    "cut-short": lambda key: _json(400, _error(f"no such key: {key[:20]}")),
    "text-400": lambda key: http(400, f"no {key}".encode(), "Content-Type: text/plain"),
    "html-400": lambda key: _page(400, key),
    "html-502": lambda key: _page(502, key),
    "html-200": lambda key: _page(200, key),
    "far-into-the-body": lambda key: http(500, b"x " * 2040 + key.encode()),
    "error-in-200": lambda key: _json(200, _error(f"what is {key}?", code=key)),
    "headers-of-200": lambda key: _json(200, completion(), *_echoing_headers(key)),
    "type-of-200": lambda key: http(
        200,
        json.dumps(completion()).encode(),
        f"Content-Type: application/json; k={key}",
    ),
    "redirect": lambda key: http(302, key.encode(), *_echoing_headers(key)),
    "encoding": lambda key: http(200, b"{}", f"Content-Encoding: {key}"),
    "reason": lambda key: http(500, b"", reason=key),
    "status-line": lambda key: f"HTTP/1.1 {key}\r\n\r\n".encode(),
    "no-http": lambda key: f"{key}\r\n\r\n".encode(),
    "bad-header": lambda key: f"HTTP/1.1 200 OK\r\n{key}\r\n\r\n".encode(),
    "bad-length": lambda key: (
        f"HTTP/1.1 200 OK\r\nContent-Length: {key}\r\n\r\n".encode()
    ),
    "bad-chunk": lambda key: (
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{key}\r\n".encode()
    ),
    "stream-error": lambda key: _stream(FIRST, event(_error(f"{key} broke", code=key))),
    "stream-error-first": lambda key: _stream(event({"error": key})),
    "stream-finish": lambda key: _stream(
        FIRST,
        delta("Hel"),
        event({"choices": [{"finish_reason": "error", "error": {"message": key}}]}),
    ),
    "stream-no-json": lambda key: _stream(FIRST, f"data: {key}\n\n".encode()),
    "stream-headers": lambda key: _stream(FIRST, delta(finish="stop")).replace(
        b"X-Request-Id: up-1", "\r\n".join(_echoing_headers(key)).encode()
    ),
    # At last, since these have the provider left alone for a while.
    "json-403": lambda key: _json(
        403, _error(f"{key} may not"), *_echoing_headers(key)
    ),
    "json-401": lambda key: _json(401, _error(f"Incorrect API key provided: {key}")),
}
"""
What a provider answers, by the model that it is asked for, given its key.
"""


def echoes(connection: Connection, request: Received) -> None:
    """
    Gives the key back, in the way that the model's name says.
    """
    key = request.headers["authorization"].removeprefix("Bearer ")
    model = request.json()["model"]
    connection.write(ECHOES[model](key))
    connection.close()
