"""Reviewing: a person's decision. Approved goes live; rejected is redone with other parameters, or ends.

Of several words on a review the newest counts, whatever the order in which they come. A decision that is taken back
leaves the review as it was: what went live by it goes, what was redone by it is not heard any more.
"""

import structlog

from schemas.doubts import waits_for
from schemas.identity import review_id
from schemas.records import (
    AssetWithheld,
    DecisionUndone,
    PublishRequested,
    RetractRequested,
    ReviewDecided,
    Task,
    TaskCompleted,
)
from streams.facts import AssetEvent, DecisionEvent, Facts, Product, Review
from streams.flow.ahead import check_version
from streams.flow.processors import Answers
from streams.flow.processors.accepting import publish_request
from streams.flow.processors.planning import redone
from streams.flow.processors.retracting import was_undone
from streams.runtime.errors import Refused

log = structlog.get_logger()


def review_decided(event: ReviewDecided, facts: Facts) -> Answers:
    """Carries out a decision. Told again it is answered the same and moves nothing."""
    review = _review_of(event, facts)
    product = facts.products.get(event.tenant, event.sku, lock=True)
    if product is None or _is_stale(event, review):
        return []
    answer = answer_to(review, event, product.event.title)
    if event == review.last:
        return [] if review.is_lapsed else [answer]
    check_seen(review, event)
    if isinstance(answer, Task) and facts.tasks.has(answer.task_id) and not was_undone(review, answer):
        raise Refused("redone_before", "just these parameters were tried before", field="parameters")
    if not carry_out(review, event, facts):
        return []
    if isinstance(answer, Task):
        facts.tasks.put(answer)
    return [answer]


def decision_undone(event: DecisionUndone, facts: Facts) -> Answers:
    """Takes a decision back, or one that is still to come. Told again it is answered the same and moves nothing."""
    review = _review_of(event.decision, facts)
    product = facts.products.get(event.tenant, event.sku, lock=True)
    if product is None or _is_stale(event, review):
        return []
    if review.decision not in (None, event.decision):
        message = f"review {review.review_id} was decided otherwise since"
        raise Refused("review_closed", message, field="decision")
    if event != review.last:
        check_last(review, event.decision, facts)
        reopen(review, event, product, facts)
    return withdrawn(review, event.decision, event.reason, facts)


def check_product(review: Review, event: ReviewDecided) -> None:
    """Raises Refused for a decision that is of another product than its review: nobody decides for another tenant."""
    task = review.request.completed.task
    if (event.tenant, event.sku) != (task.tenant, task.sku):
        message = f"review {event.review_id} is of another product than {event.tenant}|{event.sku}"
        raise Refused("wrong_review", message, field="sku" if event.tenant == task.tenant else "tenant")


def check_seen(review: Review, event: ReviewDecided) -> None:
    """Raises Refused for an approval that was given before newer rules had a doubt of their own about the picture."""
    in_doubt = {check for doubt in waits_for(review.request) for check in doubt.checks}
    if event.approved and event.checks and (unseen := sorted(in_doubt - {*event.checks})):
        message = f"review {review.review_id} is also about {', '.join(unseen)} by now; it waits for another look"
        raise Refused("review_changed", message, field="checks")


def carry_out(review: Review, event: ReviewDecided, facts: Facts) -> bool:
    """Closes the review and moves its asset; False when the plan does not know the asset any more."""
    facts.reviews.decide(event, "approved" if event.approved else "rejected")
    move: AssetEvent = "approved" if event.approved else "redone" if event.redo else "rejected"
    reason = "" if event.approved else f"{_verb(event)}: {event.reason}"
    task = review.request.completed.task
    return facts.assets.move(task.tenant, task.sku, review.asset, review.version, move, reason=reason)


def reopen(review: Review, event: DecisionUndone, product: Product, facts: Facts) -> None:
    """Has the review wait again, and its asset with it, where the asset still stands by what was decided."""
    if not _stands_by(review, event.decision, product, facts):
        facts.reviews.decide(event, "superseded")
        return
    facts.reviews.decide(event, "pending")
    facts.cases.reopen(review.review_id)
    where = (event.tenant, event.sku, review.asset)
    facts.reviews.supersede_others(*where, review.review_id)
    request = review.request
    facts.assets.move(*where, review.version, "undone", reason=request.reason, verdict=request.verdict)


def _review_of(event: ReviewDecided, facts: Facts) -> Review:
    review = facts.reviews.get(event.review_id)
    if review is None:
        raise Refused("unknown_review", f"no review has the id {event.review_id}", field="review_id", transient=True)
    check_product(review, event)
    return review


def _is_stale(event: DecisionEvent, review: Review) -> bool:
    """Whether a newer word is known. Raises Refused where another one has the event's place, or the review is closed.

    What was decided may be decided otherwise by a newer word once it is taken back, which may be still to come.
    """
    check_version(event.version, review.rank)
    if event.version < review.rank:
        log.info("stale decision", review=review.review_id, version=event.version, newest=review.rank)
        return True
    is_closed = review.state != "pending" and (isinstance(event, ReviewDecided) or review.state == "superseded")
    if event != review.last and (event.version == review.rank or is_closed):
        message = f"review {review.review_id} is {review.state} already"
        is_early = review.decision is not None and event.version > review.rank
        raise Refused("review_closed", message, field="review_id", transient=is_early)
    return False


def _stands_by(review: Review, decision: ReviewDecided, product: Product, facts: Facts) -> bool:
    """Whether the asset is as the decision left it: of the newest version, and without a later result."""
    task = review.request.completed.task
    rows = {row.asset: row for row in facts.assets.of(task.tenant, task.sku)}
    row = rows.get(review.asset)
    if row is None or row.state == "leaving" or product.deleted or product.version != review.version:
        return False
    return decision.redo or row.verdict == review.request.verdict


def check_last(review: Review, decision: ReviewDecided, facts: Facts) -> None:
    """Raises Refused where a person has decided since on what the decision had redone."""
    remade = _remade(review, decision, facts)
    later = None if remade is None else facts.reviews.get(review_id(remade.task.task_id, remade.result_id))
    if later is not None and later.decision is not None:
        message = f"what was redone was {later.state} since; take that back first: {later.review_id[:12]}"
        raise Refused("decided_since", message, field="decision")


def withdrawn(review: Review, decision: ReviewDecided, reason: str, facts: Facts) -> list[RetractRequested]:
    """The request to take away what went live by a decision, if anything may have."""
    made = review.request.completed if decision.approved else _remade(review, decision, facts)
    if made is None:
        return []
    return [
        RetractRequested(
            tenant=decision.tenant,
            sku=decision.sku,
            version=review.version,
            assets=[review.asset],
            reason=f"decision taken back: {reason}",
            result_id=made.result_id,
        )
    ]


def _remade(review: Review, decision: ReviewDecided, facts: Facts) -> TaskCompleted | None:
    """What came of a redo, if it came."""
    if not decision.redo:
        return None
    task = redone(review.request.completed.task, decision.parameters)
    known = facts.tasks.get(task.task_id)
    return known if isinstance(known, TaskCompleted) and known.result_id else None


def answer_to(review: Review, event: ReviewDecided, title: str) -> PublishRequested | Task | AssetWithheld:
    """What follows from a decision on a review. Raises Refused for a redo with parameters that there are not."""
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
