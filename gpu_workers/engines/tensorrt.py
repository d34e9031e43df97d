"""TensorRT 11 on an NVIDIA GPU, by pycuda.

Never run on hardware: names and parameters are checked against the published packages
(tests/contracts/test_published_api.py), and it runs its contract on a stand-in that enforces the rules of the real
libraries (tests/contracts/tensorrt_stand_in/).
"""

import threading
import traceback
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from gpu_workers.engines.base import (
    EngineClosed,
    EngineError,
    EngineUnavailable,
    Tensor,
    check_batch,
    engine_fingerprint,
    out_of_memory_raised,
)
from gpu_workers.engines.cuda_graphs import GraphCapture
from gpu_workers.engines.tensorrt_batch import FixedBatch
from gpu_workers.engines.tensorrt_plan import Plan, load_plan
from gpu_workers.models.loader import model_path
from gpu_workers.models.manifest import Model

# Of each stream: enough for every size up to 128; beyond that the least recently used one makes room.
SIZES_KEPT_MAX = 8


def unavailable_reason() -> str | None:
    """Why this engine cannot run here; None when it can."""
    try:
        import_module("tensorrt")
        cuda = import_module("pycuda.driver")
    except ImportError as error:
        return f"not importable: {error}"
    try:
        cuda.init()
    except cuda.Error as error:
        return f"no usable CUDA driver: {error}"
    return None if cuda.Device.count() else "no CUDA device"


class TensorRtEngine:
    """Streams that share one plan; a batch goes to a stream that is free.

    One stream is the default: a batcher sends one batch at a time, and a second would double the build and the memory
    to stand idle. Two let one batch be copied while the other is computed, for who calls from several threads.
    The plan is built on first use and kept beside the weights.
    Raises EngineUnavailable, EngineError, EngineOutOfMemory, WeightsMissing, WeightsCorrupt.
    """

    name = "tensorrt"
    # However many streams there are: they share the device, which does more with one large batch.
    lanes = 1

    def __init__(self, model: Model, folder: Path, streams: int = 1, cuda_graphs: bool = True) -> None:
        if reason := unavailable_reason():
            raise EngineUnavailable(self.name, reason)
        path = model_path(model, folder)
        self.fingerprint = engine_fingerprint(model, self.name, str(import_module("tensorrt").__version__))
        self.input_shape = model.input.shape
        self.max_batch = model.max_batch
        self._changed = threading.Condition()
        self._closed = False
        self._workers: list[_Worker] = []
        graphs = GraphCapture() if cuda_graphs else None

        def plan() -> Plan:
            return self._workers[0].plan if self._workers else load_plan(model, path, folder, streams)

        try:
            for number in range(streams):
                self._workers.append(_Worker(number, plan, graphs))
        except BaseException:
            self._close_workers()
            raise
        self._free = self._workers[::-1]

    def infer(self, batch: Tensor) -> Tensor:
        """See Engine.infer."""
        check_batch(batch, self.input_shape, self.max_batch)
        with self._worker() as worker:
            return worker.infer(batch)

    def close(self) -> None:
        """See Engine.close."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: len(self._free) == len(self._workers))
        self._close_workers()

    @contextmanager
    def _worker(self) -> Iterator["_Worker"]:
        with self._changed:
            self._changed.wait_for(lambda: self._free or self._closed)
            if self._closed:
                raise EngineClosed(self.name)
            # The one that was free last: its sizes are ready.
            worker = self._free.pop()
        try:
            yield worker
        finally:
            with self._changed:
                self._free.append(worker)
                self._changed.notify_all()

    def _close_workers(self) -> None:
        for worker in self._workers:
            worker.close()


class _Worker:
    """A thread, and what only that thread may touch: a stream, and a batch for each size that was asked for."""

    plan: Plan

    def __init__(self, number: int, plan: Callable[[], Plan], graphs: GraphCapture | None) -> None:
        self._cuda: Any = import_module("pycuda.driver")
        self._number = number
        self._graphs = graphs
        self._batches: OrderedDict[int, FixedBatch] = OrderedDict()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"tensorrt-{number}")
        try:
            self._thread.submit(self._open, plan).result()
        except BaseException:
            self._thread.shutdown()
            raise

    def infer(self, batch: Tensor) -> Tensor:
        return self._thread.submit(self._infer, batch).result()

    def close(self) -> None:
        try:
            self._thread.submit(self._close).result()
        finally:
            self._thread.shutdown()

    def _open(self, plan: Callable[[], Plan]) -> None:
        # The primary context is the one torch uses too; a context of our own beside it breaks both.
        self._cuda_context: Any = self._cuda.Device(0).retain_primary_context()
        try:
            with self._current():
                self.plan = plan()
                self._stream: Any = self._cuda.Stream()
        except BaseException:
            self._cuda_context.detach()
            raise

    def _infer(self, batch: Tensor) -> Tensor:
        with self._current():
            return self._batch_for(len(batch)).run(batch)

    def _batch_for(self, count: int) -> FixedBatch:
        size = self.plan.size_for(count)
        if size not in self._batches:
            if len(self._batches) == SIZES_KEPT_MAX:
                self._batches.popitem(last=False)[1].close()
            with self.plan.lock:
                self._batches[size] = FixedBatch(self.plan, self._number, size, self._stream, self._graphs)
        self._batches.move_to_end(size)
        return self._batches[size]

    def _close(self) -> None:
        try:
            with self._current():
                while self._batches:
                    self._batches.popitem()[1].close()
                # Now: the last to let go of the plan frees its memory, for which a context must be current.
                del self.plan, self._stream
        finally:
            self._cuda_context.detach()

    @contextmanager
    def _current(self) -> Iterator[None]:
        """Our CUDA context is current on this thread; the errors of pycuda and TensorRT come out as ours."""
        self._cuda_context.push()
        try:
            with out_of_memory_raised("tensorrt"), _locals_forgotten():
                yield
        except self._cuda.Error as error:
            raise EngineError(f"tensorrt: {error}") from error
        finally:
            self._cuda.Context.pop()


@contextmanager
def _locals_forgotten() -> Iterator[None]:
    """An error's traceback keeps what failed: it would end elsewhere, when no CUDA context is current."""
    try:
        yield
    except BaseException as error:
        traceback.clear_frames(error.__traceback__)
        raise
