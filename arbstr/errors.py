"""
Every error that a client can be told: its HTTP status and what goes into the
OpenAI-shaped body, C{{"error": {"message", "type", "param", "code"}}}.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field

from .keyring import hide, hide_bytes

_MODELS_SHOWN = 20


@define(eq=False)
class ApiError(Exception):
    """
    Something to tell the client.

    @ivar status: the HTTP status.
    @ivar type: OpenAI's family of the error.
    @ivar code: OpenAI's name for it, if it has one.
    @ivar param: the field of the request that is to blame, if one is.
    @ivar retry_after: seconds after which it is worth trying again.
    @ivar headers: further response headers.
    @ivar raw: a provider's own JSON body, which the client gets in place of
        ours.
    """

    message: str
    status: int = 500
    type: str = "server_error"
    code: str | None = None
    param: str | None = None
    retry_after: float | None = None
    headers: dict[str, str] = field(factory=dict)
    raw: bytes | None = None

    def __str__(self) -> str:
        return self.message

    def body(self) -> dict[str, dict[str, str | None]]:
        """
        The JSON object for the response's body or a stream's error event, without
        any secret.
        """
        return {
            "error": {
                "message": hide(self.message),
                "type": self.type,
                "param": self.param and hide(self.param),
                "code": self.code and hide(self.code),
            }
        }

    def raw_body(self) -> bytes | None:
        """
        L{raw}, without any secret.
        """
        return None if self.raw is None else hide_bytes(self.raw)


def bad_request(
    message: str, *, param: str | None = None, code: str | None = None
) -> ApiError:
    """
    The client's request cannot be understood.
    """
    return ApiError(
        message, status=400, type="invalid_request_error", code=code, param=param
    )


def no_providers(model: str, known: Sequence[str]) -> ApiError:
    """
    Nobody serves the model; some of those that somebody does serve are named.
    """
    message = f"No providers available for model '{model}'"
    if known:
        shown = ", ".join(known[:_MODELS_SHOWN])
        more = len(known) - _MODELS_SHOWN
        message += f". Available: {shown}" + (f" and {more} more" if more > 0 else "")
    return bad_request(message, param="model", code="model_not_found")


def model_not_allowed(model: str, policy: str) -> ApiError:
    """
    The policy's C{allowed_models} leave this one out.
    """
    return bad_request(
        f"Policy '{policy}' does not allow model '{model}'",
        param="model",
        code="model_not_allowed",
    )


def no_policy_match(model: str, reasons: str) -> ApiError:
    """
    Providers serve the model, but constraints exclude every one of them.
    """
    return bad_request(
        f"No provider of model '{model}' is left after all constraints: {reasons}",
        code="no_policy_match",
    )


def no_price_known(model: str, reasons: str, retry_after: float) -> ApiError:
    """
    Providers may serve the model, but have not said yet what it costs.

    @param retry_after: seconds.
    """
    return ApiError(
        f"Nobody knows yet what model '{model}' costs: {reasons}",
        status=503,
        type="upstream_error",
        code="no_price_known",
        retry_after=retry_after,
    )


def max_cost_exceeded(limit_sats: float, cheapest_sats: float) -> ApiError:
    """
    The client's own limit is below the cheapest estimate.
    """
    return ApiError(
        f"Expected to cost {cheapest_sats:g} sats at the cheapest provider, over the "
        f"limit of {limit_sats:g} sats in X-Arbstr-Max-Cost-Sats",
        status=402,
        type="invalid_request_error",
        code="max_cost_exceeded",
    )


def circuits_open(model: str, retry_after: float) -> ApiError:
    """
    Every candidate's circuit is open.

    @param retry_after: seconds until the earliest of them may be probed.
    """
    return ApiError(
        f"All providers have open circuits for model '{model}'",
        status=503,
        type="upstream_error",
        code="circuit_open",
        retry_after=retry_after,
    )


def cooling_down(model: str, status: int, story: str, retry_after: float) -> ApiError:
    """
    Every candidate is left alone for longer than this request may wait.

    @param status: the HTTP status for which the one that is back first is.
    @param story: who is, and why.
    @param retry_after: seconds until that one is back.
    """
    message = f"All providers of model '{model}' are cooling down: {story}"
    match status:
        case 429:
            error = over_limit(message, retry_after)
        case 404:
            error = no_such_model(model)
            error.message, error.retry_after = message, retry_after
        case _:
            error = provider_error(message)
            error.retry_after = retry_after
    return error


def provider_error(message: str) -> ApiError:
    """
    The last candidate failed for a reason that is not the client's.
    """
    return ApiError(message, status=502, type="upstream_error", code="provider_error")


def out_of_time(message: str) -> ApiError:
    """
    The time budget ran out.
    """
    return ApiError(message, status=504, type="upstream_error", code="timeout")


def server_error() -> ApiError:
    """
    Our own bug.  What it was is in the log, under the request id.
    """
    return ApiError("Internal error; the log has it under this request's id")


def shutting_down() -> ApiError:
    """
    The daemon drains and takes nothing new.
    """
    return ApiError(
        "arbstr is shutting down",
        status=503,
        code="shutting_down",
        retry_after=1,
        headers={"Connection": "close"},
    )


def body_too_large(limit: int) -> ApiError:
    """
    @param limit: bytes.
    """
    return ApiError(
        f"The body is over {limit} bytes long",
        status=413,
        type="invalid_request_error",
    )


def headers_too_large(size: int, count: int) -> ApiError:
    """
    @param size: bytes that all headers may have.
    @param count: how many there may be.
    """
    return ApiError(
        f"The headers are over {size} bytes long, or more than {count}",
        status=431,
        type="invalid_request_error",
    )


def too_slow(what: str, seconds: float) -> ApiError:
    """
    The client has not finished what it began to send.
    """
    return ApiError(
        f"{what} was not complete within {seconds:g} seconds",
        status=408,
        type="invalid_request_error",
        code="request_timeout",
    )


def not_json() -> ApiError:
    """
    The body is not announced as JSON.
    """
    return ApiError(
        "Expected Content-Type: application/json",
        status=415,
        type="invalid_request_error",
        param="Content-Type",
    )


def not_authenticated() -> ApiError:
    """
    The bearer token is missing or wrong.
    """
    return ApiError(
        "Expected the header 'Authorization: Bearer <token>' with the token of "
        "server.auth_token",
        status=401,
        type="authentication_error",
        code="invalid_api_key",
        headers={"WWW-Authenticate": "Bearer"},
    )


def not_permitted(message: str) -> ApiError:
    """
    A web page of another origin, or a name for us that we do not go by.
    """
    return ApiError(message, status=403, type="permission_error")


def over_limit(message: str, retry_after: float) -> ApiError:
    """
    One of the daemon's own limits.
    """
    return ApiError(
        message, status=429, type="rate_limit_error", retry_after=retry_after
    )


def no_such_route(method: str, path: str) -> ApiError:
    """
    There is nothing here.
    """
    return ApiError(
        f"No such route: {method} {path}", status=404, type="invalid_request_error"
    )


def method_not_allowed(method: str, path: str, allowed: Sequence[str]) -> ApiError:
    """
    There is something here, but not for this method.
    """
    return ApiError(
        f"{method} is not allowed for {path}, expected {' or '.join(allowed)}",
        status=405,
        type="invalid_request_error",
        headers={"Allow": ", ".join(allowed)},
    )


def no_such_model(model: str) -> ApiError:
    """
    Nobody lists this model.
    """
    return ApiError(
        f"The model '{model}' does not exist",
        status=404,
        type="invalid_request_error",
        param="model",
        code="model_not_found",
    )


def client_left() -> ApiError:
    """
    Nobody is there to be told.  The status is nginx's number for it.
    """
    return ApiError("The client left", status=499, type="client_error")


def client_stalled(seconds: float) -> ApiError:
    """
    The client has stopped reading its answer.
    """
    return ApiError(
        f"The client read nothing for {seconds:g} seconds",
        status=499,
        type="client_error",
    )


def no_books() -> ApiError:
    """
    There is no database to ask.
    """
    return ApiError("This daemon keeps no books: it runs without a database", 503)
