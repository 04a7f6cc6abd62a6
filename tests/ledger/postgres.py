"""
A PostgreSQL of the tests' own, as Debian's package C{postgresql} installs it.

The first test that wants one starts it in a new directory, on a socket in there
and on no port; it ends with the tests.  Each test gets a database to itself.
"""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import subprocess
import tempfile
from functools import cache
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from unittest import SkipTest

from sqlalchemy import create_engine

_INSTALL = (
    "PostgreSQL or its driver is not installed: apt-get install postgresql, "
    "and pip install 'arbstr[postgres]'"
)
_LIBRARIES = Path("/usr/lib/postgresql")  # where Debian keeps one for each version
_numbers = count(1)


def new_database() -> str:
    """
    The URL of an empty database.

    @raise SkipTest: there is no PostgreSQL on this machine.  In CI it is an
        error.
    """
    programs = _programs()
    if programs is None:
        if os.environ.get("CI"):
            raise RuntimeError(_INSTALL)
        raise SkipTest(_INSTALL)
    directory = _cluster(programs)
    name = f"arbstr{next(_numbers)}"
    engine = create_engine(
        _url(directory, "postgres"), isolation_level="AUTOCOMMIT", pool_size=1
    )
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return _url(directory, name)


def _url(directory: Path, name: str) -> str:
    return f"postgresql+psycopg://arbstr@/{name}?host={directory}"


def _programs() -> Path | None:
    """
    The directory of C{initdb} and C{pg_ctl}, of the newest version.
    """
    if find_spec("psycopg") is None:
        return None
    versions = sorted(_LIBRARIES.glob("*/bin/initdb"), key=_version)
    found = str(versions[-1]) if versions else shutil.which("initdb")
    return None if found is None else Path(found).parent


def _version(program: Path) -> float:
    return float(program.parent.parent.name)


@cache
def _cluster(programs: Path) -> Path:
    """
    Start the server.

    @return: the directory that its socket is in.
    """
    # Not in the tests' own directory: the path of a socket must be short.
    directory = Path(tempfile.mkdtemp(prefix="arbstr-pg-", dir="/tmp"))
    user = _unprivileged()
    if user is not None:
        shutil.chown(directory, user)
    data = directory / "data"

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [str(programs / program), "-D", str(data), *arguments],
            check=True,
            cwd=directory,
            user=user,
            stdout=subprocess.DEVNULL,
        )

    def stop() -> None:
        run("pg_ctl", "stop", "-m", "immediate")
        shutil.rmtree(directory)

    run("initdb", "-U", "arbstr", "-A", "trust", "-E", "UTF8", "--no-sync")
    options = f"-k {directory} -c listen_addresses= -c fsync=off"
    run("pg_ctl", "start", "-w", "-l", str(directory / "log"), "-o", options)
    atexit.register(stop)
    return directory


def _unprivileged() -> str | None:
    """
    Whom to run the server as, since it refuses to run as root.
    """
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
