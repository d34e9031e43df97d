"""Marking: the same words at the same place in photographs of several of a tenant's products were laid over them.

One photograph cannot tell a shop's sign from a watermark. What is noted of each is a fact, so that those that come
later are told; the first ones were seen alone.
"""

from schemas.records import Task, TaskCompleted
from streams.facts import Facts

MARK, OF_CUTOUT = "mark.", "cutout.mark."
SAME = "same_marks"


def note(event: TaskCompleted, facts: Facts) -> None:
    """Notes the marks of a product's photograph."""
    if marks := {name.removeprefix(MARK) for name in event.measures if name.startswith(MARK)}:
        facts.marks.put(event.task.tenant, event.task.sku, marks)


def measures_of(task: Task, facts: Facts) -> dict[str, float]:
    """How many other products of the tenant have a mark of this photograph; nothing where it has none."""
    marks = {name.removeprefix(OF_CUTOUT) for name in task.measures if name.startswith(OF_CUTOUT)}
    return {SAME: float(facts.marks.others(task.tenant, task.sku, marks))} if marks else {}
