"""A model of a few bytes with the form of a real one: fixed batch, resizes by run-time shapes, side outputs."""

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from gpu_workers.models.graph import free_batch
from gpu_workers.models.manifest import Input, Model, Output, Published

SIZE_PX = 16


def published_graph(seed: int = 0) -> bytes:
    """ONNX: halved, convolved, resized back, squashed to 0..1; a second output nobody needs."""
    weights = np.random.default_rng(seed).normal(size=(1, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("MaxPool", ["x"], ["half"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["half", "w"], ["small"], pads=[1, 1, 1, 1]),
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Slice", ["shape", "two", "four"], ["size"]),
        helper.make_node("Shape", ["small"], ["small_shape"]),
        helper.make_node("Slice", ["small_shape", "zero", "two"], ["front"]),
        helper.make_node("Concat", ["front", "size"], ["sizes"], axis=0),
        helper.make_node("Resize", ["small", "none", "none", "sizes"], ["wide"], name="resize", mode="linear"),
        helper.make_node("Sigmoid", ["wide"], ["mask"]),
        helper.make_node("Sigmoid", ["small"], ["side"]),
    ]
    integers = {"zero": [0], "two": [2], "four": [4]}
    constants = [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in integers.items()]
    constants.append(numpy_helper.from_array(weights, "w"))
    constants.append(numpy_helper.from_array(np.array([], np.float32), "none"))
    full = [1, 3, SIZE_PX, SIZE_PX]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, full)],
        [
            helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1, 1, SIZE_PX, SIZE_PX]),
            helper.make_tensor_value_info("side", TensorProto.FLOAT, [1, 1, SIZE_PX // 2, SIZE_PX // 2]),
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def write_tiny_model(folder: Path) -> Model:
    """The tiny model's files in `folder`, and its manifest."""
    published = published_graph()
    dynamic = free_batch(published, "mask")
    (folder / "tiny.onnx").write_bytes(published)
    (folder / "tiny-dynamic.onnx").write_bytes(dynamic)
    return Model(
        name="tiny",
        version="1",
        operation="cutout",
        licence="Apache-2.0",
        source="these tests",
        precision="fp32",
        max_batch=5,
        file="tiny-dynamic.onnx",
        sha256=hashlib.sha256(dynamic).hexdigest(),
        size_bytes=len(dynamic),
        published=Published("tiny==1", "tiny.onnx", "tiny.onnx", hashlib.sha256(published).hexdigest()),
        input=Input((3, SIZE_PX, SIZE_PX), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
        output=Output("mask", (1, SIZE_PX, SIZE_PX)),
    )
