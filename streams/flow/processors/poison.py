"""Poison: an event that whoever works on it breaks on. What is told of it, and how what it stands for ends."""

import time
from collections.abc import Iterable

import structlog

from schemas import recipes, topics
from schemas.records import (
    AssetWithheld,
    Event,
    PublicationFailed,
    PublishRequested,
    ReviewDecided,
    ReviewRequested,
    Task,
    TaskCompleted,
    TaskFailed,
)
from streams.consumer import letters
from streams.consumer.letters import Delivery, Outgoing
from streams.facts import Facts
from streams.flow.processors import Answers
from streams.runtime.errors import Refused

MESSAGE_CHARACTERS_MAX = 500
# What is live stays so, and what a person rejected.

log = structlog.get_logger()


def ends(event: Event, facts: Facts, reason: str) -> Answers:
    """The assets that an event was about fail: nothing else will ever move them."""
    match event:
        case TaskCompleted() | TaskFailed():
            _note_task(event, facts)
            task = event.task
            return _withheld(task.tenant, task.sku, task.version, recipes.assets(task.step), reason, facts)
        case Task():
            return _withheld(event.tenant, event.sku, event.version, recipes.assets(event.step), reason, facts)
        case ReviewRequested(completed=completed):
            task = completed.task
            return _withheld(task.tenant, task.sku, task.version, recipes.assets(task.step), reason, facts)
        case PublicationFailed() | PublishRequested():
            return _withheld(event.tenant, event.sku, event.version, [event.asset], reason, facts)
        case ReviewDecided(case=str(case_id)):
            waiting = facts.cases.waiting([case_id])[case_id]
            return [
                answer
                for each in waiting
                for answer in _withheld(event.tenant, event.sku, each.version, [each.asset], reason, facts)
            ]
        case ReviewDecided():
            review = facts.reviews.get(event.review_id)
            assets = [] if review is None else [review.asset]
            return _withheld(event.tenant, event.sku, review.version if review else 0, assets, reason, facts)
    return []


def bare_letter(delivery: Delivery, why: Refused) -> Outgoing:
    """A dead letter that says only where the record stood and why it died: for those whose story breaks letters."""
    now_ms = time.time_ns() // 1_000_000
    fields = {
        letters.ORIGIN_TOPIC: delivery.topic,
        letters.ORIGIN_PARTITION: delivery.partition,
        letters.ORIGIN_OFFSET: delivery.offset,
        letters.FIRST_SEEN: now_ms,
        letters.FAILED_AT: now_ms,
        letters.ERROR_KIND: why.kind,
        letters.ERROR_CODE: why.code,
        letters.ERROR_MESSAGE: ascii(str(why))[1:MESSAGE_CHARACTERS_MAX],
    }
    headers = [(name, str(value).encode()) for name, value in fields.items()]
    return Outgoing(topics.DEAD.name, delivery.key, delivery.value, headers)


def _withheld(
    tenant: str, sku: str, version: int, assets: Iterable[str], reason: str, facts: Facts
) -> list[AssetWithheld]:
    return [
        AssetWithheld(tenant=tenant, sku=sku, version=version, asset=name, reason=reason)
        for name in assets
        if facts.assets.move(tenant, sku, name, version, "broke a processor", reason=reason)
    ]


def _note_task(event: TaskCompleted | TaskFailed, facts: Facts) -> None:
    try:
        with facts.savepoint():
            facts.tasks.put(event)
    except Exception:  # the task may be just what cannot be noted; its assets end all the same
        log.exception("the end of a task cannot be noted", task=event.task.task_id)
