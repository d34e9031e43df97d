"""Smaller numbers: a float32 ONNX graph in float16, or with its convolutions in 8-bit integers."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

_OPSET_MIN = 13

Tensor = NDArray[np.float32]


class Calibration:
    """Hands pictures (3, 320, 320) to ONNX Runtime's calibration, one by one."""

    def __init__(self, tensor: str, pictures: Iterable[Tensor]) -> None:
        self._batches = iter([{tensor: picture[None]} for picture in pictures])

    def get_next(self) -> dict[str, Tensor] | None:
        """The next input, None after the last."""
        return next(self._batches, None)


def quantize_fp16(source: Path, target: Path) -> None:
    """Write `source` to `target` with float16 weights and arithmetic, for engines that are strongly typed.

    Input and output stay float32, so that callers need not know; so do the scales of resizes.
    """
    model = onnx.load(source)
    graph = model.graph
    given, answered = graph.input[0].name, graph.output[0].name
    scales = {node.input[2] for node in graph.node if node.op_type == "Resize"}
    for stored in graph.initializer:
        if stored.data_type == TensorProto.FLOAT and stored.name not in scales:
            half = numpy_helper.to_array(stored).astype(np.float16)
            stored.CopyFrom(numpy_helper.from_array(half, stored.name))
    _rename(graph, given, f"{given}_half")
    _rename(graph, answered, f"{answered}_half")
    graph.node.insert(0, helper.make_node("Cast", [given], [f"{given}_half"], "to_half", to=TensorProto.FLOAT16))
    graph.node.append(helper.make_node("Cast", [f"{answered}_half"], [answered], "to_single", to=TensorProto.FLOAT))
    del graph.value_info[:]
    onnx.checker.check_model(model)
    target.write_bytes(model.SerializeToString(deterministic=True))


def quantize_int8(source: Path, target: Path, pictures: Iterable[Tensor], leave_out: tuple[str, ...] = ()) -> None:
    """Write `source` to `target` with convolutions between QuantizeLinear and DequantizeLinear, weights per channel.

    `pictures` (3, 320, 320) give the ranges of what flows between the layers; convolutions called in `leave_out`
    stay in float32. Raises ValueError where `leave_out` names none.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    model = onnx.version_converter.convert_version(onnx.load(source), _OPSET_MIN)
    names = {node.name for node in model.graph.node if node.op_type == "Conv"}
    if unknown := set(leave_out) - names:
        raise ValueError(f"the graph has no convolution {sorted(unknown)[0]!r}")
    with tempfile.TemporaryDirectory() as folder:
        raised = Path(folder) / "raised.onnx"
        onnx.save(model, raised)
        quantize_static(
            raised,
            target,
            Calibration(model.graph.input[0].name, pictures),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=list(leave_out),
            calibrate_method=CalibrationMethod.MinMax,
        )


def parity(one: Path, other: Path, pictures: Iterable[Tensor]) -> dict[str, float]:
    """How far two graphs' masks are apart in ONNX Runtime: largest and mean |Δ|, least overlap at .5."""
    largest, means, overlaps = 0.0, [], []
    sessions = [ort.InferenceSession(str(path), providers=["CPUExecutionProvider"]) for path in (one, other)]
    for picture in pictures:
        first, second = (each.run(None, {each.get_inputs()[0].name: picture[None]})[0] for each in sessions)
        apart = np.abs(first - second)
        largest = max(largest, float(apart.max()))
        means.append(float(apart.mean()))
        either = np.count_nonzero((first > 0.5) | (second > 0.5))
        overlaps.append(np.count_nonzero((first > 0.5) & (second > 0.5)) / either if either else 1.0)
    return {"largest": largest, "mean": float(np.mean(means)), "overlap_min": float(min(overlaps))}


def _rename(graph: onnx.GraphProto, name: str, to: str) -> None:
    """Let every node that reads or writes `name` read or write `to`."""
    for node in graph.node:
        for names in (node.input, node.output):
            for index, each in enumerate(names):
                if each == name:
                    names[index] = to
