"""A pool of workers as the autoscaler's simulation has it: starts that take their time, shares by lane, pauses.

It goes from slot to slot of the trace. Workers share themselves out among lanes by the production weights and evenly
among the tenants of a lane; each campaign is a tenant of its own. Whenever members come or go, the group stands still
for PAUSE_S. A replica costs from when it is asked for. What a deadline has passed is dropped, as workers drop it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from loadtest.benchmarks.autoscaler_trace import PICTURE_S, SLOT_S, SLOTS, TARGETS_S, TASK_S, Campaign, Slots, Trace
from schemas.records import LANES, Lane
from streams.consumer.lanes import WEIGHTS

PAUSE_S = 3.0  # of a rebalance, as measured with workers on Kafka on this machine
REPLICAS_MAX = 24  # partitions


@dataclass
class Open:
    """A campaign under way: what of it waits and what is still to come, engine-seconds."""

    campaign: Campaign
    waiting_s: float = 0.0
    to_come_s: float = 0.0


@dataclass
class Pool:
    """What a scaler can see of the pool in a slot."""

    trace: Trace
    cold_start_s: float
    slot: int = 0
    ready: int = 0
    waiting_s: dict[Lane, float] = field(default_factory=lambda: dict.fromkeys(LANES, 0.0))
    open: list[Open] = field(default_factory=list)
    busy: float = 0.0
    """The share of the replicas' time that the last slot has used, 0 to 1."""
    starting: list[int] = field(default_factory=list)
    """The slots in which those that were asked for will be ready."""

    @property
    def replicas(self) -> int:
        """Those that cost: ready or starting."""
        return self.ready + len(self.starting)

    @property
    def lag(self) -> float:
        """Tasks that wait in all lanes."""
        flows = sum(self.waiting_s[lane] / TASK_S[lane] for lane in LANES)
        return flows + sum(each.waiting_s for each in self.open) / PICTURE_S


@dataclass(frozen=True)
class Score:
    """What a scaler led to: tasks that were late, hours of GPUs, and how often a replica was started."""

    missed: float
    gpu_hours: float
    starts: int


Scaler = Callable[[Pool], int]
"""Says in each slot how many replicas there are to be."""


def run(trace: Trace, cold_start_s: float, scaler: Scaler) -> Score:
    """A scaler over a whole trace."""
    pool = Pool(trace, cold_start_s, ready=1)
    arrivals = {lane: trace.arrivals[lane].tolist() for lane in LANES}
    served = {lane: np.zeros(SLOTS) for lane in LANES}
    coming, missed, cost_slots, starts = list(trace.campaigns), 0.0, 0, 0
    for slot in range(SLOTS):
        pool.slot = slot
        while coming and coming[0].requested <= slot:
            campaign = coming.pop(0)
            pool.open.append(Open(campaign, to_come_s=float(campaign.arrivals.sum())))
        paused, started = _scale(pool, min(max(scaler(pool), 0), REPLICAS_MAX))
        starts += started
        cost_slots += pool.replicas
        for lane in LANES:
            pool.waiting_s[lane] += arrivals[lane][slot]
        missed += _campaigns_come(pool)
        _serve(pool, pool.ready * (SLOT_S - (PAUSE_S if paused else 0.0)), served)
    late = sum(_late(trace, lane, served[lane]) for lane in LANES)
    return Score(late + missed, cost_slots * SLOT_S / 3600, starts)


def _scale(pool: Pool, wanted: int) -> tuple[bool, int]:
    """Replicas become ready, are asked for and ended, the starting ones first: whether members changed, and starts."""
    before = pool.ready
    pool.ready += sum(at <= pool.slot for at in pool.starting)
    pool.starting = [at for at in pool.starting if at > pool.slot]
    more = max(wanted - pool.replicas, 0)
    pool.starting += [pool.slot + round(pool.cold_start_s / SLOT_S)] * more
    while pool.replicas > wanted and pool.starting:
        pool.starting.pop()
    pool.ready = min(pool.ready, max(wanted, 0)) if pool.replicas > wanted else pool.ready
    return pool.ready != before, more


def _campaigns_come(pool: Pool) -> float:
    """What of campaigns comes in this slot; the tasks that are dropped, for they are late."""
    missed = 0.0
    for each in pool.open:
        if pool.slot >= each.campaign.due:
            missed += (each.waiting_s + each.to_come_s) / PICTURE_S
        else:
            comes_s = float(each.campaign.arrivals[pool.slot - each.campaign.requested])
            each.waiting_s += comes_s
            each.to_come_s = max(each.to_come_s - comes_s, 0.0)
    if pool.open:
        pool.open = [
            each for each in pool.open if pool.slot < each.campaign.due and each.waiting_s + each.to_come_s > 1e-6
        ]
    return missed


def _serve(pool: Pool, capacity_s: float, served: dict[Lane, Slots]) -> None:
    """Works for a slot."""
    before, slot = dict(pool.waiting_s), pool.slot
    total_s = sum(pool.waiting_s.values()) + sum(each.waiting_s for each in pool.open)
    pool.busy = min(total_s / capacity_s, 1.0) if capacity_s else 0.0
    if total_s <= capacity_s:
        for lane in LANES:
            pool.waiting_s[lane] = 0.0
        for each in pool.open:
            each.waiting_s = 0.0
    elif capacity_s:
        _share_out(pool, capacity_s)
    for lane in LANES:
        served[lane][slot] = before[lane] - pool.waiting_s[lane]


def _share_out(pool: Pool, capacity_s: float) -> None:
    """By weight: who needs less than its share leaves the rest to the others."""
    while capacity_s > 1e-9:
        tenants = {lane: int(pool.waiting_s[lane] > 1e-9) for lane in LANES}
        campaigns = [each for each in pool.open if each.waiting_s > 1e-9]
        tenants["urgent"] += len(campaigns)  # the lane that campaigns are asked for in
        weights = {lane: WEIGHTS[lane] / tenants[lane] for lane in LANES if tenants[lane]}
        all_weights = sum(WEIGHTS[lane] for lane in weights)
        if not weights:
            return
        unit_s, spent_s = capacity_s / all_weights, 0.0
        for lane in weights:
            took_s = min(pool.waiting_s[lane], unit_s * weights[lane])
            pool.waiting_s[lane] -= took_s
            spent_s += took_s
        for each in campaigns:
            took_s = min(each.waiting_s, unit_s * weights["urgent"])
            each.waiting_s -= took_s
            spent_s += took_s
        capacity_s -= spent_s
        if spent_s <= 1e-9:
            return


def _late(trace: Trace, lane: Lane, served: Slots) -> float:
    """The tasks of a lane that ended later than it allows; each lane is worked on in order."""
    come, done = np.cumsum(trace.arrivals[lane]), np.cumsum(served)
    allowed = round(TARGETS_S[lane] / SLOT_S)
    due_by = come[: SLOTS - allowed]
    ended_at = np.searchsorted(done, due_by - 1e-6)
    is_late = ended_at > np.arange(SLOTS - allowed) + allowed
    return float(trace.arrivals[lane][: SLOTS - allowed][is_late].sum() / TASK_S[lane])
