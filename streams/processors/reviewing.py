"""Reviewing: a person's decision. Approved goes live; rejected is redone with other parameters, or ends."""

from schemas.records import AssetWithheld, Event, ReviewDecided
from streams.catalogue import AssetState, Facts, Review
from streams.errors import Refused
from streams.processors import Answers
from streams.processors.planning import redone
from streams.processors.routing import publish_request


def review_decided(event: ReviewDecided, facts: Facts) -> Answers:
    """Carries out a decision. The same decision twice changes nothing, another one on a closed review is refused."""
    review = facts.review(event.review_id)
    if review is None:
        raise Refused("unknown_review", f"no review has the id {event.review_id}", field="review_id", transient=True)
    if review.state != "pending" and review.decision != event:
        raise Refused("review_closed", f"review {event.review_id} is {review.state} already", field="review_id")
    facts.decide_review(event, "approved" if event.approved else "rejected")
    if event.approved:
        return _approve(review, event, facts)
    return _redo(review, event, facts) if event.redo else _end(review, event, facts)


def _approve(review: Review, event: ReviewDecided, facts: Facts) -> list[Event]:
    task = review.request.completed.task
    product = facts.product(task.tenant, task.sku, lock=True)
    if product is None or not _move(review, "publishing", "", facts):
        return []
    approved_by = event.decided_by or "a reviewer"
    return [publish_request(review.request.completed, review.request.verdict, product.event.title, approved_by)]


def _redo(review: Review, event: ReviewDecided, facts: Facts) -> list[Event]:
    task = redone(review.request.completed.task, event.parameters)
    if not _move(review, "planned", f"redone: {event.reason}", facts):
        return []
    facts.put_task(task)
    return [task]


def _end(review: Review, event: ReviewDecided, facts: Facts) -> list[Event]:
    reason = f"rejected: {event.reason}"
    if not _move(review, "rejected", reason, facts):
        return []
    task = review.request.completed.task
    return [AssetWithheld(tenant=task.tenant, sku=task.sku, version=task.version, asset=review.asset, reason=reason)]


def _move(review: Review, state: AssetState, reason: str, facts: Facts) -> bool:
    task = review.request.completed.task
    return facts.move_asset(task.tenant, task.sku, review.asset, review.version, state, reason=reason)
