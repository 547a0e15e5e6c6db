"""Client of the countersign API. Standard library only; safe to share between threads."""

from . import types
from .client import Client
from .errors import (
    ApiError,
    BadRequest,
    Conflict,
    ConnectionFailed,
    CountersignError,
    Forbidden,
    Gone,
    NotFound,
    RateLimited,
    ServerError,
    TimedOut,
    TooLarge,
    Unauthorized,
    Unprocessable,
)
from .transport import Retries

__all__ = [
    "ApiError",
    "BadRequest",
    "Client",
    "Conflict",
    "ConnectionFailed",
    "CountersignError",
    "Forbidden",
    "Gone",
    "NotFound",
    "RateLimited",
    "Retries",
    "ServerError",
    "TimedOut",
    "TooLarge",
    "Unauthorized",
    "Unprocessable",
    "types",
]
