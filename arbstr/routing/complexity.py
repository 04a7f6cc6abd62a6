"""
How complex a prompt is, judged by its looks: five signals from 0 to 1, and
their weighted mean.

All of it is read once and in linear time, nothing of it by a pattern that
could backtrack, and of very much text only a part: see L{_excerpt}.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, groupby, islice
from operator import itemgetter, mul
from string import ascii_lowercase, digits

from attrs import define

from arbstr.config.model import RoutingSettings

from .tokens import CHARS_PER_TOKEN

#: Of each message the texts of its parts.
Messages = Sequence[Sequence[str]]

KEYWORDS = (
    "architect",
    "design",
    "tradeoff",
    "refactor",
    "why does",
    "compare",
    "across the codebase",
    "step by step",
    "analyze",
    "evaluate",
    "debug",
)

# In the order in which a prompt is judged by them.
_SIGNALS = (
    "context_length",
    "code_blocks",
    "multi_file",
    "reasoning_keywords",
    "conversation_depth",
)

# What cannot be judged is not sent to a weak model.
_CANNOT_JUDGE = 1.0
_LEAST_CHARS = 10

# So many of something make a signal of 1.
_MANY = 3

# So much of a message is read at either end, and so much of all together.
_END_CHARS = 65_536
_MOST_CHARS = 524_288

_FENCE = "```"

# No name of a file is looked for in more text than this, nor in more places.
_LONGEST_PATH = 256
_MOST_PLACES = 1000
_IN_PATHS = f"{ascii_lowercase}{digits}_-./\\"
_ENDINGS = (
    "asm bash c cc cfg clj cpp cs css cxx dart erl ex exs f90 go gradle h hpp hrl hs "
    "html ini ipynb java jl js json jsx kt lua m md ml mm php pl proto ps1 py pyi r "
    "rb rs rst scala scss sh sol sql svelte swift tf toml ts tsx vb vue xml yaml yml "
    "zig"
)


def _any_of(words: Iterable[str]) -> str:
    """
    A pattern for these words, by their first letters: of a plain choice each
    would be tried in turn.
    """
    return "|".join(
        f"{letter}(?:{'|'.join(word[1:] for word in group)})"
        for letter, group in groupby(words, key=itemgetter(0))
    )


_ENDING = re.compile(rf"\.(?=[a-z])(?:{_any_of(_ENDINGS.split())})(?![\w/\\])")


@define
class Complexity:
    """
    What a prompt looks like.

    @ivar score: from 0 to 1.
    @ivar signals: what each signal says, from 0 to 1, by the name of its
        weight in the configuration; empty where it was not looked at.
    @ivar reason: why the score is not the mean of the signals, if it is not.
    """

    score: float
    signals: Mapping[str, float]
    reason: str | None = None


class Scorer:
    """
    Judges prompts.  Pure.

    @ivar weights: how much each signal counts, by its name.
    """

    def __init__(self, settings: RoutingSettings) -> None:
        self.weights: dict[str, float] = settings.complexity_weights.model_dump()
        words = (*KEYWORDS, *settings.extra_keywords)
        self._keywords = tuple(dict.fromkeys(word.lower() for word in words))
        heaviest = max(self.weights.values())
        # Of the greatest floats there is no sum.
        shares = [self.weights[name] / (heaviest or 1) for name in _SIGNALS]
        total = sum(shares)
        self._shares = [each / (total or 1) for each in shares]

    def score(self, messages: Messages) -> Complexity:
        """
        Judge a prompt.  Text is every text part of every message.
        """
        chars = sum(map(len, chain.from_iterable(messages)))
        if not messages:
            return Complexity(_CANNOT_JUDGE, {}, "there is no message")
        if chars < _LEAST_CHARS:
            reason = f"there are fewer than {_LEAST_CHARS} characters of text"
            return Complexity(_CANNOT_JUDGE, {}, reason)
        text = _excerpt(messages, chars).lower()
        signals = {
            "context_length": _sigmoid(0.003 * (chars / CHARS_PER_TOKEN - 1000)),
            "code_blocks": _share(text.count(_FENCE) // 2),
            "multi_file": _share(_count_files(text)),
            "reasoning_keywords": _share(_count_words(text, self._keywords)),
            "conversation_depth": _sigmoid(0.5 * (len(messages) - 6)),
        }
        if not any(self._shares):
            return Complexity(_CANNOT_JUDGE, signals, "no signal has a weight")
        score = sum(map(mul, self._shares, signals.values()))
        return Complexity(0.0 if score < 0 else 1.0 if score > 1 else score, signals)


def _excerpt(messages: Messages, chars: int) -> str:
    """
    What is read: all of a short prompt, else both ends of each message, of the
    last ones first, until it is enough.
    """
    if chars <= 2 * _END_CHARS:
        return "\n".join(chain.from_iterable(messages))
    pieces: list[str] = []
    left = _MOST_CHARS
    for parts in reversed(messages):
        text = parts[0] if len(parts) == 1 else "\n".join(parts)
        if len(text) > 2 * _END_CHARS:
            text = f"{text[:_END_CHARS]}\n{text[-_END_CHARS:]}"
        pieces.append(text)
        left -= len(text)
        if left <= 0:
            break
    return "\n".join(reversed(pieces))


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def _share(count: int) -> float:
    return count / _MANY if count < _MANY else 1.0


def _count_words(text: str, words: Iterable[str]) -> int:
    """
    How many of the words there are, also as parts of others: "architect" is in
    "architecture".
    """
    found = 0
    for word in words:
        if word in text:
            found += 1
            if found == _MANY:
                break
    return found


def _count_files(text: str) -> int:
    """
    How many files there is talk of: different paths, and different endings
    that are in no path, whether C{.py} or C{main.py}.  The name of a web page
    is no path.
    """
    if _ENDING.search(text) is None:
        # Nearly always, and seen sooner so.
        return 0
    found: set[str] = set()
    for ending in islice(_ENDING.finditer(text), _MOST_PLACES):
        place = ending.start()
        before = text[max(0, place - _LONGEST_PATH) : place]
        path = before[len(before.rstrip(_IN_PATHS)) :]
        if path.startswith("//"):
            continue
        is_path = "/" in path or "\\" in path
        if len(ending[0]) == 2 and not is_path and len(path.rpartition(".")[2]) < 2:
            # At 10 a.m., say.
            continue
        found.add(path + ending[0] if is_path else ending[0])
        if len(found) == _MANY:
            break
    return len(found)
