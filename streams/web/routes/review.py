"""Review: the cases that wait, one after the other, and what a person says of each.

The page shows cases that its script has claimed; a decision is sent when the moment to take it back is over.
"""

from functools import partial
from typing import Annotated, Any, Literal, get_args

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromQuery, JSONBody, QueryParameter

from schemas.decoding import prepare
from schemas.records import DecisionUndone, OpinionGiven
from schemas.retouching import SIZE_BYTES_MAX
from streams.runtime.errors import Refused
from streams.services.review import case_groups, cases
from streams.services.review.case_groups import Decided
from streams.services.review.cases import CasePage, CaseSummary, CaseView, Claimed, ClaimView, Decision, Wanted, Word
from streams.services.review.where import What, where
from streams.web import telling
from streams.web.pages import UNSTORED, NotHere, page
from streams.web.routes.pictures import answer_picture
from streams.web.visitors import REVIEW, VIEW, Looking, Visitor

SOURCE_PX = 2048  # of a photograph, as if it were square: more is not seen on a screen
SHOWN_AT_ONCE = 50
SAID_BYTES_MAX = 2 * SIZE_BYTES_MAX  # of strokes as a text
Id = Annotated[str, QueryParameter(name="case", max_length=64)]


class CaseFilter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which cases a reviewer wants to see; all when nothing is given."""

    about: str | None = None
    channel: str | None = None
    check: str | None = None
    sku: str | None = None


class Held(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A case that is claimed."""

    case: str
    epoch: int


class TakenBack(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A case whose decision is taken back, and why."""

    case: str
    reason: str = ""


class CaseDecision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A decision on a case."""

    case: str
    decision: Decision


class CasesDecision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same decision on several cases."""

    cases: Annotated[list[str], msgspec.Meta(min_length=1, max_length=case_groups.ALIKE_MAX + 1)]
    decision: Decision


@get("/desk/{tenant:str}/review", opt=VIEW, sync_to_thread=True)
def show_review(
    visitor: Looking, about: FromQuery[str] = "", channel: FromQuery[str] = "", sku: FromQuery[str] = ""
) -> Response[str]:
    """The page on which cases are settled; who may only look sees what waits."""
    query = {"about": about, "channel": channel, "sku": sku}
    wanted = _wanted(visitor, CaseFilter(**{name: value for name, value in query.items() if value}))
    waiting = cases.page(visitor.place.database, wanted, None, SHOWN_AT_ONCE)
    with visitor.place.read() as facts:
        channels = facts.overviews.channels(visitor.tenant)
    return page(
        visitor,
        "review",
        waiting=waiting,
        count=cases.count(visitor.place.database, wanted),
        asked=query,
        channels=channels,
        abouts=get_args(cases.About),
        words=telling.CHECKS,
    )


@get("/desk/{tenant:str}/review/cases", opt=VIEW, sync_to_thread=True)
def list_cases(
    visitor: Looking, about: FromQuery[str] = "", channel: FromQuery[str] = "", after: FromQuery[str] = ""
) -> CasePage:
    """What waits, by deadline, then age."""
    wanted = _wanted(visitor, CaseFilter(about=about or None, channel=channel or None))
    return cases.page(visitor.place.database, wanted, after or None, SHOWN_AT_ONCE)


@get("/desk/{tenant:str}/review/alike", opt=VIEW, sync_to_thread=True)
def list_alike(visitor: Looking, case: Id) -> list[CaseSummary]:
    """The cases that are in doubt for just the same."""
    return case_groups.alike(visitor.place.database, visitor.tenant, case)


@get("/desk/{tenant:str}/review/case", opt=VIEW, sync_to_thread=True)
def get_case(visitor: Looking, case: Id) -> CaseView:
    """One case, whatever its state."""
    return cases.get(visitor.place.database, visitor.tenant, case)


@post("/desk/{tenant:str}/review/next", opt=REVIEW, sync_to_thread=True, status_code=200)
def claim_next(visitor: Looking, data: JSONBody[CaseFilter]) -> Response[Claimed | None]:
    """Claims the next case that is nobody's; null when there is none."""
    found = cases.next_case(visitor.place.database, _wanted(visitor, data), visitor.name)
    return Response(found, headers=UNSTORED)


@post("/desk/{tenant:str}/review/claim", opt=REVIEW, sync_to_thread=True, status_code=200)
def claim(visitor: Looking, case: Id) -> Claimed:
    """Claims just this case, as one that was decided and is taken back."""
    held = cases.claim(visitor.place.database, visitor.tenant, case, visitor.name)
    return Claimed(claim=held, case=cases.get(visitor.place.database, visitor.tenant, case))


@post("/desk/{tenant:str}/review/keep", opt=REVIEW, sync_to_thread=True, status_code=200)
def keep(visitor: Looking, data: JSONBody[Held]) -> Response[ClaimView | None]:
    """Keeps a claim, a heartbeat longer; null for one that has ended, as when its case is decided in this moment."""
    try:
        held = cases.heartbeat(visitor.place.database, visitor.tenant, data.case, visitor.name, data.epoch)
    except Refused as refusal:
        if refusal.code != "claim_lost":
            raise
        return Response(None, headers=UNSTORED)
    return Response(held, headers=UNSTORED)


@post("/desk/{tenant:str}/review/release", opt=REVIEW, sync_to_thread=True, status_code=204)
def release(visitor: Looking, data: JSONBody[Held]) -> None:
    """Gives a case back."""
    cases.release(visitor.place.database, visitor.tenant, data.case, visitor.name, data.epoch)


@post(
    "/desk/{tenant:str}/review/decide",
    opt=REVIEW,
    sync_to_thread=True,
    status_code=202,
    request_max_body_size=SAID_BYTES_MAX,
)
def decide(visitor: Looking, data: JSONBody[CaseDecision]) -> Word:
    """Sends a decision; it counts once the broker has it."""
    place = visitor.place
    return cases.decide(
        place.database,
        place.sender,
        visitor.tenant,
        data.case,
        data.decision,
        visitor.name,
        blobs=place.blobs,
        twice_share=place.settings.review_twice_share,
    )


@post("/desk/{tenant:str}/review/decide-alike", opt=REVIEW, sync_to_thread=True, status_code=202)
def decide_alike(visitor: Looking, data: JSONBody[CasesDecision]) -> list[Decided]:
    """Sends the same decision on several cases; each is an event of its own."""
    place, share = visitor.place, visitor.place.settings.review_twice_share
    together = partial(case_groups.decide, place.database, place.sender, visitor.tenant)
    return together(data.cases, data.decision, visitor.name, share)


@post("/desk/{tenant:str}/review/undo", opt=REVIEW, sync_to_thread=True, status_code=202)
def undo(visitor: Looking, data: JSONBody[TakenBack]) -> DecisionUndone | OpinionGiven:
    """Takes a decision back: what went live by it goes, and the case waits again; by an opinion nothing went live."""
    place = visitor.place
    return cases.take_back(place.database, place.sender, visitor.tenant, data.case, data.reason, visitor.name)


@get("/desk/{tenant:str}/review/picture", opt=VIEW, sync_to_thread=True)
def show_picture(
    request: Request[Any, Any, Any],
    visitor: Looking,
    case: Id,
    digest: Annotated[str, QueryParameter(max_length=64)],
    size_px: Annotated[int, QueryParameter(name="size")] = 0,
) -> Response[bytes]:
    """A picture of a case."""
    place = visitor.place
    blob = cases.picture(place.database, visitor.tenant, case, digest)
    whole = partial(place.showing.blob, blob.digest, blob.media_type)
    return answer_picture(request, visitor, blob.digest, whole, size_px)


@get("/desk/{tenant:str}/review/photograph", opt=VIEW, sync_to_thread=True)
def show_photograph(
    request: Request[Any, Any, Any],
    visitor: Looking,
    case: Id,
    part: Annotated[Literal["source", "left-out"], QueryParameter(name="part")] = "source",
) -> Response[bytes]:
    """The photograph of a case, or what its cutout left out of it."""
    place = visitor.place
    view = cases.get(place.database, visitor.tenant, case)
    source, cutout = view.summary.source, view.summary.cutout
    if source is None:
        raise NotHere("nobody has noted which photograph this was")
    photograph = partial(place.showing.source, source, SOURCE_PX * SOURCE_PX)
    name = f"{source.uri} {source.sha256 or ''}"
    if part == "source" or cutout is None:
        return answer_picture(request, visitor, name, photograph, 0, is_named=False)
    left_out = partial(place.showing.left_out, photograph, cutout.digest)
    return answer_picture(request, visitor, f"left-out-{cutout.digest}", left_out, 0)


@get("/desk/{tenant:str}/review/where", opt=VIEW, sync_to_thread=True)
def show_where(
    request: Request[Any, Any, Any],
    visitor: Looking,
    case: Id,
    digest: Annotated[str, QueryParameter(max_length=64)],
    what: FromQuery[What | None] = None,
) -> Response[bytes]:
    """A picture of a case with where it is in doubt drawn over it."""
    place = visitor.place
    make = partial(where, place.settings, place.database, place.blobs, visitor.tenant, case, digest, what)
    cases.picture(place.database, visitor.tenant, case, digest)
    name = f"where-{what}-{case[:16]}-{digest}"
    return answer_picture(request, visitor, name, partial(place.showing.drawn, name, make), 0)


def _wanted(visitor: Visitor, query: CaseFilter) -> Wanted:
    return Wanted(tenant=visitor.tenant, **msgspec.structs.asdict(query))


prepare(CaseFilter, Held, TakenBack, CaseDecision, CasesDecision)

ROUTES: tuple[Any, ...] = (
    show_review,
    list_cases,
    list_alike,
    get_case,
    claim_next,
    claim,
    keep,
    release,
    decide,
    decide_alike,
    undo,
    show_picture,
    show_photograph,
    show_where,
)
