"""An ONNX graph of U²-Netp's kind in PyTorch: run it, train its weights, put them back."""

from typing import Any

import onnx
from onnx import helper, numpy_helper

from gpu_workers.models.graph import BadGraph

Tensors = dict[str, Any]


class TorchGraph:
    """Runs the graph operator by operator; `weights` are the convolutions' parameters by their names in the graph.

    Raises ImportError without PyTorch, BadGraph for an operator it does not know.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        import torch

        self._model = model
        arrays = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
        used = [name for node in model.graph.node if node.op_type == "Conv" for name in node.input[1:]]
        self.weights: Tensors = {name: torch.nn.Parameter(torch.from_numpy(arrays[name].copy())) for name in used}
        self._scales = {name: values.tolist()[2:] for name, values in arrays.items() if name not in self.weights}
        self._nodes = [(node, _attributes(node)) for node in model.graph.node if node.op_type != "Constant"]
        for node, _ in self._nodes:
            if not hasattr(self, f"_{node.op_type.lower()}"):
                raise BadGraph(f"{node.name} is a {node.op_type}, which training does not know")

    def run(self, pictures: Any, wanted: list[str]) -> list[Any]:
        """The tensors called `wanted` for `pictures` (n, 3, h, w)."""
        values: Tensors = {self._model.graph.input[0].name: pictures}
        for node, options in self._nodes:
            operator = getattr(self, f"_{node.op_type.lower()}")
            values[node.output[0]] = operator([values.get(name) for name in node.input], node, options)
        return [values[name] for name in wanted]

    def store(self) -> onnx.ModelProto:
        """The graph with the weights as they are now."""
        stored = onnx.ModelProto()
        stored.CopyFrom(self._model)
        for each in stored.graph.initializer:
            if each.name in self.weights:
                each.CopyFrom(numpy_helper.from_array(self.weights[each.name].detach().float().numpy(), each.name))
        return stored

    def _conv(self, inputs: list[Any], node: onnx.NodeProto, options: dict[str, Any]) -> Any:
        from torch.nn.functional import conv2d

        bias = self.weights[node.input[2]] if len(node.input) > 2 else None
        return conv2d(inputs[0], self.weights[node.input[1]], bias, 1, options["pads"][:2], options["dilations"])

    def _resize(self, inputs: list[Any], node: onnx.NodeProto, _: dict[str, Any]) -> Any:
        from torch.nn.functional import interpolate

        scale = self._scales[node.input[2]]
        return interpolate(inputs[0], scale_factor=scale, mode="bilinear", align_corners=False)

    def _maxpool(self, inputs: list[Any], _: onnx.NodeProto, options: dict[str, Any]) -> Any:
        from torch.nn.functional import max_pool2d

        return max_pool2d(inputs[0], options["kernel_shape"], options["strides"], ceil_mode=True)

    def _relu(self, inputs: list[Any], *_: Any) -> Any:
        return inputs[0].relu()

    def _add(self, inputs: list[Any], *_: Any) -> Any:
        return inputs[0] + inputs[1]

    def _concat(self, inputs: list[Any], *_: Any) -> Any:
        import torch

        return torch.cat(inputs, dim=1)

    def _sigmoid(self, inputs: list[Any], *_: Any) -> Any:
        return inputs[0].sigmoid()


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
