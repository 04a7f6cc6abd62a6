"""
What a provider's chat stream has said so far, and what of it the client gets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from attrs import define, field

from arbstr.routing.money import Usage
from arbstr.upstream import strict
from arbstr.upstream.alike import Alike
from arbstr.upstream.chunk import (
    StreamError,
    choices_of,
    find_error,
    has_content,
    is_mere_content,
    parse_object,
)
from arbstr.upstream.sse import Event, EventParser, Fragment, Piece, Tail
from arbstr.upstream.usage import choice_chars, read_usage

_DONE = b"[DONE]"
_MAX_CHOICES = 1024

# A data line up to, but without, the last closing brace in it.
_DATA_WITH_BRACE = re.compile(
    rb"(?:\A(?:\xef\xbb\xbf)?|(?<=[\r\n]))data:[^\r\n]*(?=\})"
)


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
    _alike: Alike = field(factory=Alike, init=False)
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
        if b"\r" in data:
            return b"".join(map(self._relay, self._parser.feed(data)))
        relayed: list[bytes] = []
        start = 0
        while (passed := self._pass(data, start)) < len(data):
            relayed.append(data[start:passed])
            # The next one is something else, or not complete.
            end = data.find(b"\n\n", passed)
            start = len(data) if end < 0 else end + 2
            relayed += map(self._relay, self._parser.feed(data[passed:start]))
        relayed.append(data[start:])
        return b"".join(relayed)

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
        self._end()
        missing = self._parser.missing if self._partial else b""
        return missing + error_event(body)

    def _pass(self, data: bytes, start: int) -> int:
        """
        Take the short way with the events that begin here, as long as they pass
        as they are: as nearly all of nearly every stream do.

        @return: where the rest begins.
        """
        if self._closed or self.error is not None:
            return start
        return self._parser.skip_plain(data, start, self._goes_on)

    def _goes_on(self, data: bytes) -> bool:
        """
        Is this how choices go on?  Then take note of it.
        """
        chars = self._alike.chars(data)
        if chars is not None:
            self.output_chars += chars
            return True
        chunk = parse_object(data)
        choices = [] if chunk is None else choices_of(chunk)
        if chunk is None or not choices or find_error(chunk, choices) is not None:
            return False
        self._note(chunk, choices)
        if self.started and is_mere_content(chunk, choices):
            self._alike.learn(data)
        return True

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
                self.done = True
                self._end()
            elif (chunk := parse_object(event.data)) is not None:
                self._observe(chunk)
        return event.ended

    def _relay_event(self, event: Event) -> bytes:
        chunk = None if event.data is None else parse_object(event.data)
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
        return _splice(event.ended, b',"arbstr":' + strict.dump(self.facts()))

    def _finish(self) -> bytes:
        comment = b": arbstr " + strict.dump(self.facts()) + b"\n"
        self._end()
        blank_line = b"" if self._identified else b"\n"
        return comment + blank_line + b"data: " + _DONE + b"\n\n"

    def _end(self) -> None:
        self._closed = True
        # Who tells them knows this stream: left so, both would wait for the
        # collector of garbage, which holds up all that are on their way.
        self.facts = dict

    def _observe(self, chunk: Mapping[str, object]) -> list[dict[str, object]]:
        """
        @return: the choices in it.
        """
        choices = choices_of(chunk)
        self.error = find_error(chunk, choices)
        self._note(chunk, [] if self.error is not None else choices)
        return choices

    def _note(
        self, chunk: Mapping[str, object], choices: list[dict[str, object]]
    ) -> None:
        usage = chunk.get("usage")
        if isinstance(usage, dict):
            self.usage_json = usage
            self.usage = read_usage(usage) or self.usage
        for choice in choices:
            self._note_choice(choice)

    def _note_choice(self, choice: Mapping[str, object]) -> None:
        finished = bool(choice.get("finish_reason"))
        index = choice.get("index")
        if not isinstance(index, int) or not 0 <= index < _MAX_CHOICES:
            index = 0
        if finished or index not in self._finished:
            self._finished[index] = finished
        if not self.started:
            self.started = bool(
                finished or choice.get("text") or has_content(choice.get("delta"))
            )
        self.output_chars += choice_chars(choice)


def error_event(body: Mapping[str, object]) -> bytes:
    """
    An error as an event of a chat stream.

    @param body: the JSON object, C{{"error": {...}}}.
    """
    return b"data: %s\n\n" % strict.dump(body)


def _splice(raw: bytes, member: bytes) -> bytes:
    """
    Put another member last into the JSON object of an event.
    """
    *_, line = _DATA_WITH_BRACE.finditer(raw)
    return raw[: line.end()] + member + raw[line.end() :]


def _is_done(data: bytes) -> bool:
    return data.strip() == _DONE
