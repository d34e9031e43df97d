"""Review cases: what waits for a person, by its cause, and what people do about it. For pages, routes and commands.

A case is a product × a source × what is in doubt of it. A decision on it counts for all assets that wait for it: those
that wait for nothing else go live at once, or end. Everything here is one tenant's, but where `tenant` is None.

Whoever decides has the case: by a claim of before, or by one that is taken for as long as the decision takes.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from schemas.decoding import prepare
from schemas.records import Blob, CutoutRetouched, DecisionUndone, Event, OpinionGiven, ReviewDecided
from streams.blobs import Blobs
from streams.consumer.letters import outgoing
from streams.facts import Case, Claim, Claims, Database, Facts, Fitting, Review
from streams.flow.relay import Sender
from streams.runtime.clock import now_ms
from streams.runtime.errors import Refused
from streams.runtime.observability import tracer
from streams.runtime.settings import Settings
from streams.services.operating import decisions, double_review
from streams.services.review import case_views
from streams.services.review.case_decisions import Decision, event_of
from streams.services.review.case_views import (
    About,
    CaseAsset,
    CaseCheck,
    CasePage,
    CaseState,
    CaseSummary,
    CaseView,
    Claimed,
    ClaimView,
    PictureView,
    RetouchView,
    StepView,
    Word,
)

__all__ = [
    "CLAIMED_FOR_S",
    "About",
    "CaseAsset",
    "CaseCheck",
    "CasePage",
    "CaseState",
    "CaseSummary",
    "CaseView",
    "ClaimView",
    "Claimed",
    "Decision",
    "PictureView",
    "RetouchView",
    "StepView",
    "Wanted",
    "Word",
    "claim",
    "count",
    "decide",
    "every",
    "find",
    "get",
    "heartbeat",
    "next_case",
    "page",
    "photograph",
    "picture",
    "release",
    "take_back",
    "undo",
]

CLAIMED_FOR_S = 60  # a heartbeat every 20 s keeps a claim; who is gone for a minute has none
SHOWN_AGAIN_PX = 2048
PAGE_MAX = 200
_Said = ReviewDecided | CutoutRetouched | OpinionGiven


@dataclass(frozen=True)
class Wanted:
    """Which cases are meant: those that fit everything given. `check` is a check's name, `older_than_s` an age."""

    tenant: str | None = None
    sku: str | None = None
    about: str | None = None
    channel: str | None = None
    check: str | None = None
    category: str | None = None
    older_than_s: float | None = None


class _Place(msgspec.Struct, frozen=True, array_like=True):
    wanted: str
    deadline_ms: int
    turn_ms: int
    case_id: str


def page(database: Database, wanted: Wanted, after: str | None = None, limit: int = 50) -> CasePage:
    """The cases that wait, by deadline, then turn: see facts.cases.Waiting. Raises Refused `bad_cursor`."""
    place = None if after is None else _read(after, wanted)
    with database.read() as facts:
        found = facts.cases.page(_fitting(wanted), place, limit)
        items = _summaries([each.case_id for each in found], facts, database)
    if len(found) < limit:
        return CasePage(items=items, next=None)
    last = _Place(repr(wanted), found[-1].deadline_ms, found[-1].turn_ms, found[-1].case_id)
    return CasePage(items=items, next=base64.urlsafe_b64encode(msgspec.json.encode(last)).decode())


def count(database: Database, wanted: Wanted) -> int:
    """How many cases wait."""
    with database.read() as facts:
        return facts.cases.count(_fitting(wanted))


def every(database: Database, wanted: Wanted) -> list[CaseSummary]:
    """All cases that wait, by deadline, then age."""
    found = page(database, wanted, limit=PAGE_MAX)
    items = list(found.items)
    while found.next is not None:
        found = page(database, wanted, found.next, PAGE_MAX)
        items += found.items
    return items


def get(database: Database, tenant: str | None, case_id: str) -> CaseView:
    """One case, whatever its state. Raises Refused `unknown_case`."""
    claimed = Claims(database).of(case_id, now_ms())
    with database.read() as facts:
        case = _known(facts, tenant, case_id)
        every, waiting = facts.cases.reviews(case_id), facts.cases.waiting([case_id])[case_id]
        shown = waiting or _newest(every)
        also = facts.cases.open_doubts([review.review_id for review in shown])
        summary = case_views.summary(case, shown, waiting, also, claimed, facts)
        retouch = _retouched(case, shown, facts)
    return case_views.detail(summary, case, shown, also, retouch, claimed)


def find(database: Database, tenant: str | None, shortened: str) -> str:
    """The id of the one case that begins so. Raises Refused `unknown_case`."""
    with database.read() as facts:
        found = facts.cases.beginning(tenant, shortened)
    if len(found) != 1:
        count = "no case begins" if not found else "several cases begin"
        raise Refused("unknown_case", f"{count} with {shortened!r}", field="case_id")
    return found[0]


def picture(database: Database, tenant: str, case_id: str, digest: str) -> Blob:
    """A picture of the case, to be read from the blob store. Raises Refused `unknown_case`, `unknown_picture`."""
    with database.read() as facts:
        _known(facts, tenant, case_id)
        reviews = facts.cases.reviews(case_id)
    for review in reviews:
        completed = review.request.completed
        origin = completed.task.origin
        cutouts = [] if origin is None or origin.cutout is None else [origin.cutout]
        for blob in (*completed.outputs, *cutouts, *completed.task.inputs):
            if blob.digest == digest:
                return blob
    raise Refused("unknown_picture", f"the case has no picture {digest!r}", field="digest")


def photograph(
    database: Database, settings: Settings, tenant: str, case_id: str, longest_px: int = SHOWN_AGAIN_PX
) -> bytes:
    """The source of a case as it is seen, upright, as a WebP file; strokes are shares of its width and height.

    Raises Refused `unknown_case`, `unknown_source`, and what fetching and decoding a source does.
    """
    from streams.services.display.photographs import shown  # what decodes pictures, which nothing else here needs

    summary = get(database, tenant, case_id).summary
    if summary.source is None:
        raise Refused("unknown_source", "nobody has noted which photograph this was", field="case_id")
    return shown(settings, summary.source, longest_px)


def decide(
    database: Database,
    sender: Sender,
    tenant: str | None,
    case_id: str,
    decision: Decision,
    decided_by: str,
    *,
    blobs: Blobs | None = None,
    is_trial: bool = False,
    twice_share: float,
) -> Word:
    """Sends a person's decision; returns when the broker has it. `blobs` keeps strokes; a trial is checked, not sent.
    Of `twice_share` (0..1) of the cases, two people decide. A rejection takes down what is live of just these pictures.

    Raises Refused: `unknown_case`; `review_closed` when nothing waits for it any more; `claim_lost` when its claim has
    ended, `case_claimed` when it is another's; `said_before` when others have to look, too; `bad_parameters` naming the
    parameter; `bad_retouch`.
    """
    with database.read() as facts:
        case = _known(facts, tenant, case_id)
        waiting = facts.cases.waiting([case_id])[case_id]
        retouch = _retouched(case, waiting, facts)
        said = facts.opinions.standing(case)
        live = decisions.live(waiting, facts) if decision.outcome == "reject" else []
    if not waiting:
        raise Refused("review_closed", "nothing waits for this case any more", field="case_id")
    decided = event_of(case, waiting, decision, decided_by, retouch, blobs)
    event: _Said
    if isinstance(decided, CutoutRetouched):
        event = double_review.retouched(decided, case, said, twice_share)
    else:
        event = double_review.word(decided, case, said, twice_share)
    version = case.version + 1
    if not is_trial:
        version = _said(database, sender, case, event, decision.epoch, decided_by, live)
    is_final = not isinstance(event, OpinionGiven)
    return Word(case_id=case_id, version=version, outcome=decision.outcome, assets=len(waiting), is_final=is_final)


def undo(
    database: Database, sender: Sender, tenant: str | None, case_id: str, reason: str, decided_by: str
) -> DecisionUndone:
    """Takes back the decision that stands on a case, and what it let pass by rules of before: see decisions.lapsed.

    Raises Refused `unknown_case`, `review_closed`.
    """
    with database.read() as facts:
        case, reviews = _known(facts, tenant, case_id), facts.cases.reviews(case_id)
    if case.decision is None:
        raise Refused("review_closed", "no decision stands that could be taken back", field="case_id")
    event = DecisionUndone(
        tenant=case.tenant,
        sku=case.sku,
        decision=case.decision,
        version=case.version + 1,
        reason=reason,
        decided_by=decided_by,
    )
    _send(sender, *decisions.lapsed(reviews, case.decision, reason, decided_by), event)
    return event


def take_back(
    database: Database, sender: Sender, tenant: str | None, case_id: str, reason: str, decided_by: str
) -> DecisionUndone | OpinionGiven:
    """Withdraws the person's opinion on a case, else takes back the decision that stands on it.

    Raises Refused `unknown_case`, `review_closed`.
    """
    with database.read() as facts:
        case = _known(facts, tenant, case_id)
        mine = double_review.own(case, decided_by, facts)
    if mine is None:
        return undo(database, sender, tenant, case_id, reason, decided_by)
    event = msgspec.structs.replace(mine, version=case.version + 1, reason=reason, withdrawn=True)
    _send(sender, event)
    return event


def claim(database: Database, tenant: str, case_id: str, holder: str) -> ClaimView:
    """Makes a case that waits the holder's; a claim of its own begins anew. Raises Refused `case_claimed`."""
    with database.read() as facts:
        _known(facts, tenant, case_id)
    return case_views.claim_view(_take(database, case_id, holder))


def heartbeat(database: Database, tenant: str, case_id: str, holder: str, epoch: int) -> ClaimView:
    """Keeps a claim for another CLAIMED_FOR_S. Raises Refused `claim_lost`."""
    with database.read() as facts:
        _known(facts, tenant, case_id)
    at_ms, until_ms = _lease()
    kept = Claim(case_id, holder, epoch, until_ms)
    if not Claims(database).keep(kept, at_ms, until_ms):
        raise _lost()
    return case_views.claim_view(kept)


def release(database: Database, tenant: str, case_id: str, holder: str, epoch: int | None = None) -> None:
    """Gives a case back, by whichever claim of the holder's without an `epoch`; one that has ended changes nothing."""
    with database.read() as facts:
        _known(facts, tenant, case_id)
    claims = Claims(database)
    held = claims.of(case_id, now_ms())
    if held is not None and held.holder == holder and epoch in (None, held.epoch):
        claims.release(held)


def next_case(database: Database, wanted: Wanted, holder: str) -> Claimed | None:
    """Claims the first case that waits and is nobody's; None when there is none."""
    at_ms, until_ms = _lease()
    fitting = replace(_fitting(wanted), free_at_ms=at_ms, not_said_by=holder)
    taken = Claims(database).take_next(fitting, holder, at_ms, until_ms)
    if taken is None:
        return None
    return Claimed(claim=case_views.claim_view(taken), case=get(database, wanted.tenant, taken.case_id))


def _said(
    database: Database, sender: Sender, case: Case, event: _Said, epoch: int | None, by: str, live: Sequence[Review]
) -> int:
    """Sends a word on a case under a claim; its place. The case is nobody's until the facts know the word."""
    claims, (at_ms, until_ms) = Claims(database), _lease()
    mine = _take(database, case.case_id, by) if epoch is None else Claim(case.case_id, by, epoch, 0)
    before = claims.say(mine, at_ms, until_ms)
    if before is None:
        raise _lost()
    if isinstance(event, CutoutRetouched):
        _send(sender, event)
        return event.version  # the claim ends by itself: what it was on is made again by then
    decision = msgspec.structs.replace(event, version=max(case.version, before) + 1)
    _send(sender, decision, *(decisions.off_the_shop(live, event) if isinstance(event, ReviewDecided) else ()))
    claims.said(mine, decision.version, now_ms())
    return decision.version


def _summaries(case_ids: Sequence[str], facts: Facts, database: Database) -> list[CaseSummary]:
    waiting = facts.cases.waiting(case_ids)
    also = facts.cases.open_doubts([review.review_id for reviews in waiting.values() for review in reviews])
    claims, at_ms = Claims(database), now_ms()
    found = ((case_id, facts.cases.get(case_id), waiting[case_id]) for case_id in case_ids)
    return [
        case_views.summary(case, reviews, reviews, also, claims.of(case_id, at_ms), facts)
        for case_id, case, reviews in found
        if case is not None and reviews
    ]


def _known(facts: Facts, tenant: str | None, case_id: str) -> Case:
    case = facts.cases.get(case_id)
    if case is None or tenant not in (None, case.tenant):
        raise Refused("unknown_case", f"no case has the id {case_id!r}", field="case_id")
    return case


def _retouched(case: Case, reviews: Sequence[Review], facts: Facts) -> CutoutRetouched | None:
    origin = reviews[0].request.completed.task.origin if reviews else None
    return None if origin is None else facts.retouches.get(case.tenant, case.sku, origin.source)


def _newest(reviews: Sequence[Review]) -> list[Review]:
    newest = max(review.version for review in reviews)
    return [review for review in reviews if review.version == newest]


def _take(database: Database, case_id: str, holder: str) -> Claim:
    at_ms, until_ms = _lease()
    taken = Claims(database).take(case_id, holder, at_ms, until_ms)
    if taken is None:
        held = Claims(database).of(case_id, at_ms)
        message = "it is decided already, which is being carried out" if held is None else f"{held.holder} has it"
        raise Refused("case_claimed", message, field="case_id")
    return taken


def _lease() -> tuple[int, int]:
    at_ms = now_ms()
    return at_ms, at_ms + round(CLAIMED_FOR_S * 1000)


def _lost() -> Refused:
    return Refused("claim_lost", "the claim has ended: somebody else may have the case by now", field="epoch")


def _send(sender: Sender, *events: Event) -> None:
    with tracer.start_as_current_span("decide"):
        sender.send([outgoing(event, "packshot/review", codec=sender.codec) for event in events])


def _fitting(wanted: Wanted) -> Fitting:
    age_ms = None if wanted.older_than_s is None else round(wanted.older_than_s * 1000)
    return Fitting(
        tenant=wanted.tenant,
        sku=wanted.sku,
        about=wanted.about,
        channel=wanted.channel,
        check=wanted.check,
        category=wanted.category,
        since_before_ms=None if age_ms is None else now_ms() - age_ms,
    )


def _read(cursor: str, wanted: Wanted) -> tuple[int, int, str]:
    try:
        place = msgspec.json.decode(base64.urlsafe_b64decode(cursor.encode()), type=_Place)
    except (ValueError, msgspec.DecodeError) as error:
        raise Refused("bad_cursor", "no cursor of ours", field="cursor") from error
    if place.wanted != repr(wanted):
        raise Refused("bad_cursor", "it was given for other filters", field="cursor")
    return place.deadline_ms, place.turn_ms, place.case_id


prepare(_Place)
