"""Telling how a picture came about: what each step did goes along with its tasks, and in the end with the asset."""

from collections.abc import Mapping

from msgspec.structs import replace

from schemas.records import Action, Origin, Provenance, Task, TaskCompleted

PEOPLE = "person_share"  # a cutout's measure
VIRTUAL = "virtual_model"  # a model's: 1


def with_action(after: Task, done: TaskCompleted) -> Task:
    """The task of a step behind one that is done, told what that did."""
    origin = _origin(done)
    if origin is None or after.origin is None:
        return after
    return replace(after, origin=replace(after.origin, digest=origin.digest, actions=[*origin.actions, _action(done)]))


def provenance(event: TaskCompleted) -> Provenance:
    """How the picture that a task made came about."""
    origin = _origin(event)
    before = [] if origin is None else origin.actions
    measures = event.task.measures | event.measures
    return Provenance(
        photograph=None if origin is None else origin.digest,
        actions=[*before, _action(event)],
        retouched=origin is not None and origin.retouch > 0,
        people=_people(measures),
        virtual=any(_measured(measures, VIRTUAL)),
    )


def _origin(event: TaskCompleted) -> Origin | None:
    """What the pictures of a task began with; its own file where it fetched one."""
    task = event.task
    if task.source is None:
        return task.origin
    known = task.origin or Origin(source=task.source)
    return replace(known, digest=event.source_digest or task.source.sha256, actions=[])


def _action(event: TaskCompleted) -> Action:
    step = event.task.step
    return Action(
        operation=step.operation,
        parameters=dict(step.parameters),
        model=event.model,
        model_sha256=event.model_sha256,
    )


def _people(measures: Mapping[str, float]) -> bool | None:
    """Whether anybody was seen in the photograph, or in any that is in the picture, or is a virtual model in it; None
    where nobody looked."""
    seen = [*_measured(measures, PEOPLE), *_measured(measures, VIRTUAL)]
    return any(value > 0 for value in seen) if seen else None


def _measured(measures: Mapping[str, float], name: str) -> list[float]:
    """What every step measured by this name."""
    return [value for each, value in measures.items() if each.rpartition(".")[2] == name]
