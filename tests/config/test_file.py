"""
Files that cannot be read.
"""

from __future__ import annotations

from pathlib import Path

from arbstr.config.load import ConfigError, load_config

from .support import MOCK, ConfigTestCase


class FileTests(ConfigTestCase):
    """
    Files that cannot be read.
    """

    def refusal(self, path: str) -> str:
        """
        The one line that says why a file is refused.
        """
        error = self.assertRaises(ConfigError, load_config, path, {})
        return str(error)

    def test_missing(self) -> None:
        """
        A file that is not there.
        """
        self.assertEqual(
            self.refusal("no/such.yaml"),
            "no/such.yaml: expected a readable file, found none "
            "(No such file or directory)",
        )

    def test_directory(self) -> None:
        """
        A directory is no file.
        """
        path = self.mktemp()
        Path(path).mkdir()
        self.assertEqual(
            self.refusal(path),
            f"{path}: expected a readable file, found none (Is a directory)",
        )

    def test_impossible_name(self) -> None:
        """
        A name that no file can have.
        """
        self.assertIn("expected a readable file, found none", self.refusal("a\0b"))

    def test_too_large(self) -> None:
        """
        No more is read than any configuration needs.
        """
        path = self.write(b"#" * 1_048_577)
        self.assertEqual(
            self.refusal(path), f"{path}: expected at most 1048576 bytes, found more"
        )

    def test_not_utf_8(self) -> None:
        """
        The line with the first wrong byte is named.
        """
        self.assert_problems(b"a: 1\nb: \xff\n", "2: expected UTF-8, found other bytes")

    def test_byte_order_mark(self) -> None:
        """
        Some editors put one at the beginning.
        """
        path = self.write(b"\xef\xbb\xbf" + MOCK.encode())
        self.assertEqual(load_config(path, {}).config.providers[0].name, "mock")
