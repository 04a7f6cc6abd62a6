"""
How much there is in an answer: the token counts that providers report, and the
characters from which they are estimated when they do not.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from arbstr.routing.money import Usage

_INPUT_DETAILS = ("prompt_tokens_details", "input_tokens_details")
_OUTPUT_DETAILS = ("completion_tokens_details", "output_tokens_details")
_LARGEST = 2**53
_NUMBER = re.compile(r"[0-9]{1,16}(?:\.[0-9]{1,16})?")


def read_usage(value: object) -> Usage | None:
    """
    Understand the C{usage} object of a chat completion, or of the likes of it:

      - OpenAI's chat and legacy completions, and most who follow them, report
        C{prompt_tokens}, of which C{prompt_tokens_details.cached_tokens} came
        from the cache, and C{completion_tokens}, of which
        C{completion_tokens_details.reasoning_tokens} were reasoning;
      - OpenAI's responses and some servers say C{input} for prompt and
        C{output} for completion in all of these names;
      - DeepSeek reports the cached tokens as C{prompt_cache_hit_tokens};
      - Anthropic's C{input_tokens} leave out C{cache_read_input_tokens} and
        C{cache_creation_input_tokens}, which are added here;
      - some proxies turn the numbers into floats or strings.

    What is missing, C{null}, negative, not a number or beyond belief is
    unknown, which is not the same as zero.  Embeddings, that have no output,
    have to be given a C{completion_tokens} of zero by the caller.

    @return: C{None} unless both the input and the output are known.
    """
    if not isinstance(value, dict):
        return None
    tokens = _read_input(value)
    output = _count(value.get("completion_tokens"))
    if output is None:
        output = _count(value.get("output_tokens"))
    if tokens is None or output is None:
        return None
    total, cached = tokens
    reasoning = _detail(value, "reasoning_tokens", _OUTPUT_DETAILS) or 0
    return Usage(
        input=total,
        output=output,
        cached=min(cached, total),
        reasoning=min(reasoning, output),
    )


def answer_chars(answer: object) -> int:
    """
    Characters of text in a buffered answer, over all of its choices.
    """
    choices = _mapping(answer).get("choices")
    if not isinstance(choices, list):
        return 0
    return sum(choice_chars(_mapping(choice)) for choice in choices)


def choice_chars(choice: Mapping[str, object]) -> int:
    """
    Characters of text in one choice of an answer or of a stream's chunk:
    content, reasoning, refusal, the names and arguments of called functions.
    """
    message = _mapping(choice.get("delta") or choice.get("message"))
    content = message.get("content")
    if len(message) == 1 and isinstance(content, str) and "text" not in choice:
        # What nearly every chunk consists of.
        return len(content)
    # Some servers send the same reasoning under both of its names.
    reasoning = message.get("reasoning") or message.get("reasoning_content")
    chars = _chars(choice.get("text")) + _chars(content)
    chars += _chars(reasoning) + _chars(message.get("refusal"))
    chars += _call_chars(message.get("function_call"))
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        chars += sum(_call_chars(_mapping(call).get("function")) for call in calls)
    return chars


def _chars(text: object) -> int:
    """
    Characters of a text, or of one that comes as a list of parts.
    """
    if not text:
        return 0
    if isinstance(text, str):
        return len(text)
    if not isinstance(text, list):
        return 0
    parts = (_mapping(part).get("text") for part in text)
    return sum(len(part) for part in parts if isinstance(part, str))


def _call_chars(function: object) -> int:
    if not function:
        return 0
    called = _mapping(function)
    return _chars(called.get("name")) + _chars(called.get("arguments"))


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _read_input(usage: Mapping[str, object]) -> tuple[int, int] | None:
    """
    All the prompt's tokens, and how many of them were cached.
    """
    prompt = _count(usage.get("prompt_tokens"))
    if prompt is None:
        prompt = _count(usage.get("input_tokens"))
        read = _count(usage.get("cache_read_input_tokens"))
        created = _count(usage.get("cache_creation_input_tokens"))
        if prompt is not None and (read is not None or created is not None):
            return prompt + (read or 0) + (created or 0), read or 0
    if prompt is None:
        return None
    cached = _detail(usage, "cached_tokens", _INPUT_DETAILS)
    if cached is None:
        cached = _count(usage.get("prompt_cache_hit_tokens"))
    return prompt, cached or 0


def _detail(
    usage: Mapping[str, object], name: str, places: tuple[str, ...]
) -> int | None:
    """
    A count out of the first of these objects that has it.
    """
    for place in places:
        details = usage.get(place)
        if isinstance(details, dict):
            count = _count(details.get(name))
            if count is not None:
                return count
    return None


def _count(value: object) -> int | None:
    """
    A number of tokens.  A broken one counts as a whole.
    """
    if type(value) is int:
        # As nearly always.
        return value if 0 <= value <= _LARGEST else None
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    # The comparison is false for NaN.
    if isinstance(value, float) and 0 <= value <= _LARGEST:
        return math.ceil(value)
    return None
