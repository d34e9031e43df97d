"""The scalers that the autoscaler is compared with, and ours, for the simulated pool."""

import math
from collections import deque
from collections.abc import Callable
from itertools import product

import numpy as np

from loadtest.benchmarks.autoscaler_pool import REPLICAS_MAX, Pool, Scaler
from loadtest.benchmarks.autoscaler_trace import (
    BLACK_FRIDAY,
    SLOT_S,
    SLOTS,
    TARGETS_S,
    TASK_S,
    Slots,
    Trace,
)
from schemas.records import LANES, Lane
from streams.scaling.sizing import Job, LaneLoad, Observed, Terms, replicas
from streams.scaling.steadying import Steady

STABILISATION_SLOTS = 300 // SLOT_S  # the HPA's window for going down, and KEDA's cooldown to none: their defaults
TOLERANCE = 0.1  # the HPA's
ERROR = 0.1  # standard deviation of what we take a task to cost, to what it costs, drawn for every day
RATE_SLOTS = 600 // SLOT_S
HALF_SLOTS = 1800 // SLOT_S
HOUR_SLOTS = 3600 // SLOT_S


class Hpa:
    """Kubernetes' HorizontalPodAutoscaler on a proposed number, with KEDA's 0 to 1; the chart's policy for going up."""

    def __init__(self, proposal: Callable[[Pool], float], least: Callable[[Pool], int]) -> None:
        self._proposal = proposal
        self._least = least
        self._proposals: deque[int] = deque(maxlen=STABILISATION_SLOTS)
        self._active_at = 0

    def __call__(self, pool: Pool) -> int:
        """How many replicas there are to be."""
        now, proposal = max(pool.replicas, 1), self._proposal(pool)
        wanted = now if abs(proposal / now - 1) <= TOLERANCE else math.ceil(proposal - 1e-9)
        self._proposals.append(wanted)
        if proposal > 0:
            self._active_at = pool.slot
        is_idle = pool.slot - self._active_at > STABILISATION_SLOTS
        least = max(self._least(pool), 0 if is_idle else 1)
        held = wanted if wanted >= now else min(now, max(self._proposals))
        return max(least, 0 if is_idle else min(held, 10 * now))


def lag(threshold: float, least: int) -> Scaler:
    """KEDA's Kafka scaler over the sum of the lanes."""
    return Hpa(lambda pool: pool.lag / threshold, lambda _: least)


def cron(threshold: float, least: int, known: int) -> Scaler:
    """KEDA's lag beside cron: so many replicas from a campaign's request to its deadline, and on Black Friday."""

    def at_least(pool: Pool) -> int:
        is_black = pool.slot * SLOT_S // 86_400 == BLACK_FRIDAY
        return known if pool.open or is_black else least

    return Hpa(lambda pool: pool.lag / threshold, at_least)


def duty_cycle(target: float, least: int) -> Scaler:
    """HPA on how busy the GPUs are: 1 at any load that is too much."""
    return Hpa(lambda pool: max(pool.ready * pool.busy / target, 0.001), lambda _: max(least, 1))


def percentile(trace: Trace, share: float, window_h: int) -> Scaler:
    """What came in five minutes at a percentile of the last hours, as Google's Autopilot recommends."""
    bins = _load(trace).reshape(-1, 20).mean(axis=1)
    sizes = [
        max(1, math.ceil(np.quantile(bins[max(0, n - 12 * window_h) : max(n, 1)], share) / 0.8))
        for n in range(len(bins))
    ]
    return lambda pool: sizes[pool.slot // 20]


def erlang(trace: Trace, waits: float) -> Scaler:
    """As many as Erlang's formula C wants for what came in the last 15 minutes, that so few tasks wait at all."""
    load = _moving(_load(trace), 900 // SLOT_S)
    return lambda pool: _erlang_c_size(round(float(load[pool.slot]), 1), waits)


def _erlang_c_size(load: float, waits: float) -> int:
    blocked, count = 1.0, 0
    while count < REPLICAS_MAX:
        count += 1
        blocked = load * blocked / (count + load * blocked) if load else 0.0
        if count > load and count * blocked / (count - load * (1 - blocked)) <= waits:
            break
    return count


def _load(trace: Trace) -> Slots:
    """Engine-seconds that come in a second, by slot."""
    load = np.sum([trace.arrivals[lane] for lane in LANES], axis=0)
    for each in trace.campaigns:
        end = min(each.due, SLOTS)
        load[each.requested : end] += each.arrivals[: end - each.requested]
    return np.asarray(load / SLOT_S)


def _moving(values: Slots, slots: int) -> Slots:
    """The mean of the `slots` before each."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    at = np.arange(len(values))
    return np.asarray((sums[at] - sums[np.maximum(at - slots, 0)]) / slots)


def _rising(arrivals: Slots) -> Slots:
    """By how much the load of the last half hour is above that of the one before, in a second."""
    recent = _moving(arrivals, HALF_SLOTS) / SLOT_S
    before = np.concatenate([np.zeros(HALF_SLOTS), recent[:-HALF_SLOTS]])
    return np.asarray((recent - before) / 1800)


def ours(trace: Trace, cold_start_s: float, seed: int = 7) -> Scaler:
    """The production sizing; what it takes a task to cost is off by ERROR."""
    errors = np.exp(np.random.default_rng(seed).normal(0, ERROR, SLOTS * SLOT_S // 86_400)).tolist()
    rates = {lane: (_moving(trace.arrivals[lane], RATE_SLOTS) / SLOT_S).tolist() for lane in LANES}
    counts = {lane: (_moving(trace.arrivals[lane], HOUR_SLOTS) * HOUR_SLOTS / TASK_S[lane]).tolist() for lane in LANES}
    rises = {lane: _rising(trace.arrivals[lane]).tolist() for lane in LANES}
    terms, steady = Terms(cold_start_s, REPLICAS_MAX, TARGETS_S), Steady()

    def scaler(pool: Pool) -> int:
        error, slot = errors[pool.slot * SLOT_S // 86_400], pool.slot
        theirs_s: dict[Lane, float] = {"urgent": sum(each.waiting_s for each in pool.open)}
        lanes: dict[Lane, LaneLoad] = {
            lane: LaneLoad(
                (pool.waiting_s[lane] + theirs_s.get(lane, 0.0)) * error,
                rates[lane][slot] * error,
                rises[lane][slot] * error,
                TASK_S[lane] * error,
                counts[lane][slot],
            )
            for lane in LANES
        }
        campaigns = [
            Job("urgent", each.waiting_s * error, (each.campaign.due - slot) * SLOT_S, each.to_come_s * error)
            if not each.campaign.at_once
            else Job("urgent", (each.waiting_s + each.to_come_s) * error, (each.campaign.due - slot) * SLOT_S)
            for each in pool.open
        ]
        observed = Observed(lanes, campaigns, pool.ready)
        wanted = steady.step(slot * SLOT_S, replicas(observed, terms), cold_start_s)
        now = pool.replicas
        return now if now and abs(wanted / now - 1) <= TOLERANCE else wanted  # the HPA stands between, at its defaults

    return scaler


THRESHOLDS = (5, 10, 20, 50, 100, 200, 400, 800, 1600)


def field(trace: Trace) -> dict[str, list[Scaler]]:
    """Every contender with the settings that are searched for the best."""
    return {
        "lag": [lag(*each) for each in product(THRESHOLDS, (0, 1, 3))],
        "lag_cron": [cron(*each) for each in product((20, 100, 400), (1,), (2, 4))],
        "duty_cycle": [duty_cycle(*each) for each in product((0.5, 0.7, 0.85), (1, 2))],
        "percentile": [percentile(trace, *each) for each in product((0.9, 0.99), (1, 6))],
        "erlang": [erlang(trace, waits) for waits in (0.5, 0.2, 0.05)],
    }
