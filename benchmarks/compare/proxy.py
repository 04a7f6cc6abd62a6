"""
What stands between the load generator and the provider.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Protocol

from attrs import define, frozen

from ..processes import ended, free_port, on_core

TOKEN = "sk-benchmark-0123456789abcdef"
_SECONDS_TO_START = 90
_WAIT_SECONDS = 0.005
_TOLD = 2000


class Unavailable(Exception):
    """
    A proxy cannot be installed, or does not start; says why.
    """


@frozen
class Command:
    """
    How to start a proxy.

    @ivar arguments: the program and what it is given.
    @ivar environment: what it finds there beside ours.
    """

    arguments: Sequence[str]
    environment: Mapping[str, str] = {}


class Proxy(Protocol):
    """
    A way to the provider, and how to get and run it.
    """

    @property
    def name(self) -> str:
        """
        What it is called in tables.
        """

    def install(self) -> str:
        """
        Make sure that it can be started.

        @return: its version.
        @raise Unavailable: it cannot.
        """

    def headers(self, provider: int) -> Sequence[str]:
        """
        What it wants to find in a request, each C{Name: value}.

        @param provider: the provider's port.
        """

    def command(self, directory: Path, port: int, provider: int) -> Command:
        """
        Write whatever it reads, and say how to start it in the foreground.

        @param directory: where it runs, and may write.
        @param port: where it is to listen.
        @param provider: the provider's port.
        """


@define
class Running:
    """
    A proxy that serves.

    @ivar port: where it listens.
    @ivar headers: what it wants to find in a request.
    @ivar start_seconds: from the start of the program to the first answer.
    """

    port: int
    headers: Sequence[str]
    start_seconds: float
    _process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        """
        The id of the process that leads it.
        """
        return self._process.pid

    def stop(self) -> None:
        """
        End it, and all that it has started.
        """
        ended(self._process, group=True)


def start(
    proxy: Proxy, directory: Path, provider: int, core: int, request: bytes
) -> Running:
    """
    Run a proxy on a core of its own, until a request has been answered.

    @param directory: an empty one.
    @param request: the body of a request that it should answer.
    @raise Unavailable: it ends, or no answer comes; what it wrote is told.
    """
    port = free_port()
    headers = proxy.headers(provider)
    command = proxy.command(directory, port, provider)
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("ARBSTR_")
    }
    log = directory / "output.log"
    with log.open("wb") as output, on_core(core):
        began = time.monotonic()
        process = subprocess.Popen(
            command.arguments,
            cwd=directory,
            env={**environment, **command.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        said = _first_answer(process, port, headers, request, began)
        if said is None:
            return Running(port, headers, time.monotonic() - began, process)
    except BaseException:
        ended(process, group=True)
        raise
    ended(process, group=True)
    written = log.read_text("utf-8", "replace")[-_TOLD:]
    raise Unavailable(f"it does not start: answered {said}, wrote\n{written}")


def _first_answer(
    process: subprocess.Popen[bytes],
    port: int,
    headers: Sequence[str],
    request: bytes,
    began: float,
) -> str | None:
    """
    Wait until a request is answered well.

    @return: what was answered instead, if it never is.
    """
    said = "nothing"
    while time.monotonic() < began + _SECONDS_TO_START and process.poll() is None:
        try:
            status, said = _ask(port, headers, request)
        except (OSError, HTTPException):
            status = 0
        if status == 200:
            return None
        time.sleep(_WAIT_SECONDS)
    return said


def _ask(port: int, headers: Sequence[str], request: bytes) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        named = dict(header.split(": ", 1) for header in headers)
        connection.request(
            "POST",
            "/v1/chat/completions",
            request,
            {"Content-Type": "application/json", **named},
        )
        answer = connection.getresponse()
        return answer.status, f"{answer.status} {answer.read()[:_TOLD]!r}"
    finally:
        connection.close()
