"""Reviewing: a person's decision. Approved goes live; rejected is redone with other parameters, or ends."""

from schemas.records import AssetWithheld, PublishRequested, ReviewDecided, Task
from streams.catalogue import AssetState, Facts, Review
from streams.errors import Refused
from streams.processors import Answers
from streams.processors.planning import redone
from streams.processors.routing import publish_request


def review_decided(event: ReviewDecided, facts: Facts) -> Answers:
    """Carries out a decision. Told again it is answered the same and moves nothing; another one is refused."""
    review = facts.review(event.review_id)
    if review is None:
        raise Refused("unknown_review", f"no review has the id {event.review_id}", field="review_id", transient=True)
    if review.state != "pending" and review.decision != event:
        raise Refused("review_closed", f"review {event.review_id} is {review.state} already", field="review_id")
    task = review.request.completed.task
    product = facts.product(task.tenant, task.sku, lock=True)
    if product is None:
        return []
    answer = _answer(review, event, product.event.title)
    if review.state == "pending":
        facts.decide_review(event, "approved" if event.approved else "rejected")
        state, reason = _STATES[type(answer)], "" if event.approved else f"{_verb(event)}: {event.reason}"
        if not facts.move_asset(task.tenant, task.sku, review.asset, review.version, state, reason=reason):
            return []
        if isinstance(answer, Task):
            facts.put_task(answer)
    return [answer]


_STATES: dict[type, AssetState] = {PublishRequested: "publishing", Task: "planned", AssetWithheld: "rejected"}


def _answer(review: Review, event: ReviewDecided, title: str) -> PublishRequested | Task | AssetWithheld:
    completed = review.request.completed
    task = completed.task
    if event.approved:
        return publish_request(completed, review.request.verdict, title, event.decided_by or "a reviewer")
    if event.redo:
        return redone(task, event.parameters)
    reason = f"{_verb(event)}: {event.reason}"
    return AssetWithheld(tenant=task.tenant, sku=task.sku, version=task.version, asset=review.asset, reason=reason)


def _verb(event: ReviewDecided) -> str:
    return "redone" if event.redo else "rejected"
