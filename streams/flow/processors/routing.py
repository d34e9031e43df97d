"""Routing: a task ended. Its results go on along the slip: to the next pools, to judging, or to an end."""

from schemas import recipes
from schemas.records import (
    AssetWithheld,
    Event,
    Step,
    Task,
    TaskCompleted,
    TaskFailed,
)
from streams.facts import Facts
from streams.flow.processors import Answers, marking
from streams.flow.processors.accepting import models_of
from streams.flow.processors.costing import shares
from streams.flow.processors.joining import joined
from streams.flow.processors.outcomes import judged
from streams.flow.processors.releasing import made_again, made_by_recalled
from streams.flow.processors.telling import with_action
from streams.runtime.errors import Refused


def task_completed(event: TaskCompleted, facts: Facts) -> Answers:
    """Fans out to the following steps and judges the asset, if the task made one."""
    facts.tasks.put(event)
    if event.outcome == "expired":
        return _withhold(event.task, event.task.step, "expired: the deadline had passed before the work began", facts)
    if event.outcome != "done":
        return []
    if not event.outputs:  # no worker of ours says so; what follows goes by the first of them
        refusal = Refused("no_output", "it is done, and made nothing", field="outputs")
        return [refusal, *_withhold(event.task, event.task.step, f"{refusal.code}: {refusal.message}", facts)]
    facts.costs.put(shares(event))
    facts.models.put_shadow(event)
    marking.note(event, facts)
    task, models = event.task, models_of(event)
    if found := made_by_recalled(models, facts):
        return [made_again(task.tenant, task.sku, task.lane, found)]
    measures = task.measures | {f"{task.step.operation}.{name}": value for name, value in event.measures.items()}
    answers: list[Event | Refused] = []
    for step in task.step.next:
        try:
            after = joined(task, step, event.outputs, measures, models, facts)
        except Refused as refusal:
            answers += [refusal, *_withhold(task, step, f"{refusal.code}: {refusal.message}", facts)]
            continue
        after = with_action(after, event)
        facts.tasks.put(after)
        answers.append(after)
    return [*answers, *(judged(event, facts) if task.step.asset else [])]


def task_failed(event: TaskFailed, facts: Facts) -> Answers:
    """Ends every asset that the failed task would have led to."""
    facts.tasks.put(event)
    return _withhold(event.task, event.task.step, f"{event.code}: {event.message}", facts)


def _withhold(task: Task, step: Step, reason: str, facts: Facts) -> list[Event]:
    """Ends the assets of a step that are still to come; what has got somewhere is not undone by a repeat that fails."""
    return [
        AssetWithheld(tenant=task.tenant, sku=task.sku, version=task.version, asset=name, reason=reason)
        for name in recipes.assets(step)
        if facts.assets.move(task.tenant, task.sku, name, task.version, "not made", reason=reason)
    ]
