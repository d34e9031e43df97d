"""What every engine must do, run on every engine. TensorRT runs on a stand-in: there is no GPU here."""

import queue
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import onnxruntime
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException

from gpu_workers.engines import BadShape, Engine, EngineClosed, EngineOutOfMemory, Preference, Tensor, open_engine
from gpu_workers.models.loader import WeightsCorrupt, WeightsMissing
from gpu_workers.models.manifest import Model
from tests.contracts import tensorrt_stand_in
from tests.gpu_workers.tiny_model import SIZE_PX, write_tiny_model

ENGINES: list[Preference] = ["onnxruntime", "openvino", "tensorrt"]


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return write_tiny_model(tmp_path)


@pytest.fixture(params=ENGINES)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Preference:
    preference: Preference = request.param
    if preference == "tensorrt":
        tensorrt_stand_in.install(monkeypatch)
    return preference


@pytest.fixture
def engine(kind: Preference, model: Model, tmp_path: Path) -> Iterator[Engine]:
    opened = open_engine(model, tmp_path, kind)
    yield opened
    opened.close()


def inputs(count: int, seed: int = 0) -> Tensor:
    return np.random.default_rng(seed).normal(size=(count, 3, SIZE_PX, SIZE_PX)).astype(np.float32)


def reference(folder: Path, batch: Tensor) -> Tensor:
    session = onnxruntime.InferenceSession(str(folder / "tiny.onnx"), providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(["mask"], {"x": item[None]})[0] for item in batch])


@pytest.mark.parametrize("count", [1, 2, 5])
def test_numbers_are_onnx_runtimes(engine: Engine, tmp_path: Path, count: int) -> None:
    batch = inputs(count)
    answers = engine.infer(batch)
    assert answers.dtype == np.float32
    np.testing.assert_allclose(answers, reference(tmp_path, batch), atol=1e-3)


def test_batches_may_shrink_and_grow(engine: Engine, tmp_path: Path) -> None:
    for count in (5, 1, 3, 5):
        batch = inputs(count, seed=count)
        np.testing.assert_allclose(engine.infer(batch), reference(tmp_path, batch), atol=1e-3)


def test_answers_stay_when_the_next_batch_runs(engine: Engine) -> None:
    first = engine.infer(inputs(2))
    kept = first.copy()
    engine.infer(inputs(2, seed=9))
    np.testing.assert_array_equal(first, kept)


def test_the_same_input_gives_the_same_bytes(engine: Engine) -> None:
    assert engine.infer(inputs(3)).tobytes() == engine.infer(inputs(3)).tobytes()


@pytest.mark.parametrize(
    "batch",
    [
        np.zeros((0, 3, SIZE_PX, SIZE_PX), np.float32),
        np.zeros((6, 3, SIZE_PX, SIZE_PX), np.float32),
        np.zeros((1, 3, SIZE_PX, SIZE_PX + 1), np.float32),
        np.zeros((3, SIZE_PX, SIZE_PX), np.float32),
        np.zeros((1, 3, SIZE_PX, SIZE_PX), np.float64),
    ],
    ids=["empty", "too many", "wrong size", "no batch", "float64"],
)
def test_a_wrong_batch_is_refused(engine: Engine, batch: Tensor) -> None:
    with pytest.raises(BadShape, match="the batch"):
        engine.infer(batch)
    assert len(engine.infer(inputs(1))) == 1


def test_two_threads_get_their_own_answers(engine: Engine, tmp_path: Path) -> None:
    together = Barrier(2)

    def ask(seed: int) -> bool:
        batch = inputs(2, seed)
        expected = reference(tmp_path, batch)
        together.wait()
        return all(np.allclose(engine.infer(batch), expected, atol=1e-3) for _ in range(10))

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(ask, (1, 2))) == [True, True]


def test_closing_twice_is_closing_once(engine: Engine) -> None:
    engine.close()
    engine.close()
    with pytest.raises(EngineClosed):
        engine.infer(inputs(1))


def test_memory_that_runs_out_is_reported_as_such(
    engine: Engine, kind: Preference, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(*{"onnxruntime": _onnxruntime, "openvino": _openvino, "tensorrt": _tensorrt}[kind](engine))
    with pytest.raises(EngineOutOfMemory):
        engine.infer(inputs(2))


class Exhausted:
    """A library's object that has no memory left, whatever is asked of it."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, _name: str) -> Callable[..., None]:
        def call(*_: object, **__: object) -> None:
            raise self._error

        return call


def _onnxruntime(engine: Engine) -> tuple[object, str, object]:
    message = "Status Message: bfc_arena.cc:376 Failed to allocate memory for requested buffer of size 643840"
    return engine, "_session", Exhausted(RuntimeException(message))


def _openvino(engine: Engine) -> tuple[object, str, object]:
    idle: queue.SimpleQueue[object] = queue.SimpleQueue()
    for _ in range(engine.lanes):
        idle.put(Exhausted(RuntimeError("Exception from src/inference: std::bad_alloc")))
    return engine, "_idle", idle


def _tensorrt(_engine: Engine) -> tuple[object, str, object]:
    return tensorrt_stand_in.Device, "_memory_bytes", 0


def test_it_says_what_it_is(engine: Engine, kind: Preference, model: Model) -> None:
    assert engine.name == kind
    assert engine.input_shape == model.input.shape
    assert engine.max_batch == model.max_batch


def test_fingerprint_is_stable_and_differs_by_weights(kind: Preference, model: Model, tmp_path: Path) -> None:
    first, again = open_engine(model, tmp_path, kind), open_engine(model, tmp_path, kind)
    assert first.fingerprint == again.fingerprint
    first.close()
    again.close()


def test_fingerprints_differ_between_engines(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tensorrt_stand_in.install(monkeypatch)
    opened = [open_engine(model, tmp_path, kind) for kind in ENGINES]
    assert len({engine.fingerprint for engine in opened}) == len(ENGINES)
    for engine in opened:
        engine.close()


def test_missing_and_corrupt_weights_are_named(kind: Preference, model: Model, tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"tiny-dynamic\.onnx"):
        open_engine(model, tmp_path / "none", kind)
    (tmp_path / "tiny-dynamic.onnx").write_bytes(b"not a model")
    with pytest.raises(WeightsCorrupt, match=r"tiny-dynamic\.onnx"):
        open_engine(model, tmp_path, kind)


def test_it_takes_no_more_threads_than_it_may(kind: Preference, model: Model, tmp_path: Path) -> None:
    opened, batch = open_engine(model, tmp_path, kind, threads=1), inputs(2)
    np.testing.assert_allclose(opened.infer(batch), reference(tmp_path, batch), atol=1e-3)
    if kind == "onnxruntime":
        assert opened._session.get_session_options().intra_op_num_threads == 1  # type: ignore[attr-defined]
    if kind == "openvino":
        assert opened.lanes == 1
    opened.close()
