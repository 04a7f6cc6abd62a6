"""
Tests for L{arbstr.market.endpoints} and L{arbstr.market.bindings}.
"""

from __future__ import annotations

from pydantic import SecretStr
from twisted.trial.unittest import SynchronousTestCase

from arbstr.market.bindings import Bindings, hint
from arbstr.market.endpoints import host_of, normalise, why_unsafe

NODE = "https://node.example/v1"


class NormaliseTests(SynchronousTestCase):
    """
    L{normalise} and L{host_of}.
    """

    def test_one_spelling(self) -> None:
        """
        With and without the version, the slash, the port, capitals, spaces.
        """
        for url in (
            "https://node.example",
            "https://node.example/",
            "https://node.example/v1/",
            " https://Node.Example:443/v1 ",
            "HTTPS://node.example",
        ):
            self.assertEqual(normalise(url), NODE)

    def test_path(self) -> None:
        """
        It stays.
        """
        url = "https://openrouter.ai/api/v1"
        self.assertEqual(normalise(url), url)
        self.assertEqual(normalise("https://a.example/x"), "https://a.example/x/v1")

    def test_port(self) -> None:
        """
        Another one does, too.
        """
        self.assertEqual(normalise("http://[::1]:8080"), "http://[::1]:8080/v1")
        self.assertEqual(host_of("https://a.example:8443/v1"), "a.example:8443")
        self.assertEqual(host_of("http://a.example:80/v1"), "a.example")

    def test_no_url(self) -> None:
        """
        Nothing is made of it.
        """
        for url in (
            "",
            "node.example",
            "https://",
            "https://a b",
            "https://a:0",
            "x" * 4000,
        ):
            self.assertEqual(normalise(url), url.strip())
            self.assertIsNone(host_of(url))


class SafetyTests(SynchronousTestCase):
    """
    L{why_unsafe}.
    """

    def test_safe(self) -> None:
        """
        A public host, over TLS.
        """
        for url in (NODE, "https://a-b.node.example:8443/x/v1", "https://8.8.8.8/v1"):
            self.assertIsNone(why_unsafe(url), url)

    def test_unsafe(self) -> None:
        """
        Nothing else.
        """
        name = "its host is not a public name"
        address = "its host is not a public address"
        more = "it is more than a base URL"
        for url, why in (
            ("http://node.example/v1", "it is not https"),
            ("http://abcdefghij.onion/v1", "it is a Tor hidden service"),
            ("https://abcdefghij.onion/v1", "it is a Tor hidden service"),
            ("https://user:secret@node.example/v1", more),
            ("https://node.example/v1?x=y", more),
            ("https://node.example/v1#x", more),
            ("https://localhost/v1", name),
            ("https://router/v1", name),
            ("https://a.localhost/v1", name),
            ("https://printer.local/v1", name),
            ("https://vault.internal/v1", name),
            ("https://127.1/v1", name),
            ("https://2130706433/v1", name),
            ("https://0x7f.0.0.1/v1", name),
            ("https://node.example./v1", name),
            ("https://127.0.0.1/v1", address),
            ("https://10.0.0.1/v1", address),
            ("https://192.168.1.1/v1", address),
            ("https://172.16.0.1/v1", address),
            ("https://169.254.169.254/v1", address),
            ("https://0.0.0.0/v1", address),
            ("https://224.0.0.1/v1", address),
            ("https://[::1]/v1", address),
            ("https://[fe80::1]/v1", address),
            ("https://[fd00::1]/v1", address),
            ("https://[::ffff:10.0.0.1]/v1", address),
            ("ftp://node.example/v1", "it is not a URL"),
            ("file:///etc/passwd", "it is not a URL"),
            ("node.example", "it is not a URL"),
        ):
            self.assertEqual(why_unsafe(url), why, url)


class BindingsTests(SynchronousTestCase):
    """
    L{Bindings}.
    """

    def find(
        self, keys: dict[str, str], source: str, provider_id: str, endpoint: str
    ) -> str | None:
        """
        The key for a provider.
        """
        secrets = {name: SecretStr(key) for name, key in keys.items()}
        key = Bindings(secrets).find(source, provider_id, endpoint)
        return None if key is None else key.get_secret_value()

    def test_openrouter(self) -> None:
        """
        Its key goes to its host, whoever says to be it.
        """
        keys = {"openrouter": "k"}
        theirs = "https://openrouter.ai/api/v1"
        for source, provider_id, endpoint, expected in (
            ("openrouter", "openrouter", theirs, "k"),
            ("openrouter", "openrouter", "https://openrouter.ai.evil.example/v1", None),
            ("openrouter", "openrouter", "https://openrouter.ai:8443/api/v1", None),
            ("openrouter", "openrouter", NODE, None),
            ("routstr", "openrouter", NODE, None),
            ("routstr", "openrouter", theirs, None),
        ):
            self.assertEqual(self.find(keys, source, provider_id, endpoint), expected)

    def test_host(self) -> None:
        """
        A source's key goes to one of its providers: that with the host.
        """
        keys = {"routstr@node.example": "k"}
        self.assertEqual(self.find(keys, "routstr", "one", NODE), "k")
        for endpoint in (
            "https://other.example/v1",
            "https://node.example.evil.example/v1",
            "https://node.example:8443/v1",
            "https://evil.example/node.example/v1",
        ):
            self.assertIsNone(self.find(keys, "routstr", "one", endpoint), endpoint)

    def test_id(self) -> None:
        """
        A provider's key goes to it only, and only there: ids are not unique.
        """
        for name in ("routstr:one@node.example", "one@node.example"):
            keys = {name: "k"}
            self.assertEqual(self.find(keys, "routstr", "one", NODE), "k")
            self.assertIsNone(self.find(keys, "routstr", "two", NODE))
            self.assertIsNone(self.find(keys, "routstr", "one", "https://evil.example"))

    def test_closest(self) -> None:
        """
        The name that says more goes first.
        """
        keys = {
            "routstr@node.example": "source",
            "one@node.example": "id",
            "routstr:one@node.example": "both",
        }
        self.assertEqual(self.find(keys, "routstr", "one", NODE), "both")
        del keys["routstr:one@node.example"]
        self.assertEqual(self.find(keys, "routstr", "one", NODE), "id")
        del keys["one@node.example"]
        self.assertEqual(self.find(keys, "routstr", "one", NODE), "source")

    def test_hint(self) -> None:
        """
        What it says to write would be found.
        """
        for source, provider_id, endpoint in (
            ("routstr", "one", NODE),
            ("routstr", "a@b", "https://node.example:8443/v1"),
            ("openrouter", "openrouter", "https://openrouter.ai/api/v1"),
        ):
            advice = hint(source, provider_id, endpoint)
            name = advice.split("'")[1]
            self.assertEqual(self.find({name: "k"}, source, provider_id, endpoint), "k")
