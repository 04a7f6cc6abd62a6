"""
Processes that benchmarks start, on which core they run, and what they use.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_SECONDS_TO_START = 120
_SECONDS_TO_STOP = 15


def free_port() -> int:
    """
    A port of the loopback interface that nobody listens on.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def reachable(port: int, process: subprocess.Popen[bytes]) -> None:
    """
    Wait until a process accepts connections.

    @raise RuntimeError: it ended, or took too long.
    """
    end = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.01)
        else:
            return
    raise RuntimeError(f"Nobody listens on port {port}")


def ended(process: subprocess.Popen[bytes], group: bool = False) -> None:
    """
    End a process, by force if it takes too long.

    @param group: it leads a group, of which nothing is to be left either.
    """
    process.terminate()
    try:
        process.wait(_SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if group:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """
    What is started meanwhile runs on this core, and so do we.
    """
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def tree(pid: int) -> list[int]:
    """
    The ids of a process and of all that it has started.
    """
    pids = [pid]
    for each in pids:
        for children in Path(f"/proc/{each}/task").glob("*/children"):
            pids += map(int, children.read_text().split())
    return pids


def processor_seconds(pid: int) -> float:
    """
    The processor time that a process and all that it has started have used.
    """
    return sum(time.clock_gettime(_processor_clock(each)) for each in tree(pid))


def megabytes(pid: int) -> float:
    """
    The resident memory of a process and all that it has started, in megabytes
    of 1,000,000 bytes.
    """
    pages = sum(
        int(Path(f"/proc/{each}/statm").read_text().split()[1]) for each in tree(pid)
    )
    return pages * _PAGE / 1e6


def descriptors(pid: int) -> int:
    """
    How many files and connections a process has open.
    """
    return len(os.listdir(f"/proc/{pid}/fd"))


def _processor_clock(pid: int) -> int:
    # How Linux numbers a process's clock of scheduled time.  It is what
    # /proc/PID/stat tells in hundredths of a second, but to the nanosecond.
    return (~pid << 3) | 2
