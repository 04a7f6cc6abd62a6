"""
Tests for L{arbstr.redact}.
"""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

import arbstr.keyring as module
from arbstr.keyring import Keyring
from arbstr.redact import redact

HEX = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
BASE64URL = "Zm9vYmFy-MTIzNDU2Nzg5MGFi_Y2RlZmdoaWprbG1ub3Bx"

# A slow machine is no failure.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

SECRETS = (
    "sk-testkey",
    "sk-or-v1-" + HEX,
    "sk-ant-api03-" + BASE64URL,
    "sk-abcd****************wxyz",
    "vtk_0123456789abcdef",
    "cashuAeyJ0b2tlbiI6W3sibWludCI6Imh0dHBzOi8v",
    "cashuBo2F0gaJhaUgAmh8pMlPkEm" + "Gx/+" * 1000 + "==",
    "gsk_" + BASE64URL,
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    HEX,
    HEX.upper(),
    BASE64URL,
)

SURROUNDINGS = (
    "{}",
    "Incorrect API key provided: {}.",
    '{{"key": "{}"}}',
    '{{\\"key\\": \\"{}\\"}}',
    "({}) and more",
    "https://example.com/v1?x={}&y=1",
    "first line\n{}\nlast line",
    "🔑{}🔑",
)


class RemovalTests(SynchronousTestCase):
    """
    L{redact} removes what looks like a key.
    """

    def assertGone(self, secret: str, text: str) -> None:
        """
        No telling part of the secret is left of the text.
        """
        shown = redact(text, 100_000)
        self.assertIn("[redacted]", shown)
        for start in range(0, len(secret) - 5, 3):
            self.assertNotIn(secret[start : start + 6], shown)

    def test_secrets_anywhere(self) -> None:
        """
        Keys of known kinds and random text go, whatever is around them.
        """
        for secret in SECRETS:
            for surroundings in SURROUNDINGS:
                self.assertGone(secret, surroundings.format(secret))

    def test_bearer(self) -> None:
        """
        What follows C{Bearer} goes.
        """
        for text in (
            "Authorization: Bearer hunter22",
            "bearer hunter22",
            "Bearer%20hunter22",
            "'authorization': 'Bearer hunter22'",
        ):
            self.assertGone("hunter22", text)

    def test_labelled(self) -> None:
        """
        What is said to be a secret goes, however short it is.
        """
        for label in (
            "api_key=",
            "apikey=",
            "API-Key: ",
            "X-Api-Key:",
            '"api_key": "',
            '\\"password\\": \\"',
            "X-Internal-Token: ",
            "access_token=",
            "client_secret = '",
            "Authorization: Basic ",
        ):
            self.assertGone("hunter22", f"a {label}hunter22")
            self.assertGone("hunter22", f"a {label}hunter22, b")

    def test_label_stays(self) -> None:
        """
        What kind of secret it was remains to be seen.
        """
        self.assertEqual(
            redact('{"api_key": "abc", "model": "m"}'),
            '{"api_key": "[redacted]", "model": "m"}',
        )
        self.assertEqual(
            redact("Authorization: Bearer abc"), "Authorization: Bearer [redacted]"
        )

    def test_url(self) -> None:
        """
        The user part of a URL goes.
        """
        self.assertEqual(
            redact("GET https://user:pass@example.com/v1@2"),
            "GET https://[redacted]@example.com/v1@2",
        )

    def test_several(self) -> None:
        """
        Every one of several keys goes.
        """
        self.assertEqual(
            redact(f"sk-first1, vtk_second2 or {HEX}"),
            "[redacted], [redacted] or [redacted]",
        )

    def test_innocent(self) -> None:
        """
        What people need to understand an error stays.
        """
        for text in (
            "",
            "Model 'meta-llama/Llama-3.3-70B-Instruct-Turbo-Free' not found",
            "Rate limit reached for gpt-4o-mini-2024-07-18. Try again in 1.5s.",
            "max_tokens: 4096 exceeds the limit; risk-averse task-based plan",
            "request chatcmpl-a3cc3915-49bd-488e-8c8c-54a1ef22c6b1 failed",
            "Expected an 'sk-...' API key or a 'cashu...' token.",
            "https://openrouter.ai/api/v1/chat/completions: 502 Bad Gateway",
            "x" * 100,
            "1234567890" * 10,
            "Grüße, 世界 😀",
        ):
            self.assertEqual(redact(text), text)

    @unhurried
    @given(st.sampled_from(SECRETS), st.text(" ,.a1-_😀\n", max_size=90))
    def test_cut_never_uncovers(self, secret: str, before: str) -> None:
        """
        A key that is cut in two, by the bounds of the input or of the output,
        does not become visible.
        """
        shown = redact(f"{before} {secret}", 24)
        self.assertNotIn(secret[:6], shown)


class KnownTests(SynchronousTestCase):
    """
    L{redact} removes the secrets that the process knows.
    """

    def setUp(self) -> None:
        keyring = Keyring()
        keyring.add(["no!usual!shape!4711"])
        self.patch(module, "KEYRING", keyring)

    def test_known(self) -> None:
        """
        Though they look like nothing in particular.
        """
        self.assertEqual(redact("it is no!usual!shape!4711"), "it is [redacted]")

    def test_cut_never_uncovers(self) -> None:
        """
        Wherever the text had to be cut.
        """
        for before in range(60, 110):
            shown = redact("," * before + "no!usual!shape!4711" + "." * 9000, 24)
            self.assertNotIn("no!", shown)
            shown = redact("," * before + "no!usual!shape!4711" + "." * 9000, 100)
            self.assertNotIn("usual", shown)


class OneLineTests(SynchronousTestCase):
    """
    L{redact} makes one line.
    """

    def test_controls(self) -> None:
        """
        Control characters are written out.
        """
        self.assertEqual(
            redact("a\nb\r\tc\x1b[31m\x00\x7f\x85\x9b\u2028\u202e\ufeff"),
            "a\\nb\\r\\tc\\x1b[31m\\x00\\x7f\\x85\\x9b\\u2028\\u202e\\ufeff",
        )

    def test_half_a_surrogate_pair(self) -> None:
        """
        So are code points that cannot be encoded.
        """
        self.assertEqual(redact("a\ud83d"), "a\\ud83d")

    @unhurried
    @given(st.text(st.characters(exclude_categories=())))
    def test_anything(self, text: str) -> None:
        """
        Any text becomes one printable line that can be encoded.
        """
        shown = redact(text)
        shown.encode()
        self.assertTrue(len(shown.splitlines()) <= 1, shown)


class LengthTests(SynchronousTestCase):
    """
    L{redact} bounds the length.
    """

    def test_fits(self) -> None:
        """
        A text of just the limit stays whole.
        """
        self.assertEqual(redact("é" * 8, 16), "é" * 8)

    def test_cut(self) -> None:
        """
        A longer one is cut between characters, and shows it.
        """
        for text, shown in (
            ("x y" * 10, "x yx yx yx yx…"),
            ("é " * 10, "é é é é …"),
            ("😀 " * 10, "😀 😀 …"),
        ):
            self.assertEqual(redact(text, 16), shown)

    def test_cut_shows_after_redaction(self) -> None:
        """
        What was left out because the input is bounded shows, too.
        """
        self.assertEqual(redact("sk-secret1 " * 110, 300), "[redacted] " * 27 + "…")
        self.assertEqual(redact(f"sk-{'a1' * 5000} x"), "…")

    @unhurried
    @given(st.text(), st.integers(3, 40))
    def test_anything(self, text: str, limit: int) -> None:
        """
        The limit holds in bytes, whatever the text is.
        """
        self.assertTrue(len(redact(text, limit).encode()) <= limit)
