"""
Tests for L{arbstr.config.known}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from arbstr.config.known import hide_secrets_of
from arbstr.config.model import Config
from arbstr.keyring import REDACTED, Keyring

KEY = "no-usual-shape-4711"


class HideSecretsOfTests(SynchronousTestCase):
    """
    L{hide_secrets_of} finds what must not be shown.
    """

    def shown(self, text: str, provider: dict[str, Any], **sections: Any) -> str:
        """
        What is left of a text with a configuration of one provider.
        """
        one = {"name": "alpha", "url": "http://alpha.example/v1", **provider}
        keyring = Keyring()
        hide_secrets_of(
            Config.model_validate({"providers": [one], **sections}), keyring
        )
        return keyring.hide(text)

    def test_key_of_a_provider(self) -> None:
        self.assertEqual(
            self.shown(f"it is {KEY}", {"api_key": KEY}), "it is [redacted]"
        )

    def test_token_of_the_server(self) -> None:
        self.assertEqual(self.shown(KEY, {}, server={"auth_token": KEY}), REDACTED)

    def test_key_for_the_market(self) -> None:
        tokenstats = {"keys": {"openrouter": KEY}}
        self.assertEqual(self.shown(KEY, {}, tokenstats=tokenstats), REDACTED)

    def test_password_of_the_database(self) -> None:
        """
        As it stands in the URL, and as the database is told it.
        """
        for where in ("u:p%40ss%2Fword@h/n", "u@h/n?x=y&password=p%40ss%2Fword"):
            database = {"url": f"postgresql+psycopg://{where}"}
            for written in ("p@ss/word", "p%40ss%2Fword"):
                self.assertEqual(
                    self.shown(f"u h n {written}", {}, database=database),
                    f"u h n {REDACTED}",
                )

    def test_no_secret(self) -> None:
        """
        Names and addresses stay.
        """
        text = "alpha alpha.example sqlite:///arbstr.db gpt-4o"
        self.assertEqual(self.shown(text, {"models": ["gpt-4o"]}), text)

    def test_key_that_is_a_name(self) -> None:
        """
        A key that only says what the server is must not take its name away.
        """
        named: tuple[dict[str, Any], ...] = (
            {"name": "lm-studio-1"},
            {"url": "http://lm-studio:1234/v1"},
            {"models": ["lm-studio/gemma"]},
            {"models": [{"name": "gemma", "upstream": "lm-studio/gemma"}]},
        )
        for provider in named:
            shown = self.shown("at lm-studio", {**provider, "api_key": "lm-studio"})
            self.assertEqual(shown, "at lm-studio")

    def test_known_already(self) -> None:
        """
        It stays hidden, whatever else is called so by now.
        """
        keyring = Keyring()
        for models in ([], [KEY]):
            one = {"name": "a", "kind": "mock", "api_key": KEY, "models": models}
            hide_secrets_of(Config.model_validate({"providers": [one]}), keyring)
        self.assertEqual(keyring.hide(KEY), REDACTED)
