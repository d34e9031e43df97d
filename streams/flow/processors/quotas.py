"""Quotas: a tenant that asks for more than its share in an hour has the rest worked on in lane bulk, and is told so.

Counted are the photographs that were begun in another lane, by the time of the events that asked for them: the same
event again, whenever it comes, is answered the same.
"""

from collections.abc import Sequence
from typing import TypeGuard

from msgspec.structs import replace

from schemas.records import Event, Task
from streams.facts import Facts
from streams.flow.processors import Answers
from streams.runtime.errors import Refused

HOUR_MS = 3600 * 1000


def admitted(answers: Answers, facts: Facts, per_hour: int, asked_at_ms: int) -> Answers:
    """The answers, their first tasks with the time at which they were asked for, and demoted where over the quota.

    `per_hour` 0 sets none.
    """
    stamped = [replace(task, asked_at_ms=asked_at_ms) for task in answers if _is_first(task)]
    if per_hour and stamped:
        stamped = _within(stamped, facts, per_hour, asked_at_ms)
    for task in stamped:
        facts.tasks.put(task)
    rest = iter(stamped)
    return [next(rest) if _is_first(answer) else answer for answer in answers]


def _is_first(answer: Event | Refused) -> TypeGuard[Task]:
    """Whether it begins with a photograph; later steps are of photographs that were counted."""
    return isinstance(answer, Task) and answer.source is not None


def _within(tasks: Sequence[Task], facts: Facts, per_hour: int, asked_at_ms: int) -> list[Task]:
    before, then = facts.tasks.counted(tasks[0].tenant, asked_at_ms - HOUR_MS, asked_at_ms)
    used = before + len(then)
    kept: list[Task] = []
    for task in tasks:
        counts = task.lane != "bulk" and task.task_id not in then  # else it was admitted when it came before
        if counts and used >= per_hour:
            why = f"{task.lane} was asked for, and {per_hour} photographs an hour are the quota"
            task = replace(task, lane="bulk", demoted=why)
        used += counts and task.lane != "bulk"
        kept.append(task)
    return kept
