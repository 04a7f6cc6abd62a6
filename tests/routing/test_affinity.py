"""
Tests for L{arbstr.routing.affinity}.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from arbstr.routing.affinity import CACHED_SECONDS, Affinity
from arbstr.routing.money import Usage
from arbstr.routing.prefixes import Prefix

from .market import MODEL

Prompt = Sequence[Prefix]

names = st.sampled_from(["alpha", "beta"])
tokens = st.integers(0, 2000)


def prompt(*messages: str) -> list[Prefix]:
    """
    A prompt of messages of a hundred tokens each.
    """
    return [
        Prefix("/".join(messages[:end]).encode(), 100 * end)
        for end in range(1, len(messages) + 1)
    ]


class AffinityTestCase(SynchronousTestCase):
    """
    Starts knowing nothing.
    """

    def setUp(self) -> None:
        self.now = 1000.0
        self.learned = 0
        self.affinity = Affinity(lambda: self.now, most=100)

    def served(
        self, prompt: Prompt, input: int, cached: int = 0, by: str = "alpha"
    ) -> None:
        """
        A provider has served a prompt.
        """
        self.affinity.observe(MODEL, prompt, by, Usage(input, 10, cached))

    def expected(self, prompt: Prompt, model: str = MODEL) -> Mapping[str, int]:
        """
        What is expected to be cached of a prompt.
        """
        return self.affinity.expected(model, prompt)

    def learn(self, possible: int, cached: int, by: str = "alpha") -> None:
        """
        Let a provider find so many tokens in its cache of those that it has
        read.
        """
        self.learned += 1
        topic = f"topic {self.learned}"
        self.served(prompt(topic), possible, by=by)
        self.served(prompt(topic, "on"), possible * 2, cached, by=by)


class ExpectedTests(AffinityTestCase):
    """
    What is expected.
    """

    def test_nothing_known(self) -> None:
        """
        Of a conversation that nobody knows nothing is cached.
        """
        self.learn(100, 100)
        self.assertEqual(self.expected(prompt("a")), {})

    def test_follow_up(self) -> None:
        """
        Of one that goes on, what the provider counted last is.
        """
        self.learn(100, 100)
        self.served(prompt("a", "b"), 250)
        self.assertEqual(self.expected(prompt("a", "b", "c", "d")), {"alpha": 250})

    def test_share(self) -> None:
        """
        As much of it as was of others.
        """
        self.learn(100, 60)
        self.served(prompt("a"), 200)
        self.assertEqual(self.expected(prompt("a", "b")), {"alpha": 120})

    def test_never_reported(self) -> None:
        """
        A provider that never reports cached tokens earns nothing.
        """
        self.learn(100, 0)
        self.served(prompt("a"), 200)
        self.assertEqual(self.expected(prompt("a", "b")), {})

    def test_no_report_yet(self) -> None:
        """
        Neither does one of which nothing is known yet.
        """
        self.served(prompt("a"), 200)
        self.assertEqual(self.expected(prompt("a", "b")), {})

    def test_long_prompts(self) -> None:
        """
        Providers cache long prompts that cache no short ones: each kind is
        learned by itself.
        """
        self.learn(100, 0)
        self.learn(2000, 1900)
        self.served(prompt("a"), 100)
        self.served(prompt("b"), 2000)
        self.assertEqual(self.expected(prompt("a", "b")), {})
        self.assertEqual(self.expected(prompt("b", "b")), {"alpha": 1900})

    def test_first_report(self) -> None:
        """
        Cached tokens of a conversation that was not known show that there is a
        cache.
        """
        self.served(prompt("old", "conversation"), 200, 128)
        self.assertEqual(
            self.expected(prompt("old", "conversation", "c")), {"alpha": 200}
        )

    def test_measured_after_first_report(self) -> None:
        """
        How good it is, is measured then.
        """
        self.served(prompt("old", "conversation"), 200, 128)
        self.served(prompt("old", "conversation", "c"), 300, 0)
        self.assertLess(
            self.expected(prompt("old", "conversation", "c", "d"))["alpha"], 300
        )

    def test_no_measure(self) -> None:
        """
        What was cached before our time does not change what was measured.
        """
        self.learn(100, 50)
        self.served(prompt("old"), 100, 100)
        self.assertEqual(self.expected(prompt("old", "b")), {"alpha": 50})

    def test_both_providers(self) -> None:
        """
        A conversation may have been here and there.
        """
        self.learn(100, 100)
        self.learn(100, 100, by="beta")
        self.served(prompt("a"), 100)
        self.served(prompt("a", "b"), 220, by="beta")
        self.assertEqual(
            self.expected(prompt("a", "b", "c")), {"alpha": 100, "beta": 220}
        )

    def test_other_model(self) -> None:
        """
        What is learned of one model does not count for another.
        """
        self.learn(100, 100)
        self.served(prompt("a"), 100)
        self.assertEqual(self.expected(prompt("a", "b"), model="o3"), {})

    def test_more_cached_than_read(self) -> None:
        """
        The answer may be cached, too, but is not counted on.
        """
        self.learn(100, 180)
        self.served(prompt("a"), 100)
        self.assertEqual(self.expected(prompt("a", "b")), {"alpha": 100})

    def test_follows_changes(self) -> None:
        """
        A provider that gives up its cache is soon known for that.
        """
        self.learn(100, 100)
        for _ in range(1000):
            self.learn(100, 0)
        self.served(prompt("a"), 100)
        self.assertEqual(self.expected(prompt("a", "b")), {})


class PrefixTests(AffinityTestCase):
    """
    Which beginnings count.
    """

    def setUp(self) -> None:
        super().setUp()
        self.learn(100, 100)
        self.served(prompt("system", "first", "second", "third"), 800)

    def test_last_message_written_anew(self) -> None:
        """
        All that comes before it is cached.
        """
        self.assertEqual(
            self.expected(prompt("system", "first", "second", "other")),
            {"alpha": 600},
        )

    def test_same_system_prompt(self) -> None:
        """
        Another conversation that begins with the same message has that cached.
        """
        self.assertEqual(self.expected(prompt("system", "other")), {"alpha": 200})

    def test_same_again(self) -> None:
        """
        The same once more is cached as a whole.
        """
        self.assertEqual(
            self.expected(prompt("system", "first", "second", "third")),
            {"alpha": 800},
        )


class ForgettingTests(AffinityTestCase):
    """
    Caches are emptied, and memory is bounded.
    """

    def setUp(self) -> None:
        super().setUp()
        self.learn(100, 100)
        self.served(prompt("a"), 100)

    def test_in_time(self) -> None:
        """
        Until then it counts.
        """
        self.now += CACHED_SECONDS - 1
        self.assertEqual(self.expected(prompt("a", "b")), {"alpha": 100})

    def test_expired(self) -> None:
        """
        After that it does not.
        """
        self.now += CACHED_SECONDS
        self.assertEqual(self.expected(prompt("a", "b")), {})

    def test_expired_is_no_measure(self) -> None:
        """
        What was not cached any more says nothing against the provider.
        """
        self.now += CACHED_SECONDS
        self.served(prompt("a"), 100)
        self.assertEqual(self.expected(prompt("a", "b")), {"alpha": 100})

    def test_renewed(self) -> None:
        """
        With every request it is kept anew.
        """
        self.now += CACHED_SECONDS - 1
        self.served(prompt("a", "b"), 200, 100)
        self.now += CACHED_SECONDS - 1
        self.assertEqual(self.expected(prompt("a", "b", "c")), {"alpha": 200})

    def test_most_digests(self) -> None:
        """
        The digests that were read last are remembered, and no more.
        """
        for number in range(1000):
            self.served(prompt(f"{number}"), 100)
        self.assertEqual(len(self.affinity), 100)
        self.assertEqual(self.expected(prompt("a", "b")), {})
        self.assertEqual(self.expected(prompt("999", "b")), {"alpha": 100})

    def test_most_providers(self) -> None:
        """
        A conversation that was everywhere is remembered where it was lately.
        """
        for number in range(100):
            self.learn(100, 100, by=f"provider-{number}")
            self.served(prompt("a"), 100, by=f"provider-{number}")
        expected = self.expected(prompt("a", "b"))
        self.assertEqual(len(expected), 8)
        self.assertIn("provider-99", expected)


class UsageTests(AffinityTestCase):
    """
    Reports are believed as far as they can be true.
    """

    def test_estimated(self) -> None:
        """
        Of an estimate nothing is learned.
        """
        self.learn(100, 100)
        usage = Usage(100, 10, estimated=True)
        self.affinity.observe(MODEL, prompt("a"), "alpha", usage)
        self.assertEqual(self.expected(prompt("a", "b")), {})

    def test_no_prefixes(self) -> None:
        """
        Neither of a prompt without messages.
        """
        self.affinity.observe(MODEL, [], "alpha", Usage(100, 10, 50))
        self.assertEqual(len(self.affinity), 0)

    @given(st.lists(st.tuples(names, st.integers(0, 3), tokens, tokens)), tokens)
    def test_never_more_than_was_read(
        self, served: list[tuple[str, int, int, int]], last: int
    ) -> None:
        """
        However providers count, no more is expected than one has read.
        """
        affinity = Affinity(lambda: 0)
        for provider, length, input_tokens, cached in served:
            usage = Usage(input_tokens, 1, cached)
            affinity.observe(MODEL, prompt("a", "b", "c")[:length], provider, usage)
        affinity.observe(MODEL, prompt("a", "b", "c"), "alpha", Usage(last, 1))
        expected = affinity.expected(MODEL, prompt("a", "b", "c", "d"))
        self.assertLessEqual(expected.get("alpha", 0), last)
