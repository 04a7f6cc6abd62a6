"""
Rates that look like those for a thousand tokens.
"""

from __future__ import annotations

from .support import ConfigTestCase


class PerThousandTests(ConfigTestCase):
    """
    It is allowed, but most likely a mistake.
    """

    def warnings(self, *settings: str) -> list[str]:
        """
        What is told of one provider with these settings: C{LINE: path: message}.
        """
        more = ", ".join(settings)
        text = f"providers: [{{name: a, kind: mock, input_rate: 10, {more}}}]"
        loaded = self.load(text)
        return [each.removeprefix(f"{loaded.path}:") for each in loaded.warnings]

    def assert_warns(self, path: str, rate: str, *settings: str) -> None:
        """
        This rate is told to be off by a thousand.
        """
        (warning,) = self.warnings(*settings)
        self.assertEqual(
            warning,
            f"1: {path}: expected sats per 1,000,000 tokens, found {rate}, which looks "
            f"like a rate for 1,000; that would be {float(rate) * 1000:g} here",
        )

    def test_frontier(self) -> None:
        """
        Nobody sells the best for so little, whatever it is called.
        """
        self.assert_warns(
            "providers[0].output_rate", "30", "tier: frontier", "output_rate: 30"
        )

    def test_known_names(self) -> None:
        """
        Nor models that everybody knows.
        """
        for name in (
            "gpt-4o",
            "openai/gpt-5.2",
            "o3",
            "o4-mini",
            "anthropic/Claude-Opus-4.5",
            "gemini-2.5-pro",
            "x-ai/grok-4",
        ):
            self.assert_warns(
                "providers[0].output_rate",
                "99.9",
                f"models: [{name}]",
                "output_rate: 99.9",
            )

    def test_name_at_the_provider(self) -> None:
        """
        By what the provider calls them, too.
        """
        self.assert_warns(
            "providers[0].output_rate",
            "30",
            "models: [{name: best, upstream: gpt-4o}]",
            "output_rate: 30",
        )

    def test_model(self) -> None:
        """
        A model's own rate is told where it stands.
        """
        self.assert_warns(
            "providers[0].models[1].output_rate",
            "15",
            "models: [gpt-4o, {name: claude-sonnet-4.5, output_rate: 15}]",
            "output_rate: 10000",
        )

    def test_every_model_has_its_own(self) -> None:
        """
        A rate that no such model has is not told.
        """
        self.assertEqual(
            self.warnings(
                "models: [{name: gpt-4o, output_rate: 10000}, small]", "output_rate: 30"
            ),
            [],
        )

    def test_enough(self) -> None:
        """
        From 100 on it may be right.
        """
        self.assertEqual(self.warnings("tier: frontier", "output_rate: 100"), [])

    def test_free(self) -> None:
        """
        Free is no mistake.
        """
        self.assertEqual(self.warnings("tier: frontier", "output_rate: 0"), [])

    def test_local(self) -> None:
        """
        One's own machine may be cheap, whatever the model is called.
        """
        self.assertEqual(
            self.warnings("tier: local", "models: [gpt-4o]", "output_rate: 30"), []
        )

    def test_small_models(self) -> None:
        """
        Others may be that cheap.
        """
        for name in ("llama-3.2-1b", "gemini-2.5-flash", "hello3", "promo1", "gpt-oss"):
            warned = self.warnings(f"models: [{name}]", "output_rate: 30")
            self.assertEqual(warned, [], name)
