"""Pictures, each by what it is of: who may not see a product sees none of its pictures, whoever else has the same."""

from functools import partial
from typing import Annotated, Any, Literal

from litestar import Request, Response, get
from litestar.params import FromQuery, QueryParameter

from schemas.records import Source
from streams.facts import Review
from streams.services.display.showing import Shown, source_of
from streams.web.pages import NotHere
from streams.web.visitors import VIEW, Looking, Visitor

SIZES = (96, 320, 640, 1280)
Size = Annotated[int, QueryParameter(name="size", description="The longest side in px; 0: whole.")]
Part = Annotated[Literal["result", "source", "left-out"], QueryParameter(name="part")]
KEPT = {"Cache-Control": "private, max-age=3600"}


@get("/desk/{tenant:str}/picture/asset", opt=VIEW, sync_to_thread=True)
def show_asset(
    request: Request[Any, Any, Any], visitor: Looking, sku: FromQuery[str], asset: FromQuery[str], size_px: Size = 320
) -> Response[bytes]:
    """What is live of an asset, else what waits for a person."""
    with visitor.place.read() as facts:
        rows = {each.asset: each for each in facts.assets.of(visitor.tenant, sku)}
        pending = facts.reviews.pending_of(visitor.tenant, sku, asset)
    row, showing = rows.get(asset), visitor.place.showing
    if row is not None and row.live is not None and not pending:
        file = row.live.file
        return answer_picture(request, visitor, file.sha256, partial(showing.live, file.key, file.media_type), size_px)
    if row is None or not pending:
        raise NotHere("there is no picture of it")
    return _part(request, visitor, pending[-1], "result", size_px)


@get("/desk/{tenant:str}/picture/source", opt=VIEW, sync_to_thread=True)
def show_source(
    request: Request[Any, Any, Any],
    visitor: Looking,
    sku: FromQuery[str],
    number: Annotated[int, QueryParameter(name="n", ge=0)] = 0,
    size_px: Size = 320,
) -> Response[bytes]:
    """A photograph of a product."""
    with visitor.place.read() as facts:
        product = facts.products.get(visitor.tenant, sku)
    if product is None or number >= len(product.event.sources):
        raise NotHere("there is no such photograph")
    return _photograph(request, visitor, product.event.sources[number], size_px)


@get("/desk/{tenant:str}/picture/review", opt=VIEW, sync_to_thread=True)
def show_review(
    request: Request[Any, Any, Any],
    visitor: Looking,
    review: FromQuery[str],
    part: Part = "result",
    size_px: Size = 0,
) -> Response[bytes]:
    """What a review is about: the result, the photograph, or what the cutout left out of it."""
    with visitor.place.read() as facts:
        found = facts.reviews.get(review)
    if found is None or found.request.completed.task.tenant != visitor.tenant:
        raise NotHere("there is no such review")
    return _part(request, visitor, found, part, size_px)


def _part(
    request: Request[Any, Any, Any], visitor: Visitor, review: Review, part: str, size_px: int
) -> Response[bytes]:
    completed, showing = review.request.completed, visitor.place.showing
    if part == "result":
        blob = completed.outputs[0]
        return answer_picture(
            request, visitor, blob.digest, partial(showing.blob, blob.digest, blob.media_type), size_px
        )
    with visitor.place.read() as facts:
        source = source_of(completed, facts)
    if source is None:
        raise NotHere("the photograph is not known any more")
    if part == "source" or not completed.task.inputs:
        return _photograph(request, visitor, source, size_px)
    cutout = completed.task.inputs[0].digest
    name = f"left-out-{cutout}"
    return answer_picture(
        request, visitor, name, partial(showing.left_out, partial(showing.source, source), cutout), size_px
    )


def _photograph(request: Request[Any, Any, Any], visitor: Visitor, source: Source, size_px: int) -> Response[bytes]:
    name = f"{source.uri} {source.sha256 or ''}"
    return answer_picture(
        request, visitor, name, partial(visitor.place.showing.source, source), size_px, is_named=False
    )


def answer_picture(
    request: Request[Any, Any, Any], visitor: Visitor, name: str, whole: Any, size_px: int, *, is_named: bool = True
) -> Response[bytes]:
    """The picture; one that is named by what is in it is not sent to whoever has it."""
    tag = f'"{name[:80]}-{size_px}"'
    headers = KEPT | ({"ETag": tag} if is_named else {})
    if is_named and request.headers.get("If-None-Match") == tag:
        return Response(b"", status_code=304, headers=headers)
    if size_px and size_px not in SIZES:
        raise NotHere(f"pictures are {', '.join(map(str, SIZES))} px, or whole")
    shown: Shown = visitor.place.showing.small(name, whole, size_px) if size_px else whole()
    return Response(shown.data, media_type=shown.media_type, headers=headers)


ROUTES: tuple[Any, ...] = (show_asset, show_source, show_review)
