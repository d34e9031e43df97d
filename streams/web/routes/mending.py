"""Mending: a person marks on the photograph what is product and what is not, sees what comes of it, and sends it."""

import base64
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType
from litestar.params import Body, JSONBody, QueryParameter

from schemas.decoding import prepare
from schemas.retouching import SIZE_BYTES_MAX, Retouch
from streams.flow.processors.retouching import OPERATION as CUTOUT
from streams.runtime.errors import Refused
from streams.services.display.showing import Shown
from streams.services.review import cases, mending
from streams.services.review.cases import StepView
from streams.services.review.mending import PreviewRequest, Seen
from streams.web import telling
from streams.web.pages import UNSTORED, page
from streams.web.routes.trying import CheckView, check_view
from streams.web.visitors import REVIEW, Looking

REQUEST_BYTES_MAX = 2 * SIZE_BYTES_MAX  # a text of strokes is longer than their blob where it has spaces
MASK_FORM_BYTES_MAX = mending.MASK_BYTES_MAX + 64 * 1024
Id = Annotated[str, QueryParameter(name="case", max_length=64)]


class PictureView(msgspec.Struct, frozen=True, kw_only=True):
    """A picture's file in base64, and what it is."""

    file: str
    media_type: str


class PreviewView(msgspec.Struct, frozen=True, kw_only=True):
    """What comes of a request; `outcome` and `checks` are the gates' on the asset."""

    cutout: PictureView | None
    asset: PictureView | None
    outcome: str | None
    checks: list[CheckView]
    uncertainty: float | None


class Mask(msgspec.Struct, frozen=True, kw_only=True):
    """A mask that is kept."""

    mask: str


@get("/desk/{tenant:str}/mend", opt=REVIEW, sync_to_thread=True)
def show_mend(visitor: Looking, case: Id) -> Response[str]:
    """The page on which a case's photograph is marked."""
    view = cases.get(visitor.place.database, visitor.tenant, case)
    if view.summary.source is None:
        raise Refused("unknown_source", "nobody has noted which photograph this was", field="case_id")
    place = visitor.place
    known = mending.networks(place.settings, place.database, place.blobs)
    steps = [_with_networks(each, known) for each in view.steps]
    return page(visitor, "mend", case=view.summary, steps=steps, assets=view.assets, uncertainty=_doubt(view))


@get("/desk/{tenant:str}/mend/marks", opt=REVIEW, sync_to_thread=True)
def show_marks(visitor: Looking, case: Id) -> Response[Retouch | None]:
    """The marks by which the photograph is cut out now."""
    place = visitor.place
    return Response(mending.marks(place.database, place.blobs, visitor.tenant, case), headers=UNSTORED)


@post(
    "/desk/{tenant:str}/mend/preview",
    opt=REVIEW,
    sync_to_thread=True,
    status_code=200,
    request_max_body_size=REQUEST_BYTES_MAX,
)
def preview(visitor: Looking, data: JSONBody[PreviewRequest]) -> Response[PreviewView]:
    """What comes of marks and parameters; nothing is sent."""
    place = visitor.place
    seen = mending.preview(place.settings, place.database, place.blobs, visitor.tenant, data)
    return Response(_view(seen), headers=UNSTORED)


@post(
    "/desk/{tenant:str}/mend/mask",
    opt=REVIEW,
    sync_to_thread=True,
    status_code=201,
    request_max_body_size=MASK_FORM_BYTES_MAX,
)
def keep_mask(
    visitor: Looking,
    case: Id,
    data: Annotated[dict[str, Any], Body(media_type=RequestEncodingType.MULTI_PART)],
) -> Response[Mask]:
    """Keeps a mask that was drawn elsewhere, for marks to begin from."""
    cases.get(visitor.place.database, visitor.tenant, case)
    sent = data.get("mask")
    if not isinstance(sent, UploadFile):
        raise Refused("missing_input", "send a mask", field="mask")
    kept = mending.keep_mask(visitor.place.blobs, visitor.tenant, sent.file.read())
    return Response(Mask(mask=kept), headers=UNSTORED)


def _with_networks(step: StepView, known: list[str]) -> StepView:
    """A step of which the network may be chosen among those that there are."""
    if step.operation != CUTOUT:
        return step
    return msgspec.structs.replace(step, takes={**step.takes, mending.NETWORK: " | ".join(known)})


def _doubt(view: cases.CaseView) -> float | None:
    found: Mapping[str, float | None] = {each.name: each.measured for each in view.checks}
    return found.get("cutout.uncertainty")


def _view(seen: Seen) -> PreviewView:
    checks = telling.worst_first(seen.verdict.checks) if seen.verdict else []
    return PreviewView(
        cutout=_picture(seen.cutout),
        asset=_picture(seen.asset),
        outcome=seen.verdict.outcome if seen.verdict else None,
        checks=[check_view(check) for check in checks],
        uncertainty=seen.measures.get("uncertainty"),
    )


def _picture(shown: Shown | None) -> PictureView | None:
    if shown is None:
        return None
    return PictureView(file=base64.b64encode(shown.data).decode(), media_type=shown.media_type)


prepare(PreviewView, Mask)

ROUTES: tuple[Any, ...] = (show_mend, show_marks, preview, keep_mask)
