"""The student: U²-Netp without its last decoder stage, a few light layers in its place.

Half of the teacher's work is done in stage 1d, the only one that has two maps of 64 channels at 320 × 320 to read. What
it adds is the edge: what is product and what is not it is told by stage 2d, at half the size. So the student keeps all
the rest of the teacher, weight by weight, and learns only how to draw the edge from stage 1 and stage 2d.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from gpu_workers.models.graph import BadGraph, drop_unused

Tensor = NDArray[np.float32]

FINE, COARSE = "947", "1686"  # what stage 1 and stage 2d write: 64 channels at 320 × 320 and at 160 × 160
SIDE = "1856"  # what stage 1d came to: one channel of logits at 320 × 320
CHANNELS = 64
_SHRINK = 2  # the head works at half the size and tells four pixels at a time


@dataclass(frozen=True)
class Layer:
    """A convolution of the head, `kernel_px` square; each is followed by a ReLU but the last."""

    name: str
    channels_in: int
    channels_out: int
    kernel_px: int = 3
    dilation: int = 1
    stride: int = 1

    @property
    def padding_px(self) -> int:
        """What keeps the size, but for the stride."""
        return self.dilation * (self.kernel_px - self.stride) // 2


FINE_CHANNELS, COARSE_CHANNELS, EDGE_CHANNELS = 48, 32, 32
HEAD = (
    Layer("head_fine", CHANNELS, FINE_CHANNELS, kernel_px=_SHRINK, stride=_SHRINK),
    Layer("head_coarse", CHANNELS, COARSE_CHANNELS),
    Layer("head_join", FINE_CHANNELS + COARSE_CHANNELS, EDGE_CHANNELS),
    Layer("head_near", EDGE_CHANNELS, EDGE_CHANNELS, dilation=2),
    Layer("head_far", EDGE_CHANNELS, EDGE_CHANNELS, dilation=4),
    Layer("head_mask", EDGE_CHANNELS, _SHRINK**2),
)


# Convolutions that lose nothing by 8-bit integers. Stages 1 and 2 do: what they write goes into everything.
SAFE_IN_INT8 = (*(f"{layer.name}_conv" for layer in HEAD[:-1]), "Conv_680", "Conv_682")


def build_student(teacher: onnx.ModelProto, weights: Mapping[str, Tensor]) -> onnx.ModelProto:
    """The teacher with the head in the place of stage 1d.

    `weights` holds for each layer `<name>.weight` (out, in, k, k) and `<name>.bias` (out). Raises BadGraph.
    """
    student = onnx.ModelProto()
    student.CopyFrom(teacher)
    graph = student.graph
    graph.node.remove(_writer(graph, SIDE))
    joined = next((place for place, node in enumerate(graph.node) if SIDE in node.input), None)
    if joined is None:
        raise BadGraph(f"nothing reads {SIDE!r}")
    for node in reversed(_head()):
        graph.node.insert(joined, node)
    graph.initializer.extend(
        numpy_helper.from_array(np.ascontiguousarray(weights[name], np.float32), name)
        for layer in HEAD
        for name in (f"{layer.name}.weight", f"{layer.name}.bias")
    )
    drop_unused(graph)
    onnx.checker.check_model(student)
    return student


def side_share(teacher: onnx.ModelProto) -> float:
    """The weight of stage 1d's logits in the sum that the mask is made of."""
    weights = next(each for each in teacher.graph.initializer if each.name == "outconv.weight")
    return float(numpy_helper.to_array(weights).ravel()[0])


def _head() -> list[onnx.NodeProto]:
    fine, coarse, join, near, far, mask = HEAD
    return [
        *_convolution(fine, FINE),
        *_convolution(coarse, COARSE),
        helper.make_node("Concat", [fine.name, coarse.name], ["head_both"], "head_both", axis=1),
        *_convolution(join, "head_both"),
        *_convolution(near, join.name),
        *_convolution(far, near.name),
        _convolution(mask, far.name)[0],
        helper.make_node("DepthToSpace", [f"{mask.name}_raw"], [SIDE], "head_side", blocksize=_SHRINK, mode="CRD"),
    ]


def _convolution(layer: Layer, read: str) -> list[onnx.NodeProto]:
    """The convolution, which writes `<name>_raw`, and a ReLU behind it, which writes the layer's name."""
    name = layer.name
    conv = helper.make_node(
        "Conv",
        [read, f"{name}.weight", f"{name}.bias"],
        [f"{name}_raw"],
        f"{name}_conv",
        kernel_shape=[layer.kernel_px] * 2,
        pads=[layer.padding_px] * 4,
        dilations=[layer.dilation] * 2,
        strides=[layer.stride] * 2,
        group=1,
    )
    return [conv, helper.make_node("Relu", [f"{name}_raw"], [name], f"{name}_relu")]


def _writer(graph: onnx.GraphProto, tensor: str) -> onnx.NodeProto:
    nodes: Iterable[onnx.NodeProto] = graph.node
    for node in nodes:
        if tensor in node.output:
            return node
    raise BadGraph(f"nothing writes {tensor!r}")
