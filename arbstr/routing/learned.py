"""
What the requests of the past tell about the next one: how long answers are,
how models count tokens, how soon and how reliably providers answer.

It is learned from completed requests, and at start from those in the log.
Memory is bounded: of the keys of each kind, the least recently observed give
way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import define, field

from .observation import AttemptSample, Observation, read_row
from .recent import Mean, Recent

#: With fewer samples than this a mean is not used.
ENOUGH_SAMPLES = 20
#: A mean follows about so many of the latest samples.
WINDOW = 1000
#: Keys of each kind that are remembered.
MOST_KEYS = 4096

# The weight of one more attempt in a provider's success rate, and of a quick
# answer in its latency: a slower one counts in full at once.
_FAILURE_WEIGHT = 0.05
_DECAY_WEIGHT = 0.1
# What was seen of a provider counts less with every request for the model that
# others serve, so that whoever was slow or failing once is tried again.
_FADE = 0.999
# A provider that has only ever failed, so many requests ago that this is left
# of its failure rate, is as good as unknown.
_FORGIVEN = 0.01
# Beyond these, providers miscount: a wrong number must not outweigh the others.
_MOST_CHARS_PER_TOKEN = 16
_MOST_TOKENS_PER_CHAR = 4
_MOST_OUTPUT = 1_000_000
# Clients make up names of models for providers that take any.
_LONGEST_NAME = 256


@define
class Service:
    """
    How a provider serves a model.

    @ivar first_byte_seconds: C{None} if it has never answered.
    @ivar success_rate: from 0 to 1.
    """

    first_byte_seconds: float | None
    success_rate: float


@define
class _Prompts:
    """
    The requests for one model.

    @ivar requests: how many there were.
    """

    requests: int = 0
    chars: Mean = field(factory=Mean)
    tokens: Mean = field(factory=Mean)


@define
class _Record:
    """
    One provider's attempts for one model.

    @ivar as_of: the model's request that was the latest of them.
    """

    first_byte: float | None = None
    failure_rate: float = 0.0
    as_of: int = 0

    def left(self, now: int) -> float:
        """
        The share of it that counts at a later request for the model.
        """
        return _FADE ** (now - self.as_of) if now > self.as_of else 1.0

    def add(self, sample: AttemptSample, now: int) -> None:
        """
        One more attempt, at this request for the model.
        """
        left = self.left(now)
        self.as_of = now
        self.failure_rate *= left
        if self.first_byte is not None:
            self.first_byte *= left
        failed = sample.success is False
        if sample.success is not None:
            self.failure_rate += (failed - self.failure_rate) * _FAILURE_WEIGHT
        seconds = sample.first_byte_seconds
        if seconds is None:
            return
        known = self.first_byte
        if known is not None and seconds > known:
            self.first_byte = seconds
        elif not failed:
            # A quick refusal is no speed.
            known = seconds if known is None else known
            self.first_byte = known + (seconds - known) * _DECAY_WEIGHT


class Learned:
    """
    All that is learned.  Pure: without a clock, it counts time in requests.
    """

    def __init__(self, most_keys: int = MOST_KEYS) -> None:
        self._outputs: Recent[tuple[str | None, str], Mean]
        self._outputs = Recent(Mean, most_keys)
        self._prompts: Recent[str, _Prompts] = Recent(_Prompts, most_keys)
        self._records: Recent[tuple[str, str], _Record] = Recent(_Record, most_keys)

    def observe(self, seen: Observation) -> None:
        """
        Learn from one request.
        """
        model = seen.model
        if len(model) > _LONGEST_NAME:
            return
        prompts = self._prompts.observe(model)
        prompts.requests += 1
        if seen.input_chars and seen.input_tokens:
            chars = seen.input_chars
            least = chars / _MOST_CHARS_PER_TOKEN
            most = chars * _MOST_TOKENS_PER_CHAR
            prompts.chars.add(chars, WINDOW)
            prompts.tokens.add(min(max(seen.input_tokens, least), most), WINDOW)
        if seen.output_tokens is not None:
            mean = self._outputs.observe((seen.policy, model))
            mean.add(min(seen.output_tokens / seen.choices, _MOST_OUTPUT), WINDOW)
        for attempt in seen.attempts:
            key = attempt.provider, model
            self._records.observe(key).add(attempt, prompts.requests)

    def restore(self, rows: Iterable[Mapping[str, object]]) -> None:
        """
        Learn from logged requests.

        @param rows: see L{arbstr.routing.observation.read_row}; the newest come last.
        """
        for row in rows:
            seen = read_row(row)
            if seen is not None:
                self.observe(seen)

    def output_tokens(self, policy: str | None, model: str) -> float | None:
        """
        How many tokens one answer has on average; C{None} unless that is known
        from enough of them.
        """
        mean = self._outputs.get((policy, model))
        return mean.value if mean and mean.samples >= ENOUGH_SAMPLES else None

    def chars_per_token(self, model: str) -> float | None:
        """
        How many characters of a prompt make a token; C{None} unless that is
        known from enough prompts.
        """
        prompts = self._prompts.get(model)
        if prompts is None or prompts.tokens.samples < ENOUGH_SAMPLES:
            return None
        return prompts.chars.value / prompts.tokens.value

    def service(self, provider: str, model: str) -> Service | None:
        """
        How a provider serves a model; C{None} where that is not known.
        """
        prompts = self._prompts.get(model)
        record = None if prompts is None else self._records.get((provider, model))
        if record is None or prompts is None:
            return None
        left = record.left(prompts.requests)
        first_byte, failure_rate = record.first_byte, record.failure_rate * left
        if first_byte is not None:
            first_byte *= left
        elif failure_rate < _FORGIVEN:
            return None
        return Service(first_byte, 1 - failure_rate)
