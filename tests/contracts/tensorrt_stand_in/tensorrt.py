# ruff: noqa: ARG002  (parameters and names are the published ones)
"""`tensorrt`."""

import pickle
import sys
import threading
import weakref
from enum import Enum
from typing import Any

import numpy as np
import onnxruntime

from tests.contracts.tensorrt_stand_in.bindings import _stream_of
from tests.contracts.tensorrt_stand_in.pycuda import (
    Array,
    RuleBroken,
    Work,
    _memory_at,
    need,
    need_context,
    need_no_capture,
)


class TensorIOMode(Enum):
    INPUT = 1
    OUTPUT = 2


class DataType(Enum):
    FLOAT = 0
    HALF = 1
    INT64 = 8


class MemoryPoolType(Enum):
    WORKSPACE = 0


class BuilderFlag(Enum):
    TF32 = 6


class ExecutionContextAllocationStrategy(Enum):
    STATIC = 0
    ON_PROFILE_CHANGE = 1
    USER_MANAGED = 2


class ILogger:
    class Severity(Enum):
        INTERNAL_ERROR = 0
        ERROR = 1
        WARNING = 2

    def log(self, severity: Severity, msg: str) -> None:
        raise NotImplementedError


class IHostMemory(bytes):
    pass


class IExecutionContext:
    def __init__(self, engine: "ICudaEngine") -> None:
        need_context()
        self._engine = engine
        self._thread_id = threading.get_ident()
        self._profile: int | None = None
        self._shape: tuple[int, ...] | None = None
        self._warm: tuple[int, ...] | None = None
        self._addresses: dict[str, int] = {}
        self._scratch: tuple[int, int] | None = None
        self._changes = 0
        engine._contexts.add(self)
        if len(engine._contexts) == 1:
            self._profile = 0

    def set_optimization_profile_async(self, profile_index: int, stream_handle: int) -> bool:
        self._change()
        _stream_of(stream_handle)
        others = [context for context in self._engine._contexts if context is not self]
        need(all(context._profile != profile_index for context in others), "two contexts on one profile")
        self._profile, self._shape = profile_index, None
        return profile_index < len(self._engine._profiles)

    def set_device_memory(self, memory: int, size: int) -> None:
        self._change()
        _memory_at(memory)
        self._scratch = (memory, size)

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._change()
        if self._profile is None:
            raise RuleBroken("no profile: another context has the first")
        smallest, _, largest = self._engine._profiles[self._profile]
        within = all(low <= size <= high for low, size, high in zip(smallest, shape, largest, strict=True))
        self._shape, self._warm = (shape if within else None), None
        return within and name == self._engine._names[0]

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self._change()
        self._addresses[name] = memory
        return name in self._engine._names

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        if self._shape is None:
            raise RuleBroken("a shape asked for before set_input_shape")
        return self._shape if name == self._engine._names[0] else self._engine._output_shape(self._shape)

    def execute_async_v3(self, stream_handle: int) -> bool:
        need_context()
        self._need_own_thread()
        stream = _stream_of(stream_handle)
        if self._shape is None or self._profile is None:
            raise RuleBroken("executed before set_input_shape")
        for name in self._engine._names:
            need(name in self._addresses, f"no address for {name}")
            _memory_at(self._addresses[name])
        self._need_scratch(self._profile)
        if stream._captured is not None:
            need(self._warm == self._shape, "captured before it ran once with this shape")
        self._warm = self._shape
        stream._put(self._kernels(self._shape), *self._addresses.values())
        return True

    def _kernels(self, shape: tuple[int, ...]) -> Work:
        this, changes = weakref.ref(self), self._changes
        engine, addresses = self._engine, [self._addresses[name] for name in self._engine._names]

        def run() -> None:
            context = this()
            if context is None:
                raise RuleBroken("the context is gone")
            need(context._changes == changes, "the context was changed after this was enqueued or captured")
            taken, given = map(_memory_at, addresses)
            engine._run(taken, given, shape)

        return run

    def _need_scratch(self, profile: int) -> None:
        if self._scratch is None:
            raise RuleBroken("USER_MANAGED, and no device memory was set")
        address, nbytes = self._scratch
        wanted = self._engine.get_device_memory_size_for_profile_v2(profile)
        need(min(nbytes, _memory_at(address).nbytes) >= wanted, "too little device memory for the profile")

    def _change(self) -> None:
        need_context()
        need_no_capture("changing a context")
        self._need_own_thread()
        self._changes += 1

    def _need_own_thread(self) -> None:
        need(threading.get_ident() == self._thread_id, "an execution context on two threads")


class ICudaEngine:
    def __init__(self, onnx_bytes: bytes, profiles: list[list[tuple[int, ...]]]) -> None:
        self._profiles = profiles
        self._contexts: weakref.WeakSet[IExecutionContext] = weakref.WeakSet()
        self._session: Any = onnxruntime.InferenceSession(onnx_bytes, providers=["CPUExecutionProvider"])
        self._tensors = [self._session.get_inputs()[0], self._session.get_outputs()[0]]
        self._names = [str(tensor.name) for tensor in self._tensors]
        self.num_io_tensors = 2

    def get_tensor_name(self, index: int) -> str:
        return self._names[index]

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        return TensorIOMode.INPUT if name == self._names[0] else TensorIOMode.OUTPUT

    def get_tensor_dtype(self, name: str) -> DataType:
        kinds = {"tensor(float)": DataType.FLOAT, "tensor(float16)": DataType.HALF, "tensor(int64)": DataType.INT64}
        return kinds[self._tensors[self._names.index(name)].type]

    def get_device_memory_size_for_profile_v2(self, profile_index: int) -> int:
        return int(np.prod(self._profiles[profile_index][2])) * 4

    def create_execution_context(
        self, strategy: ExecutionContextAllocationStrategy = ExecutionContextAllocationStrategy.STATIC
    ) -> IExecutionContext:
        need_no_capture("a new context")
        need(strategy is ExecutionContextAllocationStrategy.USER_MANAGED, "the stand-in knows no other strategy")
        return IExecutionContext(self)

    def _output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (shape[0], *self._tensors[1].shape[1:])

    def _run(self, taken: Array, given: Array, shape: tuple[int, ...]) -> None:
        dtypes = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
        dtype = dtypes[self._tensors[0].type]
        values = taken[: int(np.prod(shape)) * np.dtype(dtype).itemsize].view(dtype).reshape(shape)
        # Item by item: neighbours in a batch must not matter.
        answers = [self._session.run(None, {self._names[0]: item[None]})[0] for item in values]
        answer = np.concatenate(answers).reshape(-1).view(np.uint8)
        given[: answer.size] = answer

    def __del__(self) -> None:
        need_context()


def _packed(*parts: Any) -> "IHostMemory":
    return IHostMemory(pickle.dumps((sys.modules["tensorrt"].__version__, *parts)))


def _unpacked(data: bytes) -> tuple[Any, ...]:
    """The version that packed it, and the parts; what is no such thing has no version."""
    try:
        return tuple(pickle.loads(data))
    except (pickle.UnpicklingError, EOFError, ValueError, IndexError):
        return (None,)


class Runtime:
    def __init__(self, logger: ILogger) -> None:
        need_context()
        self.logger = logger

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> ICudaEngine | None:
        need_context()
        version, *parts = _unpacked(serialized_engine)
        if version != sys.modules["tensorrt"].__version__:
            self.logger.log(ILogger.Severity.ERROR, f"the plan is of version {version}")
            return None
        return ICudaEngine(*parts)


class IOptimizationProfile:
    _shapes: list[tuple[int, ...]]

    def set_shape(self, input: str, min: tuple[int, ...], opt: tuple[int, ...], max: tuple[int, ...]) -> None:
        self._shapes = [min, opt, max]


class ITimingCache:
    def __init__(self, entries: bytes) -> None:
        self._entries = entries

    def serialize(self) -> IHostMemory:
        return _packed(self._entries)


class IBuilderConfig:
    def __init__(self) -> None:
        self._profiles: list[IOptimizationProfile] = []
        self._timings: ITimingCache | None = None
        self._flags = {BuilderFlag.TF32}

    def set_memory_pool_limit(self, pool: MemoryPoolType, pool_size: int) -> None:
        need(pool is MemoryPoolType.WORKSPACE and pool_size > 0, "a workspace of no size")

    def clear_flag(self, flag: BuilderFlag) -> None:
        self._flags.discard(flag)

    def add_optimization_profile(self, profile: IOptimizationProfile) -> int:
        self._profiles.append(profile)
        return len(self._profiles) - 1

    def create_timing_cache(self, serialized_timing_cache: bytes) -> ITimingCache | None:
        if not serialized_timing_cache:
            return ITimingCache(b"")
        version, *parts = _unpacked(serialized_timing_cache)
        return ITimingCache(*parts) if version == sys.modules["tensorrt"].__version__ else None

    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
        need(not ignore_mismatch, "timings of another device choose bad kernels")
        self._timings = cache
        return True


class ITensor:
    def __init__(self, name: str) -> None:
        self.name = name


class INetworkDefinition:
    _onnx_bytes = b""

    def get_input(self, index: int) -> ITensor:
        session = onnxruntime.InferenceSession(self._onnx_bytes, providers=["CPUExecutionProvider"])
        return ITensor(str(session.get_inputs()[index].name))


class Builder:
    _builds = 0
    _timings_found = 0

    def __init__(self, logger: ILogger) -> None:
        need_context()
        self.logger = logger

    def create_network(self, flags: int = 0) -> INetworkDefinition:
        need(flags == 0, "TensorRT 11 has no network flags to set here")
        return INetworkDefinition()

    def create_builder_config(self) -> IBuilderConfig:
        return IBuilderConfig()

    def create_optimization_profile(self) -> IOptimizationProfile:
        return IOptimizationProfile()

    def build_serialized_network(self, network: INetworkDefinition, config: IBuilderConfig) -> IHostMemory | None:
        need_context()
        need(BuilderFlag.TF32 not in config._flags, "TF32 is not float32")
        if not config._profiles or config._timings is None:
            self.logger.log(ILogger.Severity.ERROR, "nothing to build")
            return None
        Builder._builds += 1
        Builder._timings_found += bool(config._timings._entries)
        config._timings._entries += b"timed;"
        shapes = [profile._shapes for profile in config._profiles]
        return _packed(network._onnx_bytes, shapes)


class ParserError:
    def desc(self) -> str:
        return "not a model"


class OnnxParser:
    num_errors = 1

    def __init__(self, network: INetworkDefinition, logger: ILogger) -> None:
        self._network = network

    def parse(self, model: bytes) -> bool:
        self._network._onnx_bytes = model
        return model[:1] == b"\x08"

    def get_error(self, index: int) -> ParserError:
        return ParserError()
