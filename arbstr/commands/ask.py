"""
Asking a running daemon over HTTP.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPErrorProcessor, ProxyHandler, Request, build_opener

from attrs import field, frozen

_SECONDS = 60


class CommandError(Exception):
    """
    The daemon could not be asked, or refused: one line that says why.
    """


class _AsTheyCome(HTTPErrorProcessor):
    """
    Lets every answer through, whatever its status.  In particular no redirect
    is followed: the token would go along to wherever it leads.
    """

    def http_response(self, request: Request, response: HTTPResponse) -> HTTPResponse:
        """
        See L{HTTPErrorProcessor.http_response}.
        """
        return response

    https_response = http_response


@frozen
class Daemon:
    """
    A daemon to ask.

    @ivar url: where it answers, such as C{http://127.0.0.1:8080}.
    @ivar token: its C{server.auth_token}; C{None} where it has none.
    """

    url: str
    token: str | None = field(default=None, repr=False)

    def get(self, path: str, parameters: Mapping[str, str], member: str) -> Any:
        """
        Ask for a JSON object.  What comes with an error status but is no error
        counts as an answer: so does the health of a daemon that is unwell.

        @param member: the answer has it, if it comes from arbstr.
        @raise CommandError: there is no answer, or it is an error.
        """
        query = f"?{urlencode(parameters)}" if parameters else ""
        return self._ask(path, Request(f"{self._address(path)}{query}"), member)

    def post(
        self, path: str, value: object, headers: Mapping[str, str], member: str
    ) -> Any:
        """
        Send a JSON value, and get a JSON object for it.

        @param headers: of the request, besides those that it needs.
        @param member: see L{get}, as for what is raised.
        """
        request = Request(self._address(path), json.dumps(value).encode("ascii"))
        request.add_header("Content-Type", "application/json")
        for name, told in headers.items():
            request.add_header(name, _header(told))
        return self._ask(path, request, member)

    def _ask(self, path: str, request: Request, member: str) -> Any:
        status, body = self._fetch(request)
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        if isinstance(answer, dict):
            # A failed request that is asked for has an error of its own.
            if member in answer:
                return answer
            error = answer.get("error")
            if isinstance(error, dict):
                raise CommandError(f"{self.url}: {error.get('message')}")
        raise CommandError(
            f"{self.url}: expected arbstr, found something that answers "
            f"{path} with status {status} and no {member!r}"
        )

    def _fetch(self, request: Request) -> tuple[int, bytes]:
        if self.token:
            request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        # The environment's proxy would look for 127.0.0.1 on its own machine.
        opener = build_opener(ProxyHandler({}), _AsTheyCome)
        try:
            with opener.open(request, timeout=_SECONDS) as response:
                return response.status, response.read()
        except URLError as error:
            raise self._unreachable(error.reason) from None
        except UnicodeError:
            raise CommandError("--token: expected Latin letters and signs") from None
        except ValueError:
            # http.client's message would show the token.
            raise CommandError("--token: expected a single line") from None
        except (OSError, HTTPException) as error:
            raise self._unreachable(error) from None

    def _address(self, path: str) -> str:
        try:
            parts = urlsplit(self.url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname)
            # Reading the port is what checks it.
            usable = usable and (parts.port is None or parts.port > 0)
            usable = usable and self.url.isascii() and " " not in self.url
        except ValueError:
            usable = False
        if not usable:
            raise CommandError(
                f"--url: expected a URL such as http://127.0.0.1:8080, "
                f"found {self.url!r}"
            )
        return f"{self.url.rstrip('/')}{path}"

    def _unreachable(self, reason: object) -> CommandError:
        text = getattr(reason, "strerror", None) or str(reason) or repr(reason)
        return CommandError(f"{self.url}: cannot reach arbstr there: {text}")


def _header(value: str) -> str:
    """
    A header's value: the daemon reads UTF-8, while C{http.client} writes Latin.

    @raise CommandError: it is none.
    """
    if not value.isprintable():
        raise CommandError(f"expected a single line, found {value!r}")
    return value.encode("utf-8", "surrogateescape").decode("latin-1")
