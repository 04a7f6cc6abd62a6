"""
Listening where the configuration says.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from attrs import frozen
from twisted.application import strports
from twisted.application.service import MultiService
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from zope.interface import implementer

from arbstr.config.listen import with_backlog

from .channel import CONNECTIONS


class CannotStart(SystemExit, Exception):
    """
    Ends the process with exit code 1 and one line.  Since it is an
    C{Exception} too, twistd takes notice: it removes its pid file, and tells
    the process that waits for the daemon to have started.
    """


class Listening(MultiService):
    """
    Listens on every address as long as it runs.

    @param descriptions: Twisted's endpoint descriptions.
    @param factory: makes the connections.
    """

    def __init__(
        self, descriptions: Iterable[str], factory: IProtocolFactory, reactor: Any
    ) -> None:
        MultiService.__init__(self)
        self._descriptions = descriptions
        self._factory = factory
        self._reactor = reactor
        self._ports: list[IListeningPort] = []

    def privilegedStartService(self) -> None:
        """
        Listen.

        @raise CannotStart: an address is taken, or makes no sense.
        """
        MultiService.privilegedStartService(self)
        for description in self._descriptions:
            try:
                self._listen(description)
            except Exception as error:
                message = f"arbstr: cannot listen on {description}: {error}"
                raise CannotStart(message) from None

    def addresses(self) -> str:
        """
        Where it listens, for people: the system may have chosen the port.
        """
        return ", ".join(_show(port.getHost()) for port in self._ports)

    def _listen(self, description: str) -> None:
        queued = with_backlog(description, CONNECTIONS)
        service = strports.service(queued, self._factory, self._reactor)
        service.endpoint = _Remembering(service.endpoint, self._ports)
        service.privilegedStartService()
        service.setServiceParent(self)


@implementer(IStreamServerEndpoint)
@frozen
class _Remembering:
    """
    An endpoint that remembers the ports it made.
    """

    _endpoint: IStreamServerEndpoint
    _ports: list[IListeningPort]

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """
        See L{IStreamServerEndpoint.listen}.
        """
        return self._endpoint.listen(protocolFactory).addCallback(self._remember)

    def _remember(self, port: IListeningPort) -> IListeningPort:
        self._ports.append(port)
        return port


def _show(address: IAddress) -> str:
    match address:
        case IPv4Address(host=host, port=port):
            return f"{host}:{port}"
        case IPv6Address(host=host, port=port):
            return f"[{host}]:{port}"
        case UNIXAddress(name=bytes() as name):
            return os.fsdecode(name)
        case _:
            return str(address)
