"""Uploads: what a file is to be is fixed first, then it is put, and then its id stands for it in an order."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from litestar import Request, get, post, put
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from schemas.decoding import prepare
from schemas.records import Label, Sha256
from streams.api.bodies import whole
from streams.api.callers import Asking, Caller
from streams.api.problems import Problem
from streams.services.ordering.uploads import Upload

WRITE = {"scope": "write"}


class UploadBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file will be: its SHA-256 in hex, its bytes, its type, as image/jpeg."""

    sha256: Sha256
    size_bytes: Annotated[int, Meta(ge=1, lt=10**12)]
    media_type: Label


class UploadView(msgspec.Struct, frozen=True, kw_only=True):
    """An upload. While it is `awaited` the file is to be PUT to `url` with these `headers`: within an hour, and without
    a key, where that is the store's own. The gateway's own, `/v1/uploads/ID`, takes it as well."""

    upload_id: str
    state: str
    url: str
    headers: Mapping[str, str]


@post("/v1/uploads", opt=WRITE, status_code=201, sync_to_thread=True)
def post_upload(caller: Asking, data: JSONBody[UploadBody]) -> UploadView:
    """Fixes what a file will be, and says where to put it."""
    upload = Upload(data.sha256, data.size_bytes, data.media_type)
    if upload.size_bytes > caller.settings.source_max_bytes:
        raise Problem("body_too_large", f"a file has at most {caller.settings.source_max_bytes} bytes")
    return _view(caller, upload, is_here=caller.gateway.uploads.has(caller.tenant, upload))


@put("/v1/uploads/{upload_id:str}", opt=WRITE, status_code=200)
async def put_upload(request: Request[Caller, Any, Any], caller: Asking, upload_id: FromPath[str]) -> UploadView:
    """Takes the file, which is to be just what was fixed."""
    upload = Upload.of(upload_id)
    data = await whole(request.stream(), min(upload.size_bytes, caller.settings.source_max_bytes))
    await asyncio.to_thread(caller.gateway.uploads.put, caller.tenant, upload, data)
    return _view(caller, upload, is_here=True)


@get("/v1/uploads/{upload_id:str}", opt={"scope": "read"}, sync_to_thread=True)
def get_upload(caller: Asking, upload_id: FromPath[str]) -> UploadView:
    """How an upload stands."""
    upload = Upload.of(upload_id)
    if not caller.gateway.uploads.has(caller.tenant, upload):
        raise Problem("unknown_upload", f"no file was put for the upload {upload_id!r}", field="upload_id")
    return _view(caller, upload, is_here=True)


def _view(caller: Caller, upload: Upload, *, is_here: bool) -> UploadView:
    upload_id = upload.upload_id
    url, headers = f"{caller.settings.gateway}/v1/uploads/{upload_id}", {"Content-Type": upload.media_type}
    staged = None if is_here else caller.gateway.uploads.stage(caller.tenant, upload)
    if staged is not None:
        url, headers = staged.url, dict(staged.headers)
    return UploadView(upload_id=upload_id, state="here" if is_here else "awaited", url=url, headers=headers)


prepare(UploadBody, UploadView)

ROUTES: tuple[Any, ...] = (post_upload, put_upload, get_upload)
