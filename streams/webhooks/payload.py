"""What a webhook says of an event: ids, states and URLs, and never a picture; who wants more reads the manifest."""

from datetime import UTC, datetime
from typing import Any, Literal, get_args

import msgspec

from schemas.records import AssetPublished, AssetRetracted, ProductPublished

EventType = Literal["asset.published", "asset.retracted", "product.published"]
EVENT_TYPES: tuple[EventType, ...] = get_args(EventType)
BODY_BYTES_MAX = 20_000  # the standard's advice
TEXT_BYTES_MAX = 1000  # of one text in a body that is cut; more than any name that we make
Published = AssetPublished | AssetRetracted | ProductPublished


def type_of(event: Published) -> EventType:
    """The type that endpoints ask for."""
    match event:
        case AssetPublished():
            return "asset.published"
        case AssetRetracted():
            return "asset.retracted"
        case ProductPublished():
            return "product.published"


def body(event: Published) -> bytes:
    """The body, less than 20 kB of JSON: what is too long for it is cut, and `truncated` says so."""
    data = {"tenant": event.tenant, "sku": event.sku, "version": event.version, **_data(event)}
    encoded = _encoded(event, data)
    while len(encoded) >= BODY_BYTES_MAX:
        data = {name: _half(value) for name, value in data.items()} | {"truncated": True}
        encoded = _encoded(event, data)
    return encoded


def _encoded(event: Published, data: dict[str, Any]) -> bytes:
    at_ms = event.retracted_at_ms if isinstance(event, AssetRetracted) else event.published_at_ms
    moment = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return msgspec.json.encode({"type": type_of(event), "timestamp": moment, "data": data})


def _data(event: Published) -> dict[str, Any]:
    match event:
        case AssetPublished():
            return _asset(event)
        case AssetRetracted():
            about = {"asset": event.asset, "state": "retracted", "reason": event.reason}
            return about | {"urls": event.urls, "urls_until_ms": event.urls_until_ms}
        case ProductPublished():
            about = {"state": "published", "manifest_url": event.manifest_url}
            return about | {"assets": event.assets, "withheld": event.withheld}


def _asset(event: AssetPublished) -> dict[str, Any]:
    """Its channel's own file; the renditions stand in the manifest."""
    file = event.file
    return {
        "asset": event.asset,
        "channel": event.channel,
        "campaign": event.campaign,
        "state": "published",
        "url": file.url,
        "media_type": file.media_type,
        "width_px": file.width_px,
        "height_px": file.height_px,
        "size_bytes": file.size_bytes,
        "sha256": file.sha256,
        "manifest_url": event.manifest_url,
        "unchanged": event.unchanged,
    }


def _half(value: Any) -> Any:
    """Less of it; a text that is too long is left out, for half a URL leads elsewhere."""
    if isinstance(value, str) and len(value.encode()) > TEXT_BYTES_MAX:
        return None
    if isinstance(value, list):
        return value[: len(value) // 2]
    if isinstance(value, dict):
        return dict(list(value.items())[: len(value) // 2])
    return value
