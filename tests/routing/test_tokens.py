"""
Tests for L{arbstr.routing.tokens}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from arbstr.routing.tokens import estimate_input, estimate_text, expected_output


class EstimateTests(SynchronousTestCase):
    """
    Tokens are estimated from characters.
    """

    def test_four_characters(self) -> None:
        """
        Four characters make a token, and a part of a token is one.
        """
        self.assertEqual([estimate_text(n) for n in (4, 5, 8, 4000)], [1, 2, 2, 1000])

    def test_at_least_one(self) -> None:
        """
        There is no text without a token.
        """
        self.assertEqual(estimate_text(0), 1)

    def test_messages(self) -> None:
        """
        Every message costs four tokens more than its text.
        """
        self.assertEqual(estimate_input(400, messages=3, images=0), 100 + 12)

    def test_images(self) -> None:
        """
        Every image costs a thousand.
        """
        self.assertEqual(estimate_input(4, messages=1, images=2), 1 + 4 + 2000)


class ExpectedOutputTests(SynchronousTestCase):
    """
    L{expected_output} guesses how long an answer will be.
    """

    def test_three_times_the_input(self) -> None:
        """
        Three times the prompt.
        """
        self.assertEqual(expected_output(100, None), 300)

    def test_bounds(self) -> None:
        """
        At least 64 and at most 1024 tokens.
        """
        self.assertEqual(expected_output(1, None), 64)
        self.assertEqual(expected_output(100_000, None), 1024)

    def test_cap(self) -> None:
        """
        Never more than the request's own cap, even below the least guess.
        """
        self.assertEqual(expected_output(100, 5), 5)

    def test_generous_cap(self) -> None:
        """
        A cap above the guess does not raise it.
        """
        self.assertEqual(expected_output(100, 100_000), 300)

    def test_choices(self) -> None:
        """
        The cap is for one of the choices; all of them are paid for.
        """
        self.assertEqual(expected_output(100, None, 4), 1200)
        self.assertEqual(expected_output(100, 5, 4), 20)
