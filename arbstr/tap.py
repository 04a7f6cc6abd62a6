"""
C{twistd arbstr}: the command line of the daemon.
"""

from __future__ import annotations

import gc

from twisted.application.service import IService
from twisted.python import usage


class Options(usage.Options):
    """
    What C{twistd arbstr} takes.
    """

    synopsis = "[--config FILE] [--listen ENDPOINT] [--mock]"
    optParameters = (
        ("config", "c", None, "default: $ARBSTR_CONFIG, else etc/arbstr.yaml"),
        ("listen", "l", None, "HOST:PORT or a Twisted endpoint, over the file's"),
    )
    optFlags = (("mock", "m", "use no file: two built-in providers, no keys"),)


def makeService(options: Options) -> IService:
    """
    The daemon that the command line asks for.

    @raise SystemExit: with everything that is wrong with the configuration.
    """
    # A third of the start would go into looking for garbage among what stays.
    gc.disable()
    # Hence nearly all that there is to import comes only now.
    from twisted.internet import reactor

    from .starting import make_service

    reactor.callWhenRunning(_set_aside)
    return make_service(options, options.parent or {}, reactor)


def _set_aside() -> None:
    """
    What the start has made stays: the garbage collector need not look through
    it, now and again and again, while requests wait.
    """
    gc.freeze()
    gc.enable()
