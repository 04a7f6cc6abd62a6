"""
What a provider's chat stream has said so far, and what of it the client gets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from attrs import define, field, frozen

from arbstr.redact import redact
from arbstr.routing.money import Usage
from arbstr.upstream import strict
from arbstr.upstream.sse import Event, EventParser, Fragment, Piece, Tail
from arbstr.upstream.usage import choice_chars, read_usage

_DONE = b"[DONE]"
_MAX_CHOICES = 1024
_CODE_LIMIT = 64

# A data line up to, but without, the last closing brace in it.
_DATA_WITH_BRACE = re.compile(
    rb"(?:\A(?:\xef\xbb\xbf)?|(?<=[\r\n]))data:[^\r\n]*(?=\})"
)


@frozen
class StreamError:
    """
    A failure that the provider reported inside the stream.

    @ivar message: what it said, fit to be logged and shown.
    @ivar code: its name or number for it, if it has one.
    """

    message: str
    code: str | None = None


@define(eq=False)
class ChatStream:
    """
    Goes between a provider's chat stream and the client.  Events pass byte for
    byte, save for these:

      - C{[DONE]} is preceded by a comment with our own facts, and nothing
        follows it.  A complete stream that ends without one is given one;
      - an event of usage alone is left out, or carries our facts under
        C{arbstr} if the client asked for usage;
      - events that clients stumble over are left out and counted: those without
        data, and those whose data is neither C{[DONE]} nor a JSON object;
      - an error is kept for the caller, and nothing is relayed from there on;
      - a last event without its blank line is given one.

    An event too long to be held passes whatever it says, since its beginning
    has gone out before its end was seen; what it says is taken note of, unless
    it is too long even for that.

    What comes out does not depend on how the stream was cut into reads.

    @ivar usage_wanted: the client asked for usage.
    @ivar facts: tells what we know of the request, as a JSON object.
    @ivar started: the client has been given more than comments and empty first
        deltas.
    @ivar done: C{[DONE]} was seen.
    @ivar error: what the provider reported as having gone wrong.
    @ivar usage: the last usage that could be understood.
    @ivar usage_json: the last usage object as it came.
    @ivar output_chars: how many characters of text were relayed, the reasoning
        and the calls of tools among it.
    @ivar dropped: how many events were left out since clients stumble over
        them.
    @ivar _finished: of every choice seen, whether it had a finish_reason.
    @ivar _identified: an event with an C{id} was relayed.  From there on OpenAI's
        Python client takes a blank line without data before it for an event,
        and fails on it, so comments go without.
    @ivar _partial: the beginning of an unfinished event was relayed.
    @ivar _passed: the last event was relayed with the line end it came with.
    @ivar _closed: the client has been given the last that it will get.
    """

    usage_wanted: bool
    facts: Callable[[], Mapping[str, object]]
    started: bool = field(default=False, init=False)
    done: bool = field(default=False, init=False)
    error: StreamError | None = field(default=None, init=False)
    usage: Usage | None = field(default=None, init=False)
    usage_json: dict[str, object] | None = field(default=None, init=False)
    output_chars: int = field(default=0, init=False)
    dropped: int = field(default=0, init=False)
    _parser: EventParser = field(factory=EventParser, init=False)
    _finished: dict[int, bool] = field(factory=dict, init=False)
    _identified: bool = field(default=False, init=False)
    _partial: bool = field(default=False, init=False)
    _passed: bool = field(default=False, init=False)
    _closed: bool = field(default=False, init=False)

    @property
    def complete(self) -> bool:
        """
        The answer is whole: C{[DONE]} came, or every choice seen is finished.
        """
        if self.error is not None:
            return False
        return self.done or (bool(self._finished) and all(self._finished.values()))

    def feed(self, data: bytes) -> bytes:
        """
        Take the next bytes from the provider.

        @return: what to relay now.
        """
        return b"".join([self._relay(piece) for piece in self._parser.feed(data)])

    def close(self) -> bytes:
        """
        The provider's body has ended, well or not.

        @return: what to relay still.  After it, unless L{complete}, the client
            is to be told by L{interrupt}.
        """
        rest = b"".join([self._relay(piece) for piece in self._parser.close()])
        if self.complete and not self._closed:
            rest += self._finish()
        return rest

    def interrupt(self, body: Mapping[str, object]) -> bytes:
        """
        End the stream with an error of our own.

        @param body: the JSON object of the error event.
        @return: what to relay at last: nothing, if the end was relayed already.
        """
        if self._closed:
            return b""
        self._closed = True
        missing = self._parser.missing if self._partial else b""
        return missing + error_event(body)

    def _relay(self, piece: Piece) -> bytes:
        if isinstance(piece, Tail):
            return piece.raw if self._passed else b""
        if self._closed or self.error is not None:
            self._passed = False
            return b""
        if isinstance(piece, Fragment):
            self.started = self._partial = True
            return piece.raw
        self._partial = False
        if piece.oversized:
            self._passed = True
            return self._relay_oversized(piece)
        if piece.data is not None and _is_done(piece.data):
            self._passed = False
            self.started = self.done = True
            return self._finish()
        if piece.comment:
            self._passed = not self._identified
            return piece.ended if self._passed else piece.without_blank_line
        relayed = self._relay_event(piece)
        self._passed = bool(relayed)
        self._identified |= self._passed and piece.identified
        return relayed

    def _relay_oversized(self, event: Event) -> bytes:
        self.started = True
        self._identified |= event.identified
        if event.data is not None:
            if _is_done(event.data):
                self.done = self._closed = True
            elif (chunk := _parse_object(event.data)) is not None:
                self._observe(chunk)
        return event.ended

    def _relay_event(self, event: Event) -> bytes:
        chunk = None if event.data is None else _parse_object(event.data)
        if chunk is None:
            self.dropped += 1
            return b""
        choices = self._observe(chunk)
        if self.error is not None:
            return b""
        if choices or chunk.get("usage") is None:
            return event.ended
        if not self.usage_wanted:
            return b""
        self.started = True
        return _splice(event.ended, b',"arbstr":' + _encode(self.facts()))

    def _finish(self) -> bytes:
        self._closed = True
        comment = b": arbstr " + _encode(self.facts()) + b"\n"
        blank_line = b"" if self._identified else b"\n"
        return comment + blank_line + b"data: " + _DONE + b"\n\n"

    def _observe(self, chunk: Mapping[str, object]) -> list[dict[str, object]]:
        """
        @return: the choices in it.
        """
        usage = chunk.get("usage")
        if isinstance(usage, dict):
            self.usage_json = usage
            self.usage = read_usage(usage) or self.usage
        choices = _choices(chunk)
        self.error = _find_error(chunk, choices)
        if self.error is None:
            for choice in choices:
                self._observe_choice(choice)
        return choices

    def _observe_choice(self, choice: Mapping[str, object]) -> None:
        finished = bool(choice.get("finish_reason"))
        index = choice.get("index")
        if not isinstance(index, int) or not 0 <= index < _MAX_CHOICES:
            index = 0
        self._finished[index] = finished or self._finished.get(index, False)
        if not self.started:
            self.started = bool(
                finished or choice.get("text") or _has_content(choice.get("delta"))
            )
        self.output_chars += choice_chars(choice)


def error_event(body: Mapping[str, object]) -> bytes:
    """
    An error as an event of a chat stream.

    @param body: the JSON object, C{{"error": {...}}}.
    """
    return b"data: %s\n\n" % _encode(body)


def _encode(value: Mapping[str, object]) -> bytes:
    text = json.dumps(dict(value), ensure_ascii=False, separators=(",", ":"))
    # Half a surrogate pair becomes what JSON, too, writes for it.
    return text.encode(errors="backslashreplace")


def _splice(raw: bytes, member: bytes) -> bytes:
    """
    Put another member last into the JSON object of an event.
    """
    *_, line = _DATA_WITH_BRACE.finditer(raw)
    return raw[: line.end()] + member + raw[line.end() :]


def _is_done(data: bytes) -> bool:
    return data.strip() == _DONE


def _parse_object(data: bytes) -> dict[str, object] | None:
    """
    The JSON object that these bytes are, if they are one.
    """
    value = strict.parse(data)
    return value if isinstance(value, dict) else None


def _find_error(
    chunk: Mapping[str, object], choices: list[dict[str, object]]
) -> StreamError | None:
    """
    An error at top level, as OpenAI and Routstr write it, or a choice that
    ended with one, as OpenRouter's do.
    """
    error = chunk.get("error")
    if not error:
        for choice in choices:
            if choice.get("finish_reason") == "error":
                error = choice.get("error")
                break
        else:
            return None
    message = error if isinstance(error, str) else _mapping(error).get("message")
    code = _mapping(error).get("code")
    if not isinstance(message, str) or not message:
        message = "The provider broke off without saying why"
    known = isinstance(code, str | int) and not isinstance(code, bool) and code != ""
    return StreamError(
        redact(message), redact(str(code), _CODE_LIMIT) if known else None
    )


def _choices(chunk: Mapping[str, object]) -> list[dict[str, object]]:
    choices = chunk.get("choices")
    if not isinstance(choices, list):
        return []
    return [choice for choice in choices if isinstance(choice, dict)]


def _has_content(delta: object) -> bool:
    return any(value and name != "role" for name, value in _mapping(delta).items())


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
