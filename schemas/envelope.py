"""What travels in Kafka headers: CloudEvents attributes, the W3C trace context, and the story of a retry."""

from collections.abc import Iterable, Mapping
from uuid import uuid4

from schemas.records import Event

Headers = list[tuple[str, bytes]]
CONTENT_TYPE = b"application/vnd.packshot.avro"


def cloud_event(event: Event, *, source: str, time: str, trace: Mapping[str, str], event_id: str = "") -> Headers:
    """The headers of a new event. `time` is RFC 3339; `trace` holds traceparent and perhaps tracestate."""
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": event_id or str(uuid4()),
        "ce_type": f"packshot.{type(event).__name__}",
        "ce_source": source,
        "ce_time": time,
        **trace,
    }
    return [("content-type", CONTENT_TYPE), *((name, value.encode()) for name, value in attributes.items())]


def as_mapping(headers: Iterable[tuple[str, bytes | str | None]] | None) -> dict[str, str]:
    """Headers as text by name; the last of a repeated name counts, bytes that are no UTF-8 are shown as such."""
    return {name: _text(value) for name, value in headers or ()}


def _text(value: bytes | str | None) -> str:
    return value if isinstance(value, str) else (value or b"").decode(errors="backslashreplace")
