"""Deciding: what people say of a review, or of a case and so of every asset that waits for it.

Each review that a case's decision settles has a word of its own that follows from it, and is carried out as any other:
so one of them may be taken back alone. Of several words on a case the newest counts, in whatever order they come.
"""

from collections.abc import Callable

import structlog

from schemas.doubts import waits_for
from schemas.records import DecisionUndone, OpinionGiven, ReviewDecided, Task
from streams.facts import Case, DecisionEvent, Facts, Product, Review
from streams.flow.ahead import check_version
from streams.flow.processors import Answers
from streams.flow.processors.planning import redone
from streams.flow.processors.retracting import was_undone
from streams.flow.processors.reviewing import (
    answer_to,
    carry_out,
    check_last,
    decision_undone,
    reopen,
    review_decided,
    withdrawn,
)
from streams.flow.processors.settling import by_cases, each_by_cases, on_review, passed, settled_by
from streams.runtime.errors import Refused

log = structlog.get_logger()


def decided(event: ReviewDecided, facts: Facts) -> Answers:
    """Carries out a decision on a review or on a case. Told again it is answered the same and moves nothing."""
    return review_decided(event, facts) if event.case is None else _case_decided(event, event.case, facts)


def undone(event: DecisionUndone, facts: Facts) -> Answers:
    """Takes a decision back, or one that is still to come. Told again it is answered the same and moves nothing."""
    _check_own(event)
    case_id = event.decision.case
    return decision_undone(event, facts) if case_id is None else _case_undone(event, case_id, facts)


def _check_own(event: DecisionUndone) -> None:
    """Raises Refused for one that takes back what was decided on another product: nobody does for another tenant."""
    decision = event.decision
    if (event.tenant, event.sku) != (decision.tenant, decision.sku):
        message = f"the decision is on {decision.tenant}|{decision.sku}, and not on {event.tenant}|{event.sku}"
        raise Refused("wrong_review", message, field="sku" if event.tenant == decision.tenant else "tenant")


def opinion_given(event: OpinionGiven, facts: Facts) -> Answers:
    """Notes what one person says of a case that others decide on, too. Told again it changes nothing."""
    case = _case_of(event, event.case, facts)
    check_version(event.version, case.version)
    facts.opinions.put(event, case, facts.cases.in_doubt(case.case_id))
    facts.cases.hear(case.case_id, event.version)
    return []


def _is_pending(review: Review, _facts: Facts) -> bool:
    return review.state == "pending"


def note(
    event: ReviewDecided, case_id: str, facts: Facts, settles: Callable[[Review, Facts], bool] = _is_pending
) -> list[tuple[Review, ReviewDecided]]:
    """Notes a decision on a case, and which reviews are settled by it, each with its own word.

    What passes is noted of closed ones, too, so that the facts do not depend on what was read first.
    """
    facts.cases.decide(case_id, event)
    settled = []
    for review in facts.cases.reviews(case_id):
        _note_what_passes(review, facts)
        if not settles(review, facts):
            continue
        decision = by_cases(review.request, review.rank, facts)
        if decision is not None and carry_out(review, decision, facts):
            settled.append((review, decision))
    return settled


def take_back(event: DecisionUndone, case_id: str, product: Product, facts: Facts) -> list[Review]:
    """Has the reviews that a case's decision settled wait again, unless another case's does; those, as they were."""
    every = facts.cases.reviews(case_id)
    settled = [review for review in every if _stands_by_cases(review, facts)]
    for review in settled:
        assert review.decision is not None
        check_last(review, review.decision, facts)
    facts.cases.decide(case_id, event)
    for review in settled:
        undoing = _of(review, event)
        reopen(review, undoing, product, facts)
        left = by_cases(review.request, undoing.version, facts)
        if left is not None and review.version == product.version:
            carry_out(review, left, facts)
    for review in every:
        _note_what_passes(review, facts)
    return settled


def catch_up(review: Review, settled: ReviewDecided | None, product: Product, facts: Facts) -> None:
    """Settles a review that is noted behind words which came before it, or after: as it was settled then."""
    decision = settled or settled_by(review.request, review.rank, facts)
    if decision is None or not carry_out(review, decision, facts):
        return
    for doubt in waits_for(review.request):
        case = facts.cases.get(doubt.case)
        last = None if case is None else case.last
        if isinstance(last, DecisionUndone) and on_review(review.request, review.rank, last.decision) == decision:
            reopen(review, _of(review, last, decision), product, facts)
            return


def _note_what_passes(review: Review, facts: Facts) -> None:
    passing = passed(review.request, facts)
    for doubt in waits_for(review.request):
        facts.cases.settle(doubt.case, review.review_id, doubt.case in passing)


def _case_decided(event: ReviewDecided, case_id: str, facts: Facts) -> Answers:
    case = _case_of(event, case_id, facts)
    product = facts.products.get(event.tenant, event.sku, lock=True)
    if product is None or _is_stale(event, case, facts):
        return []
    title = product.event.title
    if event == case.last:
        decided = [review for review in facts.cases.reviews(case_id) if _stands_by_cases(review, facts)]
        return [
            answer_to(each, each.decision, title)
            for each in decided
            if each.decision and each.version == product.version
        ]
    _check(event, facts.cases.waiting([case_id])[case_id], facts)
    answers = [answer_to(review, decision, title) for review, decision in note(event, case_id, facts)]
    for answer in answers:
        if isinstance(answer, Task):
            facts.tasks.put(answer)
    return answers


def _case_undone(event: DecisionUndone, case_id: str, facts: Facts) -> Answers:
    case = _case_of(event.decision, case_id, facts)
    product = facts.products.get(event.tenant, event.sku, lock=True)
    if product is None or _is_stale(event, case, facts):
        return []
    if case.decision not in (None, event.decision):
        raise Refused("review_closed", f"case {case_id} was decided otherwise since", field="decision")
    if event == case.last:
        reviews = [each for each in facts.cases.reviews(case_id) if _was_taken_back(each, event)]
    else:
        reviews = take_back(event, case_id, product, facts)
    settling = ((review, decision) for review in reviews if (decision := _settling(review)))
    return [each for review, decision in settling for each in withdrawn(review, decision, event.reason, facts)]


def _case_of(event: ReviewDecided | OpinionGiven, case_id: str, facts: Facts) -> Case:
    case = facts.cases.get(case_id)
    if case is None:
        raise Refused("unknown_case", f"no case has the id {case_id}", field="case", transient=True)
    if (event.tenant, event.sku) != (case.tenant, case.sku):
        message = f"case {case_id} is of another product than {event.tenant}|{event.sku}"
        raise Refused("wrong_review", message, field="sku" if event.tenant == case.tenant else "tenant")
    return case


def _is_stale(event: DecisionEvent, case: Case, facts: Facts) -> bool:
    """Whether a newer word is known. Raises Refused where another has the event's place, or nothing waits."""
    check_version(event.version, case.version)
    if event.version < case.rank:
        log.info("stale decision", case=case.case_id, version=event.version, newest=case.rank)
        return True
    is_closed = isinstance(event, ReviewDecided) and not facts.cases.waiting([case.case_id])[case.case_id]
    if event != case.last and (event.version == case.rank or is_closed):
        is_early = case.decision is not None and event.version > case.rank
        message = f"nothing waits for case {case.case_id} any more"
        raise Refused("review_closed", message, field="case", transient=is_early)
    return False


def _check(event: ReviewDecided, waiting: list[Review], facts: Facts) -> None:
    """Raises Refused for one that lets pass and says not what, and for a redo of what was tried before."""
    if event.approved and not event.checks:
        raise Refused("missing_checks", "a decision on a case says which checks it was made on", field="checks")
    if not event.redo:
        return
    for review in waiting:
        task = redone(review.request.completed.task, event.parameters)
        if facts.tasks.has(task.task_id) and not was_undone(review, task):
            message = f"just these parameters were tried before for {review.asset}"
            raise Refused("redone_before", message, field="parameters")


def _stands_by_cases(review: Review, facts: Facts) -> bool:
    """Whether a review is as the words on its cases leave it."""
    return review.decision in each_by_cases(review.request, review.rank - 1, facts)


def _was_taken_back(review: Review, event: DecisionUndone) -> bool:
    return isinstance(review.last, DecisionUndone) and _of(review, event, review.last.decision) == review.last


def _of(review: Review, event: DecisionUndone, decision: ReviewDecided | None = None) -> DecisionUndone:
    """A word on a case as one on just this review."""
    taken_back = decision or review.decision
    assert taken_back is not None
    return DecisionUndone(
        tenant=event.tenant,
        sku=event.sku,
        decision=taken_back,
        version=taken_back.version + 1,
        reason=event.reason,
        decided_by=event.decided_by,
    )


def _settling(review: Review) -> ReviewDecided | None:
    return review.last.decision if isinstance(review.last, DecisionUndone) else review.decision
