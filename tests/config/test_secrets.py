"""
Values from the environment.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from arbstr.config.secrets import Expansion, ExpansionError, expand, key_variable


class ExpandTests(SynchronousTestCase):
    """
    L{expand}.
    """

    def test_plain_text(self) -> None:
        """
        Text without references stays.
        """
        self.assertEqual(expand("a $b }", {}), Expansion("a $b }", plaintext=True))

    def test_set_variable(self) -> None:
        """
        A reference becomes the variable's value.
        """
        self.assertEqual(expand("${A}", {"A": "x"}), Expansion("x", plaintext=False))

    def test_inside_text(self) -> None:
        """
        References may stand anywhere in a text, which then is partly plain.
        """
        expansion = expand("http://${A}:${B}/v1", {"A": "host", "B": "1"})
        self.assertEqual(expansion, Expansion("http://host:1/v1", plaintext=True))

    def test_default_of_unset(self) -> None:
        """
        A default stands in for what is not set; it is text of the file.
        """
        self.assertEqual(expand("${A:-x y}", {}), Expansion("x y", plaintext=True))

    def test_default_of_empty(self) -> None:
        """
        As in a shell, it also stands in for what is empty.
        """
        self.assertEqual(expand("${A:-x}", {"A": ""}).text, "x")

    def test_default_unused(self) -> None:
        """
        A default that is not needed leaves no trace.
        """
        expansion = expand("${A:-x}", {"A": "y"})
        self.assertEqual(expansion, Expansion("y", plaintext=False))

    def test_empty_default(self) -> None:
        """
        An empty default means that there may be none.
        """
        self.assertEqual(expand("${A:-}", {}), Expansion("", plaintext=False))

    def test_empty_value(self) -> None:
        """
        Set but empty is set.
        """
        self.assertEqual(expand("${A}", {"A": ""}).text, "")

    def test_values_are_not_expanded(self) -> None:
        """
        What a variable holds is taken as it is.
        """
        self.assertEqual(expand("${A}", {"A": "${B}", "B": "x"}).text, "${B}")

    def test_dollar_in_default(self) -> None:
        """
        A default may hold a dollar sign.
        """
        self.assertEqual(expand("${A:-5$}", {}).text, "5$")

    def test_unset(self) -> None:
        """
        The error names every variable that is missing.
        """
        error = self.assertRaises(ExpansionError, expand, "${A}${B}${C}", {"B": ""})
        self.assertEqual(str(error), "expected A, C in the environment")

    def test_malformed(self) -> None:
        """
        What begins like a reference and is none is refused, not passed on.
        """
        for text in ("${A", "x ${}", "${A-x}", "${1}", "${a b}", "${A:-${B}}"):
            error = self.assertRaises(ExpansionError, expand, text, {"A": "", "B": ""})
            self.assertEqual(str(error), "expected ${NAME} or ${NAME:-default}", text)

    def test_repr(self) -> None:
        """
        The text may be a key and is not shown.
        """
        self.assertNotIn("hunter2", repr(expand("${A}", {"A": "hunter2"})))


class KeyVariableTests(SynchronousTestCase):
    """
    L{key_variable}.
    """

    def test_upper_case(self) -> None:
        """
        The name is upper-cased between prefix and suffix.
        """
        self.assertEqual(key_variable("alpha2"), "ARBSTR_ALPHA2_API_KEY")

    def test_other_characters(self) -> None:
        """
        Every run of other characters is one underscore.
        """
        name = "provider-alpha.example: x"
        self.assertEqual(key_variable(name), "ARBSTR_PROVIDER_ALPHA_EXAMPLE_X_API_KEY")
