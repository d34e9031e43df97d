"""Accepting: an asset that passed its gates, or that a person let pass, shall go live."""

from schemas.operations import OPERATIONS
from schemas.records import Blob, PublishRequested, TaskCompleted, Verdict
from streams.flow.processors.telling import provenance


def publish_request(
    event: TaskCompleted, verdict: Verdict, title: str, approved_by: str | None = None
) -> PublishRequested:
    """The request to publish the asset that a task made."""
    task = event.task
    assert task.step.asset is not None
    assert task.step.channel is not None
    return PublishRequested(
        tenant=task.tenant,
        sku=task.sku,
        version=task.version,
        asset=task.step.asset,
        channel=task.step.channel,
        file=event.outputs[0],
        verdict=verdict,
        engine=event.engine,
        result_id=event.result_id,
        title=title,
        campaign=task.campaign,
        approved_by=approved_by,
        models=models_of(event),
        provenance=provenance(event),
        beside=_beside(event),
    )


def _beside(event: TaskCompleted) -> list[Blob]:
    """What goes live with the picture: the files that its operation makes beside it, and not a mask for a next step."""
    operation = OPERATIONS.get(event.task.step.operation)
    return [] if operation is None else [each for each in event.outputs[1:] if each.role in operation.beside]


def models_of(event: TaskCompleted) -> list[str]:
    """The networks that worked on what a task made, in this step and in those before."""
    return sorted({*event.task.models, *([event.model] if event.model else [])})
