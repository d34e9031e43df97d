"""How many replicas of a worker a pool wants: by what waits, by when it is due, and by what comes.

Pure: no clock, no broker, no database. Work is counted in engine-seconds: what a replica does in a second at full use.
What waits is a set of jobs: the backlog of each lane, due within a part of the lane's target, for its oldest task has
waited already, and what is left of each campaign, due at its deadline. Workers share themselves out among lanes by
weight and among the tenants of a lane evenly (streams.consumer.lanes). So when a job has got its work done, others have
got at most what their weights allow, and no more than they had: that is what stands before it. A job that is due after
a new replica has started may count on it.

What comes to a lane that allows many starts is seen in its backlog soon enough. To others replicas are given for their
load; where they cannot wait for a start, by the square-root rule: also `SPREAD` standard deviations of what comes at
random within the time that they allow (Halfin and Whitt, Operations Research 29, 1981).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from schemas.records import LANES, Lane
from streams.consumer.lanes import WEIGHTS

SPREAD = 2.0  # standard deviations: 2 % of a Poisson flow's windows hold more
DRAINED_WITHIN = 1 / 3  # of a lane's target: read anew each time, a backlog that has all of it is always late
PLANNED_S = 3600.0  # a lane that allows longer, or so many starts, is served by its backlog alone
PLANNED_STARTS = 8.0
NO_WAIT_STARTS = 2.0  # a lane that allows less cannot wait for a start: its work comes before the replica does
MISSED_BELOW = 0.1  # tasks that come too early for a start: fewer than that, and it pays to have no replica
LAST_CALL = 2.0  # cold starts before a deadline, from when on one replica is held ready for what is still to come


@dataclass(frozen=True)
class Job:
    """Work of a lane that is due together: engine-seconds, and in how many seconds (at or below 0: it is late).

    `to_come_s` is what cannot begin yet, for its products are not known; `flow_s` is what comes in a lane meanwhile,
    which its share has to be enough for, too.
    """

    lane: Lane
    work_s: float
    within_s: float
    to_come_s: float = 0.0
    flow_s: float = 0.0


@dataclass(frozen=True)
class LaneLoad:
    """How a lane stands: engine-seconds that wait, those of campaigns among them; engine-seconds that come in a second
    and by how much that rises in a second, without campaigns; those of a task; how many tasks came in the last hour."""

    waiting_s: float = 0.0
    coming: float = 0.0
    rising: float = 0.0
    task_s: float = 0.0
    tasks_an_hour: float = 0.0


@dataclass(frozen=True)
class Observed:
    """What is known of a pool: its lanes, the campaigns of it that have a deadline, and its replicas that work."""

    lanes: Mapping[Lane, LaneLoad] = field(default_factory=dict)
    campaigns: Sequence[Job] = ()
    ready: int = 0


@dataclass(frozen=True)
class Terms:
    """What a pool is run by: seconds until a new replica works, the most replicas that partitions and budget allow, the
    seconds that each lane allows from a task's arrival to its end, and the share of a replica that is planned for where
    nothing can be started in time."""

    cold_start_s: float
    replicas_max: int
    targets_s: Mapping[Lane, float]
    use: float = 0.85

    def __post_init__(self) -> None:
        if self.cold_start_s < 0 or self.replicas_max < 0 or not 0 < self.use <= 1:
            raise ValueError("a cold start and the most replicas are at least 0, use is above 0 and at most 1")


def replicas(observed: Observed, terms: Terms) -> int:
    """How many replicas the pool wants now: 0 to `terms.replicas_max`. Never fewer for more that waits or is due."""
    jobs = _jobs(observed, terms)
    staffed = _staffed(observed, terms)
    spare = max(observed.ready - staffed, 0.0)
    needed = staffed + max((_for(job, jobs, spare, terms) for job in jobs), default=0.0)
    wanted = math.ceil(round(min(needed, terms.replicas_max), 6))
    if wanted and not observed.ready and _may_wait(jobs, staffed, terms):
        wanted = 0
    return min(max(wanted, _held_ready(observed, terms)), terms.replicas_max)


def _jobs(observed: Observed, terms: Terms) -> list[Job]:
    """What can be worked on: the campaigns, and of each lane's backlog what is not theirs, with what comes to it."""
    campaigns = [each for each in observed.campaigns if each.work_s > 0]
    lanes = [_backlog(lane, load, campaigns, terms) for lane, load in observed.lanes.items()]
    return [*campaigns, *(each for each in lanes if each.work_s + each.flow_s > 0)]


def _backlog(lane: Lane, load: LaneLoad, campaigns: Sequence[Job], terms: Terms) -> Job:
    """A lane's own: what waits without what campaigns may have of it, but for what comes to it within its time."""
    within_s = terms.targets_s[lane] * DRAINED_WITHIN
    flow_s = _coming(load, terms) * within_s if _is_planned(lane, terms) else 0.0
    rest_s = load.waiting_s - sum(each.work_s for each in campaigns if each.lane == lane)
    return Job(lane, max(rest_s, min(load.waiting_s, flow_s), 0.0), within_s, flow_s=flow_s)


def _coming(load: LaneLoad, terms: Terms) -> float:
    """Engine-seconds that will come in a second when a replica that is asked for now works."""
    return load.coming + max(load.rising, 0.0) * terms.cold_start_s


def _staffed(observed: Observed, terms: Terms) -> float:
    """Replicas for what will come when one asked for now works, in lanes that are not left to their backlog."""
    flows = {lane: load for lane, load in observed.lanes.items() if _is_planned(lane, terms)}
    of_load = sum(_coming(load, terms) / _use(lane, terms) for lane, load in flows.items())
    at_random = sum(
        _coming(load, terms) * load.task_s / terms.targets_s[lane]
        for lane, load in flows.items()
        if terms.targets_s[lane] < NO_WAIT_STARTS * terms.cold_start_s
    )
    return of_load + SPREAD * math.sqrt(at_random)


def _is_planned(lane: Lane, terms: Terms) -> bool:
    return terms.targets_s[lane] <= min(PLANNED_S, PLANNED_STARTS * terms.cold_start_s)


def _use(lane: Lane, terms: Terms) -> float:
    return terms.use if terms.targets_s[lane] <= terms.cold_start_s else 1.0


def _for(job: Job, jobs: Sequence[Job], spare: float, terms: Terms) -> float:
    """Replicas that end a job in time, and what is shared out to others until then; `spare` of them work already."""
    need_s = (job.work_s + _beside(job, jobs)) / terms.use
    if need_s <= spare * job.within_s:
        return need_s / job.within_s if need_s else 0.0
    # Who works for less time than its start took was not worth starting: later is then the least that is left.
    left_s = max(job.within_s - terms.cold_start_s, terms.cold_start_s, 1.0)
    done_s = spare * max(0.0, min(job.within_s, terms.cold_start_s))
    return max(spare, (need_s - done_s) / left_s)


def _beside(job: Job, jobs: Sequence[Job]) -> float:
    """The most engine-seconds that others get until the job, and what comes to it, is done."""
    mates = [each for each in jobs if each.lane == job.lane]
    weight, all_s = WEIGHTS[job.lane] / len(mates), job.work_s + job.flow_s
    beside_s = sum(min(each.work_s, all_s) for each in mates if each is not job)
    for lane in LANES:
        if lane != job.lane:
            theirs_s = sum(each.work_s for each in jobs if each.lane == lane)
            beside_s += min(theirs_s, all_s * WEIGHTS[lane] / weight)
    return beside_s


def _may_wait(jobs: Sequence[Job], staffed: float, terms: Terms) -> bool:
    """Whether a start would cost more than all that waits, and all of that is in time after a later one."""
    work_s = sum(each.work_s for each in jobs) / terms.use
    soonest_s = min((each.within_s for each in jobs), default=math.inf)
    return not staffed and work_s < terms.cold_start_s and soonest_s > 2 * terms.cold_start_s + work_s


def _held_ready(observed: Observed, terms: Terms) -> int:
    """One replica where something that cannot wait for a start is to be expected, else none."""
    cold_s = terms.cold_start_s
    missed = sum(
        load.tasks_an_hour * cold_s / 3600
        for lane, load in observed.lanes.items()
        if terms.targets_s[lane] < 2 * cold_s
    )
    is_last_call = any(each.to_come_s > 0 and 0 < each.within_s <= LAST_CALL * cold_s for each in observed.campaigns)
    return int(missed >= MISSED_BELOW or is_last_call)
