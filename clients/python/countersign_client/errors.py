"""What goes wrong, as types. Programs go by `code`, which is stable; people read `detail`."""

from __future__ import annotations

from typing import Any


class CountersignError(Exception):
    """Anything this package raises on purpose."""


class ConnectionFailed(CountersignError):
    """The service could not be reached, or the connection broke off."""


class TimedOut(ConnectionFailed):
    """The service did not answer in time."""


class ApiError(CountersignError):
    """The service refused (RFC 9457)."""

    def __init__(self, status: int, problem: dict[str, Any], headers: dict[str, str]) -> None:
        #: HTTP status.
        self.status = status
        #: All members of the problem, such as `state` or `pointer`.
        self.problem = problem
        #: Stable code, such as `digest_changed`.
        self.code = str(problem.get("code", f"http_{status}"))
        #: A sentence for people.
        self.detail = str(problem.get("detail", ""))
        #: Leads to the request in the service's log.
        self.request_id = headers.get("x-request-id")
        #: Seconds after which another try may do, if the service said so.
        self.retry_after = seconds(headers.get("retry-after"))
        super().__init__(f"{status} {self.code}: {self.detail}")


class BadRequest(ApiError):
    """400: not of the form that the API describes."""


class Unauthorized(ApiError):
    """401: no key, or one that doesn't count."""


class Forbidden(ApiError):
    """403: the key may not do this."""


class NotFound(ApiError):
    """404."""


class Conflict(ApiError):
    """409: what was asked doesn't go with what is there."""


class Gone(ApiError):
    """410: the data has been erased."""


class TooLarge(ApiError):
    """413."""


class Unprocessable(ApiError):
    """422: of the right form, and can't be done all the same."""


class RateLimited(ApiError):
    """429: too much at once."""


class ServerError(ApiError):
    """5xx."""


_BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    413: TooLarge,
    422: Unprocessable,
    429: RateLimited,
}


def seconds(value: str | None) -> float | None:
    """A Retry-After in seconds; the service sends no dates."""
    try:
        return max(0.0, float(value)) if value else None
    except ValueError:
        return None


def error_of(status: int, body: Any, headers: dict[str, str]) -> ApiError:
    """The exception for an answer of 4xx or 5xx."""
    kind = _BY_STATUS.get(status, ServerError if status >= 500 else ApiError)
    return kind(status, body if isinstance(body, dict) else {}, headers)
