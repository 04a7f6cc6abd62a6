"""
Tests for L{arbstr.keyring}.
"""

from __future__ import annotations

import html
import json
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

import arbstr.keyring as module
from arbstr.keyring import REDACTED, Keyring, hide_all

SECRET = "no-usual-shape-4711"
ODD = "a\"b\\c/d+e<f>&g'h=%12;345"

secrets = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=8)

# A slow machine is no failure.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def knowing(*secrets: str) -> Keyring:
    """
    A keyring with these on it.
    """
    keyring = Keyring()
    keyring.add(secrets)
    return keyring


def spellings(secret: str) -> list[str]:
    """
    How others may write it.
    """
    quoted = quote(secret, safe="")
    return [
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret)[1:-1].replace("/", "\\/"),
        json.dumps(json.dumps(secret)[1:-1])[1:-1],
        "".join(each if each.isalnum() else f"\\u{ord(each):04X}" for each in secret),
        quoted,
        quote(quoted, safe=""),
        html.escape(secret),
        "".join(each if each.isalnum() else f"&#{ord(each)};" for each in secret),
    ]


class HidingTests(SynchronousTestCase):
    """
    L{Keyring.hide} takes secrets out of a text.
    """

    def test_nothing_known(self) -> None:
        """
        An empty keyring hides nothing.
        """
        self.assertEqual(Keyring().hide(SECRET), SECRET)

    def test_anywhere(self) -> None:
        """
        A secret goes wherever it is, and as often as it is there; the rest
        stays.
        """
        self.assertEqual(
            knowing(SECRET).hide(f"x{SECRET}, {SECRET}\n{SECRET}."),
            f"x{REDACTED}, {REDACTED}\n{REDACTED}.",
        )

    def test_several(self) -> None:
        """
        Every one of several goes, also where one is the beginning of another.
        """
        keyring = knowing("shared-first", "shared-second", "shared-f", "different")
        self.assertEqual(
            keyring.hide("shared-second shared-f shared-first different shared-"),
            f"{REDACTED} {REDACTED} {REDACTED} {REDACTED} shared-",
        )

    @unhurried
    @given(secrets)
    def test_spellings(self, secret: str) -> None:
        """
        Whatever characters it has, a secret goes as JSON, URLs and HTML have it.
        """
        keyring = knowing(secret)
        for spelling in spellings(secret):
            self.assertEqual(keyring.hide(f" {spelling} "), f" {REDACTED} ", spelling)

    @unhurried
    @given(secrets, st.binary(max_size=7), st.binary(max_size=4))
    def test_base64(self, secret: str, before: bytes, after: bytes) -> None:
        """
        Of what a secret was part of before it was encoded no more than its
        outermost characters can be told.
        """
        keyring = knowing(secret)
        for encode in (b64encode, urlsafe_b64encode):
            told = keyring.hide(encode(before + secret.encode() + after).decode())
            kept, found, rest = told.partition(REDACTED)
            self.assertTrue(found, told)
            self.assertLessEqual(len(kept), (len(before) * 8 + 5) // 6 + 1)
            self.assertLessEqual(len(rest), (len(after) * 8 + 5) // 6 + 4)

    def test_cut_short(self) -> None:
        """
        Twelve characters of its beginning are taken for the secret.
        """
        keyring = knowing(SECRET)
        for length in range(12, len(SECRET)):
            self.assertEqual(keyring.hide(SECRET[:length] + "..."), REDACTED)
        self.assertEqual(keyring.hide(SECRET[:11]), SECRET[:11])

    def test_longer_keys(self) -> None:
        """
        Of a key that begins with another nothing is left either.
        """
        self.assertEqual(
            knowing("sk-short-key").hide("sk-short-key-0123!"), "[redacted]!"
        )

    def test_short_ones_stay(self) -> None:
        """
        What is shorter than eight characters would be found everywhere.
        """
        keyring = knowing("x", "none", "1234567", "12345678")
        self.assertEqual(
            keyring.hide("x: none, 1234567, 12345678"), f"x: none, 1234567, {REDACTED}"
        )

    def test_former_ones_stay_known(self) -> None:
        """
        What is added does not replace what was there.
        """
        keyring = knowing("former-secret")
        keyring.add(["latter-secret"])
        self.assertEqual(
            keyring.hide("former-secret latter-secret"), f"{REDACTED} {REDACTED}"
        )

    def test_bounded(self) -> None:
        """
        The oldest of very many are forgotten.
        """
        keyring = Keyring()
        self.patch(module, "_MOST", 3)
        keyring.add([f"{number}-is-a-secret" for number in range(4)])
        shown = [keyring.hide(f"{number}-is-a-secret") for number in range(4)]
        self.assertEqual(shown[1:], [REDACTED] * 3)
        self.assertNotEqual(shown[0], REDACTED)

    def test_each_the_beginning_of_the_next(self) -> None:
        """
        Secrets that share ever more of each other are no deeper than the stack.
        """
        many = ["s" * length + "t" for length in range(8, 80)]
        keyring = knowing(*many)
        self.assertEqual(keyring.hide(f"<{many[-1]}> <{many[0]}>").count("s"), 0)

    def test_not_shown(self) -> None:
        """
        A keyring does not show what is on it.
        """
        self.assertNotIn(SECRET, repr(knowing(SECRET)))


class JsonTests(SynchronousTestCase):
    """
    L{hide_all} goes through a JSON value.
    """

    def test_values(self) -> None:
        """
        Texts of any depth are looked at; whatever is no text stays as it is.
        """
        value = {"a": [1, {"b": "text"}], "c": None, "d": 1.5}
        self.assertEqual(hide_all(value), value)
