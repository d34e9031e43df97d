"""Which of the waiting items make the next batch, and when it starts: the decision alone, without threads or engine.

Times are seconds of one clock, which the caller reads; nothing here waits.
"""

import itertools
import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

AGEING_S = 60.0
DRIFT_WEIGHT = 0.2  # of the newest measurement in the latency table
GROW_AFTER_BATCHES = 16
GROW_SHARE = 8
PLANNED_BATCHES_MAX = 8
WORTH_SHARE = 0.01  # a smaller batch has to be better by this: only batches that run are measured
TENANTS_KEPT_MAX = 64


class LatencyTable:
    """Milliseconds by batch size: measured, and corrected as they drift.

    A size that was not measured takes as long as the next larger one that was: engines may pad, and a batch that takes
    longer than was thought makes its items late.
    """

    def __init__(self) -> None:
        self._sizes: list[int] = []
        self._latency_ms: list[float] = []

    def record(self, size: int, latency_ms: float) -> None:
        """Take in one measurement."""
        place = bisect_left(self._sizes, size)
        if place < len(self._sizes) and self._sizes[place] == size:
            self._latency_ms[place] += DRIFT_WEIGHT * (latency_ms - self._latency_ms[place])
        else:
            self._sizes.insert(place, size)
            self._latency_ms.insert(place, latency_ms)

    def estimate_ms(self, size: int) -> float:
        """Expected milliseconds of a batch of `size`; 0 when nothing was measured yet."""
        if not self._sizes:
            return 0.0
        place = bisect_left(self._sizes, size)
        if place < len(self._sizes):
            return self._latency_ms[place]
        return self._latency_ms[-1] * size / self._sizes[-1]


class Entry:
    """One item that waits. `deadline` is infinite where there is none."""

    __slots__ = ("deadline", "queued_at", "tenant")

    def __init__(self, queued_at: float, deadline: float = math.inf, tenant: str = "") -> None:
        self.queued_at = queued_at
        self.deadline = deadline
        self.tenant = tenant


E = TypeVar("E", bound=Entry)


class BatchPolicy(Generic[E]):
    """The items that wait for one engine. Not thread-safe.

    The earliest deadline goes first; where deadlines are equal, tenants take turns. What can no longer be in time goes
    last. The size of a batch is chosen by the latency table: all that wait in time and through soonest or, where that
    cannot be, the most in time a second. What waited for `AGEING_S` gets a place whatever else waits.
    """

    def __init__(self, batch_max: int, wait_max_s: float) -> None:
        self.latency = LatencyTable()
        self.cap = batch_max
        self._batch_max = batch_max
        self._wait_max_s = wait_max_s
        self._queue: list[tuple[float, int, int, E]] = []  # deadline, the tenant's turn, order of arrival
        self._late: deque[E] = deque()
        self._order = itertools.count()
        self._turns: dict[str, int] = {}
        self._turn = 0
        self._waiting_since = 0.0
        self._full_batches = 0

    def __len__(self) -> int:
        return len(self._queue) + len(self._late)

    def put(self, entry: E) -> None:
        """Adds an item."""
        if not len(self):
            self._waiting_since = entry.queued_at
        # A tenant that comes begins where the others are, one that has items waiting goes behind those.
        turn = max(self._turn, self._turns.get(entry.tenant, -1) + 1)
        self._turns[entry.tenant] = turn
        insort(self._queue, (entry.deadline, turn, next(self._order), entry))

    def due_in_s(self, now: float, others_may_come: bool) -> float:
        """Seconds until the next batch must start; 0 or less means now. Something waits."""
        self._set_late_aside(now)
        if not others_may_come or len(self) >= self.cap or self._late:
            return 0.0
        last_start = self._queue[0][0] - self._latency_s(len(self._queue))
        return min(self._waiting_since + self._wait_max_s, last_start) - now

    def take(self, now: float) -> list[E]:
        """The next batch, of 1 to `cap` items. Something waits."""
        self._set_late_aside(now)
        batch = self._aged(now)
        if self._queue:
            size = self._best_size(now)
            # Who would be late in a batch of this size leaves the place to one who is not.
            start = self._first_in_time(now, size)
            taken = self._queue[start : start + min(size, self.cap - len(batch))]
            del self._queue[start : start + len(taken)]
            self._turn = max([self._turn, *(turn for _, turn, _, _ in taken)])
            batch += [entry for *_, entry in taken]
        else:
            count = min(len(self._late), self._quickest() - len(batch))
            batch += [self._late.popleft() for _ in range(count)]
        self._waiting_since = min((entry.queued_at for *_, entry in self._queue), default=now)
        self._forget_tenants()
        return batch

    def drain(self) -> list[E]:
        """Takes out all that waits."""
        drained = [*(entry for *_, entry in self._queue), *self._late]
        self._queue.clear()
        self._late.clear()
        return drained

    def ran(self, size: int, latency_ms: float) -> None:
        """A batch ran: corrects the table, and after a while of full batches lifts a cap that memory had lowered."""
        self.latency.record(size, latency_ms)
        if size < self.cap or self.cap == self._batch_max:
            return
        self._full_batches += 1
        if self._full_batches >= GROW_AFTER_BATCHES:
            self._full_batches = 0
            self.cap = min(self._batch_max, self.cap + max(1, self.cap // GROW_SHARE))

    def ran_out_of_memory(self, size: int) -> None:
        """The device had no memory for a batch: halves the cap."""
        self._full_batches = 0
        self.cap = max(1, min(self.cap, size // 2))

    # the size of a batch

    def _best_size(self, now: float) -> int:
        """The size after which the most are in time and, of those, all are through soonest.

        Where not all can be in time, the size that brings the most through in time a second: time is what is short.
        """
        deadlines = np.array([item[0] for item in self._queue[: PLANNED_BATCHES_MAX * self.cap]])
        if len(deadlines) == 1:
            return 1
        quickest = self._quickest()
        sizes = _steps(min(len(deadlines), self.cap))[::-1]
        best, most, soonest = 1, -1, math.inf
        for size in sizes:
            for rest_size in {size, quickest}:
                in_time, took_s = self._outlook(deadlines, now, size, rest_size)
                if in_time > most or (in_time == most and took_s < soonest * (1 - WORTH_SHARE)):
                    best, most, soonest = size, in_time, took_s
        return best if most == len(deadlines) else self._most_a_second(deadlines, now, sizes)

    def _most_a_second(self, deadlines: NDArray[np.float64], now: float, sizes: list[int]) -> int:
        best, highest = 1, -1.0
        for size in sizes:
            latency_s = self._latency_s(size)
            in_time = min(size, len(deadlines) - int(deadlines.searchsorted(now + latency_s)))
            rate = in_time / max(latency_s, 1e-9)
            if rate > highest * (1 + WORTH_SHARE):
                best, highest = size, rate
        return best

    def _outlook(self, deadlines: NDArray[np.float64], now: float, size: int, rest_size: int) -> tuple[int, float]:
        """With a batch of `size` now and the rest in batches of `rest_size`: how many are in time, and its length in s.

        `deadlines` (n; float64, s) rise.
        """
        end = now + self._latency_s(size)
        start = int(deadlines.searchsorted(end))
        in_time = min(size, len(deadlines) - start)
        rest = deadlines[start + size :]
        if not len(rest):
            return in_time, end - now
        full, left_over = divmod(len(rest), rest_size)
        ends = np.arange(1, full + 1).repeat(rest_size) * self._latency_s(rest_size) + end
        end += full * self._latency_s(rest_size)
        if left_over:
            end += self._latency_s(left_over)
            in_time += int((rest[-left_over:] >= end).sum())
        return in_time + int((rest[: len(ends)] >= ends).sum()), end - now

    def _quickest(self) -> int:
        """The size at which most items a second go through."""
        best, least_s = self.cap, math.inf
        for size in reversed(_steps(self.cap)):
            item_s = self._latency_s(size) / size
            if item_s < least_s * (1 - WORTH_SHARE):
                best, least_s = size, item_s
        return best

    def _latency_s(self, size: int) -> float:
        return self.latency.estimate_ms(size) / 1000

    # the order of items

    def _first_in_time(self, now: float, size: int) -> int:
        return bisect_left(self._queue, (now + self._latency_s(size),))

    def _set_late_aside(self, now: float) -> None:
        count = self._first_in_time(now, 1)
        if count:
            self._late.extend(entry for *_, entry in self._queue[:count])
            del self._queue[:count]

    def _aged(self, now: float) -> list[E]:
        """Of what is late and of what has no deadline, the first, where it waited too long."""
        aged = []
        if self._late and self._late[0].queued_at + AGEING_S <= now:
            aged.append(self._late.popleft())
        place = bisect_left(self._queue, (math.inf,))
        if place < len(self._queue) and len(aged) < self.cap and self._queue[place][3].queued_at + AGEING_S <= now:
            aged.append(self._queue.pop(place)[3])
        return aged

    def _forget_tenants(self) -> None:
        if len(self._turns) > len(self._queue) + TENANTS_KEPT_MAX:
            self._turns = {tenant: turn for tenant, turn in self._turns.items() if turn > self._turn}


def warm_up_sizes(batch_max: int) -> Iterator[int]:
    """Every size up to `batch_max`, the most telling first: powers of two, the largest, then between known ones."""
    known = _steps(batch_max)
    yield from known
    while len(known) < batch_max:
        between = [(left + right) // 2 for left, right in itertools.pairwise(known) if right - left > 1]
        yield from between
        known = sorted([*known, *between])


def _steps(size_max: int) -> list[int]:
    """1, 2, 4 … and `size_max`."""
    return [1 << power for power in range((size_max - 1).bit_length())] + [size_max]
