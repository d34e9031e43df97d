"""A TensorRT batch of one size: a profile, a context, its memory and, where that works, a CUDA graph.

Belongs to one stream and its thread; a CUDA context must be current on every call.
"""

import math
from importlib import import_module
from typing import Any

import numpy as np

from gpu_workers.engines.base import EngineError, Tensor
from gpu_workers.engines.cuda_graphs import CudaGraph, GraphCapture
from gpu_workers.engines.tensorrt_plan import Plan, TensorSpec


class FixedBatch:
    """Everything is set once, when it is made: shapes, addresses, and the graph that is replayed afterwards.

    Each size has memory of its own, so that a size there is no memory for leaves the smaller ones as they are.
    Raises EngineError, pycuda's MemoryError.
    """

    def __init__(self, plan: Plan, number: int, size: int, stream: Any, graphs: GraphCapture | None) -> None:
        self._cuda: Any = import_module("pycuda.driver")
        self._plan = plan
        self._stream = stream
        self._memory: list[Any] = []
        self._context: Any = None
        self._graph: CudaGraph | None = None
        try:
            self._open_context(plan.profile(number, size))
            self._host_in, self._device_in = self._bind(plan.input, size)
            self._host_out, self._device_out = self._bind(plan.output, size)
            self._check_output(size)
            self._warm_up()
            if graphs is not None:
                self._graph = graphs.capture(stream.handle, self._execute)
        except BaseException:
            self.close()
            raise

    def run(self, batch: Tensor) -> Tensor:
        """Answers float32 (n, ...) for float32 (n, ...), n at most `size`. Raises EngineError, pycuda's Error."""
        count = len(batch)
        np.copyto(self._host_in[:count], batch, casting="same_kind")
        self._cuda.memcpy_htod_async(self._device_in, self._host_in[:count], self._stream)
        if self._graph is not None:
            self._graph.launch(self._stream.handle)
        else:
            self._execute()
        self._cuda.memcpy_dtoh_async(self._host_out[:count], self._device_out, self._stream)
        self._stream.synchronize()
        return np.array(self._host_out[:count], np.float32)

    def close(self) -> None:
        """Wait for what runs, and give the memory back."""
        self._stream.synchronize()
        if self._graph is not None:
            self._graph.close()
        self._graph = self._context = self._host_in = self._host_out = None
        # Freed here and not when collected: pycuda leaks what is collected on another thread.
        while self._memory:
            self._memory.pop().free()

    def _open_context(self, profile: int) -> None:
        """A context on `profile`, with memory for what that profile needs and no more."""
        engine = self._plan.engine
        strategy = import_module("tensorrt").ExecutionContextAllocationStrategy.USER_MANAGED
        self._context = self._plan.accepted(engine.create_execution_context(strategy), "an execution context")
        chosen = self._context.set_optimization_profile_async(profile, self._stream.handle)
        self._plan.accepted(chosen, f"profile {profile}")
        nbytes = engine.get_device_memory_size_for_profile_v2(profile)
        self._context.set_device_memory(int(self._take(nbytes)), nbytes)

    def _bind(self, tensor: TensorSpec, size: int) -> tuple[Any, Any]:
        """Pinned memory and device memory for `size` items of `tensor`, the latter told to the context."""
        shape = (size, *tensor.shape)
        if tensor is self._plan.input:
            self._plan.accepted(self._context.set_input_shape(tensor.name, shape), f"the input shape {shape}")
        device = self._take(math.prod(shape) * np.dtype(tensor.dtype).itemsize)
        bound = self._context.set_tensor_address(tensor.name, int(device))
        self._plan.accepted(bound, f"an address for {tensor.name}")
        return self._cuda.pagelocked_empty(shape, tensor.dtype), device

    def _check_output(self, size: int) -> None:
        output = self._plan.output
        found, wanted = tuple(self._context.get_tensor_shape(output.name)), (size, *output.shape)
        if found != wanted:
            raise EngineError(f"tensorrt: {output.name} is {found}, the manifest says {wanted}")

    def _warm_up(self) -> None:
        """Enqueues once: after a new shape TensorRT has work to do that must not be captured."""
        self._host_in[:] = 0
        self._cuda.memcpy_htod_async(self._device_in, self._host_in, self._stream)
        self._execute()
        self._stream.synchronize()

    def _execute(self) -> None:
        self._plan.accepted(self._context.execute_async_v3(self._stream.handle), "execute_async_v3")

    def _take(self, nbytes: int) -> Any:
        memory = self._cuda.mem_alloc(max(nbytes, 1))
        self._memory.append(memory)
        return memory
