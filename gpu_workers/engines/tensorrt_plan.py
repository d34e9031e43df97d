"""TensorRT plans: built on first use, kept beside the weights, shared by an engine's streams.

Typing is always strong in TensorRT 11: the ONNX file says what is float16 and what is quantised.
"""

import fcntl
import functools
import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from numpy.typing import DTypeLike

from gpu_workers.engines.base import EngineError
from gpu_workers.models.manifest import Model

_WORKSPACE_BYTES = 1 << 30


@dataclass(frozen=True)
class TensorSpec:
    """An input or output: its name in the graph, float32 or float16, its shape without the batch."""

    name: str
    dtype: DTypeLike
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """A deserialised plan. It has a profile of its own for each size of batch on each stream.

    A profile of one size gets kernels tuned for that size, and a context that never changes shape may be captured:
    what is captured from a context that is changed afterwards is undefined.
    """

    engine: Any
    log: Any
    sizes: tuple[int, ...]
    input: TensorSpec
    output: TensorSpec
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)  # held to make a context

    def size_for(self, count: int) -> int:
        """The smallest size of batch that takes `count` items."""
        return next(size for size in self.sizes if size >= count)

    def profile(self, stream: int, size: int) -> int:
        """Index of the profile that belongs to `size` on the `stream` of that number."""
        return stream * len(self.sizes) + self.sizes.index(size)

    def accepted(self, answer: Any, call: str) -> Any:
        """`answer` of a TensorRT call. Raises EngineError with TensorRT's own words when it is False or None."""
        if answer is None or answer is False:
            raise EngineError(f"tensorrt refused {call}: {self.log.last_error()}")
        return answer


def batch_sizes(largest: int) -> tuple[int, ...]:
    """Powers of two, and the largest: padding costs less than twice the work, and the sizes are few."""
    powers = (1 << exponent for exponent in range(largest.bit_length()))
    return (*(size for size in powers if size < largest), largest)


def load_plan(model: Model, onnx_path: Path, cache: Path, streams: int) -> Plan:
    """The plan for `model`, from `cache` or built into it; a CUDA context must be current. Raises EngineError."""
    trt = import_module("tensorrt")
    log = _log(trt)
    runtime = trt.Runtime(log)
    onnx_bytes = onnx_path.read_bytes()
    sizes = batch_sizes(model.max_batch)
    shapes: list[tuple[int, ...]] = [(size, *model.input.shape) for _ in range(streams) for size in sizes]
    file = cache / f"{model.name}-{_plan_key(trt, shapes, onnx_bytes)}.plan"
    engine = _kept(runtime, file)
    if engine is None:
        with _one_build_at_a_time(cache):
            # Another process may have built it while this one waited.
            engine = _kept(runtime, file)
            if engine is None:
                engine = _built(trt, runtime, log, file, shapes, onnx_bytes)
    source, result = _tensors(trt, engine, model)
    return Plan(engine, log, sizes, source, result)


def _kept(runtime: Any, file: Path) -> Any:
    """The engine in `file`; None when there is none, or TensorRT does not take it."""
    return runtime.deserialize_cuda_engine(file.read_bytes()) if file.is_file() else None


def _built(trt: Any, runtime: Any, log: Any, file: Path, shapes: list[tuple[int, ...]], onnx_bytes: bytes) -> Any:
    started = time.perf_counter()
    plan = _build(trt, log, file.parent, shapes, onnx_bytes)
    seconds = round(time.perf_counter() - started, 1)
    structlog.get_logger(__name__).info("plan_built", file=file.name, seconds=seconds, bytes=len(plan))
    _keep(file, plan)
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise EngineError(f"tensorrt refused the plan it has just built: {log.last_error()}")
    return engine


def _build(trt: Any, log: Any, cache: Path, shapes: list[tuple[int, ...]], onnx_bytes: bytes) -> bytes:
    builder = trt.Builder(log)
    network = builder.create_network()
    parser = trt.OnnxParser(network, log)
    if not parser.parse(onnx_bytes):
        errors = "; ".join(parser.get_error(index).desc() for index in range(parser.num_errors))
        raise EngineError(f"tensorrt cannot parse the graph: {errors}")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, _WORKSPACE_BYTES)
    # It is on by default and keeps 10 bits of each factor: too few for answers within 1e-3.
    config.clear_flag(trt.BuilderFlag.TF32)
    for shape in shapes:
        profile = builder.create_optimization_profile()
        profile.set_shape(network.get_input(0).name, shape, shape, shape)
        config.add_optimization_profile(profile)
    timings_file = cache / f"tensorrt-{_key(trt.__version__, *_device())}.timings"
    timings = _attach_timings(config, timings_file)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise EngineError(f"tensorrt could not build a plan: {log.last_error()}")
    _keep(timings_file, bytes(timings.serialize()))
    return bytes(plan)


def _attach_timings(config: Any, file: Path) -> Any:
    """The timing cache of `file`, attached to `config`; an empty one when TensorRT does not take that."""
    for data in (file.read_bytes() if file.is_file() else b"", b""):
        timings = config.create_timing_cache(data)
        if timings is not None and config.set_timing_cache(timings, False):
            return timings
    raise EngineError("tensorrt refused an empty timing cache")


def _tensors(trt: Any, engine: Any, model: Model) -> tuple[TensorSpec, TensorSpec]:
    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    inputs = [name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
    outputs = [name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.OUTPUT]
    if len(inputs) != 1 or len(outputs) != 1:
        raise EngineError(f"tensorrt: the plan has inputs {inputs} and outputs {outputs}, one of each is needed")
    return (
        TensorSpec(inputs[0], _dtype(trt, engine, inputs[0]), model.input.shape),
        TensorSpec(outputs[0], _dtype(trt, engine, outputs[0]), model.output.shape),
    )


def _dtype(trt: Any, engine: Any, name: str) -> DTypeLike:
    dtypes = {trt.DataType.FLOAT: np.float32, trt.DataType.HALF: np.float16}
    if (found := engine.get_tensor_dtype(name)) not in dtypes:
        raise EngineError(f"tensorrt: {name} is {found}, float32 or float16 is needed")
    return dtypes[found]


def _plan_key(trt: Any, shapes: list[tuple[int, ...]], onnx_bytes: bytes) -> str:
    """Plans hold for exactly one of each of these, and there is no way to ask beforehand."""
    cuda = import_module("pycuda.driver")
    driver = (cuda.get_driver_version(), cuda.get_version())
    flags = ("no TF32", _WORKSPACE_BYTES)
    return _key(hashlib.sha256(onnx_bytes).hexdigest(), trt.__version__, *_device(), driver, shapes, flags)


def _device() -> tuple[str, tuple[int, int]]:
    """Name and compute capability of the device in use."""
    device = import_module("pycuda.driver").Device(0)
    return device.name(), device.compute_capability()


def _key(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


@functools.cache
def _log(trt: Any) -> Any:
    """TensorRT's logger: it takes one for the whole process, and says only there why a call was refused."""
    levels = {"WARNING": "warning", "ERROR": "error", "INTERNAL_ERROR": "critical"}
    last = threading.local()

    class Log(trt.ILogger):  # type: ignore[misc]  # TensorRT has no types
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, msg: str) -> None:
            if (level := levels.get(severity.name)) is None:
                return
            if level != "warning":
                last.error = msg
            getattr(structlog.get_logger(__name__), level)("tensorrt", said=msg)

        def last_error(self) -> str:
            return str(last.__dict__.pop("error", "it did not say why"))

    return Log()


@contextmanager
def _one_build_at_a_time(folder: Path) -> Iterator[None]:
    """Waits for other processes' builds: two at once on a device would spoil each other's timings."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _keep(file: Path, data: bytes) -> None:
    """Writes it whole or not at all; a folder that takes no files costs the next start a build, no more."""
    try:
        with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as temporary:
            temporary.write(data)
            temporary.flush()
            os.fsync(temporary.fileno())
        Path(temporary.name).replace(file)
    except OSError as error:
        structlog.get_logger(__name__).warning("not_kept", file=str(file), reason=str(error))
