"""
Text that is not what YAML should be.
"""

from __future__ import annotations

from itertools import pairwise

from arbstr.config.document import parse

from .support import MOCK, ConfigTestCase


class SyntaxTests(ConfigTestCase):
    """
    Text that is not YAML, or strange YAML.
    """

    def test_broken(self) -> None:
        """
        PyYAML's reason, with the line.
        """
        self.assert_problems(
            "a: 1\nb: [1, 2\n",
            "3: expected YAML, found expected ',' or ']', but got '<stream end>'",
        )

    def test_tab(self) -> None:
        """
        Tabs do not indent.
        """
        self.assert_problems(
            "a:\n\tb: 1\n",
            r"2: expected YAML, found character '\t' that cannot start any token",
        )

    def test_reason_quotes_no_words(self) -> None:
        """
        A key that begins with an asterisk is an alias to YAML; its name is
        left out.
        """
        self.assert_problems(
            "api_key: *secretword\n", "1: expected YAML, found undefined alias a word"
        )

    def test_control_character(self) -> None:
        """
        Text that YAML does not allow at all.
        """
        self.assert_problems(
            b"a: 1\nb: \x01\n",
            "2: expected YAML, found a character that YAML does not allow",
        )

    def test_two_documents(self) -> None:
        """
        There is one document in a file.
        """
        self.assert_problems(
            "a: 1\n---\nb: 1\n", "2: expected YAML, found another document"
        )

    def test_empty(self) -> None:
        """
        An empty file.
        """
        self.assert_problems("", "1: expected a mapping, found nothing")

    def test_not_a_mapping(self) -> None:
        """
        A list or a word.
        """
        self.assert_problems("- a\n", "1: expected a mapping, found a list")
        self.assert_problems("hello\n", "1: expected a mapping, found 'hello'")

    def test_duplicate_key(self) -> None:
        """
        YAML would silently keep the second one.
        """
        text = MOCK + "retry:\n  max_attempts: 1\n  max_attempts: 2\n"
        self.assert_problems(
            text,
            "4: retry.max_attempts: expected each key once, found it in line 3 too",
        )

    def test_mapping_as_key(self) -> None:
        """
        Keys are text.
        """
        self.assert_problems(
            MOCK + "{a: b}: c\n", "2: expected text as a key, found more"
        )

    def test_tag(self) -> None:
        """
        Tags would make objects; there are none.
        """
        self.assert_problems(
            MOCK + "logging:\n  level: !!python/object:os.system info\n",
            "3: logging.level: expected plain YAML, found a tag",
        )

    def test_tag_of_collection(self) -> None:
        """
        Also on lists and mappings.
        """
        self.assert_problems(
            MOCK + "logging: !!set {level}\n",
            "2: logging: expected plain YAML, found a tag",
        )

    def test_tag_that_does_not_fit(self) -> None:
        """
        A tag that says what the value is not.
        """
        self.assert_problems(
            MOCK + "retry: {max_attempts: !!int three}\n",
            "2: retry.max_attempts: expected plain YAML, found a tag",
        )

    def test_impossible_escape(self) -> None:
        """
        PyYAML does not expect this one.
        """
        self.assert_problems(
            'a: "\\U00110000"\n',
            "1: expected YAML, found an escape or a number that cannot be",
        )

    def test_half_a_character(self) -> None:
        """
        An escape may name what is not a character.
        """
        self.assert_problems(
            MOCK + 'logging: {level: "\\ud800"}\n',
            "2: logging.level: expected Unicode, found half a character",
        )

    def test_endless_number(self) -> None:
        """
        A number of thousands of digits takes long to read and is none.
        """
        self.assert_problems(
            MOCK + f"retry: {{max_attempts: {'9' * 5000}}}\n",
            "2: retry.max_attempts: expected a shorter number, found one of 5000 "
            "characters",
        )


class SizeTests(ConfigTestCase):
    """
    Small files that would take forever.
    """

    def test_deep_nesting(self) -> None:
        """
        Depth is bounded before the stack is.
        """
        self.assert_problems(
            "a: " + "[" * 100_000, "1: expected at most 32 levels, found more"
        )

    def assert_too_much(self, first: str, multiplied: str) -> None:
        """
        Twenty lines, each of which takes the one before it four times.
        """
        letters = "abcdefghijklmnopqrst"
        lines = [
            multiplied.format(new=new, old=", ".join([f"*{old}"] * 4))
            for old, new in pairwise(letters)
        ]
        (problem,) = self.problems("\n".join([first, *lines]))
        self.assertIn("expected at most 50000 values, found more", problem)

    def test_alias_bomb(self) -> None:
        """
        Aliases of aliases multiply; the number of values is bounded.
        """
        self.assert_too_much("a: &a [1, 1]", "{new}: &{new} [{old}]")

    def test_merge_bomb(self) -> None:
        """
        So do merges.
        """
        self.assert_too_much("a: &a {x: 1}", "{new}: &{new} {{<<: [{old}]}}")

    def test_endless_alias(self) -> None:
        """
        An alias may be inside of what it stands for.
        """
        self.assert_problems("a: &a [*a]", "1: expected at most 32 levels, found more")
        self.assert_problems("&a {<<: *a}", "1: expected at most 32 levels, found more")


class MeaningTests(ConfigTestCase):
    """
    What YAML text means here.
    """

    def data(self, text: str) -> object:
        """
        The data of a text that has nothing wrong with it.
        """
        document = parse(text)
        self.assertEqual(document.problems, ())
        return document.data

    def test_plain_values(self) -> None:
        """
        Text, numbers, truth and nothing.
        """
        self.assertEqual(
            self.data("[a, 1, 1.5, true, null, ~, 1_000]"),
            ["a", 1, 1.5, True, None, None, 1000],
        )

    def test_no_dates_nor_base_60(self) -> None:
        """
        What only YAML 1.1 takes for something else stays text.
        """
        self.assertEqual(
            self.data("[2024-10-22, 20:30, =]"), ["2024-10-22", "20:30", "="]
        )

    def test_keys_are_text(self) -> None:
        """
        Also those that look like something else.
        """
        self.assertEqual(self.data("{on: 1, 2: 3}"), {"on": 1, "2": 3})

    def test_alias(self) -> None:
        """
        A section can be written once and used twice.
        """
        self.assertEqual(
            self.data("{a: &t {x: 1}, b: *t}"), {"a": {"x": 1}, "b": {"x": 1}}
        )

    def test_merge(self) -> None:
        """
        What stands in the mapping itself wins, then the first one merged.
        """
        text = "{a: &a {x: 1, y: 1}, b: &b {x: 2, z: 2}, c: {<<: [*a, *b], y: 3}}"
        data = self.data(text)
        assert isinstance(data, dict)
        self.assertEqual(data["c"], {"x": 1, "y": 3, "z": 2})

    def test_merge_of_no_mapping(self) -> None:
        """
        Only mappings can be merged.
        """
        self.assert_problems(
            MOCK + "retry:\n  <<: 5\n",
            "3: retry: expected a mapping after <<, found none",
        )

    def test_lines(self) -> None:
        """
        Every value's line is known, and that of its key where it has one.
        """
        document = parse("a:\n  b:\n    - 1\n    - c: 2\n")
        self.assertEqual(
            document.lines,
            {
                (): 1,
                ("a",): 1,
                ("a", "b"): 2,
                ("a", "b", 0): 3,
                ("a", "b", 1): 4,
                ("a", "b", 1, "c"): 4,
            },
        )
