"""
Streams on their way: what looking at a megabyte of them costs.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from statistics import median

from arbstr.upstream.stream import ChatStream

from ..markdown import markdown
from .bench import Bench

_MEGABYTE = 1_000_000
_TIMES = 5
_READS = (("event by event", 0), ("4 KB", 4096), ("64 KB", 65536))
_CONTENTS = (("short events", 4), ("events of 16 KB", 16_000))


def observer(bench: Bench) -> str:
    """
    Milliseconds of processor time a megabyte, by the size of the provider's
    events and that of reads.
    """
    lines = [("", "bytes an event", *(name for name, _ in _READS))]
    for title, characters in _CONTENTS:
        event = _event(characters)
        costs = [f"{_milliseconds(event, size):.2f}" for _, size in _READS]
        lines.append((f"{title}, ms per MB", str(len(event)), *costs))
    return markdown(lines)


def _milliseconds(event: bytes, read: int) -> float:
    return 1000 * median(_seconds(event, read) for _ in range(_TIMES))


def _seconds(event: bytes, read: int) -> float:
    stream = ChatStream(usage_wanted=True, facts=dict)
    reads = list(_cut(event * (_MEGABYTE // len(event)), read or len(event)))
    began = time.process_time()
    for data in reads:
        stream.feed(data)
    return time.process_time() - began


def _cut(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def _event(characters: int) -> bytes:
    chunk = {
        "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
        "object": "chat.completion.chunk",
        "created": 1741570283,
        "model": "gpt-4o-2024-08-06",
        "system_fingerprint": "fp_44709d6fcb",
        "choices": [
            {
                "index": 0,
                "delta": {"content": "a" * characters},
                "logprobs": None,
                "finish_reason": None,
            }
        ],
    }
    return b"data: %s\n\n" % json.dumps(chunk, separators=(",", ":")).encode()
