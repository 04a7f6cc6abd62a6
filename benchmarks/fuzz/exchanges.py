"""
Valid HTTP exchanges, and the ways in which they are made invalid.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random

from attrs import field, frozen

from tests.integration.providers import (
    STREAM_HEAD,
    WHOLE,
    chunk,
    completion,
    http,
)
from tests.upstream.test_stream import CORPORA

from . import corpus
from .mutation import Mutator

MODEL = "fuzzed"
HEALTHY = "healthy"

_JSON = b"Content-Type: application/json"
_HEAD_TOKENS = (
    *(
        b"GET ",
        b"HEAD ",
        b"POST ",
        b"OPTIONS ",
        b"CONNECT ",
        b" HTTP/1.1",
        b" HTTP/1.0",
    ),
    *(b"/v1/chat/completions", b"/v1/models/x", b"/v1/requests?page=", b"%00", b"%ff"),
    *(b"\r\n", b"\n", b"\r", b"\r\n ", b"\r\n\r\n", b"\0", b"\t", b"//", b"/../", b"*"),
    *(b"Content-Length: ", b"Transfer-Encoding: chunked\r\n", b"Host: localhost\r\n"),
    *(b"Host: evil.example\r\n", b"Connection: close\r\n", b"Connection: Accept\r\n"),
    *(
        b"Expect: 100-continue\r\n",
        b"Origin: http://evil.example\r\n",
        b"a: b\r\n" * 99,
    ),
    *(b"Content-Type: text/plain\r\n", b"Transfer-Encoding: identity\r\n", b"\xff\xfe"),
    *(b"X-Arbstr-Policy: none\r\n", b"X-Arbstr-Provider: p1\r\n"),
    *(b"X-Arbstr-Max-Cost-Sats: nan\r\n", b"Upgrade: websocket\r\n", b"http://a/"),
    *(b"0\r\n\r\n", b"ffffffffffffffff\r\n", b"-1\r\n", b"5;a=b\r\n", b"0x5\r\n"),
)
# More than is taken: of one line, of headers, of a body.
_TOO_MUCH = (b"A: " + b"x" * 17_000, b"\r\n".join([b"a: b"] * 201))
_TOO_LONG = b'{"model":"fuzzed","messages":[],"x":"%b"}' % (b"x" * 1_100_000)
_REPORTS = (
    b"/v1/stats?range=last_1h&group_by=model",
    b"/v1/stats?since=2026-01-01T00:00:00Z",
    b"/v1/requests?per_page=2&page=3&sort=cost_sats&order=asc",
    b"/v1/requests?policy=code&success=true&streaming=false&model=fuzzed",
    b"/v1/requests/a-b",
)
_STATUS = (b"/health", b"/healthz", b"/providers", b"/v1/models", b"/nothing")
_RESPONSE_TOKENS = (
    *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 500 X\r\n"),
    *(b"HTTP/1.1 302 F\r\nLocation: http://a/\r\n", b"HTTP/1.1 -20 X\r\n", b"HTTP/2 "),
    *(b"HTTP/1.1 101 S\r\n\r\n", b"HTTP/1.1 999 X\r\n", b"HTTP/1.1 429 X\r\n", b"204"),
    *(b"Content-Encoding: gzip\r\n", b"Content-Length: ", b"\r\n", b"\r\n\r\n", b"\0"),
    *(b"Transfer-Encoding: chunked\r\n", b"Content-Type: text/html\r\n", b"\n "),
    *(b"Retry-After: 1\r\n", b"Connection: close\r\n", b"Set-Cookie: a=b\r\n"),
    *(b"0\r\n\r\n", b"ffffffffffffffff\r\n", b"-1\r\n", b"5;a=b\r\n"),
    b"a: b\r\n" * 99,
)
_REFUSAL = {"error": {"message": "no", "type": "t", "param": None, "code": "c"}}


def chat(number: int, stream: bool, model: str = MODEL) -> bytes:
    """
    The body of a chat completion request.

    @param number: of the case, which the provider recognises it by.
    """
    body = {
        "model": model,
        "messages": [{"role": "user", "content": "Hi"}],
        "user": f"case-{number}",
        **({"stream": True} if stream else {}),
    }
    return json.dumps(body).encode()


def post(body: bytes, *headers: bytes, path: bytes = b"/v1/chat/completions") -> bytes:
    """
    A request with a body.
    """
    length = b"Content-Length: %d" % len(body)
    lines = (b"POST %b HTTP/1.1" % path, b"Host: localhost", _JSON, length, *headers)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def get(path: bytes, *headers: bytes) -> bytes:
    """
    A request without one.
    """
    lines = (b"GET %b HTTP/1.1" % path, b"Host: localhost", *headers)
    return b"\r\n".join(lines) + b"\r\n\r\n"


def chunked(head: bytes, body: bytes, chance: Random) -> bytes:
    """
    A request or a response with its body in chunks, some of which may lie about
    their lengths.
    """
    lines = [line for line in head.split(b"\r\n") if b"ontent-" not in line[:9]]
    lines += [_JSON, b"Transfer-Encoding: chunked", b"", b""]
    place = chance.randint(0, len(body))
    pieces = [piece for piece in (body[:place], body[place:]) if piece]
    framed = b"".join(map(chunk, [*pieces, b""]))
    if chance.random() < 0.3:
        framed = framed.replace(b"\r\n", chance.choice((b"\n", b" \r\n", b"\r")), 1)
    return b"\r\n".join(lines) + framed


@frozen
class Exchanges:
    """
    Makes both sides of exchanges, each from a chance of its own.
    """

    chance: Random
    _bodies: Mutator = field(init=False)
    _heads: Mutator = field(init=False)
    _wholes: Mutator = field(init=False)
    _streams: Mutator = field(init=False)

    @_bodies.default
    def _make_bodies(self) -> Mutator:
        seeds = [body.replace(b'"m"', b'"fuzzed"') for body in corpus.REQUESTS]
        seeds += [chat(0, False), chat(0, True)]
        return Mutator(seeds, corpus.REQUEST_TOKENS, self.chance)

    @_heads.default
    def _make_heads(self) -> Mutator:
        return Mutator([get(b"/health")], _HEAD_TOKENS, self.chance)

    @_wholes.default
    def _make_wholes(self) -> Mutator:
        tokens = (*_RESPONSE_TOKENS, *corpus.STREAM_TOKENS)
        return Mutator(_responses(), tokens, self.chance)

    @_streams.default
    def _make_streams(self) -> Mutator:
        seeds = (b"".join(WHOLE), *CORPORA.values())
        return Mutator(seeds, corpus.STREAM_TOKENS, self.chance)

    def request(self, number: int) -> bytes:
        """
        What a client sends that is up to no good: one request, or two of them.
        """
        sent = self._request(number)
        return sent + self._request(number) if self.chance.random() < 0.1 else sent

    def _request(self, number: int) -> bytes:
        chance = self.chance
        way = chance.random()
        if way < 0.002:
            return post(_TOO_LONG)
        if way < 0.1:
            path = chance.choice(
                (b"/health", b"/providers", b"/v1/models", b"/nothing")
            )
            return self._mutate_head(get(path))
        if way < 0.13:
            return self._mutate_head(get(chance.choice(_REPORTS)))
        body = self._bodies.make() if way < 0.5 else chat(number, way < 0.75)
        path = chance.choice((b"/v1/chat/completions", b"/v1/route", b"/v1/cost"))
        whole = post(body, path=path if way < 0.3 else b"/v1/chat/completions")
        head, _, _ = whole.partition(b"\r\n\r\n")
        if way < 0.4:
            return whole
        if way < 0.5:
            return chunked(head, body, chance)
        return self._mutate_head(whole)

    def _mutate_head(self, whole: bytes) -> bytes:
        head, end, body = whole.partition(b"\r\n\r\n")
        head = self._heads.mutate(head)
        if self.chance.random() < 0.02:
            head += b"\r\n" + self.chance.choice(_TOO_MUCH)
        return head + end + body

    def response(self, stream: bool) -> tuple[bytes, bool]:
        """
        What a provider sends that is up to no good.

        @return: that, and whether it is framed as HTTP has it.
        """
        way = self.chance.random()
        if way < 0.2:
            return (STREAM_HEAD + _framed(WHOLE) if stream else _responses()[0]), True
        if way < 0.5 and stream:
            body = self._streams.make()
            place = self.chance.randint(0, len(body))
            return STREAM_HEAD + _framed((body[:place], body[place:])), True
        if way < 0.5:
            body = json.dumps(completion()).encode()
            return http(200, self._bodies.mutate(body), _JSON.decode()), True
        whole = self._wholes.make()
        if self.chance.random() < 0.02:
            line = b"\r\n" + self.chance.choice(_TOO_MUCH) + b"\r\n"
            whole = whole.replace(b"\r\n", line, 1)
        return whole, False


def _framed(pieces: Sequence[bytes]) -> bytes:
    return b"".join(map(chunk, [*(piece for piece in pieces if piece), b""]))


def _responses() -> list[bytes]:
    answer, told = json.dumps(completion()).encode(), json.dumps(_REFUSAL).encode()
    kind = _JSON.decode()
    until_close = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    return [
        http(200, answer, kind, "X-Request-Id: up-1", "OpenAI-Processing-Ms: 5"),
        STREAM_HEAD + _framed(WHOLE),
        STREAM_HEAD + _framed((b"".join(WHOLE),)),
        until_close + b"".join(WHOLE),
        b"HTTP/1.1 103 Early\r\nLink: a\r\n\r\n" + http(200, answer, kind),
        http(400, told, kind),
        http(422, told, kind),
        http(500, told, kind),
        http(200, told, kind),
    ]
