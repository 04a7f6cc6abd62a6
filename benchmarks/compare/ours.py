"""
arbstr as a user would run it, from here or from another commit.
"""

from __future__ import annotations

import shutil
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

from attrs import define

from .installing import run
from .proxy import TOKEN, Command, Unavailable
from .results import OURS

_ROOT = Path(__file__).parents[2]
_PACKAGES = (_ROOT / "arbstr", _ROOT / "twisted")

_AT_ONCE = 1024

_CONFIG = """\
server:
  listen: 127.0.0.1:{port}
  auth_token: {token}
  # By default 256 here, and 64 for a provider.  More than any scenario asks at
  # once: what is measured is how requests are served, not how they are refused.
  max_in_flight: {at_once}
database:
  url: sqlite:///{database}
providers:
  - name: provider
    url: http://127.0.0.1:{provider}/v1
    api_key: sk-provider-0123456789
    models: [gpt-4o, gpt-4o-mini]
    input_rate: 2500
    output_rate: 10000
    max_in_flight: {at_once}
policies:
  rules:
    - name: code
      keywords: [code, function, implement]
streaming:
  failover: true
logging:
  level: info
  log_requests: true
"""


@define
class Arbstr:
    """
    What is checked out here, in the environment that runs the benchmark.
    """

    name: str = OURS
    _twistd: str = str(Path(sys.executable).with_name("twistd"))

    def install(self) -> str:
        """
        See L{Proxy.install}.
        """
        if not Path(self._twistd).exists():
            raise Unavailable(f"expected arbstr's environment, found no {self._twistd}")
        # pip compiles what it installs, but not what it only points at: where
        # Python may write no bytecode, every start would compile all of it.
        run(sys.executable, "-m", "compileall", "-q", *map(str, _PACKAGES))
        return _git("describe", "--always", "--dirty", "--abbrev=12")

    def headers(self, provider: int) -> Sequence[str]:
        """
        See L{Proxy.headers}.
        """
        return [f"Authorization: Bearer {TOKEN}"]

    def command(self, directory: Path, port: int, provider: int) -> Command:
        """
        See L{Proxy.command}.
        """
        config = configured(directory, port, provider)
        return Command(
            [
                self._twistd,
                "--nodaemon",
                "--pidfile=",
                f"--logfile={directory / 'arbstr.log'}",
                "arbstr",
                "--config",
                str(config),
            ]
        )


@define
class Committed(Arbstr):
    """
    A commit, in an environment of its own with the same versions of what it
    needs as are installed here.

    @ivar revision: anything that git takes for one.
    """

    cache: Path = Path()
    revision: str = "HEAD"

    def install(self) -> str:
        """
        See L{Proxy.install}.
        """
        commit = _git("rev-parse", "--verify", f"{self.revision}^{{commit}}")
        version = commit[:12]
        directory = self.cache / "commits" / version
        environment = directory / "environment"
        self._twistd = str(environment / "bin/twistd")
        if not (directory / "installed").exists():
            shutil.rmtree(directory, ignore_errors=True)
            _unpack(commit, directory / "source")
            _install(directory, environment)
            (directory / "installed").touch()
        return version


def configured(directory: Path, port: int, provider: int) -> Path:
    """
    Write a configuration of the one provider, with everything on.

    @return: the file.
    """
    path = directory / "arbstr.yaml"
    path.touch(0o600)
    path.write_text(
        _CONFIG.format(
            port=port,
            token=TOKEN,
            at_once=_AT_ONCE,
            database=directory / "arbstr.db",
            provider=provider,
        ),
        "utf-8",
    )
    return path


def _unpack(commit: str, directory: Path) -> None:
    directory.mkdir(parents=True)
    archive = directory.with_suffix(".tar")
    _git("archive", "--output", str(archive), commit)
    with tarfile.open(archive) as files:
        files.extractall(directory, filter="data")
    archive.unlink()


def _install(directory: Path, environment: Path) -> None:
    installed = run(
        sys.executable,
        "-m",
        "pip",
        "freeze",
        "--exclude-editable",
        "--exclude",
        "arbstr",
    )
    versions = directory / "constraints.txt"
    versions.write_text(installed, "utf-8")
    run(sys.executable, "-m", "venv", str(environment))
    run(
        str(environment / "bin/pip"),
        "install",
        "--quiet",
        "--constraint",
        str(versions),
        str(directory / "source"),
    )


def _git(*arguments: str) -> str:
    return run("git", "-C", str(_ROOT), *arguments).strip()
