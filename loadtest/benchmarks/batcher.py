"""How many items are in time, by how a server makes its batches: ours beside Triton's, mosec's and fixed batches.

A simulation of discrete events with one device; ours is the production policy, serving.batch_policy. What a batch
takes is NVIDIA's published average for ResNet-50 v1.5 on Triton with ONNX Runtime TensorRT in FP16, one table for each
GPU (github.com/NVIDIA/DeepLearningExamples, PyTorch/Classification/ConvNets/triton/resnet50/README.md, "Offline
scenario", commit 49e23b45), with a noise of 3 %. Batches are padded to the next size in the table, as CUDA graphs need
it. A load of 100 % is what the best of these sizes brings through in a second.

Items come at random (Poisson), in bursts (four times as many while one lasts) and over a day with a peak. A fifth are
urgent, half standard, the rest bulk; they are to be ready after 3, 10 and 60 times what a batch of 32 takes.

The others serve in order of arrival, and each has the settings that are best for the very course that it is measured
on, found by search: Triton's batch size, queue delay and preferred sizes; mosec's batch size and wait, which begins
with the first item it takes; a fixed batch. Beside what the issue asks for there is a Triton with a priority for each
lane and a time-out for each that rejects; it drops what it rejects, whereas ours still serves what is late.
"""

import json
import math
import random
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, product

import numpy as np

from gpu_workers.serving.batch_policy import BatchPolicy, Entry, warm_up_sizes
from gpu_workers.serving.batching import WARM_UP_S

LATENCY_MS = {
    "A100": {1: 2.128, 2: 2.194, 4: 2.759, 8: 3.895, 16: 5.793, 32: 11.193, 64: 25.244, 128: 48.086},
    "V100": {1: 2.838, 2: 3.35, 4: 4.191, 8: 5.979, 16: 9.266, 32: 15.664, 64: 38.412, 128: 82.159},
    "T4": {1: 3.003, 2: 3.998, 4: 5.747, 8: 8.998, 16: 15.113, 32: 28.353, 64: 53.187, 128: 100.155},
}
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
NOISE = 0.03
LOADS = (0.5, 0.7, 0.85, 1.0, 1.2)
ITEMS = 8000
SEED = 7
LANES = ("urgent", "standard", "bulk")
LANE_SHARES = (0.2, 0.5, 0.3)
LANE_DEADLINES = (3.0, 10.0, 60.0)
BATCH_SIZES = (8, 16, 32, 64, 128)
ALLOWANCES = (0.4, 0.6, 0.8, 1.0)
DELAYS = (0.0, 0.1, 0.25, 0.5, 1.0, 2.0)
TARGETS = {"goodput_vs_triton_min": ("ge", 1.0), "goodput_vs_triton_max": ("ge", 1.15)}

Rates = Callable[[random.Random], Iterator[tuple[float, float]]]


class Device:
    """Takes as long for a batch as was published, give or take the noise, and counts what it was given."""

    def __init__(self, gpu: str) -> None:
        published_ms = LATENCY_MS[gpu]
        self._by_size_s = [0.0] + [published_ms[padded(size)] / 1000 for size in range(1, SIZES[-1] + 1)]
        rng = random.Random(SEED)
        self._noise = [math.exp(rng.gauss(0, NOISE)) for _ in range(997)]
        self.slots = 0
        self.batches = 0

    def run(self, size: int) -> float:
        """How many seconds a batch takes."""
        self.slots += padded(size)
        self.batches += 1
        return self._by_size_s[size] * self._noise[self.batches % len(self._noise)]


@dataclass(frozen=True)
class Scenario:
    """What comes: when, by when it is to be ready (both in s, rising by arrival), and in which lane (an index)."""

    gpu: str
    unit_s: float
    arrivals: list[float]
    deadlines: list[float]
    lanes: list[int]


@dataclass(frozen=True)
class Score:
    """How a policy did: the share of items in time, the 99th percentile of the wait in s, of all and of urgent ones,
    and the share of padding in batches."""

    goodput: float
    p99_s: float
    urgent_p99_s: float
    padding: float

    def text(self) -> str:
        """All of it in short."""
        waits = f"{self.p99_s * 1000:.0f}/{self.urgent_p99_s * 1000:.0f} ms"
        return f"{self.goodput:.4f} {waits} {self.padding:.0%}"


def padded(size: int) -> int:
    """The size that a batch is padded to."""
    return SIZES[bisect_left(SIZES, size)]


# what comes


def poisson(_rng: random.Random) -> Iterator[tuple[float, float]]:
    """One rate for ever."""
    while True:
        yield 1.0, math.inf


def bursty(rng: random.Random) -> Iterator[tuple[float, float]]:
    """Half the rate, and bursts of twice the rate for a third of the time."""
    while True:
        yield 0.5, rng.expovariate(1 / 30)
        yield 2.0, rng.expovariate(1 / 15)


def diurnal(_rng: random.Random) -> Iterator[tuple[float, float]]:
    """Days whose peak is 1.6 times their mean, in 24 hours of even rate."""
    while True:
        for hour in range(24):
            yield 1 - 0.6 * math.cos(2 * math.pi * hour / 24), 5


PATTERNS: dict[str, Rates] = {"poisson": poisson, "bursty": bursty, "diurnal": diurnal}


def scenario(gpu: str, pattern: str, load: float) -> Scenario:
    """`ITEMS` items at `load` times what the device can do; the patterns' lengths are in units of a batch of 32."""
    latency_ms = LATENCY_MS[gpu]
    unit_s = latency_ms[32] / 1000
    per_s = load * max(size / ms for size, ms in latency_ms.items()) * 1000
    rng = random.Random(SEED)
    arrivals = list(islice(_times(rng, PATTERNS[pattern](rng), per_s, unit_s), ITEMS))
    lanes = rng.choices(range(len(LANES)), LANE_SHARES, k=ITEMS)
    deadlines = [at + LANE_DEADLINES[lane] * unit_s for at, lane in zip(arrivals, lanes, strict=True)]
    return Scenario(gpu, unit_s, arrivals, deadlines, lanes)


def _times(rng: random.Random, rates: Iterator[tuple[float, float]], per_s: float, unit_s: float) -> Iterator[float]:
    now = 0.0
    for rate, lasts in rates:
        ends = now + lasts * unit_s
        while (then := now + rng.expovariate(per_s * rate)) < ends:
            now = then
            yield now
        now = ends


# how batches are made


def ours(what: Scenario) -> Score:
    """The production policy, warmed up as the production batcher is; nobody tells it what will come."""
    device, policy = Device(what.gpu), BatchPolicy[_Numbered](SIZES[-1], 0.0)
    _warm_up(policy, what.gpu)
    ready = [0.0] * ITEMS
    now, come = 0.0, 0
    while come < ITEMS or len(policy):
        if not len(policy):
            now = max(now, what.arrivals[come])
        while come < ITEMS and what.arrivals[come] <= now:
            policy.put(_Numbered(come, what.arrivals[come], what.deadlines[come]))
            come += 1
        batch = policy.take(now)
        took_s = device.run(len(batch))
        policy.ran(len(batch), took_s * 1000)
        now += took_s
        for entry in batch:
            ready[entry.number] = now
    return _score(what, device, ready)


class _Numbered(Entry):
    __slots__ = ("number",)

    def __init__(self, number: int, queued_at: float, deadline: float) -> None:
        super().__init__(queued_at, deadline)
        self.number = number


def _warm_up(policy: BatchPolicy[_Numbered], gpu: str) -> None:
    device, spent_s = Device(gpu), 0.0
    for size in warm_up_sizes(SIZES[-1]):
        if spent_s >= WARM_UP_S:
            return
        took_s = device.run(size)
        policy.latency.record(size, took_s * 1000)
        spent_s += 2 * took_s


def in_order(what: Scenario, start: Callable[[int, float], tuple[float, int]]) -> Score:
    """Batches in order of arrival: `start` tells for the first that waits and when the device is free when the next
    batch starts and how many go."""
    device = Device(what.gpu)
    ready: list[float] = []
    free = 0.0
    while len(ready) < ITEMS:
        begins, count = start(len(ready), free)
        free = begins + device.run(count)
        ready += [free] * count
    return _score(what, device, ready)


def triton(what: Scenario, size_max: int, delay_s: float, preferred: bool) -> Score:
    """Starts when `size_max` wait or the first has waited for `delay_s`, or, with preferred sizes, as soon as the
    powers of two allow it."""
    arrivals = what.arrivals

    def start(first: int, free: float) -> tuple[float, int]:
        begins = _full_or_waited(arrivals, first, free, size_max, arrivals[first] + delay_s)
        count = min(bisect_right(arrivals, begins) - first, size_max)
        return begins, 1 << (count.bit_length() - 1) if preferred else count

    return in_order(what, start)


def mosec(what: Scenario, size_max: int, wait_s: float) -> Score:
    """Its wait begins when the device is free and the first item is taken, not when that one came."""
    arrivals = what.arrivals

    def start(first: int, free: float) -> tuple[float, int]:
        begins = _full_or_waited(arrivals, first, free, size_max, max(free, arrivals[first]) + wait_s)
        return begins, min(bisect_right(arrivals, begins) - first, size_max)

    return in_order(what, start)


def fixed(what: Scenario, size: int) -> Score:
    """Waits for a full batch, whatever it takes; the last is what is left."""
    last = ITEMS - 1

    def start(first: int, free: float) -> tuple[float, int]:
        return max(free, what.arrivals[min(first + size - 1, last)]), min(size, ITEMS - first)

    return in_order(what, start)


def _full_or_waited(arrivals: list[float], first: int, free: float, size_max: int, until: float) -> float:
    full = arrivals[first + size_max - 1] if first + size_max <= len(arrivals) else arrivals[-1]
    return max(free, arrivals[first], min(full, until))


def triton_by_lane(what: Scenario, size_max: int, delay_s: float, allowance: float) -> Score:
    """A priority for each lane, and what waited for more than `allowance` of its deadline is rejected."""
    device = Device(what.gpu)
    ready = [math.inf] * ITEMS
    queues: list[deque[int]] = [deque() for _ in LANES]
    now, come = 0.0, 0
    while come < ITEMS or any(queues):
        if not any(queues):
            now = max(now, what.arrivals[come])
        while come < ITEMS and what.arrivals[come] <= now:
            queues[what.lanes[come]].append(come)
            come += 1
        for queue, deadline in zip(queues, LANE_DEADLINES, strict=True):
            while queue and now - what.arrivals[queue[0]] > allowance * deadline * what.unit_s:
                queue.popleft()
        waiting = sum(map(len, queues))
        if not waiting:
            continue
        oldest = min(what.arrivals[queue[0]] for queue in queues if queue)
        if waiting < size_max and come < ITEMS and oldest + delay_s > now:
            now = min(oldest + delay_s, what.arrivals[come])
            continue
        batch: list[int] = []
        for queue in queues:
            while queue and len(batch) < size_max:
                batch.append(queue.popleft())
        now += device.run(len(batch))
        for number in batch:
            ready[number] = now
    return _score(what, device, ready)


def _score(what: Scenario, device: Device, ready: list[float]) -> Score:
    ends = np.array(ready)
    waits = ends - np.array(what.arrivals)
    served = np.isfinite(ends)
    urgent = served & (np.array(what.lanes) == 0)
    goodput = float((ends <= np.array(what.deadlines)).mean())
    p99_s, urgent_p99_s = (float(np.quantile(waits[some], 0.99)) for some in (served, urgent))
    return Score(goodput, p99_s, urgent_p99_s, 1 - int(served.sum()) / device.slots)


# which is best


def best(scores: Iterable[Score]) -> Score:
    """The best settings: most in time, then the shortest 99th percentile."""
    return max(scores, key=lambda score: (score.goodput, -score.p99_s))


def compare(what: Scenario) -> dict[str, Score]:
    """Every way to make batches, each with its best settings for what comes."""
    waits = [delay * what.unit_s for delay in DELAYS]
    by_lane = product(BATCH_SIZES[1:], (0.0,), ALLOWANCES)
    return {
        "ours": ours(what),
        "triton": best(triton(what, *settings) for settings in product(BATCH_SIZES, waits, (False, True))),
        "mosec": best(mosec(what, *settings) for settings in product(BATCH_SIZES, waits)),
        "fixed": best(fixed(what, size) for size in BATCH_SIZES),
        "triton_by_lane": best(triton_by_lane(what, *settings) for settings in by_lane),
    }


def main() -> None:
    """Prints a line for each course, and the figures as JSON in its last line."""
    by_load: dict[float, list[dict[str, Score]]] = {load: [] for load in LOADS}
    for load, gpu, pattern in product(LOADS, LATENCY_MS, PATTERNS):
        scores = compare(scenario(gpu, pattern, load))
        by_load[load].append(scores)
        columns = "  ".join(f"{name} {score.text()}" for name, score in scores.items())
        print(f"{load:4.0%} {gpu:4} {pattern:8}{columns}", flush=True)
    print(json.dumps({"figures": _figures(by_load), "targets": TARGETS}))


def _figures(by_load: dict[float, list[dict[str, Score]]]) -> dict[str, float]:
    every = [scores for all_of_load in by_load.values() for scores in all_of_load]
    ratios = _ratios(every, "triton")
    figures = {"goodput_vs_triton_min": min(ratios), "goodput_vs_triton_max": max(ratios)}
    for load, scores in by_load.items():
        figures[f"goodput_at_{load * 100:.0f}"] = _mean(score["ours"].goodput for score in scores)
        figures[f"goodput_vs_triton_at_{load * 100:.0f}"] = _mean(_ratios(scores, "triton"))
    for other in ("mosec", "fixed", "triton_by_lane"):
        figures[f"goodput_vs_{other}_min"] = min(_ratios(every, other))
        figures[f"goodput_vs_{other}_mean"] = _mean(_ratios(every, other))
    for name in ("ours", "triton"):
        figures[f"padding_{name}"] = _mean(scores[name].padding for scores in every)
    figures["p99_vs_triton_mean"] = _mean(scores["ours"].p99_s / scores["triton"].p99_s for scores in every)
    urgent = (scores["ours"].urgent_p99_s / scores["triton"].urgent_p99_s for scores in every)
    return {name: round(figure, 4) for name, figure in (figures | {"urgent_p99_vs_triton_mean": _mean(urgent)}).items()}


def _ratios(scores: list[dict[str, Score]], other: str) -> list[float]:
    return [score["ours"].goodput / score[other].goodput for score in scores]


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


if __name__ == "__main__":
    main()
