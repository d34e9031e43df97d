# ruff: noqa: ARG001, ARG002, N802, N803  (parameters and names are the published ones)
"""`tensorrt`, `pycuda.driver` and `cuda.bindings.driver` as far as the engine uses them, strict about their rules.

Device work happens when a stream synchronises, not when it is enqueued, so that whoever reads a buffer too early
gets NaN. Kernels are ONNX Runtime's. What breaks a rule raises RuleBroken, where the real libraries crash, give wrong
numbers or corrupt memory. Public names and parameters are those of the published packages (test_published_api.py);
what has no counterpart there starts with an underscore.
"""

import itertools
import pickle
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime
import pytest

Array = np.ndarray[Any, np.dtype[Any]]
Work = Callable[[], None]
Captured = tuple[Work, tuple[int, ...]]  # and the addresses that it uses

_addresses = itertools.count(0x1000, 0x1000)
_thread = threading.local()
_allocations: dict[int, "DeviceAllocation"] = {}
_streams: weakref.WeakValueDictionary[int, "Stream"] = weakref.WeakValueDictionary()
_pinned: weakref.WeakValueDictionary[int, Array] = weakref.WeakValueDictionary()


class RuleBroken(AssertionError):
    """The engine did what the real libraries punish."""


def need(condition: object, rule: str) -> None:
    if not condition:
        raise RuleBroken(rule)


def need_context() -> None:
    need(getattr(_thread, "contexts", []), "a CUDA call needs a current context on its thread")


def need_no_capture(call: str) -> None:
    need(not getattr(_thread, "captures", 0), f"{call} while this thread captures")


@contextmanager
def current_context() -> Iterator["Context"]:
    """For tests that use the stand-in without the engine: the primary context, current on this thread."""
    context = Device(0).retain_primary_context()
    context.push()
    try:
        yield context
    finally:
        Context.pop()
        context.detach()


# ------------------------------------------------------------------------------------------------ pycuda.driver


class Error(Exception):
    pass


class MemoryError(Error):
    pass


class Context:
    def __init__(self) -> None:
        self._detached = False

    def push(self) -> None:
        need(not self._detached, "the context was detached")
        _thread.contexts = [*getattr(_thread, "contexts", []), self]

    @staticmethod
    def pop() -> None:
        need_context()
        _thread.contexts = _thread.contexts[:-1]

    def detach(self) -> None:
        need(self not in getattr(_thread, "contexts", []), "detached while current")
        need(not self._detached, "detached twice")
        self._detached = True


class Device:
    _memory_bytes = 1 << 26

    def __init__(self, ordinal: int) -> None:
        need(ordinal < Device.count(), "no such device")

    @staticmethod
    def count() -> int:
        return 1

    def retain_primary_context(self) -> Context:
        return Context()

    def make_context(self, flags: int = 0) -> None:
        raise RuleBroken("a context beside the primary one destroys torch's")

    def compute_capability(self) -> tuple[int, int]:
        return (9, 0)

    def name(self) -> str:
        return "stand-in"


class Stream:
    def __init__(self, flags: int = 0) -> None:
        need_context()
        need_no_capture("a new stream")
        self.handle = next(_addresses)
        self._work: list[Work] = []
        self._using: list[int] = []
        self._sources: list[Array] = []
        self._captured: list[Captured] | None = None
        _streams[self.handle] = self

    def synchronize(self) -> None:
        need_context()
        need_no_capture("synchronising")
        work, self._work, self._using = self._work, [], []
        for step in work:
            step()
        for source in self._sources:
            source.flags.writeable = True
        self._sources = []

    def _put(self, work: Work, *addresses: int) -> None:
        if self._captured is not None:
            self._captured.append((work, addresses))
            return
        self._work.append(work)
        self._using += addresses


class DeviceAllocation:
    def __init__(self, nbytes: int) -> None:
        need_context()
        need_no_capture("allocating")
        need(nbytes > 0, "an allocation of no bytes")
        if nbytes > mem_get_info()[0]:
            raise MemoryError("cuMemAlloc failed: out of memory")
        self._address = next(_addresses)
        self._memory = np.full(nbytes, 0xFF, np.uint8)  # NaN, as float16 and as float32
        _allocations[self._address] = self

    def __int__(self) -> int:
        return self._address

    def free(self) -> None:
        need_context()
        need_no_capture("freeing")
        need(self._address in _allocations, "freed twice")
        need(all(self._address not in stream._using for stream in list(_streams.values())), "freed while in use")
        del _allocations[self._address]


def init(flags: int = 0) -> None:
    pass


def get_driver_version() -> int:
    return 13000


def get_version() -> tuple[int, int, int]:
    return (13, 0, 0)


def mem_get_info() -> tuple[int, int]:
    need_context()
    used = sum(allocation._memory.nbytes for allocation in list(_allocations.values()))
    return max(Device._memory_bytes - used, 0), Device._memory_bytes


def mem_alloc(bytes: int) -> DeviceAllocation:
    return DeviceAllocation(bytes)


def pagelocked_empty(shape: tuple[int, ...], dtype: Any, order: str = "C", mem_flags: int = 0) -> Array:
    need_context()
    need_no_capture("pinning memory")
    array = np.full(shape, np.nan, dtype)
    _pinned[id(array)] = array
    return array


def memcpy_htod_async(dest: DeviceAllocation, src: Array, stream: Stream | None = None) -> None:
    stream, whole = _checked_copy(src, stream)
    memory = _memory_at(int(dest))

    def copy() -> None:
        memory[: src.nbytes] = src.reshape(-1).view(np.uint8)

    # Writing to it before the stream has synchronised fails.
    whole.flags.writeable = False
    stream._sources.append(whole)
    stream._put(copy, int(dest))


def memcpy_dtoh_async(dest: Array, src: DeviceAllocation, stream: Stream | None = None) -> None:
    stream, _ = _checked_copy(dest, stream)
    memory = _memory_at(int(src))

    def copy() -> None:
        dest.reshape(-1).view(np.uint8)[:] = memory[: dest.nbytes]

    dest[:] = np.nan
    stream._put(copy, int(src))


def _checked_copy(array: Array, stream: Stream | None) -> tuple[Stream, Array]:
    need_context()
    need(array.flags.c_contiguous, "copies need contiguous memory")
    whole = next((known for known in list(_pinned.values()) if np.may_share_memory(array, known)), None)
    if stream is None:
        raise RuleBroken("the default stream serialises everything")
    if whole is None:
        raise RuleBroken("asynchronous copies need pinned memory")
    return stream, whole


def _memory_at(address: int) -> Array:
    need(address in _allocations, "no device memory at this address: never allocated, or freed")
    return _allocations[address]._memory


# ----------------------------------------------------------------------------------------- cuda.bindings.driver


class CUresult(Enum):
    CUDA_SUCCESS = 0
    CUDA_ERROR_STREAM_CAPTURE_INVALIDATED = 901


class CUstreamCaptureMode(Enum):
    CU_STREAM_CAPTURE_MODE_GLOBAL = 0
    CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1
    CU_STREAM_CAPTURE_MODE_RELAXED = 2


class CUstream(int):
    pass


class CUgraph:
    def __init__(self, work: list[Captured]) -> None:
        self._work = work


class CUgraphExec:
    def __init__(self, work: list[Captured]) -> None:
        self._work: list[Captured] | None = work


def cuStreamBeginCapture(hStream: CUstream, mode: CUstreamCaptureMode) -> tuple[CUresult]:
    need_context()
    stream = _stream_of(hStream)
    need(not stream._work, "the stream is busy: synchronise before capturing")
    need(
        mode is CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL,
        "a capture must not be spoilt by other threads' allocations, nor miss its own thread's",
    )
    stream._captured = []
    _thread.captures = getattr(_thread, "captures", 0) + 1
    return (CUresult.CUDA_SUCCESS,)


def cuStreamEndCapture(hStream: CUstream) -> tuple[CUresult, CUgraph]:
    need_context()
    need(getattr(_thread, "captures", 0), "this thread began no capture")
    stream = _stream_of(hStream)
    _thread.captures -= 1
    work, stream._captured = stream._captured, None
    if work is None:
        raise RuleBroken("the stream does not capture")
    return CUresult.CUDA_SUCCESS, CUgraph(work)


def cuGraphInstantiate(hGraph: CUgraph, flags: int) -> tuple[CUresult, CUgraphExec]:
    need_context()
    return CUresult.CUDA_SUCCESS, CUgraphExec(hGraph._work)


def cuGraphDestroy(hGraph: CUgraph) -> tuple[CUresult]:
    return (CUresult.CUDA_SUCCESS,)


def cuGraphLaunch(hGraphExec: CUgraphExec, hStream: CUstream) -> tuple[CUresult]:
    need_context()
    stream = _stream_of(hStream)
    if hGraphExec._work is None:
        raise RuleBroken("the graph was destroyed")
    for work, addresses in hGraphExec._work:
        stream._put(work, *addresses)
    return (CUresult.CUDA_SUCCESS,)


def cuGraphExecDestroy(hGraphExec: CUgraphExec) -> tuple[CUresult]:
    need_context()
    hGraphExec._work = None
    return (CUresult.CUDA_SUCCESS,)


def _stream_of(handle: int) -> Stream:
    need(handle in _streams, "not a stream of ours; 0 is the default stream")
    return _streams[handle]


# ------------------------------------------------------------------------------------------------------ tensorrt


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


# ------------------------------------------------------------------------------------------------------- install

TENSORRT: tuple[Any, ...] = (BuilderFlag, Builder, DataType, ExecutionContextAllocationStrategy, IBuilderConfig)
TENSORRT += (ICudaEngine, IExecutionContext, IHostMemory, ILogger, INetworkDefinition, IOptimizationProfile, ITensor)
TENSORRT += (ITimingCache, MemoryPoolType, OnnxParser, ParserError, Runtime, TensorIOMode)
PYCUDA: tuple[Any, ...] = (Error, MemoryError, Context, Device, DeviceAllocation, Stream, init, get_driver_version)
PYCUDA += (get_version, mem_get_info, mem_alloc, pagelocked_empty, memcpy_htod_async, memcpy_dtoh_async)
BINDINGS: tuple[Any, ...] = (CUresult, CUstreamCaptureMode, CUstream, CUgraph, CUgraphExec, cuStreamBeginCapture)
BINDINGS += (cuStreamEndCapture, cuGraphInstantiate, cuGraphDestroy, cuGraphLaunch, cuGraphExecDestroy)
MODULES = {"tensorrt": TENSORRT, "pycuda.driver": PYCUDA, "cuda.bindings.driver": BINDINGS}


def install(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Make imports of the three packages find this file's; returns the `tensorrt` module."""
    for name in ("pycuda", "cuda", "cuda.bindings"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    for name, things in MODULES.items():
        module = ModuleType(name)
        for thing in things:
            setattr(module, thing.__name__, thing)
        monkeypatch.setitem(sys.modules, name, module)
    tensorrt = sys.modules["tensorrt"]
    monkeypatch.setattr(tensorrt, "__version__", "11.4.0.106", raising=False)
    return tensorrt
