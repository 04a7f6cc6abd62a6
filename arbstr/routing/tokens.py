"""
Estimates of token counts, made without a tokenizer: its tables would have to
be fetched, and its time would be spent on the reactor.
"""

from __future__ import annotations

CHARS_PER_TOKEN = 4
TOKENS_PER_MESSAGE = 4
TOKENS_PER_IMAGE = 1000

_OUTPUT_PER_INPUT = 3
_LEAST_OUTPUT = 64
_MOST_OUTPUT = 1024


def estimate_text(chars: int) -> int:
    """
    Tokens in so many characters of text: at least 1.
    """
    return -(-chars // CHARS_PER_TOKEN) or 1


def estimate_input(chars: int, messages: int, images: int) -> int:
    """
    Tokens in a prompt.
    """
    return (
        estimate_text(chars) + messages * TOKENS_PER_MESSAGE + images * TOKENS_PER_IMAGE
    )


def correct_input(estimate: int, images: int, chars_per_token: float | None) -> int:
    """
    An estimate for a prompt, once it is known how the model counts its text.

    @param estimate: see L{estimate_input}.
    @param images: those of which the estimate takes account.
    @param chars_per_token: C{None} if it is not known.
    """
    if chars_per_token is None:
        return estimate
    seen = images * TOKENS_PER_IMAGE
    read = (estimate - seen) * CHARS_PER_TOKEN / chars_per_token
    return max(1, seen + round(read))


def expected_output(
    input_tokens: int, cap: int | None, choices: int = 1, mean: float | None = None
) -> int:
    """
    Tokens that an answer is expected to have: the mean of those before, or
    while that is not known three times the prompt, from 64 to 1024.  Never more
    than the request's own cap, for each of the choices that it asks for.

    @param mean: C{None} if it is not known.
    """
    if mean is None:
        guess = min(max(_OUTPUT_PER_INPUT * input_tokens, _LEAST_OUTPUT), _MOST_OUTPUT)
    else:
        guess = max(1, round(mean))
    return (guess if cap is None else min(guess, cap)) * choices
