"""
Files for the tests of the configuration.
"""

from __future__ import annotations

import os
from pathlib import Path
from textwrap import dedent

from twisted.trial.unittest import SynchronousTestCase

from arbstr.config.load import ConfigError, Loaded, load_config

MOCK = "providers: [{name: mock, kind: mock, input_rate: 1, output_rate: 2}]\n"


class FileTestCase(SynchronousTestCase):
    """
    Writes files.
    """

    def write(self, text: str | bytes, mode: int = 0o600) -> str:
        """
        @return: the name of a new file.
        """
        path = Path(self.mktemp())
        path.write_bytes(text if isinstance(text, bytes) else dedent(text).encode())
        os.chmod(path, mode)
        return str(path)


class ConfigTestCase(FileTestCase):
    """
    Writes files and loads them.
    """

    def load(self, text: str, **environ: str) -> Loaded:
        """
        What a file with this text holds.
        """
        return load_config(self.write(text), environ)

    def problems(self, text: str | bytes, **environ: str) -> list[str]:
        """
        What is wrong with a file with this text, C{LINE: path: message} each.
        """
        path = self.write(text)
        error = self.assertRaises(ConfigError, load_config, path, environ)
        for problem in error.problems:
            self.assertTrue(problem.startswith(f"{path}:"), problem)
        return [problem.removeprefix(f"{path}:") for problem in error.problems]

    def assert_problems(self, text: str | bytes, *expected: str) -> None:
        """
        These are wrong with the text, and nothing else.
        """
        self.assertEqual(self.problems(text), list(expected))


class SettingTestCase(ConfigTestCase):
    """
    Loads files with one setting more than they need.
    """

    def assert_wrong(self, setting: str, expected: str) -> None:
        """
        A setting in the line below the mock provider's is refused like this.
        """
        self.assert_problems(f"{MOCK}{setting}\n", f"2: {expected}")
