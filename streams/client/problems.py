"""What goes wrong, as exceptions.

ClientError
├── Unreachable        no answer after the last try
├── Unreadable         an answer that is none of the API's
└── Problem            the API says no (RFC 9457); its code, and the field at fault
    ├── Unauthorized   401: the key
    ├── Forbidden      403: the key's scopes, or its tenants
    ├── NotFound       404
    ├── Conflict       409, 412: it changed meanwhile, or is known otherwise
    ├── TooMany        429: after the last try
    ├── Away           5xx: after the last try
    └── Invalid        any other 4xx
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec


class ClientError(Exception):
    """Base of all."""


class Unreachable(ClientError):
    """No answer; what was asked for may have been done all the same."""


class Unreadable(ClientError):
    """An answer that is none of the API's: another server's, or a proxy's."""


class Details(msgspec.Struct, frozen=True, kw_only=True):
    """The members of a problem."""

    status: int
    code: str
    type: str = ""
    title: str = ""
    detail: str = ""
    field: str = ""
    retryable: bool | None = None
    trace_id: str = ""
    errors: Sequence[Mapping[str, str]] = ()


class Problem(ClientError):
    """The API says no: `details` is what it said."""

    def __init__(self, details: Details) -> None:
        place = f" ({details.field})" if details.field else ""
        super().__init__(f"{details.code}{place}: {details.detail or details.title}")
        self.details = details
        self.code, self.field, self.status = details.code, details.field, details.status


class Unauthorized(Problem):
    pass


class Forbidden(Problem):
    pass


class NotFound(Problem):
    pass


class Conflict(Problem):
    pass


class TooMany(Problem):
    pass


class Away(Problem):
    pass


class Invalid(Problem):
    pass


_OF_STATUS = {401: Unauthorized, 403: Forbidden, 404: NotFound, 409: Conflict, 412: Conflict, 429: TooMany}


def details_of(body: bytes) -> Details | None:
    """What a problem says; None for another body."""
    try:
        return msgspec.json.decode(body, type=Details)
    except msgspec.DecodeError:
        return None


def problem_of(status: int, body: bytes) -> ClientError:
    """The exception for an answer that is an error."""
    details = details_of(body)
    if details is None:
        return Unreadable(f"HTTP {status}, and no problem of the API's: {body[:200]!r}")
    return _OF_STATUS.get(status, Away if status >= 500 else Invalid)(details)


with suppress(msgspec.ValidationError):  # see streams.client.records
    msgspec.convert(object(), Details)
