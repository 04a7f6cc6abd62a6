"""
What a client should get of a provider's stream, written down once more: whole
bodies only, without a thought for speed.
"""

from __future__ import annotations

import json
import re
from typing import Any

from attrs import define, field

from arbstr.upstream import strict

_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
_BOM = b"\xef\xbb\xbf"
_ENDS = b"\r\n"


@define
class Block:
    """
    The lines of one event, up to and with the blank one.

    @ivar raw: ended as it should be.
    """

    raw: bytes
    lines: list[bytes]

    def named(self, name: bytes) -> list[bytes]:
        """
        The values of the fields of this name.
        """
        fields = [line.partition(b":") for line in self.lines]
        return [
            value.removeprefix(b" ") for key, _, value in fields if key and key == name
        ]

    @property
    def comment(self) -> bool:
        """
        There is no field in it.
        """
        return all(line.startswith(b":") for line in self.lines)


def blocks(body: bytes) -> list[Block]:
    """
    All events of a body; the last one may lack its end.
    """
    found, raw, lines = [], b"", list[bytes]()
    for number, whole in enumerate(_LINE.findall(body)):
        line = whole.rstrip(_ENDS)
        raw += whole
        if number == 0:
            line = line.removeprefix(_BOM)
        if line:
            lines.append(line)
        elif whole.endswith((b"\n", b"\r")):
            found.append(Block(raw, lines))
            raw, lines = b"", []
    if raw:
        ended = raw.endswith((b"\n", b"\r"))
        # A lone LF would only make a CRLF of a CR.
        missing = b"\n" if ended and not raw.endswith(b"\r") else b"\n\n"
        found.append(Block(raw + missing, lines))
    return found


@define
class Expected:
    """
    Reads a body, and says what to relay.

    @ivar facts: what arbstr says of the request.
    """

    usage_wanted: bool
    facts: bytes
    relayed: bytes = b""
    dropped: int = 0
    failed: bool = False
    over: bool = False
    _identified: bool = False
    _finished: dict[int, bool] = field(factory=dict)

    def read(self, body: bytes) -> Expected:
        """
        Read all of it.
        """
        for block in blocks(body):
            if not self.over and not self.failed:
                self._take(block)
        unfinished = not self._finished or not all(self._finished.values())
        if not (self.over or self.failed or unfinished):
            self._finish()
        return self

    def _take(self, block: Block) -> None:
        data = b"\n".join(block.named(b"data")) if block.named(b"data") else None
        if data is not None and data.strip() == b"[DONE]":
            self._finish()
        elif block.comment:
            raw = block.raw
            if self._identified:
                raw = raw[: -2 if raw.endswith(b"\r\n") else -1]
            self.relayed += raw
        else:
            chunk = None if data is None else strict.parse(data)
            if isinstance(chunk, dict):
                self._relay(block, chunk)
            else:
                self.dropped += 1

    def _relay(self, block: Block, chunk: dict[str, Any]) -> None:
        given = chunk.get("choices")
        given = given if isinstance(given, list) else []
        choices = [choice for choice in given if isinstance(choice, dict)]
        reasons = [choice.get("finish_reason") for choice in choices]
        if chunk.get("error") or "error" in reasons:
            self.failed = True
            return
        for choice, reason in zip(choices, reasons, strict=True):
            index = choice.get("index")
            sound = isinstance(index, int) and 0 <= index < 1024
            place = index if isinstance(index, int) and sound else 0
            self._finished[place] = bool(reason) or self._finished.get(place, False)
        raw = block.raw
        if not choices and chunk.get("usage") is not None:
            if not self.usage_wanted:
                return
            raw = self._with_facts(raw)
        self.relayed += raw
        self._identified |= bool(block.named(b"id"))

    def _with_facts(self, raw: bytes) -> bytes:
        """
        Before the last brace of the last data line that has one.
        """
        lines = _LINE.findall(raw)
        for place in reversed(range(len(lines))):
            line = lines[place]
            bare = line.removeprefix(_BOM) if place == 0 else line
            if bare.startswith(b"data:") and b"}" in bare:
                before, _, after = line.rpartition(b"}")
                lines[place] = before + b',"arbstr":' + self.facts + b"}" + after
                break
        return b"".join(lines)

    def _finish(self) -> None:
        self.over = True
        blank = b"" if self._identified else b"\n"
        self.relayed += b": arbstr " + self.facts + b"\n" + blank + b"data: [DONE]\n\n"


def understood(relayed: bytes) -> list[object]:
    """
    What a client makes of the events that it got, comments left out: JSON values,
    C{[DONE]} as text, and C{None} for what it stumbles over.
    """
    told: list[object] = []
    for block in blocks(relayed):
        data = block.named(b"data")
        if block.comment:
            continue
        text = b"\n".join(data).decode("utf-8", "replace")
        if text.strip() == "[DONE]":
            told.append("[DONE]")
        else:
            try:
                told.append(json.loads(text))
            except ValueError:
                told.append(None)
    return told
