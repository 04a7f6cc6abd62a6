"""
From the daemon's command line to the daemon.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping
from io import TextIOWrapper
from typing import IO, Any

from attrs import evolve
from pydantic import ValidationError
from twisted.python.logfile import LogFile

from arbstr.config.builtin import builtin_config
from arbstr.config.known import hide_secrets_of
from arbstr.config.load import ConfigError, Loaded, default_path, load_config
from arbstr.config.model import Config, LoggingSettings, ServerSettings

from .logs import LogObserver
from .service import ArbstrService

# SQLite's driver lets go of the interpreter with every row.  At Python's own 5
# milliseconds until it is given back, a batch could take a busy daemon a second.
_SWITCH_SECONDS = 0.0005

_OWNER_ONLY = 0o600


def make_service(
    options: Mapping[str, Any], twistd: Mapping[str, Any], reactor: Any
) -> ArbstrService:
    """
    The daemon that the command line asks for.

    @param options: see L{arbstr.tap.Options}.
    @param twistd: twistd's own options.
    @raise SystemExit: with everything that is wrong with the configuration.
    """
    try:
        path = _path(options)
        if path is None:
            loaded = Loaded(builtin_config(), "--mock", {})
        else:
            loaded = load_config(path)
        config = _listen_on(options["listen"], loaded.config)
    except ConfigError as error:
        sys.exit(str(error))
    # Before anything is opened: what goes wrong then is told as well.
    hide_secrets_of(config)
    for warning in loaded.warnings:
        print(warning, file=sys.stderr)
    sys.setswitchinterval(_SWITCH_SECONDS)
    # Until there is somebody to be told, it would end the process.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    observer = _observer(config.logging, twistd, reactor)
    reload = None if path is None else _again(path, options["listen"])
    return ArbstrService(config, reactor, observer, reload, os.environ)


def _path(options: Mapping[str, Any]) -> str | None:
    """
    The file to read; C{None} where there is to be none.
    """
    if options["mock"]:
        if options["config"]:
            raise ConfigError(["expected --mock or --config, found both"])
        return None
    path: str | None = options["config"] or default_path()
    if path is None:
        raise ConfigError(
            [
                "expected --config FILE, ARBSTR_CONFIG, etc/arbstr.yaml or "
                "--mock, found none"
            ]
        )
    return path


def _again(path: str, listen: str | None) -> Callable[[], Loaded]:
    """
    Reads the same file as at the start, wherever the daemon may have moved.
    """
    there = os.path.abspath(path)

    def load() -> Loaded:
        loaded = load_config(there)
        return evolve(loaded, config=_listen_on(listen, loaded.config))

    return load


def _listen_on(description: str | None, config: Config) -> Config:
    if not description:
        return config
    try:
        server = ServerSettings.model_validate(
            config.server.model_dump() | {"listen": description}
        )
    except ValidationError as error:
        wrong = "; ".join(
            each["msg"].removeprefix("Value error, ") for each in error.errors()
        )
        raise ConfigError([f"--listen: {wrong}"]) from None
    return config.model_copy(update={"server": server})


def _observer(
    settings: LoggingSettings, twistd: Mapping[str, Any], reactor: Any
) -> LogObserver | None:
    """
    Our own log, written to where twistd would have written its own.
    """
    if twistd.get("syslog") or twistd.get("logger"):
        return None
    path = twistd.get("logfile")
    if not path:
        path = "-" if twistd.get("nodaemon") else "twistd.log"
    out: IO[Any] = _stdout() if path == "-" else _log_file(path)
    observer = LogObserver(settings, out, reactor)
    # After everything that may still warn.
    reactor.addSystemEventTrigger("after", "shutdown", observer.flush)
    return observer


def _stdout() -> IO[str]:
    """
    The standard output, also where it has not every character: a line that could
    not be written would take those along that are written with it.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    return sys.stdout


def _log_file(path: str) -> IO[Any]:
    """
    A file for its owner only; one that is there keeps the mode that it has.
    """
    mode = None if os.path.exists(path) else _OWNER_ONLY
    file: IO[Any] = LogFile.fromFullPath(path, defaultMode=mode)
    return file
