"""
Who has read the beginning of a conversation before, and how much of it is
expected to be cached there still.

Providers that charge less for cached tokens say in the usage how many there
were.  How large a share of what it had seen shortly before a provider then
found in its cache is learned from that: who reports no cached tokens earns
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from attrs import define, field, frozen

from .money import Usage
from .prefixes import Prefix
from .recent import Mean, Recent

#: For so long a prompt is expected to stay in a provider's cache: most drop it
#: after five to ten minutes in which nobody used it.
CACHED_SECONDS = 300
#: Digests that are remembered: some megabytes, and more than the conversations
#: of that time.
MOST_DIGESTS = 16_384

# Many providers cache no prompts that are shorter than this, so what is seen of
# short ones says nothing about long ones.
_LONG_TOKENS = 1024
# The share follows about so many of the latest reports.
_WINDOW = 100
_MOST_SHARES = 4096
# With fewer prompts than this nobody knows whether conversations go on.
_ENOUGH_PROMPTS = 20
_PROMPTS_WINDOW = 1000
# Further ahead nobody sees.
_MOST_TURNS = 10.0
# A conversation that was here and there was only there lately.
_MOST_PROVIDERS = 8


@frozen
class _Read:
    """
    A prefix as a provider has read it.

    @ivar tokens: as many as it said.
    @ivar until: when the cache is expected to have dropped it.
    """

    tokens: int
    until: float


@define
class _Share:
    """
    Cached tokens, and how many of them there could have been.
    """

    cached: Mean = field(factory=Mean)
    possible: Mean = field(factory=Mean)

    def add(self, cached: int, possible: int, window: int = _WINDOW) -> None:
        self.cached.add(cached, window)
        self.possible.add(possible, window)

    def of(self, tokens: int) -> int:
        if not self.possible.value:
            return 0
        return round(tokens * self.cached.value / self.possible.value)


class Affinity:
    """
    What providers' caches are expected to hold.  Pure: it is told the time.

    @param now: seconds since any moment.
    @param most: how many digests are remembered; the least recently read give
        way.
    """

    def __init__(self, now: Callable[[], float], most: int = MOST_DIGESTS) -> None:
        self._now = now
        self._read: Recent[bytes, dict[str, _Read]] = Recent(dict, most)
        self._shares: Recent[tuple[str, str, bool], _Share]
        self._shares = Recent(_Share, _MOST_SHARES)
        # Of each model's prompts, the tokens that somebody had read before.
        self._again: Recent[str, _Share] = Recent(_Share, _MOST_SHARES)

    def __len__(self) -> int:
        """
        How many digests are remembered.
        """
        return len(self._read)

    def expected(self, model: str, prefixes: Sequence[Prefix]) -> Mapping[str, int]:
        """
        How many of a prompt's tokens are expected to be cached, by provider;
        those of whom nothing is expected are left out.

        @param prefixes: the prompt's, the shortest first.
        """
        if not prefixes:
            return {}
        known = self._known(prefixes).items()
        expected = {name: self.once_read(model, name, tokens) for name, tokens in known}
        return {name: tokens for name, tokens in expected.items() if tokens}

    def once_read(self, model: str, provider: str, tokens: int) -> int:
        """
        How many of so many tokens a provider is expected to have in its cache,
        shortly after it has read them.
        """
        share = self._shares.get(_kind(provider, model, tokens))
        return 0 if share is None else share.of(tokens)

    def turns_ahead(self, model: str) -> float:
        """
        How often a token of a prompt is expected to be read once more in time;
        0 unless that is known from enough prompts.
        """
        again = self._again.get(model)
        if again is None or again.possible.samples < _ENOUGH_PROMPTS:
            return 0.0
        if not again.possible.value:
            return 0.0
        share = again.cached.value / again.possible.value
        return min(share / max(1 - share, 1 / (1 + _MOST_TURNS)), _MOST_TURNS)

    def observe(
        self, model: str, prefixes: Sequence[Prefix], provider: str, usage: Usage
    ) -> None:
        """
        A provider has read a prompt.

        @param prefixes: the prompt's, the shortest first; none: nothing is learned.
        @param usage: as the provider reported it; of an estimate nothing is
            learned.
        """
        if not prefixes or usage.estimated:
            return
        known = self._known(prefixes)
        again = min(max(known.values(), default=0), usage.input)
        self._again.observe(model).add(again, usage.input, _PROMPTS_WINDOW)
        here = min(known.get(provider, 0), usage.input)
        self._learn_share(model, provider, here, usage)
        until = self._now() + CACHED_SECONDS
        whole = prefixes[-1].tokens
        for prefix in _worth_remembering(prefixes):
            tokens = round(usage.input * prefix.tokens / max(1, whole))
            readers = self._read.observe(prefix.digest)
            readers.pop(provider, None)
            readers[provider] = _Read(tokens, until)
            if len(readers) > _MOST_PROVIDERS:
                del readers[next(iter(readers))]

    def _learn_share(self, model: str, provider: str, known: int, usage: Usage) -> None:
        cached = min(usage.cached, usage.input)
        if known:
            share = self._shares.observe(_kind(provider, model, known))
            share.add(min(cached, known), known)
        elif cached:
            # It was read before our time.  That is no measure, but it says that
            # there is a cache; what can be measured will tell how good it is.
            kind = _kind(provider, model, cached)
            if self._shares.get(kind) is None:
                self._shares.observe(kind).add(cached, cached)

    def _known(self, prefixes: Sequence[Prefix]) -> dict[str, int]:
        """
        By provider, the tokens of the longest prefix that it has read lately.
        """
        now = self._now()
        known: dict[str, int] = {}
        for prefix in reversed(prefixes):
            for provider, read in (self._read.get(prefix.digest) or {}).items():
                if read.until > now:
                    known.setdefault(provider, read.tokens)
        return known


def _kind(provider: str, model: str, tokens: int) -> tuple[str, str, bool]:
    """
    What the share depends on.
    """
    return provider, model, tokens >= _LONG_TOKENS


def _worth_remembering(prefixes: Sequence[Prefix]) -> Iterable[Prefix]:
    """
    What the next prompts may begin with: all of this one, all but its last
    message if that is written anew, or its first message only, which tells many
    conversations the same.
    """
    return dict.fromkeys((prefixes[0], *prefixes[-2:]))
