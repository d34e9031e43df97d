"""Reviews: what waits for a person, and what a person decides."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from litestar import delete, get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import field

from schemas.decoding import prepare
from schemas.records import DecisionUndone, Parameters, ReviewDecided, Text
from streams.api.callers import Asking, Caller
from streams.api.paging import Cursor, Limit, behind, following, given
from streams.api.problems import Problem
from streams.facts import Review
from streams.services.operating import decisions
from streams.services.operating.double_review import check_alone
from streams.services.reports.views import ReviewView, review_view

READ, REVIEW = {"scope": "read"}, {"scope": "review"}
ReviewState = Literal["pending", "approved", "rejected", "superseded"]


class ReviewPage(msgspec.Struct, frozen=True, kw_only=True):
    """Reviews by id; `next` is the cursor of the next page."""

    items: Sequence[ReviewView]
    next: str | None


class DecisionBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether the asset goes live; a rejected one is made again with `parameters` when `redo`."""

    approved: bool
    reason: Text = ""
    redo: bool = False
    parameters: Parameters = field(default_factory=dict)


@get("/v1/reviews", opt=READ, sync_to_thread=True)
def list_reviews(
    caller: Asking,
    where: Annotated[ReviewState, QueryParameter(name="state", description="Those in this state.")] = "pending",
    sku: FromQuery[str | None] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> ReviewPage:
    """The tenant's reviews in a state, by id."""
    wanted = given(state=where, sku=sku)
    after = behind(cursor, wanted)
    with caller.read() as facts:
        rows = facts.reviews.page(caller.tenant, after, limit, wanted)
    following_page = following(rows, limit, wanted, lambda row: (row.review_id,))
    return ReviewPage(items=[review_view(row) for row in rows], next=following_page)


@get("/v1/reviews/{review_id:str}", opt=READ, sync_to_thread=True)
def get_review(caller: Asking, review_id: FromPath[str]) -> ReviewView:
    """A review and what the gates said."""
    return review_view(_known(caller, review_id))


@post("/v1/reviews/{review_id:str}/decision", opt=REVIEW, status_code=202, sync_to_thread=True)
def decide(caller: Asking, review_id: FromPath[str], data: JSONBody[DecisionBody]) -> ReviewDecided:
    """Decide on a review that waits. A rejection takes its picture down where it is live by rules of before."""
    review = _known(caller, review_id)
    if review.state != "pending":
        raise Problem("review_closed", f"it is {review.state}", field="review_id")
    with caller.read() as facts:
        check_alone(review, facts, caller.settings.review_twice_share)
        is_live = decisions.live([review], facts) != []
    said = msgspec.structs.asdict(data)
    return decisions.decide(review, caller.sender, is_live=is_live, **said, decided_by=caller.name)


@delete("/v1/reviews/{review_id:str}/decision", opt=REVIEW, status_code=202, sync_to_thread=True)
def undo_decision(
    caller: Asking,
    review_id: FromPath[str],
    reason: Annotated[Text, QueryParameter(description="Why, which is kept.")] = "",
) -> DecisionUndone:
    """Take a decision back: what went live by it goes, and the review waits again."""
    return decisions.undo(_known(caller, review_id), caller.sender, reason, caller.name)


def _known(caller: Caller, review_id: str) -> Review:
    with caller.read() as facts:
        review = facts.reviews.get(review_id)
    if review is None or review.request.completed.task.tenant != caller.tenant:
        raise Problem("unknown_review", f"no review has the id {review_id!r}", field="review_id")
    return review


prepare(ReviewPage, DecisionBody)

ROUTES: tuple[Any, ...] = (list_reviews, get_review, decide, undo_decision)
