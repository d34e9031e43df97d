"""Asking: an asset is doubtful. A person is asked, unless what people said before settles it."""

from msgspec.structs import replace

from schemas.doubts import waits_for
from schemas.records import Event, ReviewRequested, Task
from streams.facts import Facts, Review
from streams.flow.processors.reviewing import answer_to, carry_out
from streams.flow.processors.settling import again, passed, settled_by


def ask(request: ReviewRequested, title: str, facts: Facts) -> list[Event]:
    """Asks a person, unless what was decided before settles it; told again it is the same, by the same rules."""
    known = facts.reviews.get(request.review_id)
    if known is not None and by_other_rules(request, known):
        close(known, facts)
    elif known is not None and known.state == "pending":
        return [known.request]
    settled = settled_by(request, 0 if known is None else known.rank, facts)
    request = replace(request, settled=settled, again="" if settled else again(request, facts))
    review = open_review(request, facts)
    if settled is None or not carry_out(review, settled, facts):
        return [request]
    answer = answer_to(review, settled, title)
    if isinstance(answer, Task):
        facts.tasks.put(answer)
    return [request, answer]


def by_other_rules(request: ReviewRequested, known: Review) -> bool:
    """Whether rules were released since a review was asked for: by them another thing may be in doubt."""
    return known.request.verdict.rules != request.verdict.rules


def close(review: Review, facts: Facts) -> None:
    """Has a review wait no more, and what was decided on it stand no more, so that it can be opened anew."""
    facts.reviews.lapse(review.review_id)
    task = review.request.completed.task
    facts.reviews.supersede_others(task.tenant, task.sku, review.asset, "")


def open_review(request: ReviewRequested, facts: Facts) -> Review:
    """Notes that an asset waits, and for which cases."""
    facts.reviews.put(request)
    facts.cases.put(request, passed(request, facts))
    for doubt in waits_for(request):
        facts.opinions.narrow(doubt.case, doubt.checks)
    review = facts.reviews.get(request.review_id)
    assert review is not None
    return review
