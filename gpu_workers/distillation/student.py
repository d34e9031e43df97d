"""The student: U²-Netp with fewer channels where the picture is large, its weights taken from the teacher.

Most of the teacher's work is done in the few layers that see the picture at 320 × 320 and 160 × 160 with 64 channels.
The student has the same layers, but for

- fewer channels in stages 1, 1d, 2 and 2d (what is left out is replaced, in the layers that read it, by the mixture
  of the remaining channels that comes closest on sample pictures), and
- convolutions that read an enlarged map beside a fine one: the enlarged map's part is done before it is enlarged.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from gpu_workers.models.graph import BadGraph

Tensor = NDArray[np.float32]
Moments = NDArray[np.float64]

_CHANNELS = 64
_EVERY_NTH_PIXEL = 7
# A 3 × 3 kernel's taps on a map of half the size: the middle one keeps its place, the others are half a pixel off.
_HALF_SIZE = np.array([[0.5, 0, 0], [0.5, 1, 0.5], [0, 0, 0.5]])


@dataclass(frozen=True)
class Reader:
    """A convolution that reads 64 channels of `tensor`, the first of them its own input channel `offset`."""

    conv: str
    tensor: str
    offset: int = 0


@dataclass(frozen=True)
class Stage:
    """Convolutions that write the same 64 channels (their sum is read too), and those that read them."""

    name: str
    writers: tuple[str, ...]
    readers: tuple[Reader, ...]


# Conv_810 reads stage 2d's channels and then stage 1's: stage 1 must be thinned first.
STAGES = (
    Stage(
        "stage1",
        ("Conv_0", "Conv_132"),
        (Reader("Conv_2", "801"), Reader("Conv_136", "947"), Reader("Conv_810", "947", 64)),
    ),
    Stage("stage1d", ("Conv_810", "Conv_942"), (Reader("Conv_812", "1709"), Reader("Conv_945", "1855"))),
    Stage(
        "stage2",
        ("Conv_136", "Conv_243"),
        (Reader("Conv_138", "951"), Reader("Conv_247", "1070"), Reader("Conv_680", "1070", 64)),
    ),
    Stage(
        "stage2d",
        ("Conv_680", "Conv_787"),
        (Reader("Conv_682", "1567"), Reader("Conv_946", "1686"), Reader("Conv_810", "1686")),
    ),
)
KEPT = {"stage1": 24, "stage1d": 16, "stage2": 48, "stage2d": 48}
SPLIT = ("Conv_810", "Conv_680", "Conv_132", "Conv_942")


def build_student(
    teacher: onnx.ModelProto,
    samples: list[Tensor],
    kept: dict[str, int] | None = None,
    split: tuple[str, ...] = SPLIT,
) -> onnx.ModelProto:
    """A student of U²-Netp with `kept` channels by stage (KEPT when None), not trained yet.

    `samples` are network inputs (3, 320, 320) on which the channels to keep are chosen. Raises BadGraph.
    """
    student = onnx.ModelProto()
    student.CopyFrom(teacher)
    moments = channel_moments(teacher, sorted({reader.tensor for stage in STAGES for reader in stage.readers}), samples)
    for stage in STAGES:
        _thin(student, stage, moments, (kept or KEPT)[stage.name])
    for conv in split:
        _split(student, conv)
    onnx.checker.check_model(student)
    return student


def channel_moments(model: onnx.ModelProto, tensors: list[str], samples: list[Tensor]) -> dict[str, Moments]:
    """Second moments (65, 65) of the 64 channels of each tensor and the constant 1, over the samples' pixels."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    probe.graph.output.extend(onnx.ValueInfoProto(name=name) for name in tensors)
    session = ort.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])
    sums = {name: np.zeros((_CHANNELS + 1, _CHANNELS + 1)) for name in tensors}
    for sample in samples:
        values = session.run(tensors, {model.graph.input[0].name: sample[None]})
        for name, value in zip(tensors, values, strict=True):
            pixels = value[0].reshape(_CHANNELS, -1)[:, ::_EVERY_NTH_PIXEL].astype(np.float64)
            pixels = np.vstack([pixels, np.ones(pixels.shape[1])])
            sums[name] += pixels @ pixels.T
    return sums


def multiplications(model: onnx.ModelProto) -> int:
    """Multiplications that a picture's convolutions take."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    sizes = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in inferred.value_info}
    convs = [node for node in model.graph.node if node.op_type == "Conv"]
    return sum(int(np.prod(sizes[node.output[0]][2:])) * _weight(model, node.input[1]).size for node in convs)


def _thin(student: onnx.ModelProto, stage: Stage, moments: dict[str, Moments], count: int) -> None:
    """Leave `count` of the stage's channels."""
    kept = _choose(student, stage, moments, count)
    for reader in stage.readers:
        _read_fewer(student, reader, moments[reader.tensor], kept)
    for name in stage.writers:
        node = _node(student, name)
        for part in node.input[1:3]:
            _set_weight(student, part, _weight(student, part)[kept])


def _choose(student: onnx.ModelProto, stage: Stage, moments: dict[str, Moments], count: int) -> list[int]:
    """The channels from which the readers' answers can be told best, found one after the other."""
    kept: list[int] = []
    reads = [
        (moments[reader.tensor], _weight(student, _node(student, reader.conv).input[1]), reader.offset)
        for reader in stage.readers
    ]
    while len(kept) < count:
        left = [channel for channel in range(_CHANNELS) if channel not in kept]
        losses = [sum(_loss(*read, [*kept, channel]) for read in reads) for channel in left]
        kept.append(left[int(np.argmin(losses))])
    return sorted(kept)


def _loss(moments: Moments, weight: Tensor, offset: int, kept: list[int]) -> float:
    """The share of what a reader computes that the kept channels cannot tell, 0..1 for each of two views of it."""
    part = weight[:, offset : offset + _CHANNELS].astype(np.float64)
    summed, power = part.sum((2, 3)), (part**2).sum((0, 2, 3))
    gone = _gone(kept)
    mixture = _mixture(moments, kept)
    left = moments[np.ix_(gone, gone)] - mixture.T @ moments[np.ix_([*kept, _CHANNELS], gone)]
    smooth = np.einsum("oi,ij,oj->", summed[:, gone], left, summed[:, gone])
    rough = (power[gone] * np.diag(left)).sum()
    whole = moments[:_CHANNELS, :_CHANNELS]
    return float(smooth / np.einsum("oi,ij,oj->", summed, whole, summed) + rough / (power * np.diag(whole)).sum())


def _mixture(moments: Moments, kept: list[int]) -> Moments:
    """How the kept channels and the constant 1 mix to each of the others: (kept + 1, others), by least squares."""
    known = [*kept, _CHANNELS]
    ridge = 1e-6 * np.trace(moments) / len(moments) * np.eye(len(known))
    return np.asarray(np.linalg.solve(moments[np.ix_(known, known)] + ridge, moments[np.ix_(known, _gone(kept))]))


def _gone(kept: list[int]) -> list[int]:
    return [channel for channel in range(_CHANNELS) if channel not in kept]


def _read_fewer(student: onnx.ModelProto, reader: Reader, moments: Moments, kept: list[int]) -> None:
    """Let the reader do with the kept channels."""
    node = _node(student, reader.conv)
    weight, bias = _weight(student, node.input[1]), _weight(student, node.input[2])
    end = reader.offset + _CHANNELS
    part, mixture = weight[:, reader.offset : end], _mixture(moments, kept)
    lost = part[:, _gone(kept)]
    part = part[:, kept] + np.einsum("odij,kd->okij", lost, mixture[:-1])
    _set_weight(student, node.input[1], np.concatenate([weight[:, : reader.offset], part, weight[:, end:]], axis=1))
    _set_weight(student, node.input[2], bias + np.einsum("odij,d->o", lost, mixture[-1]))


def _split(student: onnx.ModelProto, name: str) -> None:
    """Convolve what `name` reads of an enlarged map before it is enlarged, and add the two parts."""
    nodes = student.graph.node
    conv = _node(student, name)
    joined = _writer(student, conv.input[0])
    enlarged = _writer(student, joined.input[0])
    if joined.op_type != "Concat" or enlarged.op_type != "Resize":
        raise BadGraph(f"{name} does not read an enlarged map beside another one")
    weight = _weight(student, conv.input[1]).astype(np.float64)
    coarse_channels = len(_weight(student, _conv_behind(student, enlarged.input[0]).input[1]))
    small = np.einsum("ai,bj,ocij->ocab", _HALF_SIZE, _HALF_SIZE, weight[:, :coarse_channels])
    _set_weight(student, conv.input[1], weight[:, coarse_channels:])
    _set_weight(student, f"{name}_coarse_weight", small)
    coarse = helper.make_node(
        "Conv", [enlarged.input[0], f"{name}_coarse_weight"], [f"{name}_coarse"], f"{name}_coarse",
        dilations=[1, 1], group=1, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1],
    )  # fmt: skip
    total = helper.make_node("Add", [f"{name}_fine", joined.input[0]], [conv.output[0]], f"{name}_sum")
    enlarged.input[0], conv.input[0], conv.output[0] = f"{name}_coarse", joined.input[1], f"{name}_fine"
    nodes.insert(list(nodes).index(conv) + 1, total)
    nodes.insert(list(nodes).index(enlarged), coarse)
    nodes.remove(joined)


def _conv_behind(model: onnx.ModelProto, tensor: str) -> onnx.NodeProto:
    """The convolution that writes `tensor`, before what is done to each value by itself."""
    node = _writer(model, tensor)
    while node.op_type != "Conv":
        node = _writer(model, node.input[0])
    return node


def _node(model: onnx.ModelProto, name: str) -> onnx.NodeProto:
    nodes: Iterable[onnx.NodeProto] = model.graph.node
    for node in nodes:
        if node.name == name:
            return node
    raise BadGraph(f"the graph has no node {name!r}")


def _writer(model: onnx.ModelProto, tensor: str) -> onnx.NodeProto:
    nodes: Iterable[onnx.NodeProto] = model.graph.node
    for node in nodes:
        if tensor in node.output:
            return node
    raise BadGraph(f"nothing writes {tensor!r}")


def _weight(model: onnx.ModelProto, name: str) -> Tensor:
    for stored in model.graph.initializer:
        if stored.name == name:
            return np.asarray(numpy_helper.to_array(stored), np.float32)
    raise BadGraph(f"the graph has no weight {name!r}")


def _set_weight(model: onnx.ModelProto, name: str, values: NDArray[np.floating]) -> None:
    proto = numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name)
    for stored in model.graph.initializer:
        if stored.name == name:
            stored.CopyFrom(proto)
            return
    model.graph.initializer.append(proto)
