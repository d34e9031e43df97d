"""The student, what it is taught on, and smaller numbers. Teaching itself needs PyTorch, which is an extra."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from rich.progress import Progress

from gpu_workers.distillation import distilling
from gpu_workers.distillation.comparing import band_error, overlap
from gpu_workers.distillation.quantizing import parity, quantize_fp16, quantize_int8
from gpu_workers.distillation.student import HEAD, build_student
from gpu_workers.distillation.training_pictures import (
    HELD_OUT,
    NoPictures,
    Photograph,
    load_photographs,
    training_tensor,
)
from gpu_workers.models.contract import tensor_of
from gpu_workers.models.loader import fetch
from gpu_workers.models.manifest import load_manifest

ROOT = Path(__file__).parents[2]
CATALOGUE = ROOT / "loadtest" / "rendering" / "catalogue"
WEIGHTS = ROOT / ".cache" / "weights"
TEACHER = WEIGHTS / load_manifest("u2netp@1").file

Tensor = NDArray[np.float32]


@pytest.fixture(scope="module")
def teacher() -> onnx.ModelProto:
    return onnx.load(TEACHER)


@pytest.fixture(scope="module")
def photographs() -> list[Photograph]:
    return load_photographs(CATALOGUE, held_out=True)


def untaught() -> dict[str, Tensor]:
    random = np.random.default_rng(1)
    weights: dict[str, Tensor] = {}
    for layer in HEAD:
        shape = (layer.channels_out, layer.channels_in, layer.kernel_px, layer.kernel_px)
        weights[f"{layer.name}.weight"] = random.normal(0, 0.05, shape).astype(np.float32)
        weights[f"{layer.name}.bias"] = np.zeros(layer.channels_out, np.float32)
    return weights


def run(graph: onnx.ModelProto | str, batch: Tensor) -> Tensor:
    source = graph if isinstance(graph, str) else graph.SerializeToString()
    session = onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {session.get_inputs()[0].name: batch})[0])


def test_the_student_is_the_teacher_but_for_its_last_stage(teacher: onnx.ModelProto) -> None:
    student = build_student(teacher, untaught())
    kept = {weights.name: weights.raw_data for weights in student.graph.initializer}
    theirs = {weights.name: weights.raw_data for weights in teacher.graph.initializer}
    shared = kept.keys() & theirs.keys()
    assert all(kept[name] == theirs[name] for name in shared)
    assert len(shared) > 0.8 * len(theirs)
    names = {node.name for node in student.graph.node}
    assert "Conv_810" not in names
    assert {f"{layer.name}_conv" for layer in HEAD} <= names


def test_the_student_takes_any_batch(teacher: onnx.ModelProto) -> None:
    student = build_student(teacher, untaught())
    batch = np.random.default_rng(2).normal(size=(2, 3, 320, 320)).astype(np.float32)
    together = run(student, batch)
    assert together.shape == (2, 1, 320, 320)
    np.testing.assert_allclose(together[1:], run(student, batch[1:]), atol=1e-5)


def test_a_training_picture_depends_on_its_seed_and_place_alone(photographs: list[Photograph]) -> None:
    one = training_tensor(photographs, 3, 5)
    assert one.shape == (3, 320, 320)
    np.testing.assert_array_equal(one, training_tensor(photographs, 3, 5))
    assert not np.array_equal(one, training_tensor(photographs, 3, 6))


def test_products_that_are_held_out_are_not_taught() -> None:
    taught = load_photographs(CATALOGUE, held_out=False, long_side_px=64)
    assert not any(taken.name.startswith(HELD_OUT) for taken in taught)
    assert len(taught) == 20


def test_a_folder_without_photographs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoPictures, match=r"holds no photographs"):
        load_photographs(tmp_path)


def test_float16_gives_nearly_the_same_masks(tmp_path: Path, photographs: list[Photograph]) -> None:
    quantize_fp16(TEACHER, tmp_path / "half.onnx")
    assert (tmp_path / "half.onnx").stat().st_size < 0.6 * TEACHER.stat().st_size
    pictures = [tensor_of(taken.rgb, load_manifest("u2netp@1").input) for taken in photographs[:2]]
    apart = parity(TEACHER, tmp_path / "half.onnx", pictures)
    assert apart["mean"] < 1e-3
    assert apart["overlap_min"] > 0.99


def test_integers_are_explicit_and_what_is_left_out_stays_float(tmp_path: Path, photographs: list[Photograph]) -> None:
    names = [node.name for node in onnx.load(TEACHER).graph.node if node.op_type == "Conv"]
    picture = tensor_of(photographs[0].rgb, load_manifest("u2netp@1").input)
    quantize_int8(TEACHER, tmp_path / "int8.onnx", [picture], leave_out=tuple(names[1:]))
    graph = onnx.load(tmp_path / "int8.onnx").graph
    written = {output: node for node in graph.node for output in node.output}
    quantized = {
        node.name
        for node in graph.node
        if node.op_type == "Conv" and written[node.input[0]].op_type == "DequantizeLinear"
    }
    assert quantized == {names[0]}
    assert parity(TEACHER, tmp_path / "int8.onnx", [picture])["mean"] < 0.1


def test_a_layer_that_is_not_there_cannot_be_left_out(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'Conv_x'"):
        quantize_int8(TEACHER, tmp_path / "x.onnx", [], leave_out=("Conv_x",))


def test_overlap_and_band_error_tell_a_shift() -> None:
    one, other = np.zeros((40, 40), np.float32), np.zeros((40, 40), np.float32)
    one[10:30, 10:30] = other[10:30, 12:32] = 1
    assert overlap(one > 0, other > 0) == pytest.approx(18 / 22)
    assert overlap(np.zeros(4), np.zeros(4)) == 1
    blank = np.full((40, 40, 3), 200, np.uint8)
    truth = one
    lost = band_error(blank, truth, lambda _picture: np.zeros((320, 320), np.float32))
    assert lost > 0.2


@pytest.mark.skipif(find_spec("torch") is not None, reason="PyTorch is here")
def test_without_pytorch_it_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(distilling.NoTorch, match=r"packshot\[distill\]"):
        distilling.distill(TEACHER, CATALOGUE, tmp_path / "student.onnx")


@pytest.mark.skipif(find_spec("torch") is None, reason="needs PyTorch, of the extra `distill`")
def test_teaching_twice_gives_the_same_and_better_weights(photographs: list[Photograph]) -> None:
    config = distilling.TrainingConfig(pictures=4, steps=12, batch=2)
    pictures = np.stack([training_tensor(photographs, 1, index).astype(np.float16) for index in range(4)])
    teacher = distilling.Teacher(onnx.load(TEACHER))
    with Progress(disable=True) as progress:
        one, again = (distilling.teach(teacher, pictures, config, progress) for _ in range(2))
    assert all(np.array_equal(one[name], again[name]) for name in one)
    assert set(one) == {f"{layer.name}.{part}" for layer in HEAD for part in ("weight", "bias")}


@pytest.mark.long
def test_the_fast_model_sees_what_its_teacher_sees(photographs: list[Photograph]) -> None:
    fast = load_manifest("u2netp-fast@1")
    file = fetch(fast, WEIGHTS)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == fast.sha256
    assert fast.size_bytes == file.stat().st_size < 10_000_000
    pictures = [tensor_of(taken.rgb, fast.input) for taken in photographs]
    found = [(run(str(TEACHER), each[None]), run(str(file), each[None])) for each in pictures]
    overlaps = [overlap(theirs > 0.5, mine > 0.5) for theirs, mine in found]
    assert np.median(overlaps) > 0.98
    assert np.mean(overlaps) > 0.94
