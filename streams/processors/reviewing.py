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
    task = review.request.completed.task
    check_product(review, event)
    if review.state != "pending" and review.decision != event:
        raise Refused("review_closed", f"review {event.review_id} is {review.state} already", field="review_id")
    product = facts.product(task.tenant, task.sku, lock=True)
    if product is None:
        return []
    answer = _answer(review, event, product.event.title)
    if review.state == "pending":
        if isinstance(answer, Task) and facts.knows_task(answer.task_id):
            raise Refused("redone_before", "just these parameters were tried before", field="parameters")
        if not carry_out(review, event, facts):
            return []
        if isinstance(answer, Task):
            facts.put_task(answer)
    return [answer]


def check_product(review: Review, event: ReviewDecided) -> None:
    """Raises Refused for a decision that is of another product than its review: nobody decides for another tenant."""
    task = review.request.completed.task
    if (event.tenant, event.sku) != (task.tenant, task.sku):
        told = f"review {event.review_id} is of another product than {event.tenant}|{event.sku}"
        raise Refused("wrong_review", told, field="sku" if event.tenant == task.tenant else "tenant")


def carry_out(review: Review, event: ReviewDecided, facts: Facts) -> bool:
    """Closes the review and moves its asset; False when the plan does not know the asset any more."""
    facts.decide_review(event, "approved" if event.approved else "rejected")
    state: AssetState = "publishing" if event.approved else "planned" if event.redo else "rejected"
    reason = "" if event.approved else f"{_verb(event)}: {event.reason}"
    task = review.request.completed.task
    return facts.move_asset(task.tenant, task.sku, review.asset, review.version, state, reason=reason)


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
