"""Retouching: a person has a photograph cut out otherwise. Only its own assets are made again, from the cutout on.

A retouch belongs to the photograph: every later version of the product that has it keeps the retouch, and another
photograph has none. Of several words on one the newest counts, in whatever order they come; what an older one still
brings in is not heard.
"""

from collections.abc import Mapping, Sequence

import structlog
from msgspec.structs import replace

from schemas import recipes
from schemas.identity import source_id, task_id
from schemas.operations import OPERATIONS
from schemas.operations.base import BadParameters
from schemas.records import CutoutRetouched, Origin, Task
from streams.facts import Facts, Product
from streams.flow.ahead import check_version
from streams.flow.processors.planning import AssetRequest, first_tasks
from streams.flow.processors.retracting import is_retracted
from streams.runtime.errors import Refused

OPERATION = "cutout"
STROKES = "retouch"  # the parameter of a cutout that names its strokes

log = structlog.get_logger()


def begun_again(event: CutoutRetouched, product: Product, requests: Sequence[AssetRequest], facts: Facts) -> list[Task]:
    """The tasks that make again whatever `requests` make of a photograph. Told again they are the same.

    Raises Refused for a photograph that the product has not, and for parameters that there are not.
    """
    if product.deleted or event.source not in product.event.sources:
        raise Refused("unknown_source", f"{event.sku} has no such photograph: {event.source.uri}", field="source")
    check(event)
    known = facts.retouches.get(event.tenant, event.sku, event.source)
    check_version(event.version, 0 if known is None else known.version)
    if known is not None and _is_stale(event, known):
        return []
    facts.retouches.put(event)
    cookbook, rows = facts.recipes.cookbook(), facts.assets.of(event.tenant, event.sku)
    retracted = {row.asset for row in rows if is_retracted(row)}
    begun = [task for each in requests for task in first_tasks(product.event, each, cookbook, retracted)]
    tasks = retouched([task for task in begun if task.source == event.source and _is_cutout(task)], facts)
    if known != event:
        _begin_again(tasks, f"retouched: {event.reason}", facts)
    return tasks


def check(event: CutoutRetouched) -> None:
    """Raises Refused for parameters that a cutout does not take; the strokes have a field of their own."""
    if STROKES in event.parameters:
        raise Refused(BadParameters.code, "strokes are told in `strokes`", field=f"parameters.{STROKES}")
    try:
        OPERATIONS[OPERATION].parameters.parse(_parameters(event))
    except BadParameters as error:
        raise Refused(error.code, f"{OPERATION}: {error}", field=f"parameters.{error.field}") from error


def _is_stale(event: CutoutRetouched, known: CutoutRetouched) -> bool:
    """Whether a newer word is known. Raises Refused where another one has the event's place."""
    if known.version > event.version:
        log.info("stale retouch", tenant=event.tenant, sku=event.sku, version=event.version, newest=known.version)
        return True
    if known.version == event.version and known != event:
        raise Refused("review_closed", "somebody retouched it otherwise since", field="version")
    return False


def retouched(tasks: Sequence[Task], facts: Facts) -> list[Task]:
    """First tasks as people want their photographs cut out, of one product."""
    if not any(map(_is_cutout, tasks)):
        return list(tasks)
    retouches = facts.retouches.of(tasks[0].tenant, tasks[0].sku)
    return [_retouched(task, retouches) for task in tasks]


def is_retouched_since(task: Task, facts: Facts) -> bool:
    """Whether a photograph was retouched otherwise since what a picture is made of was cut out."""
    if task.origin is None or task.origin.cutout is None:
        return False
    event = facts.retouches.get(task.tenant, task.sku, task.origin.source)
    return event is not None and event.version != task.origin.retouch


def _retouched(task: Task, retouches: Mapping[str, CutoutRetouched]) -> Task:
    event = retouches.get(source_id(task.source)) if task.source is not None else None
    if event is None or task.source is None or not _is_cutout(task):
        return task
    step = replace(task.step, parameters={**task.step.parameters, **_parameters(event)})
    identity = task_id(task.tenant, task.sku, task.version, task.campaign, step, task.source, [])
    return replace(task, task_id=identity, step=step, origin=Origin(source=task.source, retouch=event.version))


def _parameters(event: CutoutRetouched) -> dict[str, str]:
    return {**event.parameters, **({STROKES: event.strokes} if event.strokes else {})}


def _is_cutout(task: Task) -> bool:
    return task.step.operation == OPERATION


def _begin_again(tasks: Sequence[Task], reason: str, facts: Facts) -> None:
    for task in tasks:
        for name in recipes.assets(task.step):
            facts.reviews.supersede_others(task.tenant, task.sku, name, "")
            facts.assets.move(task.tenant, task.sku, name, task.version, "redone", reason=reason)
