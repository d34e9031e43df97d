"""Costing: what a completed task cost, shared out evenly among the assets that it leads to."""

from collections.abc import Iterator
from dataclasses import replace

from schemas.costs import WHOLE_MAX, total
from schemas.records import Cost, Step, TaskCompleted
from streams.facts import Share
from streams.facts.costs import OF_NO_PRODUCT


def shares(event: TaskCompleted) -> list[Share]:
    """A share for each asset; of a price that is no multiple of their number the first ones bear the rest.

    None for a completion from before costs were measured.
    """
    if not event.costs:
        return []
    assets = list(_assets(event.task.step))
    cost, saved = total(event.costs.values()), total([event.saved or Cost()])
    return [_share(event, step, cost, saved, len(assets), place) for place, step in enumerate(assets)]


def ordered(event: TaskCompleted) -> Share:
    """What a step cost of a slip that leads to one picture, of no product."""
    step = event.task.step
    last = next(_assets(step), step)  # a cutout that is ordered alone is no asset
    share = _share(event, last, total(event.costs.values()), total([event.saved or Cost()]), 1, 0)
    return replace(share, version=OF_NO_PRODUCT)


def _share(event: TaskCompleted, of: Step, cost: Cost, saved: Cost, count: int, place: int) -> Share:
    task = event.task
    is_its_own = of is task.step and bool(event.outputs)
    return Share(
        task_id=task.task_id,
        result_id=event.result_id,
        asset=of.asset or "",
        tenant=task.tenant,
        sku=task.sku,
        version=task.version,
        channel=of.channel or "",
        operation=task.step.operation,
        digest=event.outputs[0].digest if is_its_own else "",
        engine_ms=cost.engine_ms / count,
        cpu_ms=cost.cpu_ms / count,
        size_bytes=_part(min(cost.bytes_in + cost.bytes_out, WHOLE_MAX), count, place),
        price_nanos=_part(cost.price_nanos, count, place),
        saved_engine_ms=saved.engine_ms / count,
        saved_price_nanos=_part(saved.price_nanos, count, place),
    )


def _part(amount: int, count: int, place: int) -> int:
    return amount // count + (place < amount % count)


def _assets(step: Step) -> Iterator[Step]:
    if step.asset:
        yield step
    for following in step.next:
        yield from _assets(following)
