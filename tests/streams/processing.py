"""What the tests of the processors share."""

from schemas.records import (
    CampaignRequested,
    CatalogChanged,
    ReviewDecided,
    ReviewRequested,
    Task,
)
from tests.streams.flow import Flow, done, tasks, upsert

CAMPAIGN = CampaignRequested(
    tenant="demo", campaign="bf", skus=["A"], channels=["instagram"], deadline_ms=1_800_000_000_099
)


def compose_task(flow: Flow, event: CatalogChanged | None = None) -> Task:
    """The amazon packshot's task of a product that has got so far."""
    (cut,) = tasks(flow.say(event or upsert()))
    return next(task for task in tasks(flow.say(done(cut))) if task.step.channel == "amazon")


def reviewed(flow: Flow) -> ReviewRequested:
    (request,) = flow.say(done(compose_task(flow), fill=0.5))
    assert isinstance(request, ReviewRequested)
    return request


def decision(review: ReviewRequested, **more: object) -> ReviewDecided:
    return ReviewDecided(review_id=review.review_id, tenant="demo", sku="A", **more)  # type: ignore[arg-type]
