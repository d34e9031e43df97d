"""What a request for a picture carries: the file itself, a form with it, or JSON that says where it lies.

Names are ours or those that merchants know from others; see `streams.api.merchants`.
"""

import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from litestar import Request
from litestar.datastructures import UploadFile

from schemas.errors import InputError
from schemas.records import Blob, Name, Source, Text
from streams.api import merchants
from streams.api.callers import Caller
from streams.api.merchants import ADDRESS, UPLOAD
from streams.api.problems import Problem
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.ordering.orders import CUTOUT, Order

FORM, JSON = "multipart/form-data", "application/json"
RAW = ("application/octet-stream", "image/")
FILES = ("image", "imageFile", "image_file", "file")  # what the file in a form is called, here and by others
ENVELOPE = "data"  # a form's field that holds JSON
DIGEST = "source.sha256"
OWN: Mapping[str, Any] = {"channel": Name, "category": Text}
OF_RECIPES: Mapping[str, Any] = {**OWN, "recipe": Name, "asset": Name}


@dataclass(frozen=True)
class Carried:
    """The file that a request carries, if it does, and what it says besides."""

    data: bytes = b""
    parameters: dict[str, str] = field(default_factory=dict)


async def carried(request: Request[Caller, Any, Any]) -> Carried:
    """What a request carries. Raises Problem."""
    kind = request.headers.get("Content-Type", RAW[0]).partition(";")[0].strip().lower()
    parameters = {name: str(value) for name, value in request.query_params.items()}
    bytes_max = request.user.settings.source_max_bytes
    if kind == JSON:
        return Carried(parameters=parameters | _of_json(await whole(request.stream(), bytes_max)))
    if kind == FORM:
        fields, data = await _form(request, bytes_max)
        return Carried(data, parameters | fields)
    if kind.startswith(RAW):
        return Carried(await whole(request.stream(), bytes_max), parameters)
    raise Problem("unsupported_media_type", f"{kind!r} is none of image/*, {', '.join((RAW[0], FORM, JSON))}")


async def whole(stream: AsyncIterator[bytes], bytes_max: int) -> bytes:
    """A body, bounded while it is read. Raises Problem."""
    data = bytearray()
    async for chunk in stream:
        data += chunk
        if len(data) > bytes_max:
            raise Problem("body_too_large", f"a file has at most {bytes_max} bytes")
    return bytes(data)


def order_of(caller: Caller, carried: Carried, operation: str | None) -> tuple[Order, bytes]:
    """What a request orders, by its recipe where there is no `operation`; and the file that is its photograph, if that
    came with it or was uploaded before.

    Raises Problem, Refused, StoreError.
    """
    parameters = merchants.ours(carried.parameters)
    if operation is None and "recipe" not in parameters:
        raise Problem("invalid_event", "a render is by a recipe: which?", field="recipe")
    uri, digest, upload_id = (parameters.pop(name, None) for name in (ADDRESS, DIGEST, UPLOAD))
    if sum(bool(each) for each in (carried.data, uri, upload_id)) != 1:
        raise Problem("invalid_event", "one photograph: a file, its address, or the id of an upload", field="image")
    data = carried.data if upload_id is None else caller.gateway.uploads.get(caller.tenant, upload_id)
    kinds = OF_RECIPES if operation is None else OWN
    own = {name: _checked(parameters.pop(name), kind, name) for name, kind in kinds.items() if name in parameters}
    order = Order(
        tenant=caller.tenant,
        operation=operation or CUTOUT,
        parameters=parameters,
        source=None if uri is None else _source(caller, uri, digest),
        upload=None if uri is not None else upload_of(data, caller.settings),
        is_test=caller.key.mode == "test",
        **own,
    )
    return order, data


def upload_of(data: bytes, settings: Settings) -> Blob:
    """A file as a blob, once its header says that it is a picture. Raises Refused."""
    from gpu_workers.sources.decoding import DecodeLimits, header  # with libraries of pictures that little here needs

    try:
        head = header(data, DecodeLimits(pixels_max=settings.source_max_pixels), "the upload")
    except InputError as error:
        raise Refused.because(error, field="image") from error
    size = {"width_px": head.width_px, "height_px": head.height_px, "size_bytes": len(data)}
    return Blob(role="upload", digest=hashlib.sha256(data).hexdigest(), media_type=head.media_type, **size)


def _of_json(data: bytes) -> dict[str, str]:
    try:
        body = msgspec.json.decode(data)
    except RecursionError as error:
        raise Problem("invalid_event", "the body nests too deep") from error
    except msgspec.DecodeError as error:
        raise Problem("invalid_event", str(error)) from error
    if not isinstance(body, dict):
        raise Problem("invalid_event", "the body is to be an object")
    return dict(merchants.flat(body))


async def _form(request: Request[Caller, Any, Any], bytes_max: int) -> tuple[dict[str, str], bytes]:
    form = await request.form()
    files = [each for name, each in form.multi_items() if name in FILES and isinstance(each, UploadFile)]
    if len(files) > 1:
        raise Problem("invalid_event", f"a form has one file, called {FILES[0]}", field=FILES[0])
    data = await files[0].read(bytes_max + 1) if files else b""
    if len(data) > bytes_max:
        raise Problem("body_too_large", f"a file has at most {bytes_max} bytes")
    texts = {name: each for name, each in form.multi_items() if isinstance(each, str)}
    return _of_json(texts.pop(ENVELOPE, "{}").encode()) | texts, data


def _source(caller: Caller, uri: str, digest: str | None) -> Source:
    caller.catalogue.check_source(uri, ADDRESS)
    source: Source = _checked({"uri": uri, "sha256": digest}, Source, "source")
    return source


def _checked(value: Any, kind: Any, name: str) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise Problem("invalid_event", str(error), field=name) from error
