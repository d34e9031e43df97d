"""Rewriting a published ONNX graph so that its batch dimension is free."""

import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper

from gpu_workers.models.manifest import ModelError


class BadGraph(ModelError):
    """The graph is not of a form that can be rewritten."""


def free_batch(published: bytes, output: str) -> bytes:
    """The ONNX graph with a symbolic batch dimension and `output` as its only output.

    Exporters of this age compute every resize target from shapes at run time; they become constant
    scales here, which keeps the numbers and lets engines plan ahead. Deterministic bytes.
    Raises BadGraph.
    """
    model = onnx.load_from_string(published)
    graph = model.graph
    if output not in {value.name for value in graph.output}:
        raise BadGraph(f"the graph has no output {output!r}")
    shapes = _spatial_shapes(model)
    for node in graph.node:
        if node.op_type == "Resize":
            _scale_by_constant(graph, node, shapes)
    kept = [value for value in graph.output if value.name == output]
    del graph.output[:]
    graph.output.extend(kept)
    drop_unused(graph)
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def _spatial_shapes(model: onnx.ModelProto) -> dict[str, tuple[int, int]]:
    """Height and width of what goes into and comes out of each resize, found by running the graph once."""
    resizes = [node for node in model.graph.node if node.op_type == "Resize"]
    names = sorted({name for node in resizes for name in (node.input[0], node.output[0])})
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    probe.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = ort.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])
    taken = session.get_inputs()[0]
    values = session.run(names, {taken.name: np.zeros(taken.shape, np.float32)})
    return {name: (value.shape[2], value.shape[3]) for name, value in zip(names, values, strict=True)}


def _scale_by_constant(graph: onnx.GraphProto, node: onnx.NodeProto, shapes: dict[str, tuple[int, int]]) -> None:
    before, after = shapes[node.input[0]], shapes[node.output[0]]
    scales = np.array([1, 1, after[0] / before[0], after[1] / before[1]], np.float32)
    name = f"{node.name}_scales"
    graph.initializer.append(numpy_helper.from_array(scales, name))
    inputs = [node.input[0], node.input[1], name]
    del node.input[:]
    node.input.extend(inputs)


def drop_unused(graph: onnx.GraphProto) -> None:
    """Takes out what none of the graph's outputs needs."""
    needed = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(node.input)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    weights = [weight for weight in graph.initializer if weight.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(weights)
