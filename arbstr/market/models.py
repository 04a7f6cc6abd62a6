"""
The answer to C{GET /models}.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen

from arbstr.upstream.strict import refuse_constant

from .shapes import Listed, Rejected, read_entry

MOST_MODELS = 5000


class BadAnswer(ValueError):
    """
    What came is not what was asked for; its text, safe to be shown, says what
    it is instead.
    """


@frozen
class Listing:
    """
    What a provider lists.

    @ivar unclear: the ids of entries that could not be used.
    @ivar remark: what was left out, and why; C{None} if nothing was.
    """

    models: tuple[Listed, ...]
    unclear: frozenset[str] = frozenset()
    remark: str | None = None


def _let_others_run(value: dict[str, Any]) -> dict[str, Any]:
    """
    Python's own code between two objects: in a thread, the decoder holds up
    nobody for longer than one object takes.
    """
    return value


_DECODER = json.JSONDecoder(parse_constant=refuse_constant, object_hook=_let_others_run)


def decode(body: bytes) -> Any:
    """
    Megabytes of JSON; meant for a thread.

    @raise BadAnswer: it is none.
    """
    try:
        return _DECODER.decode(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise BadAnswer("the answer is not JSON") from None


def read_models(body: bytes) -> Listing:
    """
    Understand an answer.  Entries that cannot be used are left out.

    @raise BadAnswer: nothing of it can be used.
    """
    answer = decode(body)
    if not isinstance(answer, Mapping):
        raise BadAnswer("the answer is not a JSON object")
    if "data" not in answer:
        raise BadAnswer("the answer has no 'data'")
    data = answer["data"]
    if data is None:
        raise BadAnswer("the answer lists no models: 'data' is null")
    if not isinstance(data, list):
        raise BadAnswer("the answer's 'data' is not a list")
    listing = _read_entries(data[:MOST_MODELS], len(data))
    if listing.remark is not None and not listing.models:
        raise BadAnswer(listing.remark)
    return listing


def _read_entries(entries: Iterable[object], total: int) -> Listing:
    models: dict[str, Listed] = {}
    unclear = set()
    reasons: Counter[str] = Counter()
    for entry in entries:
        try:
            listed = read_entry(entry)
        except Rejected as rejected:
            reasons[str(rejected)] += 1
            if rejected.id is not None:
                unclear.add(rejected.id)
        else:
            if listed is not None:
                models.setdefault(listed.id, listed)
    return Listing(
        models=tuple(models.values()),
        unclear=frozenset(unclear - models.keys()),
        remark=_remark(reasons, total),
    )


def _remark(reasons: Counter[str], total: int) -> str | None:
    remarks = []
    if total > MOST_MODELS:
        remarks.append(f"{total} models, of which the first {MOST_MODELS} are taken")
    if reasons:
        told = ", ".join(f"{why} ({count})" for why, count in sorted(reasons.items()))
        remarks.append(f"left out {reasons.total()} of {total} models: {told}")
    return "; ".join(remarks) or None
