"""
The configurations that come with arbstr.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from arbstr.config.base import Settings
from arbstr.config.builtin import builtin_config
from arbstr.config.load import load_config
from arbstr.config.model import Config, ProviderSettings
from arbstr.config.validation import section_in

from .support import ConfigTestCase

SHIPPED = Path(__file__).parent.parent.parent / "etc" / "arbstr.yaml"


def keys(section: type[Settings]) -> Iterator[str]:
    """
    Every key of a section and of those inside it.
    """
    for name, field in section.model_fields.items():
        yield name
        if inner := section_in(field.annotation):
            yield from keys(inner)


class ShippedTests(ConfigTestCase):
    """
    C{etc/arbstr.yaml}.
    """

    def test_loads(self) -> None:
        """
        It needs no environment, and there is nothing to warn about.
        """
        loaded = load_config(SHIPPED, {})
        self.assertEqual(loaded.warnings, ())
        self.assertEqual(
            loaded.key_sources, {"mock-cheap": "none", "mock-expensive": "none"}
        )

    def test_defaults(self) -> None:
        """
        Where it shows a default, that is the default.
        """
        config = load_config(SHIPPED, {}).config
        for name in ("server", "database", "routing", "circuit", "retry", "logging"):
            default = Config.model_fields[name].default
            self.assertEqual(getattr(config, name), default, name)

    def test_failover(self) -> None:
        """
        The one setting that is not the default.
        """
        self.assertTrue(load_config(SHIPPED, {}).config.streaming.failover)

    def test_every_key(self) -> None:
        """
        There is no key that it does not show.
        """
        text = SHIPPED.read_text("utf-8")
        missing = [key for key in keys(Config) if not re.search(rf"\b{key}:", text)]
        self.assertEqual(missing, [])

    def test_examples_in_comments(self) -> None:
        """
        The examples are right, too.
        """
        text = re.sub("(?m)^  # (- |  )", r"  \1", SHIPPED.read_text("utf-8"))
        text = re.sub("(?m)^# ?(tokenstats:|  )", r"\1", text)
        loaded = self.load(text, OPENROUTER_KEY="k")
        feed = loaded.config.tokenstats
        self.assertEqual(list(feed.keys if feed else ()), ["openrouter"])
        self.assertEqual(
            loaded.key_sources,
            {
                "openrouter": "expanded",
                "ollama": "none",
                "mock-cheap": "none",
                "mock-expensive": "none",
            },
        )


class BuiltinTests(ConfigTestCase):
    """
    L{builtin_config}.
    """

    def provider(self, name: str) -> ProviderSettings:
        """
        One of the two.
        """
        return next(p for p in builtin_config().providers if p.name == name)

    def test_cheap(self) -> None:
        """
        The cheap one serves three models.
        """
        cheap = self.provider("mock-cheap")
        self.assertEqual(
            [model.name for model in cheap.models],
            ["gpt-4o", "gpt-4o-mini", "claude-sonnet-4.5"],
        )
        self.assertEqual(
            (cheap.kind, cheap.input_rate, cheap.output_rate, cheap.base_fee),
            ("mock", 5000, 15000, 0),
        )

    def test_expensive(self) -> None:
        """
        The expensive one serves two of them.
        """
        dear = self.provider("mock-expensive")
        self.assertEqual(
            [model.name for model in dear.models], ["gpt-4o", "claude-sonnet-4.5"]
        )
        self.assertEqual(
            (dear.kind, dear.input_rate, dear.output_rate, dear.base_fee),
            ("mock", 10000, 30000, 1),
        )

    def test_policy(self) -> None:
        """
        One policy, for code.
        """
        (rule,) = builtin_config().policies.rules
        self.assertEqual(rule.name, "code")
        self.assertEqual(rule.keywords, ("code", "function", "implement"))
        self.assertEqual(rule.max_sats_per_1m_output, 50000)

    def test_leaves_no_traces(self) -> None:
        """
        The request log is in memory.
        """
        self.assertEqual(builtin_config().database.url, "sqlite://")

    def test_failover(self) -> None:
        """
        As in the shipped file.
        """
        self.assertTrue(builtin_config().streaming.failover)
