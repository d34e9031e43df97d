"""A person's decision on a case as the event that it is sent as, checked as it will be when it is carried out."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, field

from schemas import retouching as strokes
from schemas.decoding import prepare
from schemas.operations.base import BadParameters
from schemas.records import CutoutRetouched, Name, Parameters, ReviewDecided, Text
from schemas.retouching import Retouch
from streams.blobs import Blobs
from streams.facts import Case, Review
from streams.flow.processors.planning import redone
from streams.flow.processors.retouching import OPERATION, check
from streams.runtime.errors import Refused
from streams.services.review import masks
from streams.services.review.case_views import Outcome, checks_of


class Decision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person says of a case. Redo: `step` is made again with `parameters`, the operation's own unless it says
    "cutout"; that may have a `retouch` besides, and `approved` when the person has seen what comes of it. `epoch` is
    that of the claim, where there is one.
    """

    outcome: Outcome
    reason: Text = ""
    step: Name | None = None
    parameters: Parameters = field(default_factory=dict)
    retouch: Retouch | None = None
    approved: bool = False
    epoch: Annotated[int, Meta(ge=1)] | None = None


def event_of(
    case: Case,
    waiting: Sequence[Review],
    decision: Decision,
    decided_by: str,
    retouch: CutoutRetouched | None,
    blobs: Blobs | None,
) -> ReviewDecided | CutoutRetouched:
    """A decision as its event, checked as it will be when it is carried out. Raises Refused."""
    if decision.outcome != "redo" and (decision.step or decision.parameters or decision.retouch):
        raise Refused("bad_parameters", "a step, parameters or a retouch are for a redo", field="outcome")
    if decision.step == OPERATION or decision.retouch is not None:
        return _cutout_again(case, waiting, decision, decided_by, retouch, blobs)
    operations = {review.request.completed.task.step.operation for review in waiting}
    if decision.step is not None and decision.step not in operations:
        message = f"the case's assets are made by {', '.join(sorted(operations))}; there is {OPERATION} besides"
        raise Refused("bad_parameters", message, field="step")
    if decision.outcome == "redo":
        for review in waiting:
            redone(review.request.completed.task, decision.parameters)
    return ReviewDecided(
        review_id=waiting[0].review_id,
        tenant=case.tenant,
        sku=case.sku,
        approved=decision.outcome == "approve",
        reason=decision.reason,
        decided_by=decided_by,
        redo=decision.outcome == "redo",
        parameters=decision.parameters,
        case=case.case_id,
        checks=sorted({name for review in waiting for name in checks_of(review, case.case_id)}),
    )


def _cutout_again(
    case: Case,
    waiting: Sequence[Review],
    decision: Decision,
    decided_by: str,
    known: CutoutRetouched | None,
    blobs: Blobs | None,
) -> CutoutRetouched:
    """The cutout with other parameters, or by a person's strokes; those of before stay where none are given."""
    origin = waiting[0].request.completed.task.origin
    if origin is None or origin.cutout is None:
        raise Refused(BadParameters.code, "the case's assets are made of no cutout", field="step")
    digest = None if known is None else known.strokes
    if decision.retouch is not None:
        if blobs is None:
            raise Refused("bad_retouch", "strokes cannot be kept here", field="retouch")
        masks.check(blobs, case.tenant, decision.retouch, known)
        marks = msgspec.structs.replace(decision.retouch, source=decision.retouch.source or origin.source.sha256)
        digest = blobs.put(strokes.written(marks), strokes.MEDIA_TYPE)
    event = CutoutRetouched(
        tenant=case.tenant,
        sku=case.sku,
        source=origin.source,
        version=1 if known is None else known.version + 1,
        parameters=decision.parameters,
        strokes=digest,
        approved=decision.approved,
        case=case.case_id,
        reason=decision.reason,
        decided_by=decided_by,
    )
    check(event)
    return event


prepare(Decision)
