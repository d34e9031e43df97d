"""Graphs that are not what their manifests say, and answers that are no masks."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from msgspec.structs import replace
from onnx import TensorProto, helper

from gpu_workers.engines import open_engine
from gpu_workers.engines.base import Tensor
from gpu_workers.models.graph import BadGraph
from gpu_workers.models.manifest import Input, Model, Output, load_manifest
from gpu_workers.models.verifying import BadAnswers, check_graph, try_out

SIDE_PX = 64
PLAIN = Input((3, SIDE_PX, SIDE_PX), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
DARK_IS_PRODUCT = Output("mask", (1, SIDE_PX, SIDE_PX), activation="sigmoid")


def model(**changes: Any) -> Model:
    made = replace(
        load_manifest("u2netp@1"),
        name="dark",
        published=None,
        max_batch=4,
        file="dark.onnx",
        input=PLAIN,
        output=DARK_IS_PRODUCT,
    )
    return replace(made, **changes)


def write(folder: Path, batch: int | str = "n", kind: int = TensorProto.FLOAT, side_px: int = SIDE_PX) -> Path:
    """A graph that holds for product what is green no longer: 20 · (0.5 - green), as logits."""
    number = np.float16 if kind == TensorProto.FLOAT16 else np.float32
    weights = np.array([0, -20, 0], number).reshape(1, 3, 1, 1)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w", "b"], ["mask"])],
        "dark",
        [helper.make_tensor_value_info("x", kind, [batch, 3, side_px, side_px])],
        [helper.make_tensor_value_info("mask", kind, [batch, 1, side_px, side_px])],
        [onnx.numpy_helper.from_array(weights, "w"), onnx.numpy_helper.from_array(np.array([10], number), "b")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(made, str(folder / "dark.onnx"))
    return folder / "dark.onnx"


class Answers:
    """An engine that answers by a rule."""

    def __init__(self, rule: Any) -> None:
        self._rule = rule

    def infer(self, batch: Tensor) -> Tensor:
        return np.asarray(self._rule(batch), np.float32)


def dark(batch: Tensor) -> Tensor:
    return np.asarray(20 * (0.5 - batch[:, 1:2]), np.float32)


def test_a_graph_that_is_as_the_manifest_says_is_good(tmp_path: Path) -> None:
    check_graph(model(), write(tmp_path))
    check_graph(model(max_batch=1), write(tmp_path, batch=1))
    check_graph(model(precision="fp16"), write(tmp_path, kind=TensorProto.FLOAT16))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"batch": 1}, "max_batch"),
        ({"side_px": 32}, r"input\.shape"),
        ({"kind": TensorProto.DOUBLE}, "float32 or float16"),
    ],
)
def test_a_graph_of_another_form_names_the_field(tmp_path: Path, wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(BadGraph, match=named):
        check_graph(model(), write(tmp_path, **wrong))


def test_an_output_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadGraph, match=r"output\.tensor.*'alpha'.*'mask'"):
        check_graph(model(output=Output("alpha", (1, SIDE_PX, SIDE_PX))), write(tmp_path))


def test_weights_in_other_files_are_refused(tmp_path: Path) -> None:
    loaded = onnx.load(str(write(tmp_path)))
    onnx.save(loaded, str(tmp_path / "dark.onnx"), save_as_external_data=True, location="w.bin", size_threshold=0)
    with pytest.raises(BadGraph, match="lie in other files"):
        check_graph(model(), tmp_path / "dark.onnx")


def test_what_is_no_onnx_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dark.onnx").write_bytes(b"\xff" * 100)
    with pytest.raises(BadGraph, match=r"dark\.onnx"):
        check_graph(model(), tmp_path / "dark.onnx")


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16], ids=["fp32", "fp16"])
def test_a_mask_is_good_on_every_engine_in_every_precision(tmp_path: Path, engine: Any, kind: int) -> None:
    file = write(tmp_path, kind=kind)
    precision: Any = "fp32" if kind == TensorProto.FLOAT else "fp16"
    made = model(precision=precision, sha256=hashlib.sha256(file.read_bytes()).hexdigest())
    opened, reference = open_engine(made, tmp_path, engine), open_engine(made, tmp_path, "onnxruntime")
    trial = try_out(made, opened, reference)
    assert trial is not None
    assert trial.inside > 0.9
    assert trial.outside < 0.1
    opened.close()
    reference.close()


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (lambda batch: batch[:, :1] * np.nan, "not finite"),
        (lambda batch: dark(batch) + batch.mean() * len(batch), "depends on its batch"),
        (lambda batch: dark(batch)[:1], r"\(1, .*is not \(2, "),
    ],
    ids=["not a number", "items leak", "too few"],
)
def test_what_is_no_mask_is_reported(rule: Any, message: str) -> None:
    with pytest.raises(BadAnswers, match=message):
        try_out(model(), Answers(rule), Answers(dark))


def test_an_inverted_mask_is_found() -> None:
    with pytest.raises(BadAnswers, match=r"0\.\d\d on it and .* beside it: check `input`"):
        try_out(model(), Answers(lambda batch: -dark(batch)))


def test_logits_that_are_taken_for_a_mask_are_found() -> None:
    scaled = replace(model(), output=Output("mask", (1, SIDE_PX, SIDE_PX)))
    with pytest.raises(BadAnswers, match="activation"):
        try_out(scaled, Answers(lambda batch: 0.4 * np.sign(dark(batch))))


def test_answers_that_are_not_the_references_are_reported() -> None:
    with pytest.raises(BadAnswers, match="not ONNX Runtime's"):
        try_out(model(), Answers(lambda batch: dark(batch) * 1.1), Answers(dark))
