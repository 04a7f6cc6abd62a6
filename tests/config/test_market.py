"""
The section C{tokenstats}, and what a file may leave to the market.
"""

from __future__ import annotations

from arbstr.config.market import read_binding

from .support import MOCK, ConfigTestCase

KEYS = f"{MOCK}tokenstats:\n  keys:\n    "
RULE = "policies:\n  rules:\n    - {{name: r, {}}}\n"


class BindingTests(ConfigTestCase):
    """
    L{read_binding}.
    """

    def test_openrouter(self) -> None:
        """
        Everybody knows where that is.
        """
        self.assertEqual(read_binding("openrouter"), ("openrouter", "openrouter.ai"))
        self.assertEqual(read_binding("OpenRouter"), ("openrouter", "openrouter.ai"))

    def test_host(self) -> None:
        """
        Anybody else is followed by the host.
        """
        for name, expected in (
            ("routstr@node.example", ("routstr", "node.example")),
            ("routstr:abc@Node.Example", ("routstr:abc", "node.example")),
            ("abc@node.example:8443", ("abc", "node.example:8443")),
            ("abc@node.example:443", ("abc", "node.example")),
            ("a@b@node.example", ("a@b", "node.example")),
        ):
            self.assertEqual(read_binding(name), expected)

    def test_no_host(self) -> None:
        """
        Then it is bound to nobody.
        """
        for name in (
            "routstr",
            "routstr:abc",
            "@node.example",
            "routstr@",
            "routstr@localhost",
            "routstr@node.example/v1",
            "routstr@https://node.example",
            "routstr@[::1]",
        ):
            self.assertIsNone(read_binding(name), name)


class FeedTests(ConfigTestCase):
    """
    The section C{tokenstats}.
    """

    def test_defaults(self) -> None:
        """
        An empty section is the public feed, with no keys.
        """
        feed = self.load(f"{MOCK}tokenstats: {{}}\n").config.tokenstats
        assert feed is not None
        self.assertEqual(
            feed.model_dump(),
            {
                "url": "https://tokenstats.ai",
                "poll_interval_secs": 60,
                "min_reliability": 0.5,
                "stale_after_secs": 600,
                "blend_ratio": 3,
                "source": None,
                "keys": {},
            },
        )

    def test_absent(self) -> None:
        """
        Nobody is asked who is not named.
        """
        self.assertIsNone(self.load(MOCK).config.tokenstats)

    def test_key(self) -> None:
        """
        A key comes from the environment; one that is empty there is none.
        """
        text = f'{KEYS}openrouter: ${{KEY}}\n    "a@b.example": "${{NONE:-}}"\n'
        feed = self.load(text, KEY="sk-canary-1").config.tokenstats
        assert feed is not None
        self.assertEqual(
            {name: key and key.get_secret_value() for name, key in feed.keys.items()},
            {"openrouter": "sk-canary-1"},
        )
        self.assertNotIn("canary", repr(feed))

    def test_key_for_everybody(self) -> None:
        """
        A key that says no host would go to whoever announces himself.
        """
        self.assert_problems(
            f"{KEYS}routstr: ${{KEY:-sk-canary}}\n",
            "3: tokenstats.keys: expected openrouter, or names such as "
            "routstr:ID@node.example that say which host the key is for, found one "
            "without",
        )

    def test_wrong_key(self) -> None:
        """
        Nothing of it is shown.
        """
        self.assert_problems(
            f"{KEYS}openrouter: 'sk canary'\n",
            "4: tokenstats.keys.openrouter: expected printable ASCII without spaces, "
            "found other characters",
        )
        self.assert_problems(
            f"{KEYS}openrouter: 31337\n",
            "4: tokenstats.keys.openrouter: expected text, found a number "
            '(text needs "quotes" here)',
        )

    def test_key_in_plain_text(self) -> None:
        """
        It is warned of.
        """
        (warning,) = self.load(f"{KEYS}openrouter: sk-canary\n").warnings
        self.assertIn(
            "4: tokenstats.keys.openrouter: expected ${NAME}, found a key in plain "
            "text",
            warning,
        )

    def test_wrong_numbers(self) -> None:
        """
        Each is named.
        """
        for setting, expected in (
            ("poll_interval_secs: 1", "expected at least 5, found 1"),
            ("min_reliability: 2", "expected at most 1, found 2"),
            ("stale_after_secs: 0", "expected more than 0, found 0"),
            ("blend_ratio: -1", "expected at least 0, found -1"),
        ):
            name = setting.partition(":")[0]
            self.assert_problems(
                f"{MOCK}tokenstats:\n  {setting}\n", f"3: tokenstats.{name}: {expected}"
            )

    def test_wrong_url(self) -> None:
        """
        It is held to what providers' are.
        """
        self.assert_problems(
            f"{MOCK}tokenstats: {{url: 'http://169.254.169.254'}}\n",
            "2: tokenstats.url: expected an address that is not link-local, found "
            "'http://169.254.169.254'",
        )

    def test_rules_name_what_it_brings(self) -> None:
        """
        No file can list the feed's providers and models.
        """
        rule = RULE.format("allowed_models: [any], providers: {only: [routstr-abc]}")
        mock = MOCK.replace("kind: mock", "kind: mock, models: [gpt-4o]")
        self.load(f"{mock}tokenstats: {{}}\n{rule}")
        (provider, model) = self.problems(f"{mock}{rule}")
        self.assertIn("expected a configured provider, found 'routstr-abc'", provider)
        self.assertIn("expected a model of some provider, found 'any'", model)

    def test_rules_name_providers_rightly(self) -> None:
        """
        What cannot be the feed's has to be configured.
        """
        rule = RULE.format("providers: {only: [mokc]}")
        (problem,) = self.problems(f"{MOCK}tokenstats: {{}}\n{rule}")
        self.assertIn("found 'mokc'; did you mean 'mock'?", problem)


class DiscoveryTests(ConfigTestCase):
    """
    C{auto_discover}.
    """

    def test_rules_name_what_it_brings(self) -> None:
        """
        Its models are not known before it is asked.
        """
        rule = RULE.format("allowed_models: [any]")
        provider = (
            "providers: [{name: a, url: 'http://a.example/v1', models: [m], "
            "auto_discover: true}]\n"
        )
        self.load(provider + rule)
