"""
Tests for L{arbstr.routing.tokens}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from arbstr.routing.tokens import (
    correct_input,
    estimate_input,
    estimate_text,
    expected_output,
)


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


class CorrectInputTests(SynchronousTestCase):
    """
    L{correct_input} knows how a model counts.
    """

    def test_unknown(self) -> None:
        """
        Without that, an estimate stays as it is.
        """
        self.assertEqual(correct_input(1000, 0, None), 1000)

    def test_known(self) -> None:
        """
        Two characters a token make twice as many as the four assumed.
        """
        self.assertEqual(correct_input(1000, 0, 2.0), 2000)

    def test_images(self) -> None:
        """
        Images are no text.
        """
        self.assertEqual(correct_input(3000, 2, 8.0), 2000 + 500)

    def test_at_least_one(self) -> None:
        """
        There is no prompt without a token.
        """
        self.assertEqual(correct_input(1, 0, 16.0), 1)


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

    def test_mean(self) -> None:
        """
        The mean of the past is better than any guess, whatever the prompt.
        """
        self.assertEqual(expected_output(100, None, mean=20.4), 20)
        self.assertEqual(expected_output(100, None, mean=5000.0), 5000)

    def test_mean_and_cap(self) -> None:
        """
        The cap and the choices count all the same.
        """
        self.assertEqual(expected_output(100, 50, 2, mean=80.0), 100)

    def test_no_mean_of_nothing(self) -> None:
        """
        At least one token is expected of every answer.
        """
        self.assertEqual(expected_output(100, None, mean=0.2), 1)
