"""OpenVINO on the CPU: the default where there is no GPU."""

import threading
from pathlib import Path
from typing import Any

import numpy as np

from gpu_workers.engines.base import (
    EngineClosed,
    EngineUnavailable,
    Tensor,
    check_batch,
    engine_fingerprint,
    out_of_memory_told,
)
from gpu_workers.models.loader import model_path
from gpu_workers.models.manifest import Model


def unavailable_reason() -> str | None:
    """Why this engine cannot run here; None when it can."""
    try:
        import openvino  # noqa: F401
    except ImportError as error:
        return f"not importable: {error}"
    return None


class OpenVinoEngine:
    """A batch is spread over the CPU's streams, one item a request.

    On a CPU that is faster than a wide batch, and an item's answer cannot depend on its neighbours:
    the same picture gives the same bytes whatever it was batched with.
    Raises EngineUnavailable, WeightsMissing, WeightsCorrupt.
    """

    name = "openvino"

    def __init__(self, model: Model, folder: Path) -> None:
        if reason := unavailable_reason():
            raise EngineUnavailable(self.name, reason)
        import openvino

        self.fingerprint = engine_fingerprint(model, self.name, openvino.__version__)
        self.input_shape = model.input.shape
        self.max_batch = model.max_batch
        self._output_shape = model.output.shape
        self._lock = threading.Lock()
        self._queue: Any = _request_queue(openvino, model_path(model, folder), model.input.shape)

    def infer(self, batch: Tensor) -> Tensor:
        """See Engine.infer."""
        check_batch(batch, self.input_shape, self.max_batch)
        answers = np.empty((len(batch), *self._output_shape), np.float32)

        def keep(request: Any, index: int) -> None:
            answers[index] = request.get_output_tensor(0).data[0]

        with self._lock, out_of_memory_told(self.name):
            if self._queue is None:
                raise EngineClosed(self.name)
            self._queue.set_callback(keep)
            for index in range(len(batch)):
                self._queue.start_async({0: batch[index : index + 1]}, index)
            self._queue.wait_all()
        return answers

    def close(self) -> None:
        """See Engine.close."""
        with self._lock:
            self._queue = None


def _request_queue(openvino: Any, path: Path, item_shape: tuple[int, int, int]) -> Any:
    core = openvino.Core()
    graph = core.read_model(path)
    graph.reshape([1, *item_shape])
    # We speak float32, whatever the graph was cast to.
    spoken = openvino.preprocess.PrePostProcessor(graph)
    spoken.input(0).tensor().set_element_type(openvino.Type.f32)
    spoken.output(0).tensor().set_element_type(openvino.Type.f32)
    # Some CPUs would choose bfloat16 by themselves, and the pixels would depend on the machine.
    hints = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
    return openvino.AsyncInferQueue(core.compile_model(spoken.build(), "CPU", hints))
