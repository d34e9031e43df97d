"""Many products that are made again: a few at a time, with everybody else's events in between.

What is left stands in the database. A step takes STEP_SKUS_MAX products of a tenant, asks for each of them on the
catalogue's topic, and behind them, with a ReplansContinued, for the next step: what others have written meanwhile comes
before that. Of a tenant there is one such event on its way; a second one, after a crash, does no harm.
"""

from collections.abc import Sequence

from schemas.records import ReplanRequested, ReplansContinued, ReplansRequested
from streams.facts import Facts, Replan
from streams.flow.processors import Answers

STEP_SKUS_MAX = 100  # a product takes some milliseconds


def replans_requested(event: ReplansRequested, facts: Facts) -> Answers:
    """An operator wants products made again."""
    return begun([Replan(event.tenant, sku, event.lane, event.reason) for sku in event.skus], facts)


def replans_continued(event: ReplansContinued, facts: Facts) -> Answers:
    """The next products of a tenant, if any are left."""
    return _step(event.tenant, facts)


def begun(replans: Sequence[Replan], facts: Facts) -> Answers:
    """Notes products as left to be made again; begins with those of tenants of which nothing was left."""
    if not replans:
        return []
    left = facts.replans
    idle = [tenant for tenant in sorted({each.tenant for each in replans}) if not left.has(tenant)]
    left.put(replans)
    return [answer for tenant in idle for answer in _step(tenant, facts)]


def _step(tenant: str, facts: Facts) -> Answers:
    left = facts.replans
    requests = [
        ReplanRequested(tenant=tenant, sku=each.sku, lane=each.lane, reason=each.reason)
        for each in left.take(tenant, STEP_SKUS_MAX)
    ]
    return [*requests, *([ReplansContinued(tenant=tenant)] if left.has(tenant) else [])]
