"""
Imports go downward only.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import arbstr

ROOT = Path(arbstr.__file__).parent

# From the ground up.  A part may import what lies on a lower level, and itself.
LEVELS = (
    {"__init__", "keyring", "clock", "flood", "headers", "ids", "lines", "quiet"}
    | {"sending", "signals"},
    {"errors", "redact"},
    {"config"},
    {"logs", "circuit", "routing", "ledger", "supervisor"},
    {"upstream", "remembering", "reload"},
    {"exchange", "tries", "market"},
    {"turns"},
    {"dispatch"},
    {"web"},
    {"live"},
    {"daemon"},
    {"service", "commands"},
    {"starting"},
    {"tap", "cli"},
)
WITHOUT_TWISTED = (
    "routing",
    "upstream/alike.py",
    "upstream/chunk.py",
    "upstream/sse.py",
    "upstream/stream.py",
    "keyring.py",
    "redact.py",
)
WITH_REACTOR = ("tap.py", "cli.py")
# What takes long to import, and some need only.
SELDOM_NEEDED = {"alembic", "psycopg"}
NOT_TO_ASK = {"pydantic", "sqlalchemy", "twisted", "yaml"}


def part(module: str) -> str:
    """
    C{circuit} of C{arbstr.circuit.breaker}.
    """
    return module.removeprefix("arbstr").lstrip(".").partition(".")[0] or "__init__"


def level(name: str) -> int:
    """
    How high a part stands.
    """
    return next(height for height, parts in enumerate(LEVELS) if name in parts)


def imported(path: Path) -> Iterator[str]:
    """
    The absolute names of the modules that a file imports.
    """
    package = ["arbstr", *path.relative_to(ROOT).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            yield name
            yield from (f"{name}.{each.name}" for each in node.names)


def loaded_with(module: str) -> set[str]:
    """
    The names of all modules that there are after a module was imported.
    """
    show = f"import sys, {module}; print(*sys.modules)"
    command = [sys.executable, "-c", show]
    return set(subprocess.check_output(command, cwd=ROOT.parent, text=True).split())


class ImportTests(SynchronousTestCase):
    """
    The house stands on its feet.
    """

    def sources(self) -> list[Path]:
        return sorted(ROOT.rglob("*.py"))

    def test_downward_only(self) -> None:
        """
        No part imports one of its own level or of a higher one.
        """
        for path in self.sources():
            own = path.relative_to(ROOT).parts[0].removesuffix(".py")
            for module in imported(path):
                if module.split(".")[0] != "arbstr":
                    continue
                other = part(module)
                if other in (own, "__version__"):
                    continue
                self.assertLess(
                    level(other), level(own), f"{path}: {own} imports {module}"
                )

    def test_pure_parts_know_no_twisted(self) -> None:
        """
        Routing and the observer of streams can be used without a reactor.
        """
        for path in self.sources():
            if path.relative_to(ROOT).as_posix().startswith(WITHOUT_TWISTED):
                twisted = [each for each in imported(path) if "twisted" in each]
                self.assertEqual(twisted, [], str(path))

    def test_only_command_lines_touch_the_reactor(self) -> None:
        """
        Everything else is given a reactor or a clock.
        """
        for path in self.sources():
            if path.relative_to(ROOT).as_posix() not in WITH_REACTOR:
                self.assertNotIn("twisted.internet.reactor", set(imported(path)), path)

    def test_only_what_starts_need(self) -> None:
        """
        The command line of the daemon needs hardly anything to say what it
        takes, and the daemon nothing that only some of its databases need.
        """
        self.assertNotIn("arbstr.config", loaded_with("arbstr.tap"))
        self.assertEqual(SELDOM_NEEDED & loaded_with("arbstr.starting"), set())

    def test_only_what_commands_need(self) -> None:
        """
        Those that ask a daemon answer at once; only one reads the database.
        """
        self.assertEqual(NOT_TO_ASK & loaded_with("arbstr.cli"), set())
        self.assertNotIn("sqlalchemy", loaded_with("arbstr.commands.configured"))
