"""An engine that doubles what it is given, and breaks on what it is told to."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from gpu_workers.engines import Tensor
from gpu_workers.serving.batching import (
    Batcher,
)

POISON = 666.0


class Doubling:
    """An engine that doubles, waits at `gate`, fails on poison, and remembers its batches."""

    name = "doubling"
    fingerprint = "0" * 64
    input_shape = (1, 2, 2)
    max_batch = 8
    lanes = 1

    def __init__(self) -> None:
        self.batches: list[list[float]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)
        self.answer: Callable[[Tensor], Tensor] = lambda batch: batch * 2

    def infer(self, batch: Tensor) -> Tensor:
        self.batches.append([float(item[0, 0, 0]) for item in batch])
        self.entered.release()
        assert self.gate.wait(10)
        if (batch == POISON).any():
            raise RuntimeError("kernel fault")
        return self.answer(batch)

    def close(self) -> None: ...


@contextmanager
def batching(engine: Doubling, max_batch: int = 4, max_wait_ms: float = 60_000) -> Iterator[Batcher]:
    batcher = Batcher(engine, max_batch=max_batch, max_wait_ms=max_wait_ms)
    try:
        yield batcher
    finally:
        engine.gate.set()
        batcher.close()


def item(value: float) -> Tensor:
    return np.full((1, 1, 2, 2), value, np.float32)


def items(*values: float) -> Tensor:
    return np.concatenate([item(value) for value in values])


def ask_behind(
    engine: Doubling, batcher: Batcher, threads: ThreadPoolExecutor, values: list[float]
) -> tuple[Future[Tensor], list[Future[Tensor]]]:
    """One request that holds the engine at the gate, and one request a value queued behind it, in order."""
    engine.gate.clear()
    first = threads.submit(batcher.infer, item(0))
    assert engine.entered.acquire(timeout=10)
    behind = []
    for count, value in enumerate(values, start=1):
        behind.append(threads.submit(batcher.infer, item(value)))
        while batcher.queued < count:
            threading.Event().wait(0.001)
    return first, behind
