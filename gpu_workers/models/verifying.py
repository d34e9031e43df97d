"""Whether a graph is what its manifest says, and whether what it answers can be a mask, or its picture enlarged."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, checker
from onnx.external_data_helper import uses_external_data

from gpu_workers.models.contract import mask_of, tensor_of
from gpu_workers.models.graph import BadGraph
from gpu_workers.models.manifest import Model, ModelError

Tensor = NDArray[np.float32]

SIDE_PX = 512
RADIUS = 0.3
_OFF_MAX = 0.05
_SCORE_OFF = 1e-3  # rounding
DIFFERENCE_MAX: dict[str, float] = {"fp32": 1e-3, "fp16": 2e-2, "int8": 5e-2}
_FLOATS = {TensorProto.FLOAT: "float32", TensorProto.FLOAT16: "float16"}


class BadAnswers(ModelError):
    """The graph runs, and what it answers is no mask, or not its picture enlarged."""


class _Engine(Protocol):
    def infer(self, batch: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Trial:
    """What a network makes of a plain product: its masks' means on it and beside it, each 0..1."""

    inside: float
    outside: float


def check_graph(model: Model, path: Path) -> None:
    """Raises BadGraph, naming the manifest's field, when the graph at `path` is not as `model` says."""
    try:
        graph = onnx.load(str(path), load_external_data=False).graph
    except Exception as error:  # the parser's errors have no type of their own
        raise BadGraph(f"{path.name} is no ONNX file: {error}") from error
    if any(uses_external_data(weights) for weights in graph.initializer):
        raise BadGraph(f"file: the weights of {path.name} lie in other files; export it as one")
    try:
        checker.check_model(str(path))
    except checker.ValidationError as error:
        raise BadGraph(f"file: {path.name} is not valid ONNX: {error}") from error
    constants = {weights.name for weights in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    if len(inputs) != 1:
        raise BadGraph(f"input: the graph takes {[value.name for value in inputs]}, one tensor is wanted")
    _check_tensor("input", inputs[0], model.input.shape, model.max_batch)
    outputs = {value.name: value for value in graph.output}
    if model.output.tensor not in outputs:
        raise BadGraph(f"output.tensor: the graph has no output {model.output.tensor!r}, but {list(outputs)}")
    if len(outputs) > 1 and next(iter(outputs)) != model.output.tensor:
        raise BadGraph(f"output.tensor: {model.output.tensor!r} must be the graph's first output of {list(outputs)}")
    shape = model.output.shape[{"letters": 1, "scores": 2}.get(model.output.kind, 0) :]
    _check_tensor("output", outputs[model.output.tensor], shape, model.max_batch)


def try_out(model: Model, engine: _Engine, reference: _Engine | None = None) -> Trial | None:
    """Shows `engine` a disc on a plain ground, and a smaller one beside it in the same batch where that may be.

    Raises BadAnswers when the answers are not finite, depend on the batch, do not tell the disc from the ground, or
    differ from those of `reference` by more than the precision allows. An enlargement, of which there is no Trial, must
    be the picture when it is averaged back down; nor is there one of what reads or classifies, for a disc says nothing:
    scores must be from 0 to 1.
    """
    pictures = [_disc(RADIUS), _disc(RADIUS * 0.8)][: model.max_batch]
    tensors = np.stack([tensor_of(picture, model.input) for picture in pictures])
    together = engine.infer(tensors)
    if not np.isfinite(together).all():
        raise BadAnswers(f"{model.ref}: the answers are not finite")
    _check_alike(model, together[:1], engine.infer(tensors[:1]), "an item's answer depends on its batch")
    if reference is not None:
        alone = np.concatenate([reference.infer(tensor[None]) for tensor in tensors])
        _check_alike(model, together, alone, "the answers are not ONNX Runtime's")
    if model.output.kind == "enlargement":
        _check_enlarged(model, pictures[0], together[0])
        return None
    if model.operation == "classify":
        _check_scores(model, together[0])
    if model.operation in ("read", "classify"):
        return None
    mask = mask_of(together[0], model.output)
    trial = _separation(mask)
    if trial.inside < 0.5 or trial.outside > 0.5:
        raise BadAnswers(
            f"{model.ref}: the mask of a plain product is {trial.inside:.2f} on it and {trial.outside:.2f} beside it: "
            "check `input` (mean, std, white) and `output` (activation, stretch)"
        )
    return trial


def _check_tensor(field: str, value: onnx.ValueInfoProto, shape: Sequence[int], max_batch: int) -> None:
    kind = value.type.tensor_type
    if kind.elem_type not in _FLOATS:
        found = TensorProto.DataType.Name(kind.elem_type)
        raise BadGraph(f"{field}: {value.name} is {found}, float32 or float16 is wanted")
    sides = [side.dim_value or None for side in kind.shape.dim]
    if len(sides) != 1 + len(shape) or any(
        found not in (None, wanted) for found, wanted in zip(sides[1:], shape, strict=True)
    ):
        raise BadGraph(
            f"{field}.shape: {value.name} is {sides}, the manifest says (batch, {', '.join(map(str, shape))})"
        )
    if sides[0] is not None and max_batch > sides[0]:
        raise BadGraph(f"max_batch: {value.name} has a fixed batch of {sides[0]}, the manifest says {max_batch}")


def _check_alike(model: Model, first: Tensor, second: Tensor, otherwise: str) -> None:
    if first.shape != second.shape:
        raise BadAnswers(f"{model.ref}: {otherwise}: {first.shape} is not {second.shape}")
    difference = float(np.abs(first - second).max())
    if difference > DIFFERENCE_MAX[model.precision] * max(1.0, float(np.abs(second).max())):
        raise BadAnswers(f"{model.ref}: {otherwise}: they differ by {difference:.2g}")


def _check_enlarged(model: Model, picture: NDArray[np.uint8], answer: Tensor) -> None:
    size = (model.input.shape[2], model.input.shape[1])
    large = np.ascontiguousarray(answer.transpose(1, 2, 0))
    back, source = (cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in (large, picture))
    off = float(np.abs(back - source / 255).mean())
    if off > _OFF_MAX:
        raise BadAnswers(
            f"{model.ref}: averaged back down its answer is {off:.2f} off the picture: "
            "check `input` (mean, std), and that it answers RGB from 0 to 1"
        )


def _check_scores(model: Model, answer: Tensor) -> None:
    if model.output.activation == "none" and not (answer.min() >= -_SCORE_OFF and answer.max() <= 1 + _SCORE_OFF):
        raise BadAnswers(
            f"{model.ref}: its scores go from {answer.min():.2g} to {answer.max():.2g}: check `output.activation`"
        )


def _disc(radius: float) -> NDArray[np.uint8]:
    """uint8 RGB: a shaded disc on a light ground."""
    ys, xs = np.mgrid[:SIDE_PX, :SIDE_PX] / SIDE_PX - 0.5
    cover = np.clip((radius - np.hypot(xs, ys)) * SIDE_PX + 0.5, 0, 1)[..., None]
    shade = (1 - 0.8 * (xs + ys))[..., None]
    picture = cover * shade * np.array([170, 40, 50]) + (1 - cover) * np.array([225, 225, 228])
    return np.asarray(np.rint(np.clip(picture, 0, 255)), np.uint8)


def _separation(mask: Tensor) -> Trial:
    height, width = mask.shape
    ys, xs = np.mgrid[:height, :width]
    distance = np.hypot(xs / width - 0.5, ys / height - 0.5)
    return Trial(float(mask[distance < RADIUS * 0.9].mean()), float(mask[distance > RADIUS * 1.1].mean()))
