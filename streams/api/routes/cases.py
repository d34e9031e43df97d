"""Review cases: what waits for a person, by its cause, and what a person decides."""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

import msgspec
from litestar import Response, delete, get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from schemas.decoding import prepare
from schemas.records import DecisionUndone, Text
from streams.api.callers import Asking, Caller
from streams.api.paging import Limit
from streams.blobs import Blobs, NotFound, open_store
from streams.runtime.errors import Refused
from streams.services.reports.moments import age_s
from streams.services.review import cases
from streams.services.review.cases import CasePage, CaseView, ClaimView, Decision, Wanted, Word

AGE = "^[0-9]{1,6}[smhd]$"
READ, REVIEW = {"scope": "read"}, {"scope": "review"}
CURSOR = "`next` of the page before; with the same filters."
FOR_EVER: Mapping[str, str] = {"Cache-Control": "private, max-age=31536000, immutable"}


class ClaimBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who looks at a case, and the `epoch` of their claim; without one a claim begins."""

    holder: Text = ""
    epoch: int | None = None


@get("/v1/reviews/cases", opt=READ, sync_to_thread=True)
def list_cases(
    caller: Asking,
    sku: FromQuery[str | None] = None,
    about: FromQuery[str | None] = None,
    channel: FromQuery[str | None] = None,
    check: FromQuery[str | None] = None,
    category: FromQuery[str | None] = None,
    older_than: Annotated[
        str | None, QueryParameter(pattern=AGE, description="Those that wait for so long: 15m, 2h, 3d.")
    ] = None,
    limit: Limit = 50,
    cursor: Annotated[str | None, QueryParameter(description=CURSOR)] = None,
) -> CasePage:
    """The tenant's cases that wait, by deadline, then age."""
    wanted = Wanted(
        tenant=caller.tenant,
        sku=sku,
        about=about,
        channel=channel,
        check=check,
        category=category,
        older_than_s=None if older_than is None else _age_s(older_than),
    )
    return cases.page(caller.gateway.database, wanted, cursor, limit)


@get("/v1/reviews/cases/{case_id:str}", opt=READ, sync_to_thread=True)
def get_case(caller: Asking, case_id: FromPath[str]) -> CaseView:
    """A case, its assets, and what the gates said, the failing check first."""
    return cases.get(caller.gateway.database, caller.tenant, case_id)


@get("/v1/reviews/cases/{case_id:str}/picture", opt=READ, sync_to_thread=True)
def get_picture(
    caller: Asking,
    case_id: FromPath[str],
    digest: Annotated[
        str | None, QueryParameter(description="Of the cutout or a result; without one the photograph.")
    ] = None,
) -> Response[bytes]:
    """A picture of a case: a result or a cutout as it is, the photograph upright and small enough for a page."""
    if digest is None:
        file = cases.photograph(caller.gateway.database, caller.settings, caller.tenant, case_id)
        return Response(file, media_type="image/webp", headers={"Cache-Control": "private, max-age=3600"})
    blob = cases.picture(caller.gateway.database, caller.tenant, case_id, digest)
    try:
        data = _blobs(caller).get(blob.digest)
    except NotFound as error:
        raise Refused("unknown_picture", "the picture is not kept any more", field="digest") from error
    return Response(data, media_type=blob.media_type, headers=FOR_EVER)


@post("/v1/reviews/cases/{case_id:str}/decision", opt=REVIEW, status_code=202, sync_to_thread=True)
def decide_case(
    caller: Asking,
    case_id: FromPath[str],
    data: JSONBody[Decision],
    holder: Annotated[Text, QueryParameter(description="Who decides, as they claimed it.")] = "",
) -> Word:
    """Decide on a case: for all assets that wait for it."""
    return cases.decide(
        caller.gateway.database,
        caller.sender,
        caller.tenant,
        case_id,
        data,
        _holder(caller, holder),
        blobs=_blobs(caller),
        is_trial=caller.key.mode == "test",
        twice_share=caller.settings.review_twice_share,
    )


@delete("/v1/reviews/cases/{case_id:str}/decision", opt=REVIEW, status_code=202, sync_to_thread=True)
def undo_case(
    caller: Asking,
    case_id: FromPath[str],
    reason: Annotated[Text, QueryParameter(description="Why, which is kept.")] = "",
) -> DecisionUndone:
    """Take a decision back: what went live by it goes, and its assets wait again."""
    return cases.undo(caller.gateway.database, caller.sender, caller.tenant, case_id, reason, caller.name)


@post("/v1/reviews/cases/{case_id:str}/claim", opt=REVIEW, status_code=200, sync_to_thread=True)
def claim_case(caller: Asking, case_id: FromPath[str], data: JSONBody[ClaimBody]) -> ClaimView:
    """Have a case for a minute, or keep it for another: nobody else decides on it meanwhile."""
    database, holder = caller.gateway.database, _holder(caller, data.holder)
    if data.epoch is None:
        return cases.claim(database, caller.tenant, case_id, holder)
    return cases.heartbeat(database, caller.tenant, case_id, holder, data.epoch)


@delete("/v1/reviews/cases/{case_id:str}/claim", opt=REVIEW, status_code=204, sync_to_thread=True)
def release_case(
    caller: Asking,
    case_id: FromPath[str],
    epoch: Annotated[int | None, QueryParameter(ge=1, description="Of the claim; whichever it is without one.")] = None,
    holder: Annotated[Text, QueryParameter(description="Who has it, as they claimed it.")] = "",
) -> None:
    """Give a case back; a claim that has ended already changes nothing."""
    cases.release(caller.gateway.database, caller.tenant, case_id, _holder(caller, holder), epoch)


def _holder(caller: Caller, holder: str) -> str:
    return caller.name if not holder else f"{caller.name}/{holder}"


def _age_s(text: str) -> float:
    try:
        return age_s(text)
    except ValueError as error:
        raise Refused("malformed_request", str(error), field="older_than") from error


def _blobs(caller: Caller) -> Blobs:
    return _opened(caller.settings.blobs, caller.settings.s3_endpoint)


@cache
def _opened(url: str, s3_endpoint: str | None) -> Blobs:
    return Blobs(open_store(url, s3_endpoint=s3_endpoint))


prepare(ClaimBody)

ROUTES: tuple[Any, ...] = (list_cases, get_case, get_picture, decide_case, undo_case, claim_case, release_case)
