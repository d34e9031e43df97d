"""What only the TensorRT engine does, on the stand-in: plans, timings, CUDA graphs, streams, memory."""

import hashlib
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from threading import Barrier, Event
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from structlog.testing import capture_logs

from gpu_workers.engines import EngineClosed, EngineError, EngineOutOfMemory, EngineUnavailable, Tensor
from gpu_workers.engines.onnxruntime import OnnxRuntimeEngine
from gpu_workers.engines.tensorrt import SIZES_KEPT_MAX, TensorRtEngine
from gpu_workers.engines.tensorrt_plan import batch_sizes
from gpu_workers.models.manifest import Model
from tests.contracts import tensorrt_stand_in as cuda
from tests.gpu_workers.tiny_model import SIZE_PX, write_tiny_model


@pytest.fixture(autouse=True)
def tensorrt(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(cuda.Builder, "_builds", 0)
    monkeypatch.setattr(cuda.Builder, "_timings_found", 0)
    return cuda.install(monkeypatch)


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return write_tiny_model(tmp_path)


@pytest.fixture
def replays(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with every CUDA graph that is launched."""
    launched: list[int] = []

    def launch(graph: cuda.CUgraphExec, stream: cuda.CUstream) -> tuple[cuda.CUresult]:
        launched.append(int(stream))
        return cuda.cuGraphLaunch(graph, stream)

    monkeypatch.setattr(sys.modules["cuda.bindings.driver"], "cuGraphLaunch", launch)
    return launched


def inputs(count: int, seed: int = 0) -> Tensor:
    return np.random.default_rng(seed).normal(size=(count, 3, SIZE_PX, SIZE_PX)).astype(np.float32)


def start(model: Model, folder: Path) -> None:
    TensorRtEngine(model, folder).close()


def kept(folder: Path, kind: str) -> list[Path]:
    """The plans, or the timings, that were kept."""
    return sorted(folder.glob(f"*.{kind}"))


# --------------------------------------------------------------------------------------------------------- plans


def test_a_plan_is_built_once_and_anew_for_another_version(
    model: Model, tmp_path: Path, tensorrt: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version, builds in (("11.4.0.106", 1), ("11.4.0.106", 1), ("11.5.0.1", 2)):
        monkeypatch.setattr(tensorrt, "__version__", version)
        start(model, tmp_path)
        assert cuda.Builder._builds == builds
    assert len(kept(tmp_path, "plan")) == 2


@pytest.mark.parametrize(
    ("where", "name", "value"),
    [
        (cuda.Device, "name", lambda _self: "another device"),
        (cuda.Device, "compute_capability", lambda _self: (12, 0)),
        ("pycuda.driver", "get_driver_version", lambda: 13010),
        ("pycuda.driver", "get_version", lambda: (13, 1, 0)),
    ],
    ids=["device", "capability", "driver", "CUDA"],
)
def test_a_plan_holds_for_one_machine(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: Any, name: str, value: Any
) -> None:
    start(model, tmp_path)
    monkeypatch.setattr(sys.modules[where] if isinstance(where, str) else where, name, value)
    start(model, tmp_path)
    assert len(kept(tmp_path, "plan")) == 2


def test_plans_differ_by_profiles(model: Model, tmp_path: Path) -> None:
    start(model, tmp_path)
    start(msgspec.structs.replace(model, max_batch=4), tmp_path)
    TensorRtEngine(model, tmp_path, streams=2).close()
    assert len(kept(tmp_path, "plan")) == 3


@pytest.mark.parametrize("spoilt", [b"", b"not a plan", None], ids=["empty", "garbage", "another version"])
def test_a_plan_that_is_refused_is_built_anew(model: Model, tmp_path: Path, spoilt: bytes | None) -> None:
    start(model, tmp_path)
    (plan,) = kept(tmp_path, "plan")
    good = plan.read_bytes()
    plan.write_bytes(good.replace(b"11.4.0.106", b"11.3.9.106") if spoilt is None else spoilt)
    start(model, tmp_path)
    assert plan.read_bytes() == good


def test_two_that_start_at_once_build_once_and_leave_nothing_behind(model: Model, tmp_path: Path) -> None:
    together = Barrier(2)

    def begin(_number: int) -> None:
        together.wait()
        start(model, tmp_path)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(begin, range(2)))
    assert cuda.Builder._builds == 1
    assert not list(tmp_path.glob(".*"))


def test_a_folder_that_takes_no_files_costs_a_build_each_start(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("read-only file system")

    monkeypatch.setattr("gpu_workers.engines.tensorrt_plan.tempfile.NamedTemporaryFile", refuse)
    with capture_logs() as logs:
        start(model, tmp_path)
        start(model, tmp_path)
    assert cuda.Builder._builds == 2
    assert {log["reason"] for log in logs if log["event"] == "not_kept"} == {"read-only file system"}


def test_timings_speed_up_the_next_build_and_are_the_versions_own(
    model: Model, tmp_path: Path, tensorrt: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(model, tmp_path)
    assert cuda.Builder._timings_found == 0
    start(msgspec.structs.replace(model, max_batch=4), tmp_path)
    assert cuda.Builder._timings_found == 1
    monkeypatch.setattr(tensorrt, "__version__", "11.5.0.1")
    start(model, tmp_path)
    assert cuda.Builder._timings_found == 1
    assert len(kept(tmp_path, "timings")) == 2


def test_spoilt_timings_are_left_behind(model: Model, tmp_path: Path) -> None:
    start(model, tmp_path)
    (timings,) = kept(tmp_path, "timings")
    timings.write_bytes(b"not timings")
    start(msgspec.structs.replace(model, max_batch=4), tmp_path)
    assert cuda.Builder._builds == 2
    assert timings.read_bytes() != b"not timings"


def test_a_graph_that_cannot_be_parsed_is_reported_in_the_parsers_words(model: Model, tmp_path: Path) -> None:
    graph = b"\x00 no graph"
    (tmp_path / model.file).write_bytes(graph)
    broken = msgspec.structs.replace(model, sha256=hashlib.sha256(graph).hexdigest())
    with pytest.raises(EngineError, match="cannot parse the graph: not a model"):
        TensorRtEngine(broken, tmp_path)


def test_without_a_device_it_says_so(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda.Device, "count", staticmethod(lambda: 0))
    with pytest.raises(EngineUnavailable, match="tensorrt: no CUDA device"):
        TensorRtEngine(model, tmp_path)


@pytest.mark.parametrize(("largest", "sizes"), [(1, (1,)), (5, (1, 2, 4, 5)), (8, (1, 2, 4, 8))])
def test_sizes_of_batches_are_powers_of_two_and_the_largest(largest: int, sizes: tuple[int, ...]) -> None:
    assert batch_sizes(largest) == sizes


# --------------------------------------------------------------------------------------------------- CUDA graphs


def test_every_batch_is_a_replay(model: Model, tmp_path: Path, replays: list[int]) -> None:
    engine, reference = TensorRtEngine(model, tmp_path), OnnxRuntimeEngine(model, tmp_path)
    for count in (1, 2, 3, 5, 3):  # 3 is padded to 4
        np.testing.assert_allclose(engine.infer(inputs(count)), reference.infer(inputs(count)), atol=1e-3)
    assert len(replays) == 5
    engine.close()


def test_without_graphs_the_answers_are_the_same(model: Model, tmp_path: Path, replays: list[int]) -> None:
    plain, graphs = TensorRtEngine(model, tmp_path, cuda_graphs=False), TensorRtEngine(model, tmp_path)
    expected = plain.infer(inputs(3))
    assert not replays
    assert graphs.infer(inputs(3)).tobytes() == expected.tobytes()
    plain.close()
    graphs.close()


def invalidated(stream: cuda.CUstream) -> tuple[cuda.CUresult, None]:
    cuda.cuStreamEndCapture(stream)
    return cuda.CUresult.CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, None


def test_a_capture_that_fails_is_reported_once_and_not_tried_again(
    model: Model, tmp_path: Path, replays: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["cuda.bindings.driver"], "cuStreamEndCapture", invalidated)
    engine, reference = TensorRtEngine(model, tmp_path), OnnxRuntimeEngine(model, tmp_path)
    with capture_logs() as logs:
        for count in (1, 2, 5):
            np.testing.assert_allclose(engine.infer(inputs(count)), reference.infer(inputs(count)), atol=1e-3)
    found = [log["reason"] for log in logs if log["event"] == "cuda_graphs_not_used"]
    assert found == ["CUDA graph: CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"]
    assert not replays
    engine.close()


def test_it_works_without_the_bindings(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cuda.bindings.driver", None)
    engine = TensorRtEngine(model, tmp_path)
    with capture_logs() as logs:
        engine.infer(inputs(2))
    assert [log["event"] for log in logs].count("cuda_graphs_not_used") == 1
    engine.close()


# ---------------------------------------------------------------------------------------------- streams and memory


@pytest.mark.parametrize("streams", [1, 2, 3])
def test_many_threads_share_the_streams(model: Model, tmp_path: Path, replays: list[int], streams: int) -> None:
    engine, reference = TensorRtEngine(model, tmp_path, streams=streams), OnnxRuntimeEngine(model, tmp_path)

    def ask(seed: int) -> bool:
        batch = inputs(1 + seed % 5, seed)
        return bool(np.allclose(engine.infer(batch), reference.infer(batch), atol=1e-3))

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(60)))
    assert 1 <= len(set(replays)) <= streams
    assert engine.lanes == 1, "a batcher still makes large batches for it"
    engine.close()


def test_closing_gives_all_memory_back(model: Model, tmp_path: Path) -> None:
    before = set(cuda._allocations)
    engine = TensorRtEngine(model, tmp_path, streams=2)
    for count in (1, 2, 5):
        engine.infer(inputs(count))
    assert set(cuda._allocations) - before
    engine.close()
    assert set(cuda._allocations) <= before


def test_closing_waits_for_who_still_asks(model: Model, tmp_path: Path) -> None:
    engine = TensorRtEngine(model, tmp_path)

    def ask(_number: int) -> bool:
        try:
            return len(engine.infer(inputs(2))) == 2
        except EngineClosed:
            return True

    with ThreadPoolExecutor(4) as threads:
        answers = threads.map(ask, range(40))
        engine.close()
        assert all(answers)


def test_closing_waits_for_who_has_a_stream_and_has_not_asked_yet(model: Model, tmp_path: Path) -> None:
    engine = TensorRtEngine(model, tmp_path)
    worker, taken, go_on = engine._workers[0], Event(), Event()
    given = worker.infer

    def late(batch: Tensor) -> Tensor:
        taken.set()
        go_on.wait()
        return given(batch)

    worker.infer = late  # type: ignore[method-assign]
    with ThreadPoolExecutor(2) as threads:
        answer = threads.submit(engine.infer, inputs(2))
        taken.wait()
        closing = threads.submit(engine.close)
        closed_early = wait([closing], timeout=0.2).done
        go_on.set()
        assert not closed_early
        assert len(answer.result()) == 2
        closing.result()


def test_only_so_many_sizes_keep_their_memory(model: Model, tmp_path: Path) -> None:
    large = msgspec.structs.replace(model, max_batch=1 << SIZES_KEPT_MAX)
    before = len(cuda._allocations)
    engine, counts = TensorRtEngine(large, tmp_path), []
    for size in batch_sizes(large.max_batch):
        engine.infer(inputs(size))
        counts.append(len(cuda._allocations) - before)
    assert len(counts) == SIZES_KEPT_MAX + 1
    assert counts[-1] == counts[-2], "the last made room for itself"
    engine.close()


def test_the_size_that_was_not_used_for_longest_makes_room(model: Model, tmp_path: Path) -> None:
    large = msgspec.structs.replace(model, max_batch=1 << SIZES_KEPT_MAX)
    engine = TensorRtEngine(large, tmp_path)
    *sizes, last = batch_sizes(large.max_batch)
    for size in (*sizes, 1, last):
        engine.infer(inputs(size))
    held = set(cuda._allocations)
    engine.infer(inputs(1))
    assert set(cuda._allocations) == held, "1 had been used after 2"
    engine.infer(inputs(2))
    assert set(cuda._allocations) != held
    engine.close()


def test_graphs_end_with_their_batch(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[bool] = []

    def destroy(graph: cuda.CUgraphExec) -> tuple[cuda.CUresult]:
        ended.append(True)
        return cuda.cuGraphExecDestroy(graph)

    monkeypatch.setattr(sys.modules["cuda.bindings.driver"], "cuGraphExecDestroy", destroy)
    engine = TensorRtEngine(model, tmp_path)
    for count in (1, 2, 5):
        engine.infer(inputs(count))
    assert not ended
    engine.close()
    assert len(ended) == 3


def test_a_size_without_memory_leaves_the_smaller_ones(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = TensorRtEngine(model, tmp_path)
    expected = engine.infer(inputs(2))
    taken = set(cuda._allocations)
    with monkeypatch.context() as full:
        full.setattr(cuda.Device, "_memory_bytes", 0)
        with pytest.raises(EngineOutOfMemory, match="out of memory"):
            engine.infer(inputs(5))
        assert set(cuda._allocations) == taken, "what it did get it gave back"
        np.testing.assert_array_equal(engine.infer(inputs(2)), expected)
    assert len(engine.infer(inputs(5))) == 5
    engine.close()


# ----------------------------------------------------------------------------------------------------- precision


@pytest.fixture
def half(model: Model, tmp_path: Path) -> Model:
    """A model that takes and gives float16: the mean over the channels."""
    taken = helper.make_tensor_value_info("x", TensorProto.FLOAT16, ["n", 3, SIZE_PX, SIZE_PX])
    given = helper.make_tensor_value_info("mask", TensorProto.FLOAT16, ["n", 1, SIZE_PX, SIZE_PX])
    node = helper.make_node("ReduceMean", ["x"], ["mask"], axes=[1], keepdims=1)
    graph = helper.make_graph([node], "half", [taken], [given])
    data = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()
    onnx.checker.check_model(onnx.load_from_string(data))
    (tmp_path / "half.onnx").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    return msgspec.structs.replace(
        model, file="half.onnx", sha256=digest, size_bytes=len(data), precision="fp16", published=None
    )


def test_a_float16_graph_is_spoken_to_in_float32(half: Model, tmp_path: Path) -> None:
    engine, reference = TensorRtEngine(half, tmp_path), OnnxRuntimeEngine(half, tmp_path)
    for count in (1, 3, 5):
        answers = engine.infer(inputs(count))
        assert answers.dtype == np.float32
        np.testing.assert_allclose(answers, reference.infer(inputs(count)), atol=2e-2)
    engine.close()


def test_another_type_than_float_is_refused(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda.ICudaEngine, "get_tensor_dtype", lambda _self, _name: cuda.DataType.INT64)
    with pytest.raises(EngineError, match=r"x is DataType\.INT64, float32 or float16 is needed"):
        TensorRtEngine(model, tmp_path)
