"""What comes in the autoscaler's simulation: made up, not recorded, for no shop publishes what its studio works on.

Twelve days from a Monday on, in slots of 15 s; the second Friday is a Black Friday, which
begins the evening before. Engine-seconds are those of one
replica. Edits and products come at random, in batches of any size up to a few dozen, by a day with a peak in the
afternoon and a week with a quiet weekend. A PIM's export of its whole catalogue comes at any time, in minutes, in lane
bulk (a tenant's quota sees to that); its size has a heavy tail. Campaigns are asked for in office hours, in lane
urgent, with a deadline hours away. Of every second one the products are known and their tasks come as fast as intake
plans them; of the others the photographs come evenly until an hour before the deadline.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.records import LANES, Lane

SLOT_S = 15
DAYS = 12
BLACK_FRIDAY = 11
SLOTS = DAYS * 86_400 // SLOT_S
TARGETS_S: dict[Lane, float] = {"urgent": 120.0, "standard": 600.0, "bulk": 12 * 3600.0}
TASK_S: dict[Lane, float] = {"urgent": 1.5, "standard": 0.9, "bulk": 0.9}
PICTURE_S = 1.8  # of a campaign
EDITS_A_SECOND, PRODUCTS_A_SECOND, BATCH = 0.03, 1.2, 8.0  # means of an ordinary week
EXPORTS_A_DAY, EXPORT_TASKS, EXPORT_TASKS_MAX = 2.0, 8000.0, 50_000.0
CAMPAIGNS_A_DAY, CAMPAIGN_PICTURES = 2.5, 3000.0
PLANNED_A_SECOND = 20.0  # products of a campaign that intake plans
BLACK_FACTOR = 6.0

Slots = NDArray[np.float64]


@dataclass(frozen=True)
class Campaign:
    """When it is asked for and due, in slots, and what comes of it in each slot from then on, engine-seconds."""

    requested: int
    due: int
    arrivals: Slots
    at_once: bool


@dataclass(frozen=True)
class Trace:
    """Engine-seconds that come by lane and slot (float64, `SLOTS`), and the campaigns, by when they are asked for."""

    arrivals: dict[Lane, Slots]
    campaigns: list[Campaign]

    @property
    def work_s(self) -> float:
        """All engine-seconds."""
        return sum(float(each.sum()) for each in (*self.arrivals.values(), *(c.arrivals for c in self.campaigns)))

    @property
    def tasks(self) -> float:
        """How many tasks there are."""
        flows = sum(float(self.arrivals[lane].sum()) / TASK_S[lane] for lane in LANES)
        return flows + sum(float(each.arrivals.sum()) for each in self.campaigns) / PICTURE_S


def trace(seed: int) -> Trace:
    """A trace; the same for the same seed."""
    rng = np.random.default_rng(seed)
    shape = _shape()
    arrivals: dict[Lane, Slots] = {
        "urgent": np.asarray(rng.poisson(EDITS_A_SECOND * SLOT_S * shape) * TASK_S["urgent"], np.float64),
        "standard": _batches(rng, PRODUCTS_A_SECOND * SLOT_S * shape) * TASK_S["standard"],
        "bulk": _exports(rng) * TASK_S["bulk"],
    }
    return Trace(arrivals, sorted(_campaigns(rng), key=lambda each: each.requested))


def _shape() -> Slots:
    """How much comes in a slot, to the mean of an ordinary week."""
    hours = np.arange(SLOTS) * SLOT_S / 3600
    daily = 1 - 0.75 * np.cos(2 * np.pi * (hours % 24 - 3) / 24)
    weekly = np.interp(hours, np.arange(DAYS) * 24 + 12, [0.6 if each % 7 >= 5 else 1.16 for each in range(DAYS)])
    black_h = BLACK_FRIDAY * 24
    black = np.interp(
        hours, (black_h - 12, black_h + 8, black_h + 20, black_h + 24), (1, BLACK_FACTOR, BLACK_FACTOR, 3)
    )
    return np.asarray(daily * weekly * black)


def _batches(rng: np.random.Generator, means: Slots) -> Slots:
    """Tasks by slot that come in batches of geometric sizes."""
    counts = rng.poisson(means / BATCH)
    sizes = rng.negative_binomial(np.maximum(counts, 1), 1 / BATCH)
    return np.asarray(counts + sizes * (counts > 0), np.float64)


def _exports(rng: np.random.Generator) -> Slots:
    tasks = np.zeros(SLOTS)
    for start in rng.integers(0, SLOTS, rng.poisson(EXPORTS_A_DAY * DAYS)):
        size = min(rng.lognormal(np.log(EXPORT_TASKS), 0.8), EXPORT_TASKS_MAX)
        lasts = rng.integers(8, 40)  # 2 to 10 minutes
        end = min(start + lasts, SLOTS)
        tasks[start:end] += size / (end - start)
    return tasks


def _campaigns(rng: np.random.Generator) -> list[Campaign]:
    return [
        _campaign(rng, day)
        for day in range(DAYS)
        for _ in range(rng.poisson(CAMPAIGNS_A_DAY * (0.3 if day % 7 >= 5 else 3.0 if day == BLACK_FRIDAY else 1.2)))
    ]


def _campaign(rng: np.random.Generator, day: int) -> Campaign:
    requested = int((day * 24 + rng.uniform(7, 13)) * 3600 / SLOT_S)
    lasts = int(rng.uniform(3, 9) * 3600 / SLOT_S)
    pictures = min(rng.lognormal(np.log(CAMPAIGN_PICTURES), 0.7), 20_000.0)
    at_once = bool(rng.random() < 0.5)
    spread = max(int(pictures / PLANNED_A_SECOND / SLOT_S), 1) if at_once else lasts - 3600 // SLOT_S
    arrivals = np.zeros(lasts)
    arrivals[:spread] = pictures * PICTURE_S / spread
    return Campaign(requested, requested + lasts, arrivals, at_once)
