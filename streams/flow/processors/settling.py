"""Settling: what people said before of the same picture, or of all that is in doubt of it, settles it again.

A decision belongs to what a person saw: the photograph, its cutout, the step and its parameters, the rules. A newer
version of the product in which all that is as it was asks nobody; where something is another, `again` says what. So it
does where rules were released since, and just this picture is judged anew.
"""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from schemas.doubts import CUTOUT, picture_of, waits_for
from schemas.records import CutoutRetouched, Doubt, ReviewDecided, ReviewRequested, Task
from schemas.text import REASON_MAX
from streams.facts import Facts, Review
from streams.flow.processors.planning import redone
from streams.runtime.errors import Refused

TEXT_MAX = 1024  # characters of what a person said
LAPSED = "the rules changed since it was "  # how the reason begins why what was decided on just this is asked again


def settled_by(request: ReviewRequested, rank: int, facts: Facts) -> ReviewDecided | None:
    """The decision that an asset which is asked about again has already; None where a person has to look.

    What was taken back on just this picture waits, whatever was said of its cases. `rank` is that of the newest word on
    the review.
    """
    before = facts.reviews.last_on(request.completed.task.tenant, picture_of(request.completed, request.verdict))
    if before is None or before.is_lapsed:
        return by_cases(request, rank, facts)
    if before.decision is None or _tried(before.decision, request):
        return None
    return on_review(request, rank, before.decision)


def by_cases(request: ReviewRequested, rank: int, facts: Facts) -> ReviewDecided | None:
    """The decision on a review that follows from those on its cases: one rejects it, or all let it pass."""
    return next(iter(each_by_cases(request, rank, facts)), None)


def each_by_cases(request: ReviewRequested, rank: int, facts: Facts) -> list[ReviewDecided]:
    """Every decision that may stand by those on its cases: of several that reject it, whichever came first does."""
    every = [decision_on(doubt, request, facts) for doubt in waits_for(request)]
    decisions = [decision for decision in every if decision is not None]
    rejecting = [on_review(request, rank, each) for each in decisions if not each.approved]
    if rejecting or not decisions or len(decisions) < len(every):
        return rejecting
    reasons, people = _once(each.reason for each in decisions), _once(each.decided_by for each in decisions)
    return [on_review(request, rank, replace(decisions[0], reason=reasons, decided_by=people))]


def decision_on(doubt: Doubt, request: ReviewRequested, facts: Facts) -> ReviewDecided | None:
    """What settles one doubt of a review, if anything does: a decision on its case, or who set the edges themselves.

    One that lets pass covers what was in doubt then. One to redo covers what was not made so yet.
    """
    case = facts.cases.get(doubt.case)
    decided = None if case is None else case.decision
    if decided is None:
        return _by_retouch(doubt, request, facts)
    if decided.approved:
        return decided if set(doubt.checks) <= set(decided.checks) else _by_retouch(doubt, request, facts)
    return None if _tried(decided, request) else decided


def passed(request: ReviewRequested, facts: Facts) -> set[str]:
    """The cases of a review that let it pass."""
    decisions = ((doubt.case, decision_on(doubt, request, facts)) for doubt in waits_for(request))
    return {case for case, decision in decisions if decision is not None and decision.approved}


def again(request: ReviewRequested, facts: Facts) -> str:
    """Why what was decided on the asset before does not hold; "" where nothing was."""
    task = request.completed.task
    known = facts.reviews.get(request.review_id)
    if known is not None and known.is_lapsed:
        return f"{LAPSED}{_done(known)}: now {request.verdict.rules}"[:REASON_MAX]
    before = facts.reviews.last_of(task.tenant, task.sku, task.step.asset or "")
    if before is None or before.review_id == request.review_id:
        return ""
    if before.is_lapsed:
        return before.request.again
    return f"decided before, and now: {', '.join(_differences(before.request, request)) or 'taken back'}"[:REASON_MAX]


def _done(review: Review) -> str:
    return "approved" if isinstance(review.last, ReviewDecided) and review.last.approved else "rejected"


def _differences(before: ReviewRequested, now: ReviewRequested) -> Iterator[str]:
    old, new = before.completed.task, now.completed.task
    if old.origin is not None and new.origin is not None and old.origin.source != new.origin.source:
        yield "another photograph"
    if [each.digest for each in old.inputs] != [each.digest for each in new.inputs]:
        yield "another cutout"
    if (old.step.operation, old.step.parameters) != (new.step.operation, new.step.parameters):
        yield "another recipe"
    if before.verdict.rules != now.verdict.rules:
        yield f"other rules ({now.verdict.rules})"
    known = {name for doubt in waits_for(before) for name in doubt.checks}
    if more := sorted({name for doubt in waits_for(now) for name in doubt.checks} - known):
        yield f"{', '.join(more)} in doubt"
    if before.completed.outputs[0].digest != now.completed.outputs[0].digest:
        yield "another picture"


def _by_retouch(doubt: Doubt, request: ReviewRequested, facts: Facts) -> ReviewDecided | None:
    """Who set a cutout's edges themselves and saw what came of it has let them pass."""
    task = request.completed.task
    event = retouch_of(task, facts)
    if doubt.about != CUTOUT or event is None or not event.approved:
        return None
    return ReviewDecided(
        review_id=request.review_id,
        tenant=task.tenant,
        sku=task.sku,
        approved=True,
        reason=event.reason,
        decided_by=event.decided_by,
    )


def retouch_of(task: Task, facts: Facts) -> CutoutRetouched | None:
    """The retouch that the task's cutout was made by, where it still counts."""
    if task.origin is None or not task.origin.retouch:
        return None
    event = facts.retouches.get(task.tenant, task.sku, task.origin.source)
    return event if event is not None and event.version == task.origin.retouch else None


def _tried(decision: ReviewDecided, request: ReviewRequested) -> bool:
    """Whether a decision to redo asks for just what was made, or for what cannot be."""
    if not decision.redo:
        return False
    task = request.completed.task
    try:
        return redone(task, decision.parameters).task_id == task.task_id
    except Refused:
        return True


def on_review(request: ReviewRequested, rank: int, decision: ReviewDecided) -> ReviewDecided:
    """A decision as one on just this review."""
    return replace(decision, review_id=request.review_id, version=rank + 1, case=None, checks=[])


def _once(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(text for text in texts if text))[:TEXT_MAX]
