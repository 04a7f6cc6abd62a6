"""
Tests for L{arbstr.routing.policy}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from arbstr.config.model import PolicyRule
from arbstr.errors import ApiError
from arbstr.routing.policy import Policies

# As many characters as are looked through at each end of a message.
END = 65_536


def policies(**keywords: str | tuple[str, ...]) -> Policies:
    """
    One rule for each, with these keywords.
    """
    return Policies(
        PolicyRule.model_validate({"name": name, "keywords": words})
        for name, words in keywords.items()
    )


class HeaderTests(SynchronousTestCase):
    """
    C{X-Arbstr-Policy} names a rule.
    """

    def test_named(self) -> None:
        """
        The named rule applies, whatever the message says.
        """
        match = policies(code="code", chat="chat").match("chat", "write code")
        self.assertEqual(match.name, "chat")
        self.assertEqual(match.reason, "named by X-Arbstr-Policy")

    def test_without_keywords(self) -> None:
        """
        A rule that has no keywords can be named.
        """
        self.assertEqual(policies(frugal=()).match("frugal", "").name, "frugal")

    def test_unknown(self) -> None:
        """
        An unknown name is never silently ignored.
        """
        known = policies(code="code", chat="chat")
        error = self.assertRaises(ApiError, known.match, "Code", "write code")
        self.assertEqual(
            (error.status, error.type, error.code, error.param),
            (400, "invalid_request_error", "policy_not_found", "X-Arbstr-Policy"),
        )
        self.assertEqual(
            error.message,
            "Unknown policy 'Code' in X-Arbstr-Policy, expected one of: code, chat",
        )

    def test_none_configured(self) -> None:
        """
        Where there are none, that is said.
        """
        error = self.assertRaises(ApiError, Policies([]).match, "code", "")
        self.assertTrue(error.message.endswith(": none configured"), error.message)

    def test_empty(self) -> None:
        """
        An empty header is a wrong name, too.
        """
        self.assertRaises(ApiError, policies(code="code").match, "", "write code")


class KeywordTests(SynchronousTestCase):
    """
    Keywords are whole words of the last user message, in any case.
    """

    def assertMatches(self, keyword: str, *texts: str) -> None:
        """
        All of these have the keyword.
        """
        for text in texts:
            self.assertEqual(
                policies(rule=keyword).match(None, text).name, "rule", text
            )

    def assertPasses(self, keyword: str, *texts: str) -> None:
        """
        None of these has the keyword.
        """
        for text in texts:
            self.assertIsNone(policies(rule=keyword).match(None, text).rule, text)

    def test_words(self) -> None:
        """
        A word ends where its letters, digits and underscores end.
        """
        self.assertMatches(
            "code",
            "code",
            "some code.",
            "(code)",
            "code-review",
            "a\ncode\nb",
            "«code»",
        )

    def test_parts_of_words(self) -> None:
        """
        A part of a word is none.
        """
        self.assertPasses(
            "code", "", "codebase", "encode", "code_review", "code2", "xcodex", "codeé"
        )

    def test_any_case(self) -> None:
        """
        Neither the message's case nor the keyword's matters.
        """
        self.assertMatches("code", "CODE", "Code", "cOdE")
        self.assertMatches("SQL", "some sql")

    def test_phrase(self) -> None:
        """
        A keyword may be of several words.
        """
        self.assertMatches("step by step", "go step by step.")
        self.assertPasses("step by step", "step by stepping", "step-by-step")

    def test_ends_in_punctuation(self) -> None:
        """
        A keyword may end in what is no part of a word.
        """
        self.assertMatches("c++", "C++", "in c++, please", "is c++?")
        self.assertPasses("c++", "c", "c+", "objc++", "c++11")

    def test_begins_with_punctuation(self) -> None:
        """
        A keyword may begin with what is no part of a word.
        """
        self.assertMatches(".net", ".NET", "use .net!")
        self.assertPasses(".net", "net", "asp.net", ".network")

    def test_not_a_pattern(self) -> None:
        """
        A keyword is text, not a regular expression.
        """
        self.assertMatches("node.js", "node.js")
        self.assertPasses("node.js", "nodexjs")
        self.assertMatches("(a|b)", "either (A|B)")
        self.assertPasses("(a|b)", "a", "b")

    def test_several_keywords(self) -> None:
        """
        Any of a rule's keywords will do.
        """
        rules = policies(code=("function", "implement"))
        self.assertEqual(rules.match(None, "please implement it").name, "code")

    def test_order_of_rules(self) -> None:
        """
        The first rule that matches applies, not the first word.
        """
        rules = policies(chat="hello", code="code")
        self.assertEqual(rules.match(None, "code: print hello").name, "chat")

    def test_reason(self) -> None:
        """
        The reason tells the word, as the message has it.
        """
        match = policies(code="code").match(None, "some CODE")
        self.assertEqual(match.reason, "keyword 'CODE'")

    def test_other_alphabets(self) -> None:
        """
        Also where a letter without regard to case is two.
        """
        rules = policies(code="code", fuss="fuß")
        self.assertEqual(rules.match(None, "straße: CODE").reason, "keyword 'CODE'")
        self.assertEqual(rules.match(None, "der Fuß").name, "fuss")
        self.assertIsNone(rules.match(None, "straßecode").rule)

    def test_many_parts_of_words(self) -> None:
        """
        A keyword that is in many words is found all the same where it is one.
        """
        rules = policies(code="code", plus="c++")
        for text, name in (("decode " * 100 + "code", "code"), ("c++x " * 100, None)):
            self.assertEqual(rules.match(None, text).name, name)
        self.assertIsNone(rules.match(None, "decode " * 100).rule)
        self.assertEqual(rules.match(None, "c++x " * 100 + "c++").name, "plus")

    def test_no_match(self) -> None:
        """
        Where nothing matches, no rule applies, not even one without keywords.
        """
        match = policies(frugal=(), code="code").match(None, "hello")
        self.assertIsNone(match.rule)
        self.assertIsNone(match.name)
        self.assertEqual(match.reason, "no policy named and no keyword matched")


class LongMessageTests(SynchronousTestCase):
    """
    Only the two ends of a long message are looked through.
    """

    def found(self, *parts: str) -> bool:
        """
        Whether C{code} is a keyword of a message of these parts.
        """
        return policies(rule="code").match(None, "".join(parts)).rule is not None

    def test_both_ends(self) -> None:
        """
        A keyword in either end counts.
        """
        self.assertTrue(self.found("code", " " * 3 * END))
        self.assertTrue(self.found(" " * 3 * END, "code"))

    def test_middle(self) -> None:
        """
        One in the middle does not.
        """
        self.assertFalse(self.found(" " * 2 * END, "code", " " * 2 * END))

    def test_cut_in_two(self) -> None:
        """
        A keyword that begins in one of the ends counts as a whole.
        """
        self.assertTrue(self.found(" " * (END - 2), "code", " " * 2 * END))

    def test_half_a_word(self) -> None:
        """
        Where an end is cut off inside a word, its half is not taken for a
        word.
        """
        self.assertFalse(self.found(" " * (END - 4), "codebase", " " * 2 * END))
        self.assertFalse(self.found(" " * 2 * END, "encode", " " * (END - 4)))
