"""
What no single value can tell.
"""

from __future__ import annotations

from .support import ConfigTestCase

PROVIDERS = """\
providers:
  - {name: alpha, kind: mock, input_rate: 1, output_rate: 2, models: [gpt-4o, o3]}
  - {name: beta, kind: mock, input_rate: 1, output_rate: 2, models: [{name: gpt-4o}]}
"""


class NameTests(ConfigTestCase):
    """
    Names that are not unique.
    """

    def test_duplicate_provider(self) -> None:
        """
        A provider's name says who served a request.
        """
        self.assert_problems(
            PROVIDERS.replace("beta", "alpha"),
            "3: providers[1].name: expected a unique provider name, found 'alpha' as "
            "in providers[0].name",
        )

    def test_duplicate_rule(self) -> None:
        """
        A rule's name is how clients ask for it.
        """
        self.assert_problems(
            PROVIDERS + "policies: {rules: [{name: a}, {name: a}]}",
            "4: policies.rules[1].name: expected a unique rule name, found 'a' as in "
            "policies.rules[0].name",
        )

    def test_duplicate_model(self) -> None:
        """
        In whichever form it is written.
        """
        self.assert_problems(
            PROVIDERS.replace("{name: gpt-4o}", "{name: gpt-4o}, o3, gpt-4o"),
            "3: providers[1].models[2]: expected a unique model name, found 'gpt-4o' "
            "as in providers[1].models[0].name",
        )


class ReferenceTests(ConfigTestCase):
    """
    Rules that name what is not there.
    """

    def rule(self, rule: str, providers: str = PROVIDERS) -> str:
        """
        A file whose fourth line is a rule with this in it.
        """
        return f"{providers}policies: {{rules: [{{name: a, {rule}}}]}}"

    def test_known(self) -> None:
        """
        Names of providers and models that are there, bare or in a list.
        """
        loaded = self.load(
            self.rule("allowed_models: o3, providers: {only: [beta], ignore: alpha}")
        )
        (rule,) = loaded.config.policies.rules
        self.assertEqual(rule.allowed_models, ("o3",))
        self.assertEqual(rule.providers.only, ("beta",))
        self.assertEqual(rule.providers.ignore, ("alpha",))

    def test_unknown_provider(self) -> None:
        """
        Both lists of providers are looked at.
        """
        self.assert_problems(
            self.rule("providers: {only: [alpha, bata], ignore: zzz}"),
            "4: policies.rules[0].providers.only[1]: expected a configured provider, "
            "found 'bata'; did you mean 'beta'?",
            "4: policies.rules[0].providers.ignore: expected a configured provider, "
            "found 'zzz'; there is alpha, beta",
        )

    def test_strange_names(self) -> None:
        """
        Names that are wrong themselves are not suggested.
        """
        self.assert_problems(
            self.rule("providers: {only: gamma}", PROVIDERS.replace("beta", '"\\n"')),
            "3: providers[1].name: expected printable text without surrounding "
            "spaces, found text of 1 characters",
            "4: policies.rules[0].providers.only: expected a configured provider, "
            "found 'gamma'; there is alpha",
        )

    def test_unknown_model(self) -> None:
        """
        A model that nobody serves.
        """
        self.assert_problems(
            self.rule("allowed_models: [o3, gpt-40]"),
            "4: policies.rules[0].allowed_models[1]: expected a model of some "
            "provider, found 'gpt-40'; did you mean 'gpt-4o'?",
        )

    def test_provider_of_any_model(self) -> None:
        """
        A provider without a list may serve what nobody else does.
        """
        providers = PROVIDERS.replace("[{name: gpt-4o}]", "[]")
        loaded = self.load(self.rule("allowed_models: [gpt-40]", providers))
        self.assertEqual(loaded.config.policies.rules[0].allowed_models, ("gpt-40",))


class PriceTests(ConfigTestCase):
    """
    A missing price is never taken for free.
    """

    def test_missing(self) -> None:
        """
        Each of the two rates is needed.
        """
        self.assert_problems(
            "providers: [{name: a, kind: mock}]",
            "1: providers[0].input_rate: expected sats per 1,000,000 tokens (0: free), "
            "found nothing",
            "1: providers[0].output_rate: expected sats per 1,000,000 tokens (0: "
            "free), found nothing",
        )

    def test_missing_for_a_model(self) -> None:
        """
        Every model has to have one where the provider has none.
        """
        self.assert_problems(
            """\
            providers:
              - name: a
                kind: mock
                input_rate: 1
                models: [{name: x, output_rate: 1}, {name: y}]
            """,
            "2: providers[0].output_rate: expected sats per 1,000,000 tokens (0: "
            "free), found nothing",
        )

    def test_all_models_have_one(self) -> None:
        """
        The provider itself then needs none.
        """
        self.load(
            """\
            providers:
              - name: a
                kind: mock
                models: [{name: x, input_rate: 1, output_rate: 2}]
            """
        )

    def test_said_to_be_free(self) -> None:
        """
        Free is a price if somebody wrote it down.
        """
        self.load("providers: [{name: a, kind: mock, input_rate: 0, output_rate: 0}]")

    def test_local(self) -> None:
        """
        One's own machine is free.
        """
        self.load("providers: [{name: a, tier: local, url: 'http://127.0.0.1/v1'}]")


class CompletenessTests(ConfigTestCase):
    """
    What a provider cannot do without.
    """

    def test_url(self) -> None:
        """
        Only mocks need no URL.
        """
        self.assert_problems(
            "providers: [{name: a, input_rate: 1, output_rate: 2}]",
            "1: providers[0].url: expected an http:// or https:// URL, found nothing",
        )


class AllAtOnceTests(ConfigTestCase):
    """
    One run tells everything.
    """

    def test_all_at_once(self) -> None:
        """
        Syntax that was survived, types, names, references, prices and the
        environment; in the order of the file.
        """
        self.assert_problems(
            """\
            server:
              listen: 0.0.0.0:8080
              max_in_flight: none
            providers:
              - name: alpha
                url: https://user@alpha.example
                api_key: ${NOT_SET}
                input_rate: ten
                output_rate: -1
              - name: alpha
                url: https://beta.example
                input_rat: 1
                output_rate: 2
                output_rate: 3
            policies:
              rules:
                - name: a
                  providers: {only: gamma}
            """,
            "1: server.auth_token: expected a token or a loopback interface, since "
            "'tcp:8080:interface=0.0.0.0' is reachable from other machines, found "
            "nothing",
            "3: server.max_in_flight: expected a whole number, found 'none'",
            "6: providers[0].url: expected a URL without user:password in it (use "
            "api_key), found text of 26 characters",
            "7: providers[0].api_key: expected NOT_SET in the environment, found none",
            "8: providers[0].input_rate: expected a number, found 'ten'",
            "9: providers[0].output_rate: expected at least 0, found -1",
            "10: providers[1].name: expected a unique provider name, found 'alpha' as "
            "in providers[0].name",
            "10: providers[1].input_rate: expected sats per 1,000,000 tokens (0: "
            "free), found nothing",
            "12: providers[1].input_rat: expected a known key, found 'input_rat'; did "
            "you mean 'input_rate'?",
            "14: providers[1].output_rate: expected each key once, found it in line "
            "13 too",
            "18: policies.rules[0].providers.only: expected a configured provider, "
            "found 'gamma'; there is alpha",
        )
