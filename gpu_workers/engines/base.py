"""What an engine is, and how it fails.

EngineError
├── EngineUnavailable   cannot run here; names the engine and the reason
├── BadShape            a batch of another shape, type or size than the engine takes
├── EngineOutOfMemory   no memory for a batch of this size; a smaller one may do
└── EngineClosed        used after close
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from gpu_workers import code
from gpu_workers.models.manifest import Model

Tensor = NDArray[np.float32]

# ONNX Runtime, OpenVINO and TensorRT have no type for it; these stand in what they say.
_OUT_OF_MEMORY = ("bad_alloc", "bad allocation", "allocate memory", "out of memory", "outofmemory", "out_of_memory")


class EngineError(Exception):
    """An engine could not do what was asked."""


class EngineUnavailable(EngineError):
    """An engine cannot run on this machine."""

    def __init__(self, engine: str, reason: str) -> None:
        super().__init__(f"{engine}: {reason}")
        self.engine = engine
        self.reason = reason


class BadShape(EngineError):
    """The batch is not what the engine takes."""


class EngineOutOfMemory(EngineError):
    """The device or the host has no memory for a batch of this size."""


class EngineClosed(EngineError):
    """The engine was closed."""


class Engine(Protocol):
    """One model, loaded and ready, on one device.

    `infer` may be called from any thread. What it returns for one item depends on that item alone,
    to within 1e-3 of ONNX Runtime.
    """

    @property
    def name(self) -> str:
        """Which engine: openvino, onnxruntime or tensorrt."""

    @property
    def fingerprint(self) -> str:
        """Hex digest over weights, their contract, engine, version and precision: equal fingerprints, equal pixels."""

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one item."""

    @property
    def max_batch(self) -> int:
        """Most items one call may bring."""

    @property
    def lanes(self) -> int:
        """How many calls run side by side, each about as fast as alone; where it is several, batches gain nothing."""

    def infer(self, batch: Tensor) -> Tensor:
        """Answers (n, c, h, w) for float32 (n, c, h, w), 1 <= n <= max_batch.

        Raises BadShape, EngineClosed, EngineOutOfMemory.
        """

    def close(self) -> None:
        """Give the device's memory back; a second call does nothing."""


def engine_fingerprint(model: Model, engine: str, engine_version: str) -> str:
    """The fingerprint every engine reports for `model`.

    In it is what the manifest says of its input and output, and the code that goes by that and runs the engine.
    """
    contract = msgspec.json.encode((model.input, model.output)).decode()
    by = code.installed().fingerprint("gpu_workers.models.contract", f"gpu_workers.engines.{engine}")
    parts = (model.sha256, engine, engine_version, model.precision, contract, by)
    return hashlib.sha256("|".join(parts).encode()).hexdigest()


def check_batch(batch: Tensor, item_shape: tuple[int, int, int], batch_max: int) -> None:
    """Raises BadShape when `batch` is not float32 (1..batch_max, *item_shape)."""
    if batch.dtype != np.float32 or batch.ndim != 4 or batch.shape[1:] != item_shape:
        wanted = f"float32 (n, {', '.join(map(str, item_shape))})"
        raise BadShape(f"the batch is {batch.dtype} {batch.shape}, the engine takes {wanted}")
    if not 1 <= len(batch) <= batch_max:
        raise BadShape(f"the batch has {len(batch)} items, the engine takes 1 to {batch_max}")


@contextmanager
def out_of_memory_raised(engine: str) -> Iterator[None]:
    """Raises EngineOutOfMemory for what says in the block, in whatever words, that memory ran out."""
    try:
        yield
    except Exception as error:
        if isinstance(error, MemoryError) or any(words in str(error).lower() for words in _OUT_OF_MEMORY):
            raise EngineOutOfMemory(f"{engine}: {error}") from error
        raise
