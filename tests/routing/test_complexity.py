"""
Tests for L{arbstr.routing.complexity}.
"""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from arbstr.config.model import RoutingSettings
from arbstr.routing.complexity import KEYWORDS, Complexity, Scorer

# Long enough to be judged, and a sign of nothing.
PLAIN = "Tell me more, please"
FENCED = "\n```python\nx = 1\n```\n"
END = 65_536

texts = st.lists(st.lists(st.text(), max_size=3), max_size=4)


def scorer(extra_keywords: tuple[str, ...] = (), **weights: float) -> Scorer:
    """
    A scorer with weights that are not 1.
    """
    configured = {"complexity_weights": weights, "extra_keywords": extra_keywords}
    return Scorer(RoutingSettings.model_validate(configured))


def judge(*messages: str, **options: Any) -> Complexity:
    """
    The judgement on messages of one part each.
    """
    return scorer(**options).score([(each,) for each in messages])


class SignalTestCase(SynchronousTestCase):
    """
    Looks at one signal.
    """

    def assert_signals(self, name: str, table: dict[str, float]) -> None:
        """
        The signal has these values for these texts, each a message.
        """
        for text, value in table.items():
            found = judge(f"{PLAIN}\n{text}").signals[name]
            self.assertAlmostEqual(found, value, msg=text)


class ContextLengthTests(SynchronousTestCase):
    """
    The more text, the more complex.
    """

    def test_values(self) -> None:
        """
        Half of it at a thousand tokens of four characters each.
        """
        table = {
            10: 1 / (1 + math.exp(2.9925)),
            2000: 1 / (1 + math.exp(1.5)),
            4000: 0.5,
            8000: 1 / (1 + math.exp(-3)),
            400_000: 1,
        }
        for chars, value in table.items():
            found = judge("x" * chars).signals["context_length"]
            self.assertAlmostEqual(found, value, msg=f"{chars}")

    def test_every_part(self) -> None:
        """
        Of every message, and no character more.
        """
        found = scorer().score([("x" * 1000, "x" * 1000), ("x" * 1500,), ("x" * 500,)])
        self.assertEqual(found.signals["context_length"], 0.5)


class CodeBlockTests(SignalTestCase):
    """
    Code is fenced.
    """

    def test_values(self) -> None:
        """
        Three blocks are enough.
        """
        table = {FENCED * count: count / 3 for count in range(4)}
        self.assert_signals("code_blocks", {**table, FENCED * 9: 1})

    def test_open_end(self) -> None:
        """
        A block that is not closed is none.
        """
        self.assert_signals("code_blocks", {f"{FENCED}```\nx = 2": 1 / 3})

    def test_over_messages(self) -> None:
        """
        Blocks of all messages count.
        """
        self.assertEqual(judge(FENCED, FENCED, FENCED).signals["code_blocks"], 1)


class MultiFileTests(SignalTestCase):
    """
    Talk of files.
    """

    def test_values(self) -> None:
        """
        Different paths, and different endings that are in none; three are
        enough.
        """
        self.assert_signals(
            "multi_file",
            {
                "nothing": 0,
                "src/main.rs": 1 / 3,
                "src/main.rs and src/main.rs again": 1 / 3,
                "src/main.rs and src/lib.rs": 2 / 3,
                "src/a.rs, src/b.rs, src/c.rs and src/d.rs": 1,
                "a .py file": 1 / 3,
                "main.py": 1 / 3,
                "main.py and lib.py": 1 / 3,
                "main.py and lib.go": 2 / 3,
                "src/main.rs and a .py and a .go file": 1,
            },
        )

    def test_shapes_of_paths(self) -> None:
        """
        Paths as they are written.
        """
        for path in (
            "/etc/app/config.yaml",
            "./a/b-c/d_e.test.ts",
            "../x/y.h",
            "src\\win\\main.cpp",
            "(lib/a.py)",
            "`lib/a.py`",
            "Look at lib/a.py.",
            "LIB/A.PY",
        ):
            self.assert_signals("multi_file", {path: 1 / 3})

    def test_no_files(self) -> None:
        """
        What only looks a little like one.
        """
        for text in (
            "either/or",
            "3.5/4.2",
            "self.name.first",
            "example.com/index",
            "the end.py_thing",
            "at 10 a.m., J.R. said",
            "see https://example.com/a/b.html",
        ):
            self.assert_signals("multi_file", {text: 0})


class ReasoningKeywordTests(SignalTestCase):
    """
    Words that ask for thought.
    """

    def test_each(self) -> None:
        """
        Each counts, in any case, also as a part of another word.
        """
        for word in KEYWORDS:
            for text in (word, word.upper(), f"un{word}ed"):
                self.assert_signals("reasoning_keywords", {text: 1 / 3})

    def test_distinct(self) -> None:
        """
        Each counts once; three are enough.
        """
        self.assert_signals(
            "reasoning_keywords",
            {
                "nothing": 0,
                "debug, debug and debug": 1 / 3,
                "debug and compare": 2 / 3,
                "debug, compare and analyze": 1,
                "debug, compare, analyze and evaluate": 1,
            },
        )

    def test_extra(self) -> None:
        """
        Others can be configured; what is there already counts once.
        """
        found = judge(
            "Frobnicate and DEBUG it, bitte", extra_keywords=("FROBnicate", "Debug")
        )
        self.assertEqual(found.signals["reasoning_keywords"], 2 / 3)


class ConversationDepthTests(SynchronousTestCase):
    """
    Long conversations are harder.
    """

    def test_values(self) -> None:
        """
        Half of it at six messages.
        """
        table = {1: -2.5, 4: -1, 6: 0, 8: 1, 12: 3}
        for count, power in table.items():
            found = judge(*[PLAIN] * count).signals["conversation_depth"]
            self.assertAlmostEqual(found, 1 / (1 + math.exp(-power)))

    def test_very_many(self) -> None:
        """
        However many there are.
        """
        found = judge(*[PLAIN] * 10_000)
        self.assertEqual(found.signals["conversation_depth"], 1)


class ScoreTests(SynchronousTestCase):
    """
    The score is the weighted mean of the signals.
    """

    def test_mean(self) -> None:
        """
        Without other weights each counts the same.
        """
        found = judge(f"{PLAIN} {FENCED} src/main.rs")
        self.assertAlmostEqual(found.score, sum(found.signals.values()) / 5)
        self.assertIsNone(found.reason)

    def test_weights(self) -> None:
        """
        With a weight of 3 a signal counts three times; with 0 not at all.
        """
        text = f"{PLAIN} {FENCED} debug src/main.rs"
        found = judge(text, code_blocks=3, multi_file=0)
        signals = found.signals
        others = ("context_length", "reasoning_keywords", "conversation_depth")
        total = 3 * signals["code_blocks"] + sum(signals[name] for name in others)
        self.assertAlmostEqual(found.score, total / 6)

    def test_one_weight(self) -> None:
        """
        One signal alone can decide.
        """
        none = dict.fromkeys(scorer().weights, 0.0)
        found = judge(PLAIN + FENCED, **{**none, "code_blocks": 1e-300})
        self.assertAlmostEqual(found.score, 1 / 3)

    def test_no_weights(self) -> None:
        """
        With none at all nothing can be judged.
        """
        found = judge(PLAIN, **dict.fromkeys(scorer().weights, 0.0))
        self.assertEqual((found.score, found.reason), (1, "no signal has a weight"))

    def test_huge_weights(self) -> None:
        """
        Weights that no float can hold the sum of.
        """
        huge = dict.fromkeys(scorer().weights, 1.7e308)
        self.assertAlmostEqual(judge(PLAIN, **huge).score, judge(PLAIN).score)

    def test_little_text(self) -> None:
        """
        Nine characters cannot be judged, ten can.
        """
        for few in (["123456789"], ["1234", "56789"], [""]):
            found = judge(*few)
            self.assertEqual(found.score, 1, few)
            self.assertEqual(found.reason, "there are fewer than 10 characters of text")
        self.assertLess(judge("1234567890").score, 0.1)

    def test_no_message(self) -> None:
        """
        Nor can nothing.
        """
        found = scorer().score([])
        self.assertEqual((found.score, found.reason), (1, "there is no message"))

    def test_no_text(self) -> None:
        """
        Nor can pictures.
        """
        self.assertEqual(scorer().score([(), ()]).score, 1)

    def test_simple_and_complex(self) -> None:
        """
        With the default thresholds a greeting is for the tier local, and work
        on a code base for frontier.
        """
        self.assertLess(judge("Hello, how are you today?").score, 0.4)
        work = f"Analyze, debug and refactor a/b.py, a/c.py and a/d.py.{FENCED * 3}"
        self.assertGreater(judge(*[work] * 8).score, 0.7)

    @settings(deadline=None)
    @given(
        texts,
        st.lists(st.floats(0, 1.7e308), min_size=5, max_size=5),
        st.lists(st.text(min_size=1), max_size=3),
    )
    def test_any_prompt(
        self, messages: list[list[str]], weights: list[float], words: list[str]
    ) -> None:
        """
        Whatever is said, and however it is weighed, the score and every signal
        are from 0 to 1.
        """
        configured = RoutingSettings.model_construct(
            complexity_weights=RoutingSettings().complexity_weights.model_copy(
                update=dict(zip(scorer().weights, weights, strict=True))
            ),
            extra_keywords=tuple(words),
        )
        found = Scorer(configured).score(messages)
        for value in (found.score, *found.signals.values()):
            self.assertTrue(0 <= value <= 1, found)


class ExcerptTests(SynchronousTestCase):
    """
    Of very much text only a part is read.
    """

    def words(self, *messages: str) -> int:
        """
        How many keywords are found.
        """
        return round(3 * judge(*messages).signals["reasoning_keywords"])

    def test_both_ends(self) -> None:
        """
        Of each message the first and the last 64 KiB.
        """
        filling = "." * END
        self.assertEqual(self.words(f"debug{filling}{filling}compare"), 2)
        self.assertEqual(self.words(f"{filling}debug{filling}"), 0)
        self.assertEqual(self.words(f"{filling}debug{filling}", "compare"), 1)

    def test_parts_of_a_message(self) -> None:
        """
        A message is all of its parts.
        """
        parts = ("x" * END, "debug", "x" * END)
        found = scorer().score([parts])
        self.assertEqual(found.signals["reasoning_keywords"], 0)

    def test_ends_do_not_touch(self) -> None:
        """
        What was left out between them makes no word.
        """
        text = f"{'.' * (END - 3)}deb{'.' * 9}ug{'.' * (END - 2)}"
        self.assertEqual(self.words(text), 0)

    def test_short_messages(self) -> None:
        """
        All of many short ones.
        """
        self.assertEqual(self.words("debug", *[PLAIN * 90] * 100), 1)

    def test_last_messages(self) -> None:
        """
        Of too many the last ones.
        """
        long = "x" * 2 * END
        self.assertEqual(self.words("debug", *[long] * 5, "compare"), 1)

    def test_length_counts(self) -> None:
        """
        What is not read still counts as text.
        """
        self.assertEqual(judge("x" * 1_000_000).signals["context_length"], 1)

    def test_same_name_many_times(self) -> None:
        """
        A text of nothing but names of files is not read for ever.
        """
        found = judge("a.py " * 2000 + "b.go c.rs")
        self.assertEqual(found.signals["multi_file"], 1 / 3)
