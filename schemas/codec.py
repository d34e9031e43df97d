"""Records to bytes and back: Avro behind the registry frame (one zero byte, a 4-byte schema id, the Avro body).

The schema id is taken from the schema's own content, so that two machines agree on it without asking anybody.

    WireError                bytes that are no event of ours
    ├── NotFramed            shorter than a frame, or another first byte
    ├── UnknownSchema        a frame whose schema id we do not know
    ├── MalformedAvro        a body that does not follow its schema
    └── InvalidRecord        well-formed Avro with a value outside its rules; names the field
"""

import hashlib
import io
import struct
from functools import cache
from importlib import resources
from typing import Any, cast

import fastavro
import msgspec
from fastavro.schema import load_schema, to_parsing_canonical_form

from schemas.records import EVENTS, Event

_FRAME = struct.Struct(">bI")
_READ_ERRORS = (EOFError, ValueError, IndexError, KeyError, TypeError, OverflowError, struct.error)


class WireError(Exception):
    """Bytes that are no event of ours. `code` is stable; `field` names the field at fault, or is empty."""

    code = "wire_error"

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class NotFramed(WireError):
    code = "not_framed"


class UnknownSchema(WireError):
    code = "unknown_schema"


class MalformedAvro(WireError):
    code = "malformed_avro"


class InvalidRecord(WireError):
    code = "invalid_record"


@cache
def schema_of(record: type[Event]) -> Any:
    """The parsed, self-contained Avro schema of `record`."""
    folder = resources.files("schemas") / "avro"
    with resources.as_file(folder / f"packshot.{record.__name__}.avsc") as path:
        return load_schema(str(path))


@cache
def schema_id(record: type[Event]) -> int:
    """A positive 31-bit id: the head of the SHA-256 of the schema's canonical form."""
    canonical = to_parsing_canonical_form(schema_of(record))
    return int.from_bytes(hashlib.sha256(canonical.encode()).digest()[:4], "big") & 0x7FFFFFFF


@cache
def _record_of_id() -> dict[int, type[Event]]:
    return {schema_id(record): record for record in EVENTS}


def encode(event: Event) -> bytes:
    """`event` as framed Avro."""
    record = type(event)
    body = io.BytesIO()
    body.write(_FRAME.pack(0, schema_id(record)))
    fastavro.schemaless_writer(body, schema_of(record), msgspec.to_builtins(event))
    return body.getvalue()


def decode(data: bytes) -> Event:
    """The event in `data`. Raises a WireError that says what is wrong and, where it is one, with which field."""
    record = _record_in(data)
    fields = _read_body(data, record)
    try:
        return msgspec.convert(fields, record)
    except msgspec.ValidationError as error:
        raise InvalidRecord(f"{record.__name__}: {error}", field=field_in(error)) from error


def field_in(error: msgspec.ValidationError) -> str:
    """The path of the field that a validation error speaks of: what stands in its backticks, without the `$.`."""
    parts = str(error).split("`")
    paths = [part for part in parts[1::2] if part.startswith("$.")]
    named = paths or [part for part in parts[1::2] if part.isidentifier() and part not in _TYPE_NAMES]
    return named[-1].removeprefix("$.") if named else ""


_TYPE_NAMES = frozenset({"str", "int", "float", "bool", "array", "object", "null"})


def _record_in(data: bytes) -> type[Event]:
    if len(data) < _FRAME.size or data[0] != 0:
        raise NotFramed(f"not a framed record: {data[:8]!r} of {len(data)} bytes")
    found = _FRAME.unpack_from(data)[1]
    record = _record_of_id().get(found)
    if record is None:
        raise UnknownSchema(f"no schema has the id {found}")
    return record


def _read_body(data: bytes, record: type[Event]) -> dict[str, Any]:
    body = io.BytesIO(data[_FRAME.size :])
    try:
        fields = fastavro.schemaless_reader(body, schema_of(record), None)
    except _READ_ERRORS as error:
        raise MalformedAvro(f"{record.__name__}: the body does not follow its schema: {error}") from error
    if body.read(1):
        raise MalformedAvro(f"{record.__name__}: bytes are left after the record")
    return cast(dict[str, Any], {**fields, "type": record.__name__})
