"""
An incremental parser of C{text/event-stream} that accounts for every byte.

Line ends are LF, CRLF or a lone CR, and a read may end anywhere: inside a
UTF-8 sequence, inside the byte order mark, between CR and LF.  The parser
looks at bytes only, and never decodes them.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from attrs import define, field, frozen

LINE_LIMIT = 1024 * 1024
"""
Bytes of a line, and of all the data lines of one event, beyond which they are
passed on but not parsed.
"""

HOLD_LIMIT = 256 * 1024
"""
Bytes of an unfinished event beyond which they are handed out early.
"""

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n?|\n")
_PLAIN_EVENT = re.compile(rb"data:(.*+)\n\n")


@frozen
class Event:
    """
    A block of lines and the blank line that ends it.  A blank line alone is
    one too.

    @ivar raw: its bytes, without those that were handed out as fragments.
    @ivar data: what its C{data} lines say, joined with LF.  C{None} if it has
        none, or if they are too long to be parsed.
    @ivar comment: it consists of comments only, or of nothing.
    @ivar oversized: it is longer than L{HOLD_LIMIT}, so it depends on the
        reads how much of it has been handed out already.
    @ivar identified: it has an C{id} line, which clients remember.
    @ivar missing: the line ends to be added to make it a whole event.  Empty,
        except for the last one of a body that stops short.
    """

    raw: bytes
    data: bytes | None = None
    comment: bool = False
    oversized: bool = False
    identified: bool = False
    missing: bytes = b""

    @property
    def ended(self) -> bytes:
        """
        The bytes of it, ended as they should be.
        """
        return self.raw + self.missing

    @property
    def without_blank_line(self) -> bytes:
        """
        The bytes of it, ended so that what follows becomes a part of it.
        """
        ended = self.ended
        return ended[:-2] if ended.endswith(b"\r\n") else ended[:-1]


@frozen
class Fragment:
    """
    The next bytes of an event that is not finished, but too long to be held.
    """

    raw: bytes


@frozen
class Tail:
    """
    The LF of a CRLF whose CR has already ended the event before.
    """

    raw: bytes = b"\n"


Piece = Event | Fragment | Tail


@define(eq=False)
class EventParser:
    """
    Cuts a stream into pieces whose C{raw} bytes, put together, are the stream.

    @ivar _held: bytes of the event under way that were not handed out.
    @ivar _size: how long the event under way is, handed out or not.
    @ivar _line: the line under way, empty once that is over L{LINE_LIMIT}.
    @ivar _line_size: how long the line under way is.
    @ivar _data: the values of the data lines of the event under way.
    @ivar _data_size: bytes of those lines.
    @ivar _fields: the event under way has lines that are not comments.
    @ivar _identified: one of them is an C{id}.
    @ivar _too_long: the event under way cannot be parsed.
    @ivar _after_cr: the last byte was a CR.
    @ivar _first_line: no line has ended yet.
    """

    _held: bytearray = field(factory=bytearray, init=False)
    _size: int = field(default=0, init=False)
    _line: bytearray = field(factory=bytearray, init=False)
    _line_size: int = field(default=0, init=False)
    _data: list[bytes] = field(factory=list, init=False)
    _data_size: int = field(default=0, init=False)
    _fields: bool = field(default=False, init=False)
    _identified: bool = field(default=False, init=False)
    _too_long: bool = field(default=False, init=False)
    _after_cr: bool = field(default=False, init=False)
    _first_line: bool = field(default=True, init=False)

    @property
    def missing(self) -> bytes:
        """
        The line ends that would finish the event under way.
        """
        if not self._size:
            return b""
        # After a lone CR, one LF would only complete a CRLF.
        whole_line = not self._line_size and not self._after_cr
        return b"\n" if whole_line else b"\n\n"

    def skip_plain(
        self, data: bytes, start: int, known: Callable[[bytes], bool]
    ) -> int:
        """
        Skip events of one data line each: the short way for what nearly every
        stream consists of.

        @param data: without a CR.
        @param start: where in it to begin.
        @param known: is told what each of the events says, with the space before
            it; whether that one is to be skipped.
        @return: where the rest begins.
        """
        if self._size or self._after_cr:
            return start
        while (event := _PLAIN_EVENT.match(data, start)) is not None:
            line, end = event[1], event.end()
            if end - start > HOLD_LIMIT or not known(line):
                break
            self._first_line = False
            start = end
        return start

    def feed(self, data: bytes) -> list[Piece]:
        """
        Take the next bytes of the body.

        @return: what they complete.
        """
        pieces: list[Piece] = []
        if not data:
            return pieces
        event_start = line_start = 0
        if self._after_cr and data.startswith(b"\n"):
            line_start = 1
            if not self._size:
                # A blank line that ended in CR was not kept waiting for a LF:
                # in a stream of lone CRs the next byte may be seconds away.
                # The LF is told apart, since it belongs to the event before,
                # and has to share its fate wherever the reads were split.
                pieces.append(Tail())
                event_start = 1
        self._after_cr = data.endswith(b"\r")
        for end in _LINE_END.finditer(data, line_start):
            blank = self._end_line(data[line_start : end.start()])
            line_start = end.end()
            if blank:
                self._size += end.start() - event_start
                pieces.append(self._end_event(data[event_start:line_start]))
                event_start = line_start
        if event_start < len(data):
            self._continue_line(data[line_start:])
            self._continue_event(data[event_start:], pieces)
        return pieces

    def close(self) -> list[Piece]:
        """
        The body has ended.

        @return: the last event, if it lacks its blank line.
        """
        if not self._size:
            return []
        missing = self.missing
        if self._line_size:
            self._end_line(b"")
        return [self._end_event(b"", missing)]

    def _continue_event(self, part: bytes, pieces: list[Piece]) -> None:
        self._size += len(part)
        self._held += part
        if self._size > HOLD_LIMIT:
            pieces.append(Fragment(bytes(self._held)))
            self._held.clear()

    def _continue_line(self, part: bytes) -> None:
        self._line_size += len(part)
        if self._line_size > LINE_LIMIT:
            self._line.clear()
        else:
            self._line += part

    def _end_line(self, part: bytes) -> bool:
        """
        Read the line that ends with these bytes.

        @return: whether it is blank.
        """
        if self._line_size:
            self._continue_line(part)
            part = bytes(self._line)
            size = self._line_size
            self._line.clear()
            self._line_size = 0
        else:
            size = len(part)
        if self._first_line:
            self._first_line = False
            part = part.removeprefix(_BOM)
        if size > LINE_LIMIT:
            self._fields = self._too_long = True
            return False
        if part and not part.startswith(b":"):
            self._read_field(part)
        return not part

    def _read_field(self, line: bytes) -> None:
        self._fields = True
        name, _, value = line.partition(b":")
        if name == b"id":
            self._identified = True
        if name != b"data":
            return
        self._data_size += len(line)
        if self._data_size > LINE_LIMIT:
            self._too_long = True
            self._data.clear()
        else:
            self._data.append(value.removeprefix(b" "))

    def _end_event(self, last: bytes, missing: bytes = b"") -> Event:
        """
        @param last: its last bytes.
        """
        raw = bytes(self._held) + last if self._held else last
        has_data = self._data and not self._too_long
        event = Event(
            raw,
            b"\n".join(self._data) if has_data else None,
            not self._fields,
            self._size > HOLD_LIMIT,
            self._identified,
            missing,
        )
        self._held.clear()
        self._size = 0
        self._data.clear()
        self._data_size = 0
        self._fields = self._identified = self._too_long = False
        return event
