"""TensorRT 11 on an NVIDIA GPU, by pycuda.

This file has never run on hardware: it is checked against the published API's names, and runs its
contract on a stand-in that enforces the rules the real library has.
"""

import hashlib
import os
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from gpu_workers.engines.base import (
    EngineClosed,
    EngineError,
    EngineOutOfMemory,
    EngineUnavailable,
    Tensor,
    check_batch,
    engine_fingerprint,
)
from gpu_workers.models.loader import model_path
from gpu_workers.models.manifest import Model

_WORKSPACE_BYTES = 1 << 30


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
    """One thread, stream, execution context and optimisation profile; calls are served in turn.

    A context must never be used by two threads, so the engine has its own and `infer` hands it the batch.
    The plan is built on first use and kept beside the weights.
    Raises EngineUnavailable, EngineError, WeightsMissing, WeightsCorrupt.
    """

    name = "tensorrt"
    lanes = 1

    def __init__(self, model: Model, folder: Path) -> None:
        if reason := unavailable_reason():
            raise EngineUnavailable(self.name, reason)
        self.fingerprint = engine_fingerprint(model, self.name, str(import_module("tensorrt").__version__))
        self.input_shape = model.input.shape
        self.max_batch = model.max_batch
        self._closing = threading.Lock()
        self._closed = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tensorrt")
        try:
            self._lane = self._thread.submit(_Lane, model, model_path(model, folder), folder).result()
        except BaseException:
            self._thread.shutdown()
            raise

    def infer(self, batch: Tensor) -> Tensor:
        """See Engine.infer."""
        check_batch(batch, self.input_shape, self.max_batch)
        with self._closing:
            if self._closed:
                raise EngineClosed(self.name)
            answer = self._thread.submit(self._lane.infer, batch)
        return answer.result()

    def close(self) -> None:
        """See Engine.close."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            done = self._thread.submit(self._lane.close)
        done.result()
        self._thread.shutdown()


class _Lane:
    """Everything that belongs to the engine's own thread."""

    def __init__(self, model: Model, onnx_path: Path, cache: Path) -> None:
        self._trt: Any = import_module("tensorrt")
        self._cuda: Any = import_module("pycuda.driver")
        self._device: Any = self._cuda.Device(0)
        # The primary context is the one torch uses too; a context of our own beside it breaks both.
        self._cuda_context: Any = self._device.retain_primary_context()
        with self._current():
            runtime = self._trt.Runtime(self._trt.Logger(self._trt.Logger.WARNING))
            self._plan: Any = _load_plan(self._trt, self._cuda, self._device, runtime, model, onnx_path, cache)
            self._context: Any = self._plan.create_execution_context()
            if self._context is None:
                raise EngineError("tensorrt: no execution context (out of device memory?)")
            self._stream: Any = self._cuda.Stream()
            self._take_buffers(model)

    def infer(self, batch: Tensor) -> Tensor:
        try:
            with self._current():
                return self._run(batch)
        except self._cuda.MemoryError as error:
            raise EngineOutOfMemory(f"tensorrt: {error}") from error

    def _run(self, batch: Tensor) -> Tensor:
        count = len(batch)
        np.copyto(self._host_in[:count], batch)
        self._check(self._context.set_input_shape(self._input_name, batch.shape), "set_input_shape")
        self._cuda.memcpy_htod_async(self._device_in, self._host_in[:count], self._stream)
        self._check(self._context.execute_async_v3(self._stream.handle), "execute_async_v3")
        self._cuda.memcpy_dtoh_async(self._host_out[:count], self._device_out, self._stream)
        self._stream.synchronize()
        return np.array(self._host_out[:count])

    def close(self) -> None:
        with self._current():
            self._stream.synchronize()
            self._device_in.free()
            self._device_out.free()
            self._context = self._plan = self._stream = None
        self._cuda_context.detach()

    def _take_buffers(self, model: Model) -> None:
        self._input_name, output_name = _tensor_names(self._trt, self._plan)
        self._host_in: Any = self._cuda.pagelocked_empty((model.max_batch, *model.input.shape), np.float32)
        self._host_out: Any = self._cuda.pagelocked_empty((model.max_batch, *model.output.shape), np.float32)
        self._device_in: Any = self._cuda.mem_alloc(self._host_in.nbytes)
        self._device_out: Any = self._cuda.mem_alloc(self._host_out.nbytes)
        for name, memory in ((self._input_name, self._device_in), (output_name, self._device_out)):
            self._check(self._context.set_tensor_address(name, int(memory)), f"set_tensor_address({name})")

    @contextmanager
    def _current(self) -> Iterator[None]:
        self._cuda_context.push()
        try:
            yield
        finally:
            self._cuda.Context.pop()

    @staticmethod
    def _check(accepted: bool, call: str) -> None:
        if not accepted:
            raise EngineError(f"tensorrt refused {call}")


def _tensor_names(trt: Any, plan: Any) -> tuple[str, str]:
    names = [plan.get_tensor_name(index) for index in range(plan.num_io_tensors)]
    inputs = [name for name in names if plan.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
    outputs = [name for name in names if plan.get_tensor_mode(name) == trt.TensorIOMode.OUTPUT]
    if len(inputs) != 1 or len(outputs) != 1:
        raise EngineError(f"tensorrt: the plan has inputs {inputs} and outputs {outputs}, one of each is needed")
    return inputs[0], outputs[0]


def _load_plan(trt: Any, cuda: Any, device: Any, runtime: Any, model: Model, onnx_path: Path, cache: Path) -> Any:
    onnx_bytes = onnx_path.read_bytes()
    file = cache / f"{model.name}-{_plan_key(trt, cuda, device, model, onnx_bytes)}.plan"
    if file.is_file():
        plan = runtime.deserialize_cuda_engine(file.read_bytes())
        if plan is not None:
            return plan
    _write_atomically(file, _build_plan(trt, model, onnx_bytes))
    plan = runtime.deserialize_cuda_engine(file.read_bytes())
    if plan is None:
        raise EngineError(f"tensorrt refused the plan it has just built: {file}")
    return plan


def _plan_key(trt: Any, cuda: Any, device: Any, model: Model, onnx_bytes: bytes) -> str:
    """Plans hold for exactly one of each of these, and there is no way to ask beforehand."""
    parts = (
        hashlib.sha256(onnx_bytes).hexdigest(),
        trt.__version__,
        device.compute_capability(),
        device.name(),
        cuda.get_driver_version(),
        cuda.get_version(),
        _profile_shapes(model),
        _WORKSPACE_BYTES,
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def _profile_shapes(model: Model) -> list[tuple[int, ...]]:
    """Smallest, best and largest input."""
    sizes = (1, max(1, model.max_batch // 2), model.max_batch)
    return [(size, *model.input.shape) for size in sizes]


def _build_plan(trt: Any, model: Model, onnx_bytes: bytes) -> bytes:
    builder = trt.Builder(trt.Logger(trt.Logger.WARNING))
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, trt.Logger(trt.Logger.WARNING))
    if not parser.parse(onnx_bytes):
        errors = "; ".join(str(parser.get_error(index)) for index in range(parser.num_errors))
        raise EngineError(f"tensorrt cannot parse {model.file}: {errors}")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, _WORKSPACE_BYTES)
    profile = builder.create_optimization_profile()
    profile.set_shape(network.get_input(0).name, *_profile_shapes(model))
    config.add_optimization_profile(profile)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise EngineError(f"tensorrt could not build a plan for {model.file}")
    return bytes(plan)


def _write_atomically(file: Path, data: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as temporary:
        temporary.write(data)
        temporary.flush()
        os.fsync(temporary.fileno())
    Path(temporary.name).replace(file)
