"""
What packaging rests on, as far as it can be seen without an index.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parent.parent


class PackagingTests(SynchronousTestCase):
    """
    The plugin is found, and nothing hides Twisted's own.
    """

    def test_plugin_is_found(self) -> None:
        """
        twistd has an C{arbstr} command next to its own.
        """
        makers: dict[str, Any] = {
            maker.tapname: maker for maker in getPlugins(IServiceMaker)
        }
        self.assertEqual(makers["arbstr"].module, "arbstr.tap")
        self.assertIn("web", makers)

    def test_twisted_stays_a_namespace(self) -> None:
        """
        An C{__init__.py} beside the plugin would hide or overwrite Twisted's.
        """
        self.assertFalse((ROOT / "twisted/__init__.py").exists())
        self.assertFalse((ROOT / "twisted/plugins/__init__.py").exists())

    def test_plugin_file_imports_nothing_else(self) -> None:
        """
        Anything that installs a reactor would keep C{twistd --reactor} from
        choosing one.
        """
        text = (ROOT / "twisted/plugins/arbstr_plugin.py").read_text("utf-8")
        imports = [line for line in text.splitlines() if "import" in line]
        self.assertEqual(
            imports, ["from twisted.application.service import ServiceMaker"]
        )
