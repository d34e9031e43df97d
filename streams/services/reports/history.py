"""What happened to a product, as the facts still know it: of its newest version, each thing at its last news."""

from collections.abc import Iterator
from dataclasses import dataclass

from schemas.records import ReviewDecided, TaskCompleted, TaskFailed
from streams.facts import Facts, Product, Review


@dataclass(frozen=True)
class Happening:
    """Something that happened: when (Unix time in ms), what, to which asset, why, and by whom."""

    at_ms: int
    what: str
    asset: str = ""
    why: str = ""
    by: str = ""
    is_bad: bool = False


def of(tenant: str, product: Product, facts: Facts) -> list[Happening]:
    """The newest first."""
    sku = product.event.sku
    noted_ms, tasks_ms = facts.overviews.noted(tenant, sku)
    what = "deleted" if product.deleted else f"version {product.version} taken in"
    found = [Happening(noted_ms, what, why=product.event.title)]
    found += _of_tasks(tenant, product, facts, tasks_ms)
    for review, at_ms in facts.overviews.reviews(tenant, sku):
        found += _of_review(review, at_ms)
    for asset in facts.assets.of(tenant, sku):
        if asset.live is not None:
            by = asset.live.approved_by or ""
            found.append(Happening(asset.live.published_at_ms, "went live", asset.asset, by=by))
    return sorted(found, key=lambda each: (-each.at_ms, each.asset))


def _of_tasks(tenant: str, product: Product, facts: Facts, tasks_ms: dict[str, int]) -> Iterator[Happening]:
    for fact in facts.tasks.of(tenant, product.event.sku, product.version):
        at_ms, record = tasks_ms[fact.task_id], fact.record
        match record:
            case TaskFailed():
                asset = record.task.step.asset or ""
                yield Happening(
                    at_ms, f"{fact.operation} failed", asset, f"{record.code}: {record.message}", is_bad=True
                )
            case TaskCompleted():
                why = "found, made before" if record.cached else record.model or ""
                yield Happening(at_ms, f"{fact.operation} {fact.state}", record.task.step.asset or "", why)
            case _:
                yield Happening(at_ms, f"{fact.operation} {fact.state}", record.step.asset or "")


def _of_review(review: Review, at_ms: int) -> Iterator[Happening]:
    if review.last is None:
        yield Happening(at_ms, "waits for a person", review.asset, review.request.reason)
    elif review.is_lapsed:
        yield Happening(at_ms, "decision stands no more", review.asset, review.request.again or "other rules count")
    elif isinstance(review.last, ReviewDecided):
        outcome = "approved" if review.last.approved else "sent back" if review.last.redo else "rejected"
        yield Happening(at_ms, outcome, review.asset, review.last.reason, review.last.decided_by)
    else:
        yield Happening(at_ms, "decision taken back", review.asset, review.last.reason, review.last.decided_by)
