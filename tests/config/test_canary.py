"""
No part of a key is ever shown: marked ones are put everywhere.
"""

from __future__ import annotations

import traceback

from arbstr.config.load import ConfigError, Loaded, load_config

from .support import FileTestCase

KEYS = ("sk-tellnobody-9c7e5f3a1d", "tellnobody0f8e6a4d2b9c7e5f3a1d0f8e6a4d2b")
PARTS = ("tellnobody", "9c7e5f3a1d")

GOOD = """\
server: {auth_token: CANARY}
providers:
  - {name: a, url: 'http://a', input_rate: 1, output_rate: 2, api_key: CANARY}
  - {name: b, url: 'http://b', input_rate: 1, output_rate: 2, api_key: '${KEY}'}
  - {name: c, url: 'http://c', input_rate: 1, output_rate: 2}
  - {name: d, url: 'http://d', input_rate: 1, output_rate: 2, api_key: '${X:-CANARY}'}
"""
"""
A file with a key in every place where one may be.
"""

BAD = (
    "CANARY",
    "CANARY: a",
    "- CANARY",
    "[CANARY",
    '"CANARY',
    "a: *CANARY",
    "a: !CANARY b",
    "!CANARY!x b",
    "%CANARY 1\n---\na: b",
    "a: &CANARY b\nc: &CANARY d",
    "CANARY: 1\nCANARY: 2",
    "server: {auth_token: [CANARY]}",
    "server: {auth_token: {CANARY: CANARY}}",
    "server: {auth_token: {CANARY: 1, CANARY: 2}}",
    "server: {auth_token: !x CANARY}",
    "server: {auth_token: 'CANARY CANARY'}",
    "server: {listen: CANARY}",
    "server: {token: CANARY}",
    "server: {max_in_flight: '${KEY}'}",
    "database: {url: 'postgresql://u:CANARY@h'}",
    "database: {url: CANARY}",
    "logging: CANARY",
    "logging: {level: CANARY}",
    "providers: CANARY",
    "providers: [CANARY]",
    "providers: ['api_key:CANARY']",
    "providers: [{api_key:CANARY}]",
    "providers: [{name: a, apikey: CANARY}]",
    "providers: [{name: a, api_key: [CANARY]}]",
    "providers: [{name: a, api_key: 'CANARY\\n'}]",
    'providers: [{name: a, api_key: "CANARY\\n\\u2028x"}]',
    "providers: [{name: a, api_key: '${CANARY}'}]",
    "providers: [{name: a, api_key: 'CANARY ${UNSET}'}]",
    "providers: [{name: a, url: 'http://u:CANARY@h'}]",
    "providers: [{name: a, url: 'u:CANARY@h'}]",
    "providers: [{name: a, url: CANARY}]",
    "providers: [{name: a, url: '${KEY}'}]",
    "providers: [{name: a, input_rate: CANARY, tier: CANARY, kind: CANARY}]",
    "providers: [{name: a, models: [{name: a, CANARY: CANARY}]}]",
    "policies: {rules: [{name: r, providers: {only: CANARY}}]}",
)
"""
Files that cannot be used, with a key in the wrong place.
"""


class CanaryTests(FileTestCase):
    """
    Marked keys do not come out.
    """

    def load(self, text: str, key: str) -> Loaded:
        """
        Load a file that others can read, with this key in it and around it.
        """
        path = self.write(text.replace("CANARY", key), mode=0o644)
        return load_config(path, {"KEY": key, "ARBSTR_C_API_KEY": key})

    def assert_hidden(self, output: str) -> None:
        """
        Nothing of the key is in what came out.
        """
        for part in PARTS:
            self.assertNotIn(part, output.lower())

    def test_usable(self) -> None:
        """
        Neither settings nor warnings show one.
        """
        for key in KEYS:
            loaded = self.load(GOOD, key)
            for provider in loaded.config.providers:
                assert provider.api_key is not None
                self.assertEqual(provider.api_key.get_secret_value(), key)
            self.assertEqual(len(loaded.warnings), 3)
            for shown in (loaded, loaded.config, loaded.config.providers[0]):
                self.assert_hidden(f"{shown!r} {shown}")
            self.assert_hidden(loaded.config.model_dump_json())

    def test_unusable(self) -> None:
        """
        Neither errors nor tracebacks show one.
        """
        for text in BAD:
            for key in KEYS:
                error = self.assertRaises(ConfigError, self.load, text, key)
                shown = "".join(traceback.format_exception(error))
                self.assert_hidden(f"{error} {error!r} {error.problems} {shown}")
