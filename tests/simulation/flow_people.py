"""People at the desk of the flow's simulation: they decide on cases, on the same one at times, and retouch.

On a share of the cases two decide, and a third where they differ: what the first says is an opinion.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace
from sqlalchemy import select

from schemas import topics
from schemas.doubts import picture_of, waits_for
from schemas.records import CutoutRetouched, DecisionUndone, OpinionGiven, ReviewDecided, Task
from streams.facts import Facts, Fitting, Review, case_tables
from streams.facts.repository import load
from streams.flow.processors.settling import each_by_cases, on_review
from streams.runtime.errors import Refused
from streams.services.operating import double_review
from tests.simulation.broker import Violation
from tests.simulation.flow_rules import decoded

if TYPE_CHECKING:
    from tests.simulation.flow_world import FlowWorld

PEOPLE = ("ada", "bob", "cleo", "dan")  # of whom two may speak at the same moment, and a fourth is there to decide
TWICE_SHARE = 0.4
EVERY = 99


def decide(world: FlowWorld) -> bool:
    """One decides on a case that waits; now and then both do, and not alike. False where none waits."""
    with world.database.read() as facts:
        found = facts.cases.page(Fitting(), None, EVERY)
        if not found:
            return False
        case = facts.cases.get(world.rng.choice(found).case_id)
        assert case is not None
        waiting = facts.cases.waiting([case.case_id])[case.case_id]
        said = facts.opinions.standing(case)
    checks = {name for review in waiting for doubt in waits_for(review.request) for name in doubt.checks}
    for name in world.rng.sample(PEOPLE, 2 if world.rng.random() < 0.2 else 1):
        event = ReviewDecided(
            review_id=waiting[0].review_id,
            tenant="demo",
            sku=case.sku,
            approved=world.rng.random() < 0.7,
            decided_by=name,
            version=case.version + 1,
            case=case.case_id,
            checks=sorted(checks),
        )
        with suppress(Refused):  # who spoke before is asked no more
            world.say(double_review.word(event, case, said, TWICE_SHARE))
    return True


def undo(world: FlowWorld) -> None:
    """One takes back what was said of a case, be it that it settled nothing."""
    with world.database.read() as facts:
        decided = facts.reviews.every(pending=False)
        names = sorted({doubt.case for review in decided for doubt in waits_for(review.request)})
        known = [case for name in names if (case := facts.cases.get(name)) is not None and case.decision is not None]
    if not known:
        return
    case = world.rng.choice(known)
    assert case.decision is not None
    about = {"tenant": "demo", "sku": case.sku, "decision": case.decision, "version": case.version + 1}
    world.say(DecisionUndone(**about, decided_by=world.rng.choice(PEOPLE)))  # type: ignore[arg-type]


def withdraw(world: FlowWorld) -> None:
    """One takes back what they said of a case that others look at, too."""
    with world.database.read() as facts:
        waiting = [facts.cases.get(each.case_id) for each in facts.cases.page(Fitting(), None, EVERY)]
        said = [(case, each) for case in waiting if case is not None for each in facts.opinions.standing(case)]
    if said:
        case, event = world.rng.choice(said)
        world.say(replace(event, version=case.version + 1, withdrawn=True))


def retouch(world: FlowWorld) -> None:
    """One has a photograph cut out otherwise."""
    sku = world.rng.choice(sorted(world.versions))
    with world.database.read() as facts:
        product = facts.products.get("demo", sku)
        if product is None or product.deleted:
            return
        source = product.event.sources[0]
        known = facts.retouches.get("demo", sku, source)
    version = 1 if known is None else known.version + 1
    parameters = {"speckle_share": f"0.0{version}"}
    about = {"tenant": "demo", "sku": sku, "source": source, "version": version, "parameters": parameters}
    world.say(CutoutRetouched(**about))  # type: ignore[arg-type]


def doubts_about(task: Task) -> dict[str, float]:
    """What is in doubt of a picture: the cutout that it shows, or what its channel wants."""
    drawn = task.task_id[:2] if task.step.asset else ""
    return {"alpha_partial_share": 0.9} if drawn > "c0" else {"fill": 0.5} if drawn > "90" else {}


def check(world: FlowWorld) -> None:
    """Whoever waits is asked about by a case; what stands decided stands as its cases say, or as its picture did."""
    with world.database.read() as facts:
        waiting = facts.cases.waiting_assets()
        for asset in facts.assets.every():
            if asset.state == "review" and (asset.tenant, asset.sku, asset.asset) not in waiting:
                raise Violation(f"{asset.sku} {asset.asset} waits, and nobody is asked")
        _check_opinions(world, facts)
        decided = facts.reviews.every(pending=False)
        for review in decided:
            product = facts.products.get("demo", review.request.completed.task.sku)
            is_newest = product is not None and product.version == review.version
            said = review.decision
            words = [*each_by_cases(review.request, review.rank - 1, facts), *_of_its_picture(review, decided)]
            if is_newest and said is not None and said not in words:
                raise Violation(f"{review.asset} is {review.state} by {said.decided_by}, and its cases say otherwise")


def _check_opinions(world: FlowWorld, facts: Facts) -> None:
    """Each person's newest word is known; where two decide, no decision stands that one person made alone."""
    words = [*decoded(world, topics.DECISIONS.name)]
    newest: dict[tuple[str, str], OpinionGiven] = {}
    for event in words:
        if isinstance(event, OpinionGiven):
            known = newest.setdefault((event.case, event.decided_by), event)
            newest[event.case, event.decided_by] = known if known.version >= event.version else event
    rows = facts._transaction.connection.execute(select(case_tables.opinions.c.record))
    noted = [load(row.record, OpinionGiven) for row in rows]
    if lost := [each for each in newest.values() if each not in noted]:
        raise Violation(f"nobody knows of {lost}")
    decided = {each.case for each in words if isinstance(each, ReviewDecided) and each.case is not None}
    for case_id in sorted(each for each in decided if double_review.is_for_two(each, TWICE_SHARE)):
        case = facts.cases.get(case_id)
        if case is not None and case.decision is not None and not others_said(case.decision, words):
            raise Violation(f"one person alone decided: {case.decision}")


def others_said(last: ReviewDecided, words: Sequence[object]) -> bool:
    """Whether somebody else said the same of the case before, or two others said anything."""
    before = [each for each in words if isinstance(each, OpinionGiven) and each.case == last.case]
    said = {(each.decided_by, each.approved) for each in before if each.version < last.version and not each.withdrawn}
    others = {(name, approved) for name, approved in said if name != last.decided_by}
    return len({name for name, _ in others}) > 1 or any(approved == last.approved for _, approved in others)


def _of_its_picture(review: Review, decided: Sequence[Review]) -> Iterator[ReviewDecided]:
    """What was said of the same picture under other tasks: it is not asked about again, whatever doubts are drawn."""
    for other in decided:
        is_same = other.review_id != review.review_id and _picture(other) == _picture(review)
        if is_same and other.decision is not None:
            yield on_review(review.request, review.rank - 1, other.decision)


def _picture(review: Review) -> str:
    return picture_of(review.request.completed, review.request.verdict)
