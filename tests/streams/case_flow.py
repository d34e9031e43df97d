"""What the tests of review cases share: products in many channels whose cutout, or whose pictures, are in doubt."""

from collections.abc import Sequence

from msgspec.structs import replace

from schemas.identity import content_id
from schemas.records import (
    CatalogChanged,
    CutoutRetouched,
    Event,
    ReviewDecided,
    ReviewRequested,
    Source,
    Task,
    TaskCompleted,
)
from streams.facts import Case
from tests.streams.flow import Flow, blob, done, tasks, upsert

CHANNELS = ("amazon", "ebay", "etsy")
SOURCE = Source(uri="https://images.example/a.jpg")
UNSURE = {"uncertainty": 0.5}


def made(task: Task, **measures: float) -> TaskCompleted:
    """The completion of a task; its picture and its result are named by what goes in, as a worker's are."""
    result = content_id(task.source, [each.digest for each in task.inputs], task.step.parameters, task.step.channel)
    return replace(done(task, **measures), outputs=[replace(blob(), digest=result)], result_id=result)


def requested_reviews(
    flow: Flow,
    event: CatalogChanged | None = None,
    cutout: dict[str, float] | None = None,
    picture: dict[str, float] | None = None,
) -> list[ReviewRequested]:
    """A product goes all its way; what a person is asked about it."""
    event = event or upsert(channels=CHANNELS)
    return finished(flow, tasks(flow.say(event)), UNSURE if cutout is None else cutout, picture or {})


def finished(
    flow: Flow, begun: Sequence[Task], cutout: dict[str, float], picture: dict[str, float]
) -> list[ReviewRequested]:
    """Cutouts and what is made of them, with these measures; what a person is asked about it."""
    steps = [step for first in begun for step in tasks(flow.say(made(first, **cutout)))]
    found = [event for step in steps for event in flow.say(made(step, **picture))]
    return [event for event in found if isinstance(event, ReviewRequested)]


def case_of(reviews: Sequence[ReviewRequested], about: str = "cutout") -> str:
    """The one case that all reviews wait for, about this."""
    (case,) = {doubt.case for review in reviews for doubt in review.doubts if doubt.about == about}
    return case


def decision(reviews: Sequence[ReviewRequested], about: str = "cutout", **more: object) -> ReviewDecided:
    """A decision on the case that the reviews wait for."""
    checks = sorted({name for review in reviews for doubt in review.doubts for name in doubt.checks})
    fields = {"approved": True, "decided_by": "ada", "checks": checks, "case": case_of(reviews, about)} | more
    return ReviewDecided(review_id=reviews[0].review_id, tenant="demo", sku="A", **fields)  # type: ignore[arg-type]


def retouch(version: int = 1, **more: object) -> CutoutRetouched:
    """A person has the product's photograph cut out otherwise."""
    fields = {"source": SOURCE, "parameters": {"subject": "everything"}, "decided_by": "ada", "reason": "the handle"}
    return CutoutRetouched(tenant="demo", sku="A", version=version, **(fields | more))  # type: ignore[arg-type]


def known(flow: Flow, case_id: str) -> Case:
    with flow.database.read() as facts:
        found = facts.cases.get(case_id)
    assert found is not None
    return found


def kinds(events: Sequence[Event]) -> list[str]:
    return [type(event).__name__ for event in events]
