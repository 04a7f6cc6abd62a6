"""
Settings outside of the providers that are wrong, and how that is said.
"""

from __future__ import annotations

from arbstr.config.model import ComplexityWeights

from .support import MOCK, SettingTestCase


class SettingTests(SettingTestCase):
    """
    Values of the right type.
    """

    def test_strategy(self) -> None:
        """
        There are only so many, for a policy and for all requests without one.
        """
        expected = (
            "expected 'cheapest', 'lowest_cost', 'lowest_latency', 'round_robin' or "
            "'balanced', found 'random'"
        )
        self.assert_wrong(
            "policies: {rules: [{name: a, strategy: random}]}",
            f"policies.rules[0].strategy: {expected}",
        )
        self.assert_wrong(
            "policies: {default_strategy: random}",
            f"policies.default_strategy: {expected}",
        )

    def test_tiers(self) -> None:
        """
        They are on, off or on where there are any.
        """
        self.assert_wrong(
            "routing: {tiers: maybe}",
            "routing.tiers: expected 'auto', 'on' or 'off', found 'maybe'",
        )

    def test_weights(self) -> None:
        """
        A signal may count nothing, but not less.
        """
        for name in ComplexityWeights.model_fields:
            self.assert_wrong(
                f"routing: {{complexity_weights: {{{name}: -0.5}}}}",
                f"routing.complexity_weights.{name}: expected at least 0, found -0.5",
            )

    def test_unknown_signal(self) -> None:
        """
        There are five.
        """
        self.assert_wrong(
            "routing: {complexity_weights: {code_block: 1}}",
            "routing.complexity_weights.code_block: expected a known key, found "
            "'code_block'; did you mean 'code_blocks'?",
        )

    def test_extra_keywords(self) -> None:
        """
        An empty word would be in every text.
        """
        self.assert_wrong(
            "routing: {extra_keywords: ['']}",
            "routing.extra_keywords[0]: expected text that is not empty, found ''",
        )

    def test_misspelt_key(self) -> None:
        """
        The key that was probably meant is named.
        """
        self.assert_wrong(
            "circuit: {failure_treshold: 3}",
            "circuit.failure_treshold: expected a known key, found "
            "'failure_treshold'; did you mean 'failure_threshold'?",
        )

    def test_unknown_key(self) -> None:
        """
        If none is close, all are.
        """
        self.assert_wrong(
            "logging: {colour: red}",
            "logging.colour: expected a known key, found 'colour'; there is level, "
            "format, log_requests",
        )

    def test_unknown_section(self) -> None:
        """
        A section for another version, which may promise billing, is never
        just ignored.
        """
        self.assert_wrong(
            "vault: {url: http://localhost:3000}",
            "vault: expected a known key, found 'vault'; there is server, database, "
            "providers, policies, routing, circuit, retry, streaming, "
            "btc_usd, tokenstats, logging",
        )

    def test_workers(self) -> None:
        """
        One process may be asked for, several cannot be had.
        """
        self.assertEqual(self.load(MOCK + "server: {workers: 1}").warnings, ())
        self.assert_wrong(
            "server: {workers: 2}",
            "server.workers: expected 1, since this version runs one process, found 2",
        )

    def test_listen(self) -> None:
        """
        Neither form of a place to listen.
        """
        self.assert_wrong(
            "server: {listen: 8080}",
            'server.listen[0]: expected text, found 8080 (text needs "quotes" here)',
        )
        self.assert_wrong(
            "server: {listen: 'localhost:99999'}",
            "server.listen[0]: expected a port from 0 to 65535, found "
            "'localhost:99999'",
        )

    def test_reachable_without_token(self) -> None:
        """
        What other machines can reach needs a token.
        """
        self.assert_wrong(
            "server: {listen: [127.0.0.1:8080, 0.0.0.0:8080]}",
            "server.auth_token: expected a token or a loopback interface, since "
            "'tcp:8080:interface=0.0.0.0' is reachable from other machines, found "
            "nothing",
        )

    def test_token_that_is_no_header(self) -> None:
        """
        A token that no client could send.
        """
        self.assert_wrong(
            "server: {auth_token: 'two words'}",
            "server.auth_token: expected printable ASCII without spaces, found other "
            "characters",
        )

    def test_thresholds(self) -> None:
        """
        Low is not above high, also when one of them is the default.
        """
        self.assert_wrong(
            "routing: {complexity_threshold_low: 0.6, complexity_threshold_high: 0.5}",
            "routing.complexity_threshold_high: expected at least "
            "complexity_threshold_low (0.6), found 0.5",
        )
        self.assert_wrong(
            "routing: {complexity_threshold_low: 0.9}",
            "routing.complexity_threshold_high: expected at least "
            "complexity_threshold_low (0.9), found 0.7",
        )

    def test_database(self) -> None:
        """
        SQLite or PostgreSQL; a URL may hold a password and is not quoted.
        """
        self.assert_wrong(
            "database: {url: 'postgresql://u:hunter2@h/d'}",
            "database.url: expected sqlite:///FILE or "
            "postgresql+psycopg://USER:PASSWORD@HOST/NAME, found something else",
        )

    def test_database_twice(self) -> None:
        """
        One way to say where it is.
        """
        self.assert_wrong(
            "database: {url: 'sqlite:///a', path: a}",
            "database: expected either url or path, found both",
        )

    def test_database_path(self) -> None:
        """
        A path is text.
        """
        self.assert_wrong(
            "database: {path: 5}",
            "database: expected the name of a file as path, found none",
        )

    def test_unset_variable(self) -> None:
        """
        The variable and the path are named; that the value is also of the
        wrong type is not news.
        """
        self.assert_wrong(
            "retry: {max_attempts: '${ATTEMPTS}'}",
            "retry.max_attempts: expected ATTEMPTS in the environment, found none",
        )

    def test_wrong_variable(self) -> None:
        """
        What is quoted is the file, not the environment.
        """
        problems = self.problems(
            MOCK + "retry: {max_attempts: '${ATTEMPTS}'}\n", ATTEMPTS="hunter2"
        )
        self.assertEqual(
            problems,
            ["2: retry.max_attempts: expected a whole number, found '${ATTEMPTS}'"],
        )
