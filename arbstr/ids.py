"""
Names of requests.
"""

from __future__ import annotations

import os
import time

_MILLISECOND_NS = 1_000_000
_LOW_BITS = 62


def new_id() -> str:
    """
    A UUID that nobody else has, of version 7: it begins with the time in
    milliseconds, so that requests that come one after another are neighbours in
    the database's index.  After names that are all random every row would change
    another page of it.
    """
    moment = time.time_ns() // _MILLISECOND_NS
    drawn = int.from_bytes(os.urandom(10))
    high = moment << 16 | 0x7000 | drawn >> 68
    low = 0b10 << _LOW_BITS | drawn & ((1 << _LOW_BITS) - 1)
    text = f"{high << 64 | low:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
