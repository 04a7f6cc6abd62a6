"""
Tests for L{tests.ledger.postgres}.
"""

from __future__ import annotations

import os
from unittest import SkipTest, mock

from twisted.trial.unittest import SynchronousTestCase

from . import postgres


class MissingTests(SynchronousTestCase):
    """
    Where there is no PostgreSQL.
    """

    def setUp(self) -> None:
        """
        Find none.
        """
        self.patch(postgres, "_programs", lambda: None)

    def test_skipped(self) -> None:
        """
        Tests are skipped, and say what to install.
        """
        with mock.patch.dict(os.environ, {"CI": ""}):
            error = self.assertRaises(SkipTest, postgres.new_database)
        self.assertIn("apt-get install postgresql", str(error))

    def test_ci(self) -> None:
        """
        In CI that is an error: nobody would see what was skipped.
        """
        with mock.patch.dict(os.environ, {"CI": "true"}):
            error = self.assertRaises(RuntimeError, postgres.new_database)
        self.assertIn("apt-get install postgresql", str(error))
