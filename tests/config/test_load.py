"""
What a file that can be used holds.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from arbstr.config.load import default_path, load_config
from arbstr.config.model import ServerSettings, Timeouts

from .support import MOCK, ConfigTestCase

KEYLESS = """\
providers:
  - name: alpha.example
    url: https://alpha.example/v1/
    input_rate: 1
    output_rate: 2
"""


class ContentTests(ConfigTestCase):
    """
    From text to settings.
    """

    def test_defaults(self) -> None:
        """
        What the file does not say has a default.
        """
        config = self.load(MOCK).config
        self.assertEqual(config.server, ServerSettings())
        self.assertEqual(config.providers[0].timeouts, Timeouts())
        self.assertFalse(config.streaming.failover)

    def test_path(self) -> None:
        """
        The file's name is kept as it was given.
        """
        path = self.write(MOCK)
        self.assertEqual(load_config(Path(path), {}).path, path)

    def test_one_for_a_list(self) -> None:
        """
        A single item may stand for a list of one.
        """
        config = self.load(MOCK.replace("1,", "1, models: gpt-4o,")).config
        self.assertEqual([m.name for m in config.providers[0].models], ["gpt-4o"])

    def test_trailing_slash(self) -> None:
        """
        A URL means the same with a slash at its end.
        """
        config = self.load(KEYLESS).config
        self.assertEqual(config.providers[0].url, "https://alpha.example/v1")

    def test_numbers_from_the_environment(self) -> None:
        """
        What a variable holds is converted like what stands in the file.
        """
        text = MOCK + "retry: {max_attempts: '${N}', total_seconds: '${T:-1e1}'}"
        retry = self.load(text, N="7").config.retry
        self.assertEqual((retry.max_attempts, retry.total_seconds), (7, 10.0))

    def test_switches(self) -> None:
        """
        A bare C{on} is a word here, though YAML reads it as true.
        """
        for written, read in (("on", "on"), ("off", "off"), ("auto", "auto")):
            routing = self.load(f"{MOCK}routing: {{tiers: {written}}}").config.routing
            self.assertEqual(routing.tiers, read)

    def test_database_path(self) -> None:
        """
        A path is understood as well as a URL.
        """
        config = self.load(MOCK + "database: {path: ./arbstr.db}").config
        self.assertEqual(config.database.url, "sqlite:///./arbstr.db")

    def test_empty_token(self) -> None:
        """
        An empty token is none.
        """
        text = MOCK + "server: {auth_token: '${ARBSTR_TOKEN:-}'}"
        self.assertIsNone(self.load(text).config.server.auth_token)

    def test_token_opens_the_house(self) -> None:
        """
        With a token it may listen anywhere.
        """
        text = MOCK + "server: {listen: ':8080', auth_token: '${T}'}"
        server = self.load(text, T="t").config.server
        assert server.auth_token is not None
        self.assertEqual(server.auth_token.get_secret_value(), "t")
        self.assertEqual(server.listen, ("tcp:8080:interface=",))

    def test_nothing_written(self) -> None:
        """
        Loading leaves no traces.
        """
        path = Path(self.write(MOCK + "database: {path: new.db}"))
        before = sorted(path.parent.iterdir())
        load_config(path, {})
        self.assertEqual(sorted(path.parent.iterdir()), before)


class KeyTests(ConfigTestCase):
    """
    Where a provider's key comes from.
    """

    def assert_key(
        self, line: str, environ: dict[str, str], key: str | None, source: str
    ) -> None:
        """
        A provider with this line has this key, and it comes from there.
        """
        loaded = self.load(f"{KEYLESS}    {line}\n", **environ)
        secret = loaded.config.providers[0].api_key
        self.assertEqual(secret and secret.get_secret_value(), key)
        self.assertEqual(loaded.key_sources, {"alpha.example": source})

    def test_literal(self) -> None:
        """
        A key in the file.
        """
        self.assert_key("api_key: k", {}, "k", "literal: plaintext in the file")

    def test_expanded(self) -> None:
        """
        A key that the file takes from the environment.
        """
        self.assert_key("api_key: ${K}", {"K": "k"}, "k", "expanded")

    def test_default_is_literal(self) -> None:
        """
        A default stands in the file.
        """
        self.assert_key("api_key: ${K:-k}", {}, "k", "literal: plaintext in the file")

    def test_convention(self) -> None:
        """
        Without one in the file, the variable that is named after the provider.
        """
        name = "ARBSTR_ALPHA_EXAMPLE_API_KEY"
        self.assert_key("", {name: " k\n"}, "k", f"environment {name}")

    def test_empty_in_the_file(self) -> None:
        """
        An empty key is as good as none.
        """
        name = "ARBSTR_ALPHA_EXAMPLE_API_KEY"
        for line in ("api_key: ${K:-}", "api_key: ' '", "api_key:"):
            self.assert_key(line, {name: "k"}, "k", f"environment {name}")

    def test_the_file_goes_first(self) -> None:
        """
        The convention is for files that say nothing.
        """
        environ = {"K": "k", "ARBSTR_ALPHA_EXAMPLE_API_KEY": "other"}
        self.assert_key("api_key: ${K}", environ, "k", "expanded")

    def test_none(self) -> None:
        """
        Some providers need none; an empty variable is none.
        """
        self.assert_key("", {"ARBSTR_ALPHA_EXAMPLE_API_KEY": ""}, None, "none")
        self.assert_key("api_key: ${K:-}", {}, None, "none")

    def test_unusable(self) -> None:
        """
        A variable that cannot be sent as a header is named.
        """
        problems = self.problems(KEYLESS, ARBSTR_ALPHA_EXAMPLE_API_KEY="a\nb")
        self.assertEqual(
            problems,
            [
                "2: providers[0].api_key: expected printable ASCII in "
                "ARBSTR_ALPHA_EXAMPLE_API_KEY, found other characters"
            ],
        )


class WarningTests(ConfigTestCase):
    """
    What is allowed but not wise.
    """

    def warnings(self, text: str, mode: int = 0o600, **environ: str) -> list[str]:
        """
        The warnings about a file, C{FILE} standing for its name.
        """
        loaded = load_config(self.write(text, mode), environ)
        return [warning.replace(loaded.path, "FILE") for warning in loaded.warnings]

    def test_none(self) -> None:
        """
        A file without secrets may be read by anybody.
        """
        text = KEYLESS + "    api_key: ${K}\nserver: {auth_token: '${T}'}\n"
        self.assertEqual(self.warnings(text, 0o644, K="k", T="t"), [])

    def test_literal_key(self) -> None:
        """
        Files are copied, mailed and committed.
        """
        self.assertEqual(
            self.warnings(KEYLESS + "    api_key: k\n"),
            [
                "FILE:6: providers[0].api_key: expected ${NAME}, found a key in "
                "plain text"
            ],
        )

    def test_readable_key(self) -> None:
        """
        A key that others can read.
        """
        for mode in (0o640, 0o604):
            warnings = self.warnings(KEYLESS + "    api_key: k\n", mode)
            self.assertEqual(
                warnings[1:],
                [
                    "FILE: holds a secret in plain text; expected mode 0600 (chmod "
                    f"600 FILE), found {mode:04o}"
                ],
            )

    def test_readable_token(self) -> None:
        """
        A token that others can read.
        """
        self.assertEqual(
            self.warnings(MOCK + "server: {auth_token: t}", 0o644),
            [
                "FILE: holds a secret in plain text; expected mode 0600 (chmod 600 "
                "FILE), found 0644"
            ],
        )

    def test_private_token(self) -> None:
        """
        A token is ours to write down.
        """
        self.assertEqual(self.warnings(MOCK + "server: {auth_token: t}"), [])

    def test_shared_variable(self) -> None:
        """
        Two names may lead to one variable, and then one provider's key would
        go to another one.
        """
        second = KEYLESS.replace("alpha.example", "alpha-example")
        text = KEYLESS + second.removeprefix("providers:\n")
        self.assertEqual(
            self.warnings(text, ARBSTR_ALPHA_EXAMPLE_API_KEY="k"),
            [
                "FILE:1: providers: expected a key for each, found alpha.example, "
                "alpha-example sharing ARBSTR_ALPHA_EXAMPLE_API_KEY"
            ],
        )


class DefaultPathTests(SynchronousTestCase):
    """
    L{default_path}.
    """

    def setUp(self) -> None:
        """
        Work in an empty directory.
        """
        self.addCleanup(os.chdir, Path.cwd())
        directory = Path(self.mktemp())
        directory.mkdir()
        os.chdir(directory)

    def test_named(self) -> None:
        """
        The environment names it, whether it is there or not.
        """
        self.assertEqual(default_path({"ARBSTR_CONFIG": "x.yaml"}), "x.yaml")

    def test_found(self) -> None:
        """
        The working directory has one.
        """
        Path("etc").mkdir()
        Path("etc/arbstr.yaml").touch()
        self.assertEqual(default_path({"ARBSTR_CONFIG": ""}), "etc/arbstr.yaml")

    def test_none(self) -> None:
        """
        There is none.
        """
        self.assertIsNone(default_path({}))
