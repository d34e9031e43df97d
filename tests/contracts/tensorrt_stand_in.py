"""`tensorrt` and `pycuda.driver` as far as the engine uses them, strict about the rules of the real ones.

Device work happens when a stream synchronises, not when it is enqueued, so that whoever reads or reuses a
buffer too early gets wrong numbers. Kernels are ONNX Runtime's.
"""

import itertools
import pickle
import sys
import threading
from collections.abc import Callable
from enum import Enum
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime
import pytest

Array = np.ndarray[Any, np.dtype[np.float32]]
_addresses = itertools.count(0x1000, 0x1000)
_current = threading.local()
_allocations: dict[int, "DeviceAllocation"] = {}
_streams: dict[int, "Stream"] = {}
_pinned: list[Array] = []


class RuleBroken(AssertionError):
    """The engine did what the real library punishes."""


def need(condition: bool, rule: str) -> None:
    if not condition:
        raise RuleBroken(rule)


def need_context() -> None:
    need(bool(getattr(_current, "stack", [])), "a CUDA call needs a current context on its thread")


class Error(Exception):
    """pycuda.driver.Error"""


class MemoryError(Error):
    """pycuda.driver.MemoryError"""


class Context:
    detached = False

    def push(self) -> None:
        need(not self.detached, "the context was detached")
        _current.stack = [*getattr(_current, "stack", []), self]

    @staticmethod
    def pop() -> None:
        need_context()
        _current.stack = _current.stack[:-1]

    def detach(self) -> None:
        need(self not in getattr(_current, "stack", []), "detached while current")
        self.detached = True


class Device:
    primary = Context()

    def __init__(self, ordinal: int) -> None:
        need(ordinal < Device.count(), "no such device")

    @staticmethod
    def count() -> int:
        return 1

    def retain_primary_context(self) -> Context:
        Device.primary = Context()
        return Device.primary

    def make_context(self) -> None:
        raise RuleBroken("a context beside the primary one destroys torch's")

    def compute_capability(self) -> tuple[int, int]:
        return (9, 0)

    def name(self) -> str:
        return "stand-in"


class Stream:
    def __init__(self) -> None:
        need_context()
        self.handle = next(_addresses)
        self.work: list[Callable[[], None]] = []
        _streams[self.handle] = self

    def synchronize(self) -> None:
        need_context()
        work, self.work = self.work, []
        for step in work:
            step()


class DeviceAllocation:
    def __init__(self, nbytes: int) -> None:
        need_context()
        self.address = next(_addresses)
        self.memory = np.full(nbytes // 4, np.nan, np.float32)
        _allocations[self.address] = self

    def __int__(self) -> int:
        return self.address

    def free(self) -> None:
        need(self.address in _allocations, "freed twice")
        del _allocations[self.address]


def pagelocked_empty(shape: tuple[int, ...], dtype: Any) -> Array:
    need_context()
    array = np.full(shape, np.nan, dtype)
    _pinned.append(array)
    return array


def need_pinned(array: Array, stream: Stream | None) -> Stream:
    need_context()
    need(stream is not None, "the default stream serialises everything")
    need(any(np.shares_memory(array, known) for known in _pinned), "asynchronous copies need pinned memory")
    need(array.flags.c_contiguous, "copies need contiguous memory")
    assert stream is not None
    return stream


def memcpy_htod_async(dest: DeviceAllocation, src: Array, stream: Stream | None = None) -> None:
    def copy() -> None:
        dest.memory[: src.size] = src.ravel()

    need_pinned(src, stream).work.append(copy)


def memcpy_dtoh_async(dest: Array, src: DeviceAllocation, stream: Stream | None = None) -> None:
    def copy() -> None:
        dest.reshape(-1)[:] = src.memory[: dest.size]

    stream = need_pinned(dest, stream)
    dest[:] = np.nan
    stream.work.append(copy)


class TensorIOMode(Enum):
    INPUT = 1
    OUTPUT = 2


class MemoryPoolType(Enum):
    WORKSPACE = 1


class Logger:
    WARNING = 2

    def __init__(self, severity: int) -> None:
        self.severity = severity


class ExecutionContext:
    def __init__(self, plan: "CudaEngine") -> None:
        need_context()
        self._plan = plan
        self._thread = threading.get_ident()
        self._shape: tuple[int, ...] | None = None
        self._memory: dict[str, int] = {}

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._need_own_thread()
        smallest, _, largest = self._plan.profile
        within = all(low <= size <= high for low, size, high in zip(smallest, shape, largest, strict=True))
        self._shape = shape if within else None
        return within and name == self._plan.names[0]

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._need_own_thread()
        self._memory[name] = address
        return name in self._plan.names

    def execute_async_v3(self, handle: int) -> bool:
        need_context()
        self._need_own_thread()
        need(handle in _streams, "not a stream of ours; 0 is the default stream")
        need(self._shape is not None, "execute before set_input_shape")
        for name in self._plan.names:
            need(self._memory.get(name) in _allocations, f"no device memory at the address of {name}")
        taken, given = (_allocations[self._memory[name]] for name in self._plan.names)
        shape = self._shape
        assert shape is not None

        def kernels() -> None:
            values = taken.memory[: int(np.prod(shape))].reshape(shape)
            answer = self._plan.session.run(None, {self._plan.names[0]: values})[0]
            given.memory[: answer.size] = answer.ravel()

        _streams[handle].work.append(kernels)
        return True

    def _need_own_thread(self) -> None:
        need(threading.get_ident() == self._thread, "an execution context on two threads")


class CudaEngine:
    def __init__(self, onnx_bytes: bytes, profile: list[tuple[int, ...]]) -> None:
        self.profile = profile
        self.session: Any = onnxruntime.InferenceSession(onnx_bytes, providers=["CPUExecutionProvider"])
        self.names = [self.session.get_inputs()[0].name, self.session.get_outputs()[0].name]
        self.num_io_tensors = 2

    def get_tensor_name(self, index: int) -> str:
        return str(self.names[index])

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        return TensorIOMode.INPUT if name == self.names[0] else TensorIOMode.OUTPUT

    def create_execution_context(self) -> ExecutionContext:
        return ExecutionContext(self)


class Runtime:
    def __init__(self, logger: Logger) -> None:
        need_context()
        self.logger = logger

    def deserialize_cuda_engine(self, plan: bytes) -> CudaEngine | None:
        version, onnx_bytes, profile = pickle.loads(plan)
        return CudaEngine(onnx_bytes, profile) if version == sys.modules["tensorrt"].__version__ else None


class Profile:
    def set_shape(self, _name: str, *shapes: tuple[int, ...]) -> None:
        self.shapes = list(shapes)


class BuilderConfig:
    profiles: list[Profile]

    def __init__(self) -> None:
        self.profiles = []

    def set_memory_pool_limit(self, pool: MemoryPoolType, size: int) -> None:
        need(pool is MemoryPoolType.WORKSPACE and size > 0, "a workspace of no size")

    def add_optimization_profile(self, profile: Profile) -> int:
        self.profiles.append(profile)
        return len(self.profiles) - 1


class Network:
    onnx_bytes = b""

    def get_input(self, index: int) -> Any:
        session = onnxruntime.InferenceSession(self.onnx_bytes, providers=["CPUExecutionProvider"])
        return session.get_inputs()[index]


class Builder:
    builds = 0

    def __init__(self, logger: Logger) -> None:
        need_context()
        self.logger = logger

    def create_network(self, flags: int = 0) -> Network:
        need(flags == 0, "TensorRT 11 has no network flags to set here")
        return Network()

    def create_builder_config(self) -> BuilderConfig:
        return BuilderConfig()

    def create_optimization_profile(self) -> Profile:
        return Profile()

    def build_serialized_network(self, network: Network, config: BuilderConfig) -> bytes | None:
        Builder.builds += 1
        if not config.profiles:
            return None
        return pickle.dumps((sys.modules["tensorrt"].__version__, network.onnx_bytes, config.profiles[0].shapes))


class OnnxParser:
    num_errors = 1

    def __init__(self, network: Network, logger: Logger) -> None:
        self.network, self.logger = network, logger

    def parse(self, onnx_bytes: bytes) -> bool:
        self.network.onnx_bytes = onnx_bytes
        return onnx_bytes[:1] == b"\x08"

    def get_error(self, _index: int) -> str:
        return "not a model"


def install(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Make `import tensorrt` and `import pycuda.driver` find this file's; returns the `tensorrt` module."""
    tensorrt, pycuda, driver = ModuleType("tensorrt"), ModuleType("pycuda"), ModuleType("pycuda.driver")
    fakes: tuple[Any, ...] = (Logger, Runtime, Builder, OnnxParser, TensorIOMode, MemoryPoolType)
    calls: tuple[Any, ...] = (Error, MemoryError, Context, Device, Stream, pagelocked_empty)
    calls += (memcpy_htod_async, memcpy_dtoh_async)
    for module, things in ((tensorrt, fakes), (driver, calls)):
        for thing in things:
            setattr(module, thing.__name__, thing)
    monkeypatch.setattr(tensorrt, "__version__", "11.4.0.106", raising=False)
    more: dict[str, Any] = {"mem_alloc": DeviceAllocation, "init": lambda: None}
    more |= {"get_driver_version": lambda: 13000, "get_version": lambda: (13, 0, 0)}
    for name, value in more.items():
        setattr(driver, name, value)
    for module in (tensorrt, pycuda, driver):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return tensorrt
