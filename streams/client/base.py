"""What the generated calls and records stand on: a call is a value, which Client and AsyncClient send the same way."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import msgspec

from streams.client.problems import Unreadable

T = TypeVar("T")


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of all. Fields that a newer API has besides are left out."""


class Page(Record, Generic[T], frozen=True, kw_only=True):
    """Some of many; `next` is the cursor of those behind."""

    items: Sequence[T]
    next: str | None = None


class News(Record, frozen=True, kw_only=True):
    """One thing that happened to a product; of type `reset` where too much happened while nobody listened."""

    type: str
    id: str = ""
    tenant: str = ""
    sku: str = ""
    version: int = 0
    asset: str | None = None
    detail: str = ""


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request: its path below /v1, its body, and what reads the answer."""

    method: str
    path: str
    read: Callable[[bytes], T]
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def result(self, body: bytes) -> T:
        """What the answer says. Raises Unreadable."""
        try:
            return self.read(body)
        except msgspec.DecodeError as error:
            raise Unreadable(f"{self.method} {self.path} answers otherwise than it should: {error}") from error


def behind(call: Call[T], cursor: str) -> Call[T]:
    """The same for the page behind."""
    return replace(call, params={**call.params, "cursor": cursor})


def json_call(
    method: str,
    path: str,
    answer: Any,
    body: Record | Mapping[str, Any] | None = None,
    params: Mapping[str, object] | None = None,
    headers: Mapping[str, object] | None = None,
) -> Call[Any]:
    """A call in JSON. What is None is not said; `answer` None is that of an empty one."""
    known = _known(body) if isinstance(body, Mapping) else body
    data = b"" if known is None else msgspec.json.encode(known)
    quoted = {name: f'"{value}"' for name, value in _known(headers or {}).items()}  # If-Match, which is quoted
    kind = {} if known is None else {"Content-Type": "application/json"}
    query = {name: str(value) for name, value in _known(params or {}).items()}
    read = (lambda _: None) if answer is None else msgspec.json.Decoder(answer).decode
    return Call(method, path, read, query, {**kind, **quoted}, data)


def path(*names: str) -> str:
    """The path of names that may hold anything."""
    return "/".join(quote(name, safe=":") for name in names)


def ready() -> None:
    """Has records known before threads decode them; see schemas.decoding, which a client does without."""
    for each in Record.__subclasses__():
        with suppress(msgspec.ValidationError):
            msgspec.convert(object(), each)


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
