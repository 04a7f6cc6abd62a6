"""
How long it takes to judge a prompt: short ones, long ones, and some that were
made to be slow.

    python -m benchmarks.complexity
"""

from __future__ import annotations

from functools import partial
from timeit import repeat

from arbstr.config.model import RoutingSettings
from arbstr.routing.complexity import Messages, Scorer

_WORDS = "please look at the self.name of foo.bar in e.g. this module, and tell me. "
_LONG = 10_000_000
# Long messages are read to the last character up to this length.
_WHOLE = 125_000


def prompts() -> dict[str, Messages]:
    """
    What is judged, by what it is.
    """
    many = _LONG // _WHOLE
    return {
        "1 KB": [(_text(_WORDS, 1000),)],
        "100 KB": [(_text(_WORDS, 100_000),)],
        "100 KB in 20 messages": [(_text(_WORDS, 5000),)] * 20,
        "10 MB": [(_text(_WORDS, _LONG),)],
        "10 MB in 80 messages": [(_text(_WORDS, _WHOLE),)] * many,
        "10 MB in 333,333 messages": [(_text(_WORDS, 30),)] * (_LONG // 30),
        "10 MB of names of files": [(_text("a.py ", _WHOLE),)] * many,
        "10 MB of dots": [(_text(".", _WHOLE),)] * many,
        "10 MB of endings that are none": [(_text(".z", _WHOLE),)] * many,
        "10 MB of long paths": [(_text("/" * 250 + ".cfg ", _WHOLE),)] * many,
        "10 MB of words that nearly are": [(_text("architec", _WHOLE),)] * many,
        "10 MB of fences": [(_text("`", _WHOLE),)] * many,
        "10 MB of emoji": [(_text("\N{GRINNING FACE}", _WHOLE),)] * many,
    }


def main() -> None:
    """
    Print the best of several times for each.
    """
    scorer = Scorer(RoutingSettings())
    for name, messages in prompts().items():
        seconds = min(repeat(partial(scorer.score, messages), number=1, repeat=30))
        print(f"{name:32}{seconds * 1e6:12.1f} us")


def _text(piece: str, chars: int) -> str:
    return (piece * (chars // len(piece) + 1))[:chars]


if __name__ == "__main__":
    main()
