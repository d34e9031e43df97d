"""What is known of a pool, by its topics and the facts: the backlog and what comes by offsets, what a task takes and
what campaigns are still to have by SQL, before their tasks exist."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from schemas.operations import OPERATIONS
from schemas.operations.base import POOLS, Pool
from schemas.records import LANES, Lane
from streams.consumer.pools import PoolState, Queue
from streams.facts import CampaignLeft, Facts, Worked
from streams.runtime.settings import Settings
from streams.scaling.sizing import Job, LaneLoad, Observed, Terms

RATE_S, HALF_HOUR_S, HOUR_S = 600.0, 1800.0, 3600.0
WINDOWS_S = (RATE_S, HALF_HOUR_S, HOUR_S)
"""The times within which what came is counted: for the rate now, for how it rises, and for how quiet it is."""


@dataclass(frozen=True)
class Known:
    """What the facts know: seconds of one worker by task and by picture of a campaign, for each pool, and campaigns."""

    task_s: Mapping[Pool, float]
    picture_s: Mapping[Pool, float]
    campaigns: Sequence[CampaignLeft] = ()


def assumed(settings: Settings) -> Known:
    """What is gone by where nothing is known."""
    every = dict.fromkeys(POOLS, settings.scaler_task_s)
    return Known(every, every)


def known(settings: Settings, facts: Facts, now_ms: int) -> Known:
    """What the facts say at a Unix time: of the last hour's work, and of campaigns with a deadline ahead."""
    worked = facts.workloads.by_operation(now_ms - round(HOUR_S * 1000))
    fallback = settings.scaler_task_s
    task_s = {pool: _mean_s(settings, worked, pool, "tasks") or fallback for pool in POOLS}
    picture_s = {pool: _mean_s(settings, worked, pool, "pictures") or fallback for pool in POOLS}
    return Known(task_s, picture_s, facts.workloads.campaigns(now_ms, WINDOWS_S))


def _mean_s(settings: Settings, worked: Mapping[str, Worked], pool: Pool, of: str) -> float:
    """Seconds of a worker for a task, or for what a picture has of tasks: of its engine or of its cores."""
    its = [each for name, each in worked.items() if name in OPERATIONS and OPERATIONS[name].pool == pool]
    count = sum(getattr(each, of) for each in its)
    engine_ms, cpu_ms = sum(each.engine_ms for each in its), sum(each.cpu_ms for each in its)
    return max(engine_ms, cpu_ms / settings.scaler_worker_cores) / 1000 / count if count else 0.0


def observed(pool: Pool, state: PoolState, what: Known, now_ms: int) -> Observed:
    """A pool's lanes, campaigns and workers in engine-seconds."""
    task_s = what.task_s[pool]
    lanes: dict[Lane, LaneLoad] = {
        lane: _load(_without(state.lanes[lane], lane, what.campaigns), task_s) for lane in LANES
    }
    campaigns = [_job(each, what.picture_s[pool], now_ms) for each in what.campaigns]
    return Observed(lanes, campaigns, state.members)


def _without(queue: Queue, lane: Lane, campaigns: Sequence[CampaignLeft]) -> Queue:
    """A lane whose campaigns count by their deadlines, and not as something that goes on coming."""
    theirs = [each.fresh for each in campaigns if each.request.priority == lane]
    came = {each_s: max(0, count - sum(its.get(each_s, 0) for its in theirs)) for each_s, count in queue.came.items()}
    return replace(queue, came=came)


def _load(queue: Queue, task_s: float) -> LaneLoad:
    recent, before = queue.came[HALF_HOUR_S], queue.came[HOUR_S] - queue.came[HALF_HOUR_S]
    return LaneLoad(
        waiting_s=queue.waiting * task_s,
        coming=queue.came[RATE_S] * task_s / RATE_S,
        rising=(recent - before) * task_s / HALF_HOUR_S**2,
        task_s=task_s,
        tasks_an_hour=queue.came[HOUR_S],
    )


def _job(left: CampaignLeft, picture_s: float, now_ms: int) -> Job:
    """What is left of a campaign; a product that is not begun has a picture for each of its channels."""
    request = left.request
    assert request.deadline_ms is not None
    each_s = picture_s * len(request.channels)
    return Job(
        request.priority,
        left.planned * picture_s + left.not_begun * each_s,
        (request.deadline_ms - now_ms) / 1000,
        left.unknown * each_s,
    )


def terms(settings: Settings, state: PoolState, cold_start_s: float) -> Terms:
    """What a pool is run by: no more replicas than its best-spread lane has partitions, nor than the budget pays."""
    most = max(queue.partitions for queue in state.lanes.values())
    if settings.scaler_budget_hour is not None and settings.price_engine_hour > 0:
        most = min(most, int(settings.scaler_budget_hour / settings.price_engine_hour))
    targets_s: dict[Lane, float] = {
        "urgent": settings.scaler_urgent_s,
        "standard": settings.scaler_standard_s,
        "bulk": settings.scaler_bulk_s,
    }
    return Terms(cold_start_s, most, targets_s, settings.scaler_use)
