"""Pages of many: a cursor says behind which row the next one begins, and for which filters it counts."""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
from litestar.params import QueryParameter

from schemas.decoding import prepare
from schemas.identity import content_id
from streams.api.problems import Problem

LIMIT_MAX = 500
Limit = Annotated[int, QueryParameter(ge=1, le=LIMIT_MAX, description="How many at most.")]
Cursor = Annotated[str | None, QueryParameter(description="`next` of the page before; with the same filters.")]
T = TypeVar("T")


class _Place(msgspec.Struct, frozen=True, array_like=True):
    filters: str
    key: Annotated[list[str], msgspec.Meta(min_length=1, max_length=2)]


def behind(cursor: str | None, filters: Mapping[str, str]) -> tuple[str, ...]:
    """The key of the last row of the page before; empty for the first. Raises Problem."""
    if cursor is None:
        return ()
    try:
        place = msgspec.json.decode(base64.urlsafe_b64decode(cursor.encode()), type=_Place)
    except (ValueError, msgspec.DecodeError) as error:
        raise Problem("bad_cursor", field="cursor") from error
    if place.filters != _named(filters):
        raise Problem("bad_cursor", "it was given for other filters", field="cursor")
    return tuple(place.key)


def following(
    rows: Sequence[T], limit: int, filters: Mapping[str, str], key: Callable[[T], Sequence[str]]
) -> str | None:
    """The cursor of the next page; None behind the last."""
    if len(rows) < limit:
        return None
    place = _Place(_named(filters), list(key(rows[-1])))
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode()


def given(**filters: Any) -> dict[str, str]:
    """The filters that were given."""
    return {name: str(value) for name, value in filters.items() if value is not None}


def _named(filters: Mapping[str, str]) -> str:
    return content_id("filters", dict(filters))[:12]


prepare(_Place)
