"""The stand-in enforces the rules of TensorRT, CUDA and pycuda: each is broken here, and found."""

import gc
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpu_workers.models.loader import model_path
from tests.contracts import tensorrt_stand_in as cuda
from tests.contracts.tensorrt_stand_in import RuleBroken
from tests.gpu_workers.tiny_model import SIZE_PX, write_tiny_model

ITEM = (3, SIZE_PX, SIZE_PX)
TWO, THREE = (2, *ITEM), (3, *ITEM)
THREAD_LOCAL = cuda.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL


class Quiet(cuda.ILogger):
    """A logger that says nothing."""

    def log(self, severity: cuda.ILogger.Severity, msg: str) -> None:
        pass


class Bench:
    """A plan with a profile for two and one for three items; on the first a context that is ready to run."""

    def __init__(self, onnx_bytes: bytes) -> None:
        self.plan = built(onnx_bytes)
        self.engine: Any = cuda.Runtime(Quiet()).deserialize_cuda_engine(self.plan)
        self.stream = cuda.Stream()
        self.memory = [cuda.mem_alloc(1 << 16) for _ in range(3)]
        self.host_in, self.host_out = (
            cuda.pagelocked_empty(shape, np.float32) for shape in (TWO, (2, 1, SIZE_PX, SIZE_PX))
        )
        self.context = self.context_on(0)
        for name, memory in zip(("x", "mask"), self.memory, strict=False):
            self.context.set_tensor_address(name, int(memory))
        self.host_in[:] = 0.5

    def context_on(self, profile: int) -> Any:
        context = self.engine.create_execution_context(cuda.ExecutionContextAllocationStrategy.USER_MANAGED)
        context.set_optimization_profile_async(profile, self.stream.handle)
        context.set_device_memory(int(self.memory[2]), 1 << 16)
        return context

    def run(self) -> None:
        self.context.execute_async_v3(self.stream.handle)

    def send(self) -> None:
        cuda.memcpy_htod_async(self.memory[0], self.host_in, self.stream)

    def fetch(self) -> None:
        cuda.memcpy_dtoh_async(self.host_out, self.memory[1], self.stream)

    def warm(self) -> None:
        self.context.set_input_shape("x", TWO)
        self.send()
        self.run()
        self.stream.synchronize()

    def captured(self, enqueue: Callable[[], None]) -> cuda.CUgraphExec:
        handle = cuda.CUstream(self.stream.handle)
        cuda.cuStreamBeginCapture(handle, THREAD_LOCAL)
        try:
            enqueue()
        finally:
            _, graph = cuda.cuStreamEndCapture(handle)
        return cuda.cuGraphInstantiate(graph, 0)[1]

    def replay(self, graph: cuda.CUgraphExec) -> None:
        cuda.cuGraphLaunch(graph, cuda.CUstream(self.stream.handle))


def built(onnx_bytes: bytes) -> bytes:
    """A plan with a profile for two items and one for three."""
    builder = cuda.Builder(Quiet())
    network = builder.create_network()
    cuda.OnnxParser(network, Quiet()).parse(onnx_bytes)
    config = builder.create_builder_config()
    config.clear_flag(cuda.BuilderFlag.TF32)
    config.set_timing_cache(config.create_timing_cache(b""), False)  # type: ignore[arg-type]  # an empty one is taken
    for shape in (TWO, THREE):
        profile = builder.create_optimization_profile()
        profile.set_shape("x", shape, shape, shape)
        config.add_optimization_profile(profile)
    plan = builder.build_serialized_network(network, config)
    assert plan is not None
    return plan


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    cuda.install(monkeypatch)
    path = model_path(write_tiny_model(tmp_path), tmp_path)
    gc.freeze()  # what is collected below, and in a test, is looked for in what that test made
    with cuda.current_context():
        made = Bench(path.read_bytes())
        yield made
        made.__dict__.clear()
        gc.collect()


def test_who_keeps_the_rules_gets_the_answers(bench: Bench) -> None:
    bench.warm()
    graph = bench.captured(bench.run)
    bench.send()
    bench.replay(graph)
    bench.fetch()
    assert np.isnan(bench.host_out).all(), "nothing is there before the stream has synchronised"
    bench.stream.synchronize()
    assert np.isfinite(bench.host_out).all()


def no_shape(bench: Bench) -> None:
    bench.run()


def no_address(bench: Bench) -> None:
    del bench.context._addresses["mask"]
    bench.context.set_input_shape("x", TWO)
    bench.run()


def no_scratch(bench: Bench) -> None:
    bench.context.set_input_shape("x", TWO)
    bench.context._scratch = None
    bench.run()


def little_scratch(bench: Bench) -> None:
    bench.context.set_device_memory(int(bench.memory[2]), 16)
    bench.context.set_input_shape("x", TWO)
    bench.run()


def default_stream_to_run_on(bench: Bench) -> None:
    bench.context.set_input_shape("x", TWO)
    bench.context.execute_async_v3(0)


def default_stream_to_copy_on(bench: Bench) -> None:
    cuda.memcpy_htod_async(bench.memory[0], bench.host_in)


def pageable_memory(bench: Bench) -> None:
    cuda.memcpy_htod_async(bench.memory[0], np.zeros(TWO, np.float32), bench.stream)


def scattered_memory(bench: Bench) -> None:
    cuda.memcpy_htod_async(bench.memory[0], bench.host_in[:, :, ::2], bench.stream)


def freed_memory_to_copy_to(bench: Bench) -> None:
    bench.memory[0].free()
    bench.send()


def freed_memory_to_run_on(bench: Bench) -> None:
    bench.context.set_input_shape("x", TWO)
    bench.memory[1].free()
    bench.run()


def freed_while_in_use(bench: Bench) -> None:
    bench.send()
    bench.memory[0].free()


def freed_twice(bench: Bench) -> None:
    bench.memory[0].free()
    bench.memory[0].free()


def one_profile_for_two(bench: Bench) -> None:
    bench.context_on(0)


def no_profile(bench: Bench) -> None:
    second = bench.engine.create_execution_context(cuda.ExecutionContextAllocationStrategy.USER_MANAGED)
    second.set_input_shape("x", TWO)


def changed_while_running(bench: Bench) -> None:
    bench.warm()
    bench.run()
    bench.context.set_input_shape("x", TWO)
    bench.stream.synchronize()


def gone_while_running(bench: Bench) -> None:
    bench.warm()
    bench.run()
    del bench.context
    gc.collect()
    bench.stream.synchronize()


def on_two_threads(bench: Bench) -> None:
    bench.warm()

    def elsewhere() -> None:
        with cuda.current_context():
            bench.run()

    with ThreadPoolExecutor(1) as threads:
        threads.submit(elsewhere).result()


def no_current_context(_bench: Bench) -> None:
    with ThreadPoolExecutor(1) as threads:
        threads.submit(cuda.mem_alloc, 16).result()


def another_context(_bench: Bench) -> None:
    cuda.Device(0).make_context()


def detached_while_current(_bench: Bench) -> None:
    with cuda.current_context() as context:
        context.detach()


def captured_cold(bench: Bench) -> None:
    bench.context.set_input_shape("x", TWO)
    bench.captured(bench.run)


def captured_while_busy(bench: Bench) -> None:
    bench.warm()
    bench.run()
    bench.captured(bench.run)


def synchronised_while_capturing(bench: Bench) -> None:
    bench.warm()
    bench.captured(bench.stream.synchronize)


def allocated_while_capturing(bench: Bench) -> None:
    bench.warm()
    bench.captured(lambda: bench.memory.append(cuda.mem_alloc(16)))


def changed_while_capturing(bench: Bench) -> None:
    bench.warm()
    bench.captured(lambda: bench.context.set_input_shape("x", TWO))


def captured_for_everybody(bench: Bench) -> None:
    mode = cuda.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_GLOBAL
    cuda.cuStreamBeginCapture(cuda.CUstream(bench.stream.handle), mode)


def replayed_with_another_address(bench: Bench) -> None:
    bench.warm()
    graph = bench.captured(bench.run)
    bench.context.set_tensor_address("mask", int(bench.memory[2]))
    bench.replay(graph)
    bench.stream.synchronize()


def replayed_with_another_shape(bench: Bench) -> None:
    bench.warm()
    graph = bench.captured(bench.run)
    bench.context.set_input_shape("x", TWO)
    bench.replay(graph)
    bench.stream.synchronize()


def replayed_after_freeing(bench: Bench) -> None:
    bench.warm()
    graph = bench.captured(bench.run)
    bench.memory[1].free()
    bench.replay(graph)
    bench.stream.synchronize()


def replayed_after_its_end(bench: Bench) -> None:
    bench.warm()
    graph = bench.captured(bench.run)
    cuda.cuGraphExecDestroy(graph)
    bench.replay(graph)


@pytest.mark.parametrize(
    ("misuse", "message"),
    [
        (no_shape, "before set_input_shape"),
        (no_address, "no address for mask"),
        (no_scratch, "no device memory was set"),
        (little_scratch, "too little device memory"),
        (default_stream_to_run_on, "default stream"),
        (default_stream_to_copy_on, "default stream"),
        (pageable_memory, "pinned"),
        (scattered_memory, "contiguous"),
        (freed_memory_to_copy_to, "never allocated, or freed"),
        (freed_memory_to_run_on, "never allocated, or freed"),
        (freed_while_in_use, "freed while in use"),
        (freed_twice, "freed twice"),
        (one_profile_for_two, "two contexts on one profile"),
        (no_profile, "no profile"),
        (changed_while_running, "changed after this was enqueued"),
        (gone_while_running, "the context is gone"),
        (on_two_threads, "on two threads"),
        (no_current_context, "needs a current context"),
        (another_context, "destroys torch's"),
        (detached_while_current, "detached while current"),
        (captured_cold, "before it ran once"),
        (captured_while_busy, "busy"),
        (synchronised_while_capturing, "synchronising while this thread captures"),
        (allocated_while_capturing, "allocating while this thread captures"),
        (changed_while_capturing, "changing a context while this thread captures"),
        (captured_for_everybody, "other threads' allocations"),
        (replayed_with_another_address, "changed after this was enqueued or captured"),
        (replayed_with_another_shape, "changed after this was enqueued or captured"),
        (replayed_after_freeing, "never allocated, or freed"),
        (replayed_after_its_end, "the graph was destroyed"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_rule_is_found(bench: Bench, misuse: Callable[[Bench], None], message: str) -> None:
    with pytest.raises(RuleBroken, match=message):
        misuse(bench)


def test_a_staging_buffer_may_not_be_written_before_its_copy_is_done(bench: Bench) -> None:
    bench.send()
    with pytest.raises(ValueError, match="read-only"):
        bench.host_in[:] = 1
    bench.stream.synchronize()
    bench.host_in[:] = 1


@pytest.mark.parametrize("plan", [b"", b"no plan at all"])
def test_what_is_no_plan_is_refused_with_none(bench: Bench, plan: bytes) -> None:
    assert cuda.Runtime(Quiet()).deserialize_cuda_engine(plan) is None
    assert bench.engine is not None


def test_a_plan_of_another_version_is_refused_with_none(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["tensorrt"], "__version__", "11.5.0.1")
    assert cuda.Runtime(Quiet()).deserialize_cuda_engine(bench.plan) is None
