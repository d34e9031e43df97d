"""What is told of review cases: typed, the same for pages, routes and `--json`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from typing import Literal

import msgspec

from schemas.decoding import prepare
from schemas.doubts import DOUBTFUL, about, waits_for
from schemas.operations import OPERATIONS
from schemas.records import (
    Blob,
    Check,
    CheckOutcome,
    CutoutRetouched,
    Parameters,
    ReviewDecided,
    Source,
    Task,
    VerdictOutcome,
)
from streams.facts import Case, Claim, Facts, Review
from streams.facts.cases import NEVER_MS
from streams.flow.gates import gates
from streams.services.reports.views import View

About = Literal["cutout", "people", "source", "product", "text", "colour", "light", "style", "policy", "channel"]
CaseState = Literal["waiting", "approved", "rejected", "redone", "superseded"]
Outcome = Literal["approve", "reject", "redo"]
_RANKS: Mapping[str, int] = {"fail": 0, "review": 1, "not_run": 2, "pass": 3}
_UNITS = {"px": "px", "bytes": "bytes", "share": "share", "dpi": "dots per inch", "deg": "degrees"}


class PictureView(View, frozen=True, kw_only=True):
    """Pixels in the blob store: `streams.blobs.Blobs.get(digest)`."""

    role: str
    digest: str
    media_type: str
    width_px: int
    height_px: int
    size_bytes: int


class CaseCheck(View, frozen=True, kw_only=True):
    """A line of a verdict: `measured` in `unit` against `limit` ("≤ 0.25") of `rule`. `about` is the doubt that it is
    part of."""

    point: str
    name: str
    outcome: CheckOutcome
    measured: float | None
    limit: str
    rule: str
    unit: str
    about: str


class CaseAsset(View, frozen=True, kw_only=True):
    """An asset of a case, and the checks on it, the worst of this case's first.

    `also_in` are the other cases that it waits for: one decision does not release it. `moving` shows its clip.
    """

    review_id: str
    asset: str
    channel: str
    campaign: str | None
    version: int
    state: str
    reason: str
    outcome: VerdictOutcome
    picture: PictureView
    checks: Sequence[CaseCheck]
    also_in: Sequence[str]
    deadline_ms: int | None
    moving: PictureView | None = None


class CaseSummary(View, frozen=True, kw_only=True):
    """A case in a list. `why` is its worst check in words, `again` why what was decided before does not hold.
    `opinions` are how many people looked at it before, where two decide; nobody is told what they said.

    `waiting` assets wait for it, of which `releases` wait for nothing else. `cutout` is None where the product's own
    file is what is in doubt.
    """

    case_id: str
    tenant: str
    sku: str
    title: str
    category: str
    about: About
    state: CaseState
    why: str
    again: str
    checks: Sequence[str]
    channels: Sequence[str]
    waiting: int
    releases: int
    deadline_ms: int | None
    since_ms: int
    source: Source | None
    cutout: PictureView | None
    picture: PictureView
    claimed_by: str | None
    claimed_until_ms: int | None
    opinions: int = 0


class CasePage(View, frozen=True, kw_only=True):
    """Cases by deadline, then age; `next` is the cursor of the next page, with the same filters."""

    items: Sequence[CaseSummary]
    next: str | None


class ParameterView(View, frozen=True, kw_only=True):
    """A parameter as people are told of it: its name in words, what it does, its unit, and what bounds a figure."""

    title: str
    hint: str
    unit: str
    least: float | None
    most: float | None


class StepView(View, frozen=True, kw_only=True):
    """A step that may be redone: its parameters as they are, and all that it takes: their types, and in words."""

    operation: str
    parameters: Parameters
    takes: dict[str, str]
    words: dict[str, ParameterView]


class RetouchView(View, frozen=True, kw_only=True):
    """How a source's cutout is retouched now; `retouch` is the digest of the strokes' blob."""

    version: int
    source: Source
    parameters: Parameters
    retouch: str | None
    approved: bool
    reason: str
    decided_by: str


class ClaimView(View, frozen=True, kw_only=True):
    """A case that is `holder`'s until `until_ms`, Unix time; `epoch` tells it from every other claim on the case."""

    case_id: str
    holder: str
    epoch: int
    until_ms: int


class CaseView(View, frozen=True, kw_only=True):
    """One case with its assets, the failing check first.

    `version` is the place of the newest word on it, 0 for none; `decision` the one that stands. `steps` are those that
    may be redone, the cutout's first; `claim` whose it is now.
    """

    summary: CaseSummary
    checks: Sequence[CaseCheck]
    assets: Sequence[CaseAsset]
    steps: Sequence[StepView]
    version: int
    decision: ReviewDecided | None
    retouch: RetouchView | None
    claim: ClaimView | None


class Claimed(View, frozen=True, kw_only=True):
    """The next case, and the claim on it."""

    claim: ClaimView
    case: CaseView


class Word(View, frozen=True, kw_only=True):
    """What became of a decision: the case, the place of the word on it, and how many assets it counts for.

    Unless `is_final` it settles nothing yet: somebody else has to look, too.
    """

    case_id: str
    version: int
    outcome: Outcome
    assets: int
    is_final: bool = True


def summary(
    case: Case,
    every: Sequence[Review],
    waiting: Sequence[Review],
    also: Mapping[str, set[str]],
    claim: Claim | None,
    facts: Facts,
) -> CaseSummary:
    """A case of the reviews `every`, of which `waiting` wait; `also` are all the cases that each of those waits for."""
    first = (waiting or every)[0]
    task = first.request.completed.task
    product = facts.products.get(case.tenant, case.sku)
    deadlines = [_deadline(review) for review in waiting]
    worst = _checks(case, waiting or every)[0]
    return CaseSummary(
        case_id=case.case_id,
        tenant=case.tenant,
        sku=case.sku,
        title="" if product is None else product.event.title,
        category=task.category,
        about=case.about,  # type: ignore[arg-type]
        state="waiting" if waiting else _state(case),
        why=_why(worst),
        again=next((review.request.again for review in waiting if review.request.again), ""),
        checks=sorted({name for review in waiting or every for name in checks_of(review, case.case_id)}),
        channels=sorted({review.request.completed.task.step.channel or "" for review in waiting or every}),
        waiting=len(waiting),
        releases=sum(also[review.review_id] <= {case.case_id} for review in waiting),
        deadline_ms=_sooner(deadlines),
        since_ms=min(review.since_ms for review in waiting or every),
        source=None if task.origin is None else task.origin.source,
        cutout=None if task.origin is None or task.origin.cutout is None else picture_view(task.origin.cutout),
        picture=picture_view(first.request.completed.outputs[0]),
        claimed_by=None if claim is None else claim.holder,
        claimed_until_ms=None if claim is None else claim.until_ms,
        opinions=len(facts.opinions.standing(case)),
    )


def detail(
    summary: CaseSummary,
    case: Case,
    reviews: Sequence[Review],
    also: Mapping[str, set[str]],
    retouch: CutoutRetouched | None,
    claim: Claim | None,
) -> CaseView:
    """One case, of the `reviews` that are shown."""
    return CaseView(
        summary=summary,
        checks=_checks(case, reviews),
        assets=[_asset(review, case, also.get(review.review_id, set())) for review in reviews],
        steps=_steps(reviews, retouch),
        version=case.version,
        decision=case.decision,
        retouch=None if retouch is None else _retouch(retouch),
        claim=None if claim is None else claim_view(claim),
    )


def claim_view(claim: Claim) -> ClaimView:
    """A claim as it is told."""
    return ClaimView(case_id=claim.case_id, holder=claim.holder, epoch=claim.epoch, until_ms=claim.until_ms)


def picture_view(blob: Blob) -> PictureView:
    """A picture as it is told."""
    return PictureView(**{name: getattr(blob, name) for name in PictureView.__struct_fields__})


def checks_of(review: Review, case_id: str) -> list[str]:
    """The names of the checks for which a review waits for a case."""
    return [name for doubt in waits_for(review.request) if doubt.case == case_id for name in doubt.checks]


def _asset(review: Review, case: Case, open_cases: set[str]) -> CaseAsset:
    task = review.request.completed.task
    return CaseAsset(
        review_id=review.review_id,
        asset=review.asset,
        channel=task.step.channel or "",
        campaign=task.campaign,
        version=review.version,
        state=review.state,
        reason=review.request.reason,
        outcome=review.request.verdict.outcome,
        picture=picture_view(review.request.completed.outputs[0]),
        checks=sorted((_check(each) for each in review.request.verdict.checks), key=lambda check: _rank(check, case)),
        also_in=sorted(open_cases - {case.case_id}),
        deadline_ms=task.deadline_ms,
        moving=next((picture_view(each) for each in review.request.completed.outputs if each.role == "mail"), None),
    )


def _checks(case: Case, reviews: Sequence[Review]) -> list[CaseCheck]:
    """The doubtful checks of a case, the worst first; of several assets' the one that is furthest off."""
    found: dict[str, CaseCheck] = {}
    for review in reviews:
        for check in review.request.verdict.checks:
            if check.outcome in DOUBTFUL and about(check) == case.about:
                known = found.get(check.name)
                if known is None or _RANKS[check.outcome] < _RANKS[known.outcome] or _further(check, known):
                    found[check.name] = _check(check)
    return sorted(found.values(), key=lambda check: _rank(check, case))


def _further(check: Check, known: CaseCheck) -> bool:
    """Whether a check is further beyond its limit than one of the same name."""
    if check.measured is None or known.measured is None or _RANKS[check.outcome] > _RANKS[known.outcome]:
        return False
    more, most = check.measured > known.measured, check.limit.startswith("≤")
    return more if most else check.measured < known.measured


def _rank(check: CaseCheck, case: Case) -> tuple[bool, int, str]:
    return check.about != case.about, _RANKS[check.outcome], check.name


def _check(check: Check) -> CaseCheck:
    shared = {name: getattr(check, name) for name in ("point", "name", "outcome", "measured", "limit", "rule")}
    return CaseCheck(**shared, unit=_unit(check.name), about=about(check))


def _unit(name: str) -> str:
    """What a check is measured in; by its name's last word where no gate says so."""
    return _of_gates().get(name) or _UNITS.get(name.rpartition("_")[2], "")


@cache
def _of_gates() -> Mapping[str, str]:
    return {each.measure: each.unit for gate in gates() for each in gate.THRESHOLDS}


def _why(check: CaseCheck) -> str:
    if check.measured is None:
        return f"{check.name} was not measured"
    return f"{check.name} is {check.measured:.4g}, the limit {check.limit}"


def _state(case: Case) -> CaseState:
    decision = case.decision
    if decision is None:
        return "superseded"
    return "approved" if decision.approved else "redone" if decision.redo else "rejected"


def _steps(reviews: Sequence[Review], retouch: CutoutRetouched | None) -> list[StepView]:
    tasks = [review.request.completed.task for review in reviews]
    steps: dict[str, StepView] = {}
    if any(_is_cut_out(task) for task in tasks):
        steps["cutout"] = _step("cutout", {} if retouch is None else retouch.parameters)
    for task in tasks:
        steps.setdefault(task.step.operation, _step(task.step.operation, task.step.parameters))
    return list(steps.values())


def _is_cut_out(task: Task) -> bool:
    return task.origin is not None and task.origin.cutout is not None


def _step(operation: str, parameters: Parameters) -> StepView:
    known = OPERATIONS.get(operation)
    fields = () if known is None else msgspec.structs.fields(known.parameters)
    descriptions = {} if known is None else known.parameters.descriptions()
    return StepView(
        operation=operation,
        parameters=parameters,
        takes={each.encode_name: _words(each.type) for each in fields},
        words={name: ParameterView(**asdict(each)) for name, each in descriptions.items()},
    )


def _words(of: object) -> str:
    """A parameter's type in words, as a JSON Schema has it."""
    schema = msgspec.json.schema(of)
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    kinds = [each.get("type", "") for each in schema.get("anyOf", [schema])]
    return " | ".join(kind for kind in kinds if kind and kind != "null") or "string"


def _retouch(event: CutoutRetouched) -> RetouchView:
    return RetouchView(
        version=event.version,
        source=event.source,
        parameters=event.parameters,
        retouch=event.strokes,
        approved=event.approved,
        reason=event.reason,
        decided_by=event.decided_by,
    )


def _deadline(review: Review) -> int:
    deadline_ms = review.request.completed.task.deadline_ms
    return NEVER_MS if deadline_ms is None else deadline_ms


def _sooner(deadlines: Sequence[int]) -> int | None:
    first = min(deadlines, default=NEVER_MS)
    return None if first == NEVER_MS else first


prepare(CasePage, CaseView, ClaimView, Claimed, Word)
