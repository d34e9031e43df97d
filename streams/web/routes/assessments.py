"""Assessments: what `packshot assess --tenant` found wrong with a shop's pictures. Nothing is looked at for a page."""

from typing import Annotated, Any, Literal

from litestar import Response, get
from litestar.params import QueryParameter

from streams.services.assessing import kept
from streams.services.assessing.faults import KINDS
from streams.services.assessing.page import OUTCOMES
from streams.web.pages import UNSTORED, page
from streams.web.visitors import VIEW, Looking

At = Annotated[int, QueryParameter(name="at", ge=0, le=10**13 - 1, description="When it was made, Unix ms.")]
Kind = Annotated[Literal["html", "pdf"], QueryParameter(name="file")]
Side = Annotated[Literal["before", "after"], QueryParameter(name="side")]
Number = Annotated[int, QueryParameter(name="n", ge=0, description="The picture's place among those really made.")]
PRIVATE = {"Cache-Control": "private, max-age=3600"}


@get("/desk/{tenant:str}/assessments", opt=VIEW, sync_to_thread=True)
def show_assessments(visitor: Looking, at_ms: At = 0) -> Response[str]:
    """One assessment, by default the newest, and the others to choose from."""
    known = kept.newest(visitor.place.blobs.store, visitor.tenant)
    chosen = next((each for each in known if at_ms in (0, each.made_at_ms)), None)
    return page(visitor, "assessments", known=known, told=chosen, kinds=KINDS, outcomes=OUTCOMES)


@get("/desk/{tenant:str}/assessments/file", opt=VIEW, sync_to_thread=True)
def download(visitor: Looking, at_ms: At, kind: Kind) -> Response[bytes]:
    """The page with the pictures that are wrong, or the sheets of paper, to be kept."""
    file = kept.PAGE if kind == "html" else kept.PAPER
    data = kept.file(visitor.place.blobs.store, visitor.tenant, at_ms, file)
    headers = {"Content-Disposition": f'attachment; filename="{file}"', **UNSTORED}
    return Response(data, media_type=kept.TYPES[file], headers=headers)


@get("/desk/{tenant:str}/assessments/picture", opt=VIEW, sync_to_thread=True)
def show_picture(visitor: Looking, at_ms: At, number: Number, side: Side) -> Response[bytes]:
    """A picture as the shop shows it, or what was made of it."""
    name = kept.picture_name(number, side)
    data = kept.file(visitor.place.blobs.store, visitor.tenant, at_ms, name)
    return Response(data, media_type=kept.PICTURE, headers=PRIVATE)


ROUTES: tuple[Any, ...] = (show_assessments, download, show_picture)
