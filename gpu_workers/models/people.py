"""Where people are in a picture: MediaPipe's selfie segmentation, 250 kB, on the processor in some milliseconds.

OpenVINO reads the file as it was published, but for one operation of MediaPipe's own, which is given to it here.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openvino
import openvino.opset13 as ops
from numpy.typing import NDArray
from openvino.frontend import ConversionExtension, FrontEndManager

from gpu_workers.models.loader import verified
from gpu_workers.models.manifest import Published

PUBLISHED = Published(
    requirement="mediapipe==0.10.14",
    member="mediapipe/modules/selfie_segmentation/selfie_segmentation.tflite",
    file="selfie_segmentation.tflite",
    sha256="9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
    wheel=("cp311", "manylinux2014_x86_64"),
)
_SIDE_PX = 256


class People:
    """The network, open. Raises WeightsMissing, WeightsCorrupt."""

    def __init__(self, folder: Path) -> None:
        frontend = FrontEndManager().load_by_framework("tflite")
        frontend.add_extension(ConversionExtension("Convolution2DTransposeBias", _transposed))
        graph = frontend.convert(frontend.load(str(verified(folder / PUBLISHED.file, PUBLISHED.sha256))))
        self._network = openvino.Core().compile_model(
            graph, "CPU", {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        )

    def __call__(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """How likely a person or what one wears is where in uint8 RGB (h, w, 3), squashed: (256, 256), 0..1. Any
        thread."""
        small = cv2.resize(rgb, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        request = self._network.create_infer_request()
        found = request.infer({0: small[None]})[self._network.output(0)]
        return np.array(found.reshape(_SIDE_PX, _SIDE_PX), np.float32)


def _transposed(node: Any) -> Any:
    """A convolution that doubles the size, with its bias; pictures come with their channels last."""
    picture, kernel, bias = (node.get_input(number) for number in range(3))
    channels_first = ops.transpose(picture, ops.constant([0, 3, 1, 2]))
    weights = ops.transpose(kernel, ops.constant([3, 0, 1, 2]))
    larger = ops.convolution_backprop_data(
        channels_first, weights, strides=[2, 2], pads_begin=[0, 0], pads_end=[0, 0], dilations=[1, 1]
    )
    return ops.add(ops.transpose(larger, ops.constant([0, 2, 3, 1])), bias).outputs()
