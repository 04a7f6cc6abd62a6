"""
Single values of a provider that are wrong, and how that is said.
"""

from __future__ import annotations

import re

from .support import MOCK, ConfigTestCase

PROVIDER = """\
providers:
  - name: alpha
    url: https://alpha.example/v1
    input_rate: 1
    output_rate: 2
"""


class ProviderTests(ConfigTestCase):
    """
    Wrong values in a provider.
    """

    def assert_wrong(self, setting: str, expected: str) -> None:
        """
        A setting in the last line of a provider is refused like this.
        """
        self.assert_problems(
            f"{PROVIDER}    {setting}\n", f"6: providers[0].{expected}"
        )

    def assert_wrong_url(self, url: str, expected: str) -> None:
        """
        A provider's URL is refused like this.
        """
        text = PROVIDER.replace("https://alpha.example/v1", url)
        self.assert_problems(text, f"3: providers[0].url: {expected}")

    def test_missing_key(self) -> None:
        """
        A key that is not there is missed in the line of its section.
        """
        self.assert_problems(
            MOCK.replace("name: mock, ", ""),
            "1: providers[0].name: expected a value, found nothing",
        )

    def test_no_providers(self) -> None:
        """
        Without a provider there is nothing to do.
        """
        self.assert_problems(
            "logging: {level: info}", "1: providers: expected a value, found nothing"
        )
        self.assert_problems(
            "providers: []", "1: providers: expected at least one, found none"
        )

    def test_not_a_mapping(self) -> None:
        """
        A provider is more than its name.
        """
        self.assert_problems(
            "providers:\n  - alpha\n",
            "2: providers[0]: expected a mapping, found 'alpha'",
        )

    def test_url_scheme(self) -> None:
        """
        Providers speak HTTP.
        """
        self.assert_wrong_url(
            "ftp://alpha.example/v1",
            "expected an http:// or https:// URL, found 'ftp://alpha.example/v1'",
        )
        self.assert_wrong_url(
            "alpha.example",
            "expected an http:// or https:// URL, found 'alpha.example'",
        )

    def test_url_with_password(self) -> None:
        """
        A URL is shown in many places, so no password may be in it.
        """
        self.assert_wrong_url(
            "https://user:hunter2@alpha.example/v1",
            "expected a URL without user:password in it (use api_key), found text of "
            "37 characters",
        )

    def test_url_with_query(self) -> None:
        """
        Paths are appended to it.
        """
        self.assert_wrong_url(
            "https://alpha.example/v1?a=b",
            "expected a base URL without query or fragment, found "
            "'https://alpha.example/v1?a=b'",
        )

    def test_url_with_too_much_path(self) -> None:
        """
        The full URL is a common mistake.
        """
        self.assert_wrong_url(
            "https://alpha.example/v1/chat/completions",
            "expected the base URL, which ends before /chat/completions, found "
            "'https://alpha.example/v1/chat/completions'",
        )

    def test_url_with_spaces(self) -> None:
        """
        What does not fit into a request line.
        """
        self.assert_wrong_url(
            "https://alpha.example/v 1",
            "expected a URL in ASCII, without spaces, found "
            "'https://alpha.example/v 1'",
        )

    def test_url_with_impossible_host_or_port(self) -> None:
        """
        What cannot be connected to.
        """
        for url in ("http://alpha:99999", "http://[1::2/"):
            self.assert_wrong_url(
                url, f"expected a URL with a valid host and port, found '{url}'"
            )

    def test_link_local_url(self) -> None:
        """
        Cloud machines tell their own credentials there.
        """
        for url in (
            "http://169.254.169.254/v1",
            "http://[fe80::1]/v1",
            "http://[fe80::1%25eth0]/v1",
            "http://2852039166/v1",
            "http://0xA9FEA9FE:80/v1",
            "http://[::ffff:169.254.169.254]/v1",
            "http://169.254.169.254./v1",
            "http://%31%36%39.254.169.254/v1",
            "http://metadata.google.internal/v1",
        ):
            self.assert_wrong_url(
                url, f"expected an address that is not link-local, found '{url}'"
            )

    def test_url_that_can_be_read_in_two_ways(self) -> None:
        """
        What is no host everywhere is none here.
        """
        for url in (
            "http://alpha%2eexample/v1",
            "http://alpha.example\\.evil/v1",
            "http://alpha.example,evil/v1",
            "http://[fd00::1%25eth0]/v1",
        ):
            self.assert_wrong_url(
                f"'{url}'",
                f"expected a URL with a plain host name or address, found {url!r}",
            )

    def test_key_that_is_no_header(self) -> None:
        """
        A key with a line break would add a header.
        """
        self.assert_wrong(
            r'api_key: "a\nb"',
            "api_key: expected printable ASCII without spaces, found other characters",
        )

    def test_key_of_wrong_type(self) -> None:
        """
        Nothing of a key is shown, not even of a wrong one.
        """
        self.assert_wrong(
            "api_key: 31337",
            'api_key: expected text, found a number (text needs "quotes" here)',
        )
        self.assert_wrong("api_key: [a]", "api_key: expected text, found a list")

    def test_discovery(self) -> None:
        """
        It is asked for, or not.
        """
        loaded = self.load(PROVIDER + "    auto_discover: false\n")
        self.assertFalse(loaded.config.providers[0].auto_discover)
        self.assert_wrong(
            "auto_discover: often",
            "auto_discover: expected true or false, found 'often'",
        )

    def test_discovery_brings_the_rates(self) -> None:
        """
        A provider that is to tell them needs none here.
        """
        text = re.sub(".*_rate.*\n", "", PROVIDER) + "    auto_discover: true\n"
        (provider,) = self.load(text).config.providers
        self.assertIsNone(provider.input_rate)
        self.assertFalse(provider.takes_any)

    def test_model(self) -> None:
        """
        A model is a name or a mapping.
        """
        self.assert_wrong(
            "models: [4]", "models[0]: expected a name or a mapping, found 4"
        )

    def test_unknown_key_of_model(self) -> None:
        """
        Suggestions are those of the section that the key stands in.
        """
        self.assert_wrong(
            "models: [{name: a, outputrate: 1}]",
            "models[0].outputrate: expected a known key, found 'outputrate'; did you "
            "mean 'output_rate'?",
        )

    def test_failure_of_mock(self) -> None:
        """
        A mock fails with an error status, or in one of its ways.
        """
        for failure in ("200", "explode", "true", "[500]", "~"):
            (problem,) = self.problems(f"{PROVIDER}    mock: {{failure: {failure}}}\n")
            self.assertIn(
                "expected none, cut, stall or an HTTP status from 300 to 599", problem
            )
        for failure in ("cut", "503", "'503'"):
            self.load(f"{PROVIDER}    mock: {{failure: {failure}}}\n")
