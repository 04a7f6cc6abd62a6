"""
Tests for L{arbstr.upstream.usage}.
"""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from arbstr.routing.money import Usage
from arbstr.upstream.usage import answer_chars, choice_chars, read_usage

# A slow machine is no failure.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

json_values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["", "1", "-1", "1.5", "NaN", "x", [], [1], {}])
)

NAMES = (
    "prompt_tokens",
    "completion_tokens",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "prompt_cache_hit_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
)
DETAILS = (
    "prompt_tokens_details",
    "completion_tokens_details",
    "input_tokens_details",
    "output_tokens_details",
)


class ReadUsageTests(SynchronousTestCase):
    """
    L{read_usage} understands what is in use.
    """

    def test_openai(self) -> None:
        """
        OpenAI's chat completions.
        """
        usage = {
            "prompt_tokens": 1000,
            "completion_tokens": 500,
            "total_tokens": 1500,
            "prompt_tokens_details": {"cached_tokens": 200, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 10},
        }
        self.assertEqual(read_usage(usage), Usage(1000, 500, cached=200, reasoning=10))

    def test_openai_responses(self) -> None:
        """
        OpenAI's responses, whose input includes what is cached.
        """
        usage = {
            "input_tokens": 1000,
            "input_tokens_details": {"cached_tokens": 200},
            "output_tokens": 500,
            "output_tokens_details": {"reasoning_tokens": 10},
        }
        self.assertEqual(read_usage(usage), Usage(1000, 500, cached=200, reasoning=10))

    def test_deepseek(self) -> None:
        """
        DeepSeek, which splits the prompt into hits and misses.
        """
        usage = {
            "prompt_tokens": 100,
            "completion_tokens": 5,
            "prompt_cache_hit_tokens": 64,
            "prompt_cache_miss_tokens": 36,
        }
        self.assertEqual(read_usage(usage), Usage(100, 5, cached=64))

    def test_anthropic(self) -> None:
        """
        Anthropic, whose input leaves out what was read from or written to the
        cache.
        """
        usage = {
            "input_tokens": 10,
            "cache_read_input_tokens": 200,
            "cache_creation_input_tokens": 3000,
            "output_tokens": 7,
        }
        self.assertEqual(read_usage(usage), Usage(3210, 7, cached=200))

    def test_anthropic_with_null(self) -> None:
        """
        One of the two may be unknown.
        """
        usage: dict[str, object] = {"input_tokens": 10, "output_tokens": 7}
        read: dict[str, object] = {"cache_read_input_tokens": 5}
        created: dict[str, object] = {"cache_creation_input_tokens": 5}
        none: dict[str, object] = {"cache_creation_input_tokens": None}
        self.assertEqual(read_usage(usage | read | none), Usage(15, 7, cached=5))
        self.assertEqual(read_usage(usage | created), Usage(15, 7))
        self.assertEqual(read_usage(usage | none), Usage(10, 7))

    def test_both_vocabularies(self) -> None:
        """
        Where there are prompt tokens, they are the whole input already.
        """
        usage = {
            "prompt_tokens": 210,
            "input_tokens": 10,
            "cache_read_input_tokens": 200,
            "completion_tokens": 7,
            "output_tokens": 8,
        }
        self.assertEqual(read_usage(usage), Usage(210, 7))

    def test_routstr(self) -> None:
        """
        A Routstr node, whose cost object beside it is no matter here.
        """
        usage = {
            "prompt_tokens": 1000,
            "completion_tokens": 500,
            "prompt_tokens_details": {"cached_tokens": 200},
            "cost": {"total_msats": 435, "cache_read_input_tokens": 200},
            "cost_sats": 0,
        }
        self.assertEqual(read_usage(usage), Usage(1000, 500, cached=200))

    def test_zero_is_known(self) -> None:
        """
        Zero tokens are a usage.
        """
        usage = {"prompt_tokens": 0, "completion_tokens": 0}
        self.assertEqual(read_usage(usage), Usage(0, 0))

    def test_forms_of_numbers(self) -> None:
        """
        Floats and numeric strings are numbers; a part of a token is a token.
        """
        for value, count in ((12.0, 12), (12.2, 13), ("12", 12), ("12.0", 12)):
            usage = {"prompt_tokens": value, "completion_tokens": value}
            self.assertEqual(read_usage(usage), Usage(count, count), value)

    def test_unknown_counts(self) -> None:
        """
        Without a sound input and a sound output, nothing is known.
        """
        for value in (
            None,
            -1,
            -0.5,
            float("nan"),
            float("inf"),
            2**53 + 1,
            10**400,
            True,
            "",
            "many",
            "nan",
            "1e3",
            "-1",
            "١٢",
            "9" * 5000,
            [1],
            {"count": 1},
        ):
            for names in (
                ("prompt_tokens", "completion_tokens"),
                ("completion_tokens", "prompt_tokens"),
                ("input_tokens", "output_tokens"),
            ):
                usage = {names[0]: value, names[1]: 1}
                self.assertIs(read_usage(usage), None, usage)

    def test_missing_counts(self) -> None:
        """
        One of the two alone is not enough.
        """
        usages: list[dict[str, object]] = [
            {},
            {"prompt_tokens": 1},
            {"completion_tokens": 1},
        ]
        for usage in usages:
            self.assertIs(read_usage(usage), None, usage)

    def test_null_gives_way(self) -> None:
        """
        A null does not hide the same count under its other name.
        """
        usage = {
            "prompt_tokens": None,
            "input_tokens": 3,
            "completion_tokens": None,
            "output_tokens": 4,
        }
        self.assertEqual(read_usage(usage), Usage(3, 4))

    def test_parts_within_the_whole(self) -> None:
        """
        No more is cached than there was input, no more reasoned than said.
        """
        usage = {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 11},
            "completion_tokens_details": {"reasoning_tokens": 6},
        }
        self.assertEqual(read_usage(usage), Usage(10, 5, cached=10, reasoning=5))

    def test_unsound_details(self) -> None:
        """
        Details that make no sense count as none.
        """
        unsound: list[object] = [None, [], "x", {}, {"cached_tokens": -1}]
        for details in unsound:
            usage = {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "prompt_tokens_details": details,
                "completion_tokens_details": details,
            }
            self.assertEqual(read_usage(usage), Usage(10, 5), details)

    def test_not_an_object(self) -> None:
        """
        What is no object is no usage.
        """
        values: list[object] = [None, 0, 12, "usage", [], True]
        for value in values:
            self.assertIs(read_usage(value), None)

    @unhurried
    @given(
        st.dictionaries(st.sampled_from(NAMES), json_values),
        st.dictionaries(
            st.sampled_from(DETAILS),
            json_values | st.dictionaries(st.sampled_from(NAMES), json_values),
        ),
    )
    def test_anything(
        self, counts: dict[str, object], details: dict[str, object]
    ) -> None:
        """
        Whatever is in it, there is a sound usage or none.
        """
        usage = read_usage(counts | details)
        if usage is not None:
            self.assertTrue(0 <= usage.cached <= usage.input)
            self.assertTrue(0 <= usage.reasoning <= usage.output)


class CharsTests(SynchronousTestCase):
    """
    L{choice_chars} and L{answer_chars} count what a model has written.
    """

    def test_kinds_of_text(self) -> None:
        """
        Everything that the model wrote counts, once.
        """
        call = {"function": {"name": "ab", "arguments": "{}"}}
        for delta, count in (
            ({"role": "assistant", "content": ""}, 0),
            ({"content": "Grüße 😀"}, 7),
            ({"content": [{"type": "text", "text": "abc"}, {"type": "x"}, 1]}, 3),
            ({"reasoning": "abc", "reasoning_content": "abc"}, 3),
            ({"reasoning_content": "abc"}, 3),
            ({"refusal": "no"}, 2),
            ({"tool_calls": [call, call, None, {"function": None}]}, 8),
            ({"function_call": {"name": "ab", "arguments": None}}, 2),
            ({"content": "ab", "refusal": "c", "tool_calls": [call]}, 7),
            ({"content": 12, "tool_calls": {}, "audio": {"data": "x"}}, 0),
        ):
            self.assertEqual(choice_chars({"delta": delta}), count, delta)
            self.assertEqual(choice_chars({"message": delta}), count, delta)

    def test_legacy_completion(self) -> None:
        """
        The text of a legacy completion counts.
        """
        self.assertEqual(choice_chars({"text": "abc", "index": 0}), 3)

    def test_answer(self) -> None:
        """
        All the choices of an answer count.
        """
        choice = {"message": {"content": "abc"}}
        self.assertEqual(answer_chars({"choices": [choice, choice, None]}), 6)

    def test_no_answer(self) -> None:
        """
        There is nothing in what is no answer.
        """
        answers: list[object] = [None, [], "x", {}, {"choices": None}, {"choices": "x"}]
        for answer in answers:
            self.assertEqual(answer_chars(answer), 0, answer)
