"""
The parsers that strangers can reach, and what must hold whatever they read.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from arbstr.config.load import ConfigError, load_config
from arbstr.errors import ApiError
from arbstr.upstream.sse import HOLD_LIMIT, EventParser
from arbstr.upstream.stream import ChatStream
from arbstr.upstream.wire import ChatRequest

from . import corpus
from .mutation import split
from .reference import Expected, understood

_FACTS = {"request_id": "r-1", "cost_sats": 1.5}
_FACTS_JSON = b'{"request_id":"r-1","cost_sats":1.5}'
_FAILURE = {"error": {"message": "m", "type": "t", "param": None, "code": None}}
_ENVIRONMENT = {"A": "a", "KEY": "k"}


class Wrong(Exception):
    """
    Something did not hold; the message says what.
    """


def _hold(condition: bool, message: str) -> None:
    if not condition:
        raise Wrong(message)


class Target(ABC):
    """
    One parser.

    @ivar seeds: valid inputs.
    @ivar tokens: what means something in them.
    """

    seeds: Sequence[bytes]
    tokens: Sequence[bytes]

    @abstractmethod
    def check(self, data: bytes, chance: Random) -> bool:
        """
        Let it read.

        @param chance: decides what else is to be decided.
        @return: whether the input was found to be valid.
        @raise Wrong: something does not hold.  Any other exception is one that
            the parser let out.
        """


class Stream(Target):
    """
    The observer of streams: what it relays does not depend on how a body comes,
    is what L{Expected} says, and makes sense to a client.
    """

    seeds = corpus.STREAMS
    tokens = corpus.STREAM_TOKENS

    def check(self, data: bytes, chance: Random) -> bool:
        """
        See L{Target.check}.
        """
        usage_wanted = chance.random() < 0.5
        whole, told = self._read([data], usage_wanted)
        reads = split(data, chance)
        _, same = self._read(reads, usage_wanted)
        _hold(same == told, f"It depends on the reads: {[len(r) for r in reads]}")
        parser = EventParser()
        pieces = [piece for read in reads for piece in parser.feed(read)]
        raw = b"".join(piece.raw for piece in pieces + parser.close())
        _hold(raw == data, "Bytes were lost or changed")
        if len(data) <= HOLD_LIMIT:
            self._compare(data, whole, told[0])
        return whole.complete

    def _compare(self, data: bytes, stream: ChatStream, relayed: bytes) -> None:
        expected = Expected(stream.usage_wanted, _FACTS_JSON).read(data)
        _hold(relayed == expected.relayed, f"It is not {expected.relayed!r}")
        _hold(stream.dropped == expected.dropped, "It miscounted what it left out")
        _hold((stream.error is not None) == expected.failed, "It mistook an error")
        _hold(stream.complete == expected.over, "It mistook the end")
        relayed += stream.interrupt(_FAILURE)
        seen = understood(relayed)
        ending: object = "[DONE]" if stream.complete else _FAILURE
        _hold(seen[-1] == ending, f"It ends with {seen[-1]!r}")
        _hold(
            all(isinstance(each, dict) for each in seen[:-1]),
            "A client would stumble over it",
        )

    def _read(
        self, reads: Sequence[bytes], usage_wanted: bool
    ) -> tuple[ChatStream, tuple[bytes, tuple[object, ...]]]:
        """
        @return: the stream, what it relayed, and what it took note of.
        """
        stream = ChatStream(usage_wanted, lambda: _FACTS)
        relayed = b"".join([stream.feed(read) for read in reads]) + stream.close()
        noted = (
            *(stream.started, stream.done, stream.complete, stream.error),
            *(stream.usage, stream.usage_json, stream.output_chars, stream.dropped),
        )
        return stream, (relayed, noted)


class Request(Target):
    """
    The view of a request: refused in an orderly way, or passed on with nothing
    changed but what has to be.
    """

    seeds = corpus.REQUESTS
    tokens = corpus.REQUEST_TOKENS

    def check(self, data: bytes, chance: Random) -> bool:
        """
        See L{Target.check}.
        """
        try:
            request = ChatRequest.parse(data)
        except ApiError as error:
            _hold(error.status == 400, f"It is refused with {error.status}")
            json.dumps(error.body()).encode()
            return False
        plain = request.encode(request.model)
        asked = request.stream and not request.usage_wanted
        _hold(asked or plain is data, "A request that needs no change was changed")
        self._compare(data, request, plain, request.model)
        self._compare(data, request, request.encode("o/é"), "o/é")
        routstr = request.encode(request.model, routstr=True)
        ChatRequest.parse(routstr)
        return True

    def _compare(
        self, data: bytes, request: ChatRequest, sent: bytes, model: str
    ) -> None:
        """
        The members stand as they did, in their order, duplicates among them.
        """
        expected = [(key, value) for key, value in _members(data) if key != "model"]
        found = [(key, value) for key, value in _members(sent) if key != "model"]
        if request.stream and not request.usage_wanted:
            given = dict(dict(_members(data)).get("stream_options") or ())
            wanted = {**given, "include_usage": True}
            _hold(
                dict(dict(found).get("stream_options", ())) == wanted,
                "Options got lost",
            )
            expected, found = _but_options(expected), _but_options(found)
        _hold(found == expected, f"It became {sent!r}")
        _hold(dict(_members(sent))["model"] == model, "The model is another")


class Configuration(Target):
    """
    The loader of configurations: settings, or lines that say what is wrong.

    @param directory: where the files are written.
    """

    seeds = corpus.CONFIGURATIONS
    tokens = corpus.CONFIGURATION_TOKENS

    def __init__(self, directory: Path) -> None:
        self._path = directory / "arbstr.yaml"
        self._path.touch(0o600)

    def check(self, data: bytes, chance: Random) -> bool:
        """
        See L{Target.check}.
        """
        self._path.write_bytes(data)
        try:
            load_config(self._path, _ENVIRONMENT)
        except ConfigError as error:
            _hold(bool(error.problems), "It is refused without a reason")
            for problem in error.problems:
                _hold(problem.startswith(f"{self._path}:"), f"No line: {problem!r}")
                _hold(problem.isprintable(), f"Not printable: {problem!r}")
            return False
        return True


def _members(data: bytes) -> list[tuple[str, Any]]:
    """
    The members of an object, and of those in it, as pairs.
    """
    decoded: list[tuple[str, Any]] = json.loads(
        data.decode("utf-8"), object_pairs_hook=list
    )
    return decoded


def _but_options(members: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    return [(key, value) for key, value in members if key != "stream_options"]
