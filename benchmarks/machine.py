"""
Where and when something was measured.
"""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from importlib.metadata import requires, version
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9._-]+")


def machine() -> str:
    """
    The processor, its cores, and what runs on it.
    """
    cores = len(os.sched_getaffinity(0))
    return (
        f"{_processor()}, {cores} cores, {_memory():.0f} GB, Linux "
        f"{platform.release()}, Python {platform.python_version()}"
    )


def installed() -> str:
    """
    The versions of what arbstr needs.
    """
    needed = [each for each in requires("arbstr") or () if "extra ==" not in each]
    names = [match[0] for match in map(_NAME.match, needed) if match]
    return ", ".join(f"{name} {version(name)}" for name in names)


def today() -> str:
    """
    The date and time, UTC.
    """
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _memory() -> float:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
