"""Dynamic batching: many threads ask, one engine thread answers them together, or a thread for each lane of the engine.

BatchingError
├── BatcherClosed   asked after close
├── PoisonInput     this input fails alone while the engine is well; permanent
└── EngineFailed    the engine fails on a blank input too; worth another try elsewhere
"""

import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from gpu_workers.engines import Engine, EngineOutOfMemory, Tensor
from gpu_workers.engines.base import check_batch
from gpu_workers.serving.batch_policy import BatchPolicy, Entry, LatencyTable, warm_up_sizes

WARM_UP_S = 1.0
QUEUED_BATCHES_MAX = 16
WHOLE = Fraction(1)


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
    out_of_memory: int = 0
    busy_seconds: float = 0.0
    batch_sizes: Counter[int] = field(default_factory=Counter)


class DeviceTokens:
    """Lets `count` batches at a time onto a device that several batchers share; who came first goes first."""

    def __init__(self, count: int = 1) -> None:
        self._free = Fraction(count)
        self._line: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, share: Fraction = WHOLE) -> Iterator[None]:
        """Waits for a token, or for its `share` for a batch that fills one lane, and gives it back after the block."""
        me = object()
        with self._changed:
            self._line.append(me)
            self._changed.wait_for(lambda: self._line[0] is me and self._free >= share)
            self._line.popleft()
            self._free -= share
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += share
                self._changed.notify_all()


class _Request:
    """What one caller asked for. The caller waits until `done` is released."""

    __slots__ = ("answers", "done", "engine_ms", "error", "left")

    def __init__(self, count: int) -> None:
        self.answers: list[Tensor | None] = [None] * count
        self.left = count
        self.engine_ms = 0.0
        self.error: Exception | None = None
        self.done = threading.Lock()
        self.done.acquire()

    def result(self) -> Tensor:
        if self.error is not None:
            raise self.error
        return np.stack(self.answers)  # type: ignore[arg-type]  # all are there once `left` is 0 without an error


class _Item(Entry):
    """One input on its way."""

    __slots__ = ("failures", "is_answered", "place", "request", "tensor")

    def __init__(
        self, tensor: Tensor, request: _Request, place: int, queued_at: float, deadline: float, tenant: str
    ) -> None:
        super().__init__(queued_at, deadline, tenant)
        self.tensor = tensor
        self.request = request
        self.place = place
        self.failures = 0
        self.is_answered = False

    def succeed(self, answer: Tensor) -> None:
        self.request.answers[self.place] = answer
        self._end()

    def fail(self, error: Exception) -> None:
        self.request.error = self.request.error or error
        self._end()

    def _end(self) -> None:
        self.is_answered = True
        self.request.left -= 1
        if not self.request.left:
            self.request.done.release()


class Batcher:
    """Merges the requests of many threads into batches for one engine: one model, one shape of input.

    A batch starts when it is full, when everybody who could still add to it is waiting already, when waiting longer
    would miss the earliest deadline, or after `max_wait_ms`; what goes into it, and how much, is BatchPolicy's. No more
    than `QUEUED_BATCHES_MAX` full batches wait, and who asks for more waits for room. The batchers of other models and
    shapes on the same device share its `tokens`.

    An engine with lanes gains nothing by batches: each lane takes one item, as soon as there is one.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        max_batch: int,
        max_wait_ms: float,
        tokens: DeviceTokens | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not 1 <= max_batch <= engine.max_batch:
            raise ValueError(f"max_batch is {max_batch}, the engine takes 1 to {engine.max_batch}")
        self.counters = Counters()
        self._engine = engine
        self._max_batch = max_batch
        self._tokens = tokens or DeviceTokens()
        self._clock = clock
        self._share = Fraction(1, engine.lanes)
        self._batch_max = max_batch if engine.lanes == 1 else 1
        self._policy: BatchPolicy[_Item] = BatchPolicy(self._batch_max, max_wait_ms / 1000)
        lock = threading.Lock()
        self._changed = threading.Condition(lock)
        self._room = threading.Condition(lock)
        self._requesters = 0
        self._waiting = 0
        self._closed = False
        self._serving = engine.lanes
        self._threads = [threading.Thread(target=self._serve, name="batcher", daemon=True) for _ in range(engine.lanes)]
        for thread in self._threads:
            thread.start()

    @property
    def latency(self) -> LatencyTable:
        """What batches take, by their size."""
        return self._policy.latency

    @property
    def queued(self) -> int:
        """How many items wait."""
        return len(self._policy)

    @property
    def cap(self) -> int:
        """The most items in a batch now: `max_batch`, or less after the device ran out of memory."""
        return self._policy.cap

    def warm_up(self, within_s: float = WARM_UP_S) -> None:
        """Measure the engine on blank inputs of each size up to `max_batch`, as far as `within_s` seconds go."""
        began = time.perf_counter()
        for size in warm_up_sizes(self._batch_max):
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
        self,
        tensors: Tensor,
        deadline: float = math.inf,
        tenant: str = "",
        charge: Callable[[float], None] | None = None,
    ) -> Tensor:
        """Answers for float32 (n, c, h, w), any n >= 1, in order; blocks. `deadline` is in the clock's seconds.

        `charge` is told the ms of the engine that they took: of each batch, an item's even share.
        Raises BadShape, BatcherClosed, PoisonInput, EngineFailed.
        """
        check_batch(tensors, self._engine.input_shape, max(len(tensors), 1))
        request = _Request(len(tensors))
        with self._room:
            self._room.wait_for(lambda: self._closed or self._has_room(len(tensors)))
            if self._closed:
                raise BatcherClosed("the batcher is closed")
            now = self._clock()
            for place, tensor in enumerate(tensors):
                self._policy.put(_Item(tensor, request, place, now, deadline, tenant))
            self._waiting += 1
            self._changed.notify(len(tensors))  # as many lanes as may have to do
        request.done.acquire()
        with self._changed:
            self._waiting -= 1
        if charge is not None:
            charge(request.engine_ms)
        return request.result()

    def close(self) -> None:
        """Answer what is queued, then stop; a second call does nothing. The engine stays open."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            self._room.notify_all()
        for thread in self._threads:
            thread.join()

    def due_in_s(self, now: float) -> float:
        """Seconds until the queued batch must start; 0 or less means now."""
        return 0.0 if self._closed else self._policy.due_in_s(now, self._waiting < self._requesters)

    def _has_room(self, count: int) -> bool:
        return not self.queued or self.queued + count <= QUEUED_BATCHES_MAX * self._max_batch

    def _count_requester(self, change: int) -> None:
        with self._changed:
            self._requesters += change
            self._changed.notify()

    def _serve(self) -> None:
        batch: Sequence[_Item] = ()
        try:
            while self._await_batch():
                with self._tokens.hold(self._share):
                    # Only now: while it waited for the device, others may have come.
                    batch = self._take()
                    self._answer(batch)
        finally:
            self._abandon(batch)

    def _await_batch(self) -> bool:
        """Waits until a batch is due; False when closed and drained."""
        with self._changed:
            while True:
                if not self.queued:
                    if self._closed:
                        return False
                    self._changed.wait()
                elif (due_in_s := self.due_in_s(self._clock())) > 0:
                    self._changed.wait(due_in_s)
                else:
                    return True

    def _take(self) -> Sequence[_Item]:
        """The next batch; nothing when another lane has taken what there was."""
        with self._room:
            self._room.notify_all()
            return self._policy.take(self._clock()) if self.queued else ()

    def _abandon(self, batch: Sequence[_Item]) -> None:
        """Fails what is left of a batch when its thread ends, and all when the last does; mostly there is nothing."""
        with self._room:
            self._closed = True
            self._changed.notify_all()
            self._room.notify_all()
            self._serving -= 1
            for item in [*batch, *(() if self._serving else self._policy.drain())]:
                if not item.is_answered:
                    item.fail(BatcherClosed("the batcher broke down"))

    def _answer(self, batch: Sequence[_Item]) -> None:
        """Answer every item of the batch, splitting it until what fails is alone."""
        if not batch:
            return
        try:
            answers = self._run(batch)
        except EngineOutOfMemory as error:
            self._shrink(batch, error)
        except Exception as error:
            for item in batch:
                item.failures += 1
            if len(batch) == 1:
                self._answer_failed(batch[0], error)
                return
            self._answer(batch[: len(batch) // 2])
            self._answer(batch[len(batch) // 2 :])
        else:
            self._hand_out(batch, answers)

    def _hand_out(self, batch: Sequence[_Item], answers: Tensor) -> None:
        all_finite = np.isfinite(answers).all()
        for item, answer in zip(batch, answers, strict=True):
            if all_finite or np.isfinite(answer).all():
                item.succeed(answer)
            else:
                item.failures += 1
                self._answer_failed(item, _BadAnswer("the answer is not finite"))

    def _shrink(self, batch: Sequence[_Item], error: EngineOutOfMemory) -> None:
        """Smaller batches from now on; the items queue again."""
        self.counters.out_of_memory += 1
        with self._changed:
            self._policy.ran_out_of_memory(len(batch))
            if len(batch) > 1:
                for item in batch:
                    self._policy.put(item)
                return
        batch[0].failures += 1
        self._answer_failed(batch[0], error)

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
        with self._changed:
            self._policy.ran(len(batch), seconds * 1000)
            self._count(batch, seconds / len(self._threads))
        return answers

    def _count(self, batch: Sequence[_Item], seconds: float) -> None:
        """Charges the engine's time, of which a lane is a part."""
        for item in batch:
            item.request.engine_ms += seconds * 1000 / len(batch)
        self.counters.batches += 1
        self.counters.items += len(batch)
        self.counters.busy_seconds += seconds
        self.counters.batch_sizes[len(batch)] += 1
