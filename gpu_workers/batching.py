"""Dynamic batching: many threads ask, one engine thread answers them together.

BatchingError
├── BatcherClosed   asked after close
├── PoisonInput     this input fails alone while the engine is well; permanent
└── EngineFailed    the engine fails on a blank input too; worth another try elsewhere
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from gpu_workers.engines import Engine, Tensor
from gpu_workers.engines.base import check_batch

_WARM_UP_S = 1.0
_DRIFT_WEIGHT = 0.2  # of the newest measurement in the latency table


class BatchingError(Exception):
    """A request could not be answered."""


class BatcherClosed(BatchingError):
    """The batcher takes no more requests."""


class PoisonInput(BatchingError):
    """The engine is well and fails on this input alone."""


class EngineFailed(BatchingError):
    """The engine fails whatever the input."""


class _BadAnswer(Exception):
    """The engine answered, but not with what was asked."""


@dataclass
class Counters:
    """What a batcher has done since it started."""

    batches: int = 0
    items: int = 0
    failed_items: int = 0
    busy_seconds: float = 0.0
    batch_sizes: Counter[int] = field(default_factory=Counter)


class LatencyTable:
    """Milliseconds by batch size: measured, corrected as it drifts, a straight line between measurements."""

    def __init__(self) -> None:
        self._latency_ms: dict[int, float] = {}

    def record(self, size: int, latency_ms: float) -> None:
        """Take in one measurement."""
        before = self._latency_ms.get(size, latency_ms)
        self._latency_ms[size] = before + _DRIFT_WEIGHT * (latency_ms - before)

    def estimate_ms(self, size: int) -> float:
        """Expected milliseconds of a batch of `size`; 0 when nothing was measured yet."""
        if not self._latency_ms:
            return 0.0
        sizes = sorted(self._latency_ms)
        if size > sizes[-1]:
            return self._latency_ms[sizes[-1]] * size / sizes[-1]
        return float(np.interp(size, sizes, [self._latency_ms[known] for known in sizes]))


class _Item:
    """One input on its way: exactly one of `answer` and `error` is set when `done` is."""

    __slots__ = ("answer", "deadline", "done", "engine_ms", "error", "failures", "queued_at", "tensor")

    def __init__(self, tensor: Tensor, queued_at: float, deadline: float | None) -> None:
        self.tensor = tensor
        self.queued_at = queued_at
        self.deadline = deadline
        self.failures = 0
        self.engine_ms = 0.0
        self.answer: Tensor | None = None
        self.error: Exception | None = None
        self.done = threading.Event()

    def succeed(self, answer: Tensor) -> None:
        self.answer = answer
        self.done.set()

    def fail(self, error: Exception) -> None:
        self.error = error
        self.done.set()

    def result(self) -> Tensor:
        self.done.wait()
        if self.error is not None:
            raise self.error
        assert self.answer is not None
        return self.answer


class Batcher:
    """Merges the requests of many threads into batches for one engine.

    A batch starts when it is full, when everybody who could still add to it is waiting already, when
    waiting longer would miss the earliest deadline, or after `max_wait_ms`.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        max_batch: int,
        max_wait_ms: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not 1 <= max_batch <= engine.max_batch:
            raise ValueError(f"max_batch is {max_batch}, the engine takes 1 to {engine.max_batch}")
        self.counters = Counters()
        self.latency = LatencyTable()
        self._engine = engine
        self._max_batch = max_batch
        self._max_wait_s = max_wait_ms / 1000
        self._clock = clock
        self._queue: deque[_Item] = deque()
        self._changed = threading.Condition()
        self._requesters = 0
        self._waiting = 0
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="batcher", daemon=True)
        self._thread.start()

    def warm_up(self, within_s: float = _WARM_UP_S) -> None:
        """Measure the engine on blank inputs of 1, 2, 4 … `max_batch` items, as far as `within_s` seconds go.

        What is not measured is reckoned from what is, until a batch of that size has run.
        """
        sizes = {min(1 << power, self._max_batch) for power in range(self._max_batch.bit_length() + 1)}
        began = time.perf_counter()
        for size in sorted(sizes):
            if size > 1 and time.perf_counter() - began >= within_s:
                return
            blank = np.zeros((size, *self._engine.input_shape), np.float32)
            self._engine.infer(blank)
            started = time.perf_counter()
            self._engine.infer(blank)
            self.latency.record(size, (time.perf_counter() - started) * 1000)

    @contextmanager
    def requester(self) -> Iterator[None]:
        """While open, the calling thread may ask: an idle engine gives it `max_wait_ms` to do so."""
        self._count_requester(1)
        try:
            yield
        finally:
            self._count_requester(-1)

    def infer(
        self, tensors: Tensor, deadline: float | None = None, charge: Callable[[float], None] | None = None
    ) -> Tensor:
        """Answers for float32 (n, c, h, w), any n >= 1, in order; blocks. `deadline` is in the clock's seconds.

        `charge` is told the ms of the engine that they took: of each batch, an item's even share.
        Raises BadShape, BatcherClosed, PoisonInput, EngineFailed.
        """
        check_batch(tensors, self._engine.input_shape, max(len(tensors), 1))
        now = self._clock()
        items = [_Item(tensor, now, deadline) for tensor in tensors]
        with self._changed:
            if self._closed:
                raise BatcherClosed("the batcher is closed")
            self._queue.extend(items)
            self._waiting += 1
            self._changed.notify_all()
        try:
            for item in items:
                item.done.wait()
        finally:
            with self._changed:
                self._waiting -= 1
            if charge is not None:
                charge(sum(item.engine_ms for item in items))
        return np.stack([item.result() for item in items])

    def close(self) -> None:
        """Answer what is queued, then stop; a second call does nothing. The engine stays open."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def due_in_s(self, now: float) -> float:
        """Seconds until the queued batch must start; 0 or less means now."""
        if self._closed or len(self._queue) >= self._max_batch or self._waiting >= self._requesters:
            return 0.0
        starts = [self._queue[0].queued_at + self._max_wait_s]
        latency_s = self.latency.estimate_ms(len(self._queue)) / 1000
        starts += [item.deadline - latency_s for item in self._queue if item.deadline is not None]
        return min(starts) - now

    def _count_requester(self, change: int) -> None:
        with self._changed:
            self._requesters += change
            self._changed.notify_all()

    def _serve(self) -> None:
        while batch := self._next_batch():
            self._answer(batch)

    def _next_batch(self) -> list[_Item]:
        """The next batch when it is due; empty when closed and drained."""
        with self._changed:
            while True:
                if not self._queue:
                    if self._closed:
                        return []
                    self._changed.wait()
                elif (due_in_s := self.due_in_s(self._clock())) > 0:
                    self._changed.wait(due_in_s)
                else:
                    count = min(self._max_batch, len(self._queue))
                    return [self._queue.popleft() for _ in range(count)]

    def _answer(self, batch: Sequence[_Item]) -> None:
        """Answer every item of the batch, splitting it until what fails is alone."""
        try:
            answers = self._run(batch)
        except Exception as error:
            for item in batch:
                item.failures += 1
            if len(batch) == 1:
                self._answer_failed(batch[0], error)
                return
            self._answer(batch[: len(batch) // 2])
            self._answer(batch[len(batch) // 2 :])
            return
        for item, answer in zip(batch, answers, strict=True):
            if np.isfinite(answer).all():
                item.succeed(answer)
            else:
                item.failures += 1
                self._answer_failed(item, _BadAnswer("the answer is not finite"))

    def _answer_failed(self, item: _Item, error: Exception) -> None:
        if item.failures < 2:
            self._answer([item])
            return
        self.counters.failed_items += 1
        failure = PoisonInput if self._engine_is_well() else EngineFailed
        wrapped = failure(f"{type(error).__name__}: {error}")
        wrapped.__cause__ = error
        item.fail(wrapped)

    def _engine_is_well(self) -> bool:
        try:
            blank = np.zeros((1, *self._engine.input_shape), np.float32)
            return bool(np.isfinite(self._engine.infer(blank)).all())
        except Exception:
            return False

    def _run(self, batch: Sequence[_Item]) -> Tensor:
        started = time.perf_counter()
        answers = self._engine.infer(np.stack([item.tensor for item in batch]))
        seconds = time.perf_counter() - started
        if len(answers) != len(batch):
            raise _BadAnswer(f"{len(answers)} answers for {len(batch)} inputs")
        self.latency.record(len(batch), seconds * 1000)
        for item in batch:
            item.engine_ms += seconds * 1000 / len(batch)
        self.counters.batches += 1
        self.counters.items += len(batch)
        self.counters.busy_seconds += seconds
        self.counters.batch_sizes[len(batch)] += 1
        return answers
