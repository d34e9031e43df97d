"""Photographs as callers send them: the file itself, a form with it, or JSON that says where it lies."""

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

import msgspec
from litestar import Request
from litestar.datastructures import UploadFile
from msgspec import Meta, field

from schemas.errors import InputError
from schemas.records import Blob, Name, Source, Text
from streams.api.callers import Caller
from streams.api.problems import Problem
from streams.runtime.errors import Refused
from streams.services.pictures import Order

FORM, JSON = "multipart/form-data", "application/json"
RAW = ("application/octet-stream", "image/")
FILES = ("image", "imageFile", "image_file")  # what the file in a form is called, here and by others
OWN = ("channel", "category")


class PictureBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A photograph by its address, and what is to be made of it."""

    source: Source
    channel: Name | None = None
    category: Text = ""
    parameters: Annotated[dict[str, str | bool | int | float], Meta(max_length=64)] = field(default_factory=dict)


async def order_in(request: Request[Caller, Any, Any], operation: str) -> tuple[Order, bytes]:
    """What a request orders, and the file that came with it, if one did. Raises Problem."""
    kind = request.headers.get("Content-Type", RAW[0]).partition(";")[0].strip().lower()
    told = {name: str(value) for name, value in request.query_params.items()}
    bytes_max = request.user.settings.source_max_bytes
    if kind == JSON:
        return _by_address(request.user, operation, await whole(request.stream(), bytes_max), told), b""
    if kind == FORM:
        fields, data = await _form(request, bytes_max)
        return _order(request.user, operation, told | fields), data
    if kind.startswith(RAW):
        return _order(request.user, operation, told), await whole(request.stream(), bytes_max)
    raise Problem("unsupported_media_type", f"{kind!r} is none of image/*, {', '.join((RAW[0], FORM, JSON))}")


async def whole(stream: AsyncIterator[bytes], bytes_max: int) -> bytes:
    """A body, bounded while it is read. Raises Problem."""
    data = bytearray()
    async for chunk in stream:
        data += chunk
        if len(data) > bytes_max:
            raise Problem("body_too_large", f"a file has at most {bytes_max} bytes")
    return bytes(data)


def put(caller: Caller, data: bytes) -> Blob:
    """A file in the blob store, once its header says that it is a picture. Raises Refused, StoreError."""
    from gpu_workers.sources.decoding import DecodeLimits, header  # with libraries of pictures that little here needs

    limits = DecodeLimits(pixels_max=caller.settings.source_max_pixels)
    try:
        head = header(data, limits, "the upload")
    except InputError as error:
        raise Refused.because(error, field="image") from error
    digest = caller.gateway.pictures.blobs.put(data, head.media_type)
    size = {"width_px": head.width_px, "height_px": head.height_px, "size_bytes": len(data)}
    return Blob(role="upload", digest=digest, media_type=head.media_type, **size)


def _by_address(caller: Caller, operation: str, data: bytes, told: Mapping[str, str]) -> Order:
    try:
        body = msgspec.json.decode(data, type=PictureBody)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Problem("invalid_event", str(error)) from error
    caller.catalogue.check_source(body.source.uri, "source.uri")
    own = {"channel": body.channel, "category": body.category}
    given = {name: value for name, value in own.items() if value}
    parameters = {name: _text(value) for name, value in body.parameters.items()}
    return _order(caller, operation, {**told, **parameters, **given}, body.source)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _order(caller: Caller, operation: str, told: Mapping[str, str], source: Source | None = None) -> Order:
    parameters = {name: value for name, value in told.items() if name not in OWN}
    try:
        category = msgspec.convert(told.get("category", ""), Text)
    except msgspec.ValidationError as error:
        raise Problem("invalid_event", str(error), field="category") from error
    channel = told.get("channel")
    asked = {"channel": channel, "category": category, "parameters": parameters, "source": source}
    return Order(tenant=caller.tenant, operation=operation, **asked)  # type: ignore[arg-type]


async def _form(request: Request[Caller, Any, Any], bytes_max: int) -> tuple[dict[str, str], bytes]:
    form = await request.form()
    files = [each for name, each in form.multi_items() if name in FILES and isinstance(each, UploadFile)]
    if len(files) != 1:
        raise Problem("invalid_event", f"a form has one file, called {FILES[0]}", field=FILES[0])
    data = await files[0].read(bytes_max + 1)
    if len(data) > bytes_max:
        raise Problem("body_too_large", f"a file has at most {bytes_max} bytes")
    return {name: each for name, each in form.multi_items() if isinstance(each, str)}, data
