"""An oracle: it knows the whole trace, serves by earliest deadline, starts replicas ahead, and pays for nothing idle.

Minute by minute it runs as many replicas as the most pressing deadline wants of all that is there and will come (Yao,
Demers and Shenker, FOCS 1995, in whole replicas). A gap that is shorter than a start is run through. It is no best
plan, for replicas wait for what is still to come, and no lower bound: that is the trace's work itself.
"""

import math

import numpy as np
from numpy.typing import NDArray

from loadtest.benchmarks.autoscaler_pool import REPLICAS_MAX, Score
from loadtest.benchmarks.autoscaler_trace import SLOT_S, SLOTS, TARGETS_S, TASK_S, Trace
from schemas.records import LANES

MINUTE_SLOTS = 60 // SLOT_S
MINUTES = SLOTS // MINUTE_SLOTS
HORIZON = 13 * 60  # minutes; every deadline is nearer


def oracle(trace: Trace, cold_start_s: float) -> Score:
    """What the oracle misses and costs."""
    counts, late_s = _plan(_released(trace))
    hours, starts = _cost(counts, cold_start_s / 60)
    return Score(late_s / TASK_S["standard"], hours, starts)


def _released(trace: Trace) -> list[dict[int, float]]:
    """By minute, the engine-seconds that come in it by the minute in which they are due."""
    released: list[dict[int, float]] = [{} for _ in range(MINUTES)]
    for lane in LANES:
        minutes = trace.arrivals[lane].reshape(MINUTES, MINUTE_SLOTS).sum(axis=1)
        for minute in map(int, np.flatnonzero(minutes)):
            due = minute + int(TARGETS_S[lane] // 60)
            released[minute][due] = released[minute].get(due, 0.0) + float(minutes[minute])
    for each in trace.campaigns:
        due = each.due // MINUTE_SLOTS
        for offset in np.flatnonzero(each.arrivals):
            minute = (each.requested + int(offset)) // MINUTE_SLOTS
            if minute < MINUTES:
                released[minute][due] = released[minute].get(due, 0.0) + float(each.arrivals[offset])
    return released


def _plan(released: list[dict[int, float]]) -> tuple[NDArray[np.int64], float]:
    """Replicas by minute, and the engine-seconds that were late all the same."""
    here, ahead = np.zeros(MINUTES + HORIZON), np.zeros(MINUTES + HORIZON)
    for its in released:
        for due, work_s in its.items():
            ahead[due] += work_s
    seconds = np.arange(1, HORIZON + 1) * 60.0
    counts, late_s = np.zeros(MINUTES, dtype=np.int64), 0.0
    for minute, its in enumerate(released):
        for due, work_s in its.items():
            here[due] += work_s
            ahead[due] -= work_s
        late_s += here[minute]
        here[minute] = 0.0
        window = slice(minute + 1, minute + 1 + HORIZON)
        wanted = float((np.cumsum(here[window] + ahead[window]) / seconds).max())
        counts[minute] = min(math.ceil(wanted - 1e-9), REPLICAS_MAX)
        _serve(here, minute + 1, counts[minute] * 60.0)
    return counts, late_s


def _serve(here: NDArray[np.float64], first: int, capacity_s: float) -> None:
    """By earliest deadline."""
    due = first
    while capacity_s > 1e-9 and due < len(here):
        if here[due] > 0:
            took_s = min(here[due], capacity_s)
            here[due] -= took_s
            capacity_s -= took_s
        due += 1
        if due - first > HORIZON:
            return


def _cost(counts: NDArray[np.int64], cold_min: float) -> tuple[float, int]:
    """Hours of GPUs and starts, where each level of replicas runs through gaps that are shorter than a start."""
    minutes, starts = 0.0, 0
    for level in range(1, int(counts.max()) + 1):
        on = np.flatnonzero(counts >= level)
        gaps = np.diff(on) - 1
        starts += 1 + int((gaps > cold_min).sum())
        minutes += len(on) + float(gaps[gaps <= cold_min].sum())
    return (minutes + starts * cold_min) / 60, starts
