"""
What providers do wrong, from bug reports and from imagination.

To add a fault, add a line to the table where it belongs: each is tried with
whole answers and with streams, before and after the first byte has gone to the
client, alone and with another provider that could take over.
"""

from __future__ import annotations

import gzip
import json

from ..faults import Fault, drip, fin, rst
from ..providers import (
    DONE,
    chunk,
    completion,
    delta,
    event,
    http,
)

JSON = "Content-Type: application/json"
ANSWER = json.dumps(completion()).encode()
WHOLE_ANSWER = http(200, ANSWER, JSON)
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
TWO = b"\r\nContent-Length: 2\r\n\r\n{}"
GZIPPED = gzip.compress(ANSWER)


def encoded(name: str, body: bytes) -> bytes:
    """
    A whole answer with a C{Content-Encoding}.
    """
    return http(200, body, JSON, f"Content-Encoding: {name}")


def redirect(status: int) -> bytes:
    """
    To ourselves, who would be glad to get a key.
    """
    return http(status, b"{}", JSON, "Location: /v1/chat/completions")


# What comes instead of an answer.
NO_ANSWER = (
    Fault("reset", "connect", rst),
    Fault("closed without an answer", "connect", fin),
    Fault("closed within the status line", "connect", b"HTTP/1.1 2", fin),
    Fault("closed within the head", "connect", OK + b"Content-", fin),
    Fault("reset within the head", "connect", OK + b"Content-", rst),
    Fault("silence", "timeout"),
    Fault("silence within the head", "timeout", OK + b"Content-Type: appl"),
    Fault("silence after an interim answer", "timeout", INTERIM),
    Fault("slow headers", "timeout", OK, drip(b"X-Slow: x\r\n")),
    Fault("garbage", "protocol", b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    Fault("TLS alert", "protocol", b"\x15\x03\x03\x00\x02\x02\x28\r\n\r\n", fin),
    Fault("HTML without a head", "protocol", b"<html>Welcome!</html>\r\n\r\n", fin),
    Fault("status of letters", "protocol", b"HTTP/1.1 abc OK\r\n\r\n"),
    *(
        Fault(
            f"status {status}".replace("-", "minus "),
            "protocol",
            http(status, ANSWER, JSON),
        )
        for status in (-20, 0, 99, 600, 999)
    ),
    *(
        Fault(f"redirect {status}", "protocol", redirect(status))
        for status in (300, 301, 302, 303, 304, 307, 308)
    ),
    Fault("gzip", "protocol", encoded("gzip", GZIPPED)),
    Fault("gzip bomb", "protocol", encoded("gzip", gzip.compress(bytes(10**7)))),
    Fault("corrupt gzip", "protocol", encoded("gzip", GZIPPED[:20] + bytes(40))),
    Fault("brotli", "protocol", encoded("br", ANSWER)),
    Fault("gzip by two names", "protocol", encoded("identity, x-gzip", GZIPPED)),
    Fault(
        "two content lengths",
        "protocol",
        OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
    ),
)

# A provider's HTTP that only a strict reader refuses as such.
NO_HTTP = (
    Fault("status 101", "protocol", b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
    Fault("more than 20 interim answers", "protocol", INTERIM * 21 + WHOLE_ANSWER),
    Fault("endless interim answers", "protocol", INTERIM * 1000),
    Fault(
        "header line over 16 KiB",
        "protocol",
        OK + b"X-Long: " + b"x" * 17_000 + TWO,
    ),
    Fault("header line without an end", "protocol", OK + b"X-Long: " + b"x" * 10**6),
    Fault("header name without an end", "protocol", OK + b"x" * 10**6),
    Fault("status line without an end", "protocol", OK[:-2] + b"y" * 10**6),
    Fault(
        "more than 200 headers",
        "protocol",
        OK + b"X-Many: x\r\n" * 201 + b"Content-Length: 2\r\n\r\n{}",
    ),
    Fault(
        "content length with transfer encoding",
        "protocol",
        OK + CHUNKED + b"Content-Length: 2\r\n\r\n" + chunk(ANSWER) + chunk(b""),
    ),
    Fault(
        "two equal content lengths",
        "protocol",
        OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    ),
    Fault("negative content length", "protocol", OK + b"Content-Length: -2\r\n\r\n{}"),
    Fault(
        "content length of letters", "protocol", OK + b"Content-Length: two\r\n\r\n{}"
    ),
    Fault("header without a colon", "protocol", OK + b"what\r\n\r\n{}"),
    Fault(
        "NUL in a header", "protocol", OK + b"X: a\0b\r\nContent-Length: 2\r\n\r\n{}"
    ),
)

# What ends a body that has begun well, chunked or of a known length.
BODY_ENDS = (
    Fault("cut", "connect", fin),
    Fault("reset", "connect", rst),
    Fault("stall", "timeout"),
    Fault("endless drip", "timeout", drip(chunk(b" "))),
)

# What comes where a chunk should.
NO_CHUNK = (
    Fault("malformed chunk size", "protocol", b"xyz\r\n{}\r\n0\r\n\r\n"),
    Fault("negative chunk size", "protocol", b"-2\r\n{}\r\n0\r\n\r\n"),
    Fault("huge chunk size", "protocol", b"f" * 20 + b"\r\n{}\r\n0\r\n\r\n"),
    Fault("empty chunk size", "protocol", b"\r\n{}\r\n0\r\n\r\n"),
    Fault("chunk longer than it says", "protocol", b"2\r\n{}{}\r\n0\r\n\r\n"),
    Fault("answer where a chunk should be", "protocol", WHOLE_ANSWER),
)

# HTTP is as it should be, but the JSON in it is not.
NO_JSON = (
    Fault("invalid JSON", "protocol", http(200, ANSWER[:-2], JSON)),
    Fault("NaN", "protocol", http(200, ANSWER.replace(b"1", b"NaN"), JSON)),
    Fault("invalid UTF-8", "protocol", http(200, ANSWER.replace(b"H", b"\xff"), JSON)),
    Fault("no object", "protocol", http(200, b"[]", JSON)),
    Fault("empty body", "protocol", http(200, b"", JSON)),
    Fault(
        "HTML", "protocol", http(200, b"<html>Hi!</html>", "Content-Type: text/html")
    ),
    Fault("error object", "protocol", http(200, b'{"error": {"message": "x"}}', JSON)),
    Fault("error of text", "protocol", http(200, b'{"error": "overloaded"}', JSON)),
    Fault("JSON over 32 MiB", "protocol", http(200, ANSWER + b" " * 2**25, JSON)),
    Fault("close-delimited and cut", "protocol", OK + b"\r\n" + ANSWER[:-20], fin),
)

FAILED = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
OTHER = {"index": 1, "delta": {"content": "x"}, "finish_reason": None}

# HTTP is as it should be, but the stream's events tell of a failure; or the
# body ends as it should, but the stream in it does not.
BROKEN_STREAMS = (
    Fault("error event", "protocol", chunk(event({"error": {"message": "died"}}))),
    Fault("error event of text", "protocol", chunk(event({"error": "died"}))),
    Fault("finish reason error", "protocol", chunk(event({"choices": [FAILED]}))),
    Fault(
        "error and done",
        "protocol",
        chunk(event({"error": {"message": "died"}}) + DONE) + chunk(b""),
    ),
    Fault("end without a finish reason", "protocol", chunk(b"")),
    Fault(
        "one of two choices unfinished",
        "protocol",
        chunk(event({"choices": [OTHER]}) + delta(finish="stop")) + chunk(b""),
    ),
    Fault("invalid JSON and the end", "protocol", chunk(b"data: {\n\n") + chunk(b"")),
)
