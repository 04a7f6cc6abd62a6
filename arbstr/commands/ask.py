"""
Asking a running daemon over HTTP.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from email.message import Message
from http.client import HTTPException
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from attrs import field, frozen

_SECONDS = 60


class CommandError(Exception):
    """
    The daemon could not be asked, or refused: one line that says why.
    """


class _NoRedirects(HTTPRedirectHandler):
    """
    Follows nothing: the token would go along to wherever it leads.
    """

    def redirect_request(
        self,
        req: Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Message[str, str],
        newurl: str,
    ) -> None:
        """
        See L{HTTPRedirectHandler.redirect_request}.
        """


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
        status, body = self._fetch(path, parameters)
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        error = answer.get("error") if isinstance(answer, dict) else None
        if isinstance(error, dict):
            raise CommandError(f"{self.url}: {error.get('message')}")
        if not isinstance(answer, dict) or member not in answer:
            raise CommandError(
                f"{self.url}: expected arbstr, found something that answers "
                f"{path} with status {status} and no {member!r}"
            )
        return answer

    def _fetch(self, path: str, parameters: Mapping[str, str]) -> tuple[int, bytes]:
        request = Request(self._address(path, parameters))
        if self.token:
            request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        # The environment's proxy would look for 127.0.0.1 on its own machine.
        opener = build_opener(ProxyHandler({}), _NoRedirects)
        try:
            with opener.open(request, timeout=_SECONDS) as response:
                return response.status, response.read()
        except HTTPError as error:
            with error:
                return error.code, error.read()
        except URLError as error:
            raise self._unreachable(error.reason) from None
        except UnicodeError:
            raise CommandError("--token: expected Latin letters and signs") from None
        except ValueError:
            # http.client's message would show the token.
            raise CommandError("--token: expected a single line") from None
        except (OSError, HTTPException) as error:
            raise self._unreachable(error) from None

    def _address(self, path: str, parameters: Mapping[str, str]) -> str:
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
        query = f"?{urlencode(parameters)}" if parameters else ""
        return f"{self.url.rstrip('/')}{path}{query}"

    def _unreachable(self, reason: object) -> CommandError:
        text = getattr(reason, "strerror", None) or str(reason) or repr(reason)
        return CommandError(f"{self.url}: cannot reach arbstr there: {text}")
