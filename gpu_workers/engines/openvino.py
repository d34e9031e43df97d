"""OpenVINO on the CPU: the default where there is no GPU."""

import queue
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from gpu_workers.engines.base import (
    EngineClosed,
    EngineUnavailable,
    Tensor,
    check_batch,
    engine_fingerprint,
    out_of_memory_raised,
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
    """A lane is one of the CPU's streams, and a batch is spread over them, one item a request.

    On a CPU that is faster than a wide batch, and an item's answer cannot depend on its neighbours:
    the same picture gives the same bytes whatever it was batched with.
    Raises EngineUnavailable, WeightsMissing, WeightsCorrupt.
    """

    name = "openvino"

    def __init__(self, model: Model, folder: Path, threads: int = 0) -> None:
        if reason := unavailable_reason():
            raise EngineUnavailable(self.name, reason)
        import openvino

        self.fingerprint = engine_fingerprint(model, self.name, openvino.__version__)
        self.input_shape = model.input.shape
        self.max_batch = model.max_batch
        self._output_shape = model.output.shape
        network = _compiled(openvino, model_path(model, folder), model.input.shape, threads)
        self.lanes = int(network.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        # Requests that nobody uses; a None after them says that the engine is closed.
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(self.lanes):
            self._idle.put(network.create_infer_request())

    def infer(self, batch: Tensor) -> Tensor:
        """See Engine.infer."""
        check_batch(batch, self.input_shape, self.max_batch)
        answers = np.empty((len(batch), *self._output_shape), np.float32)
        running: deque[tuple[Any, int]] = deque()
        with out_of_memory_raised(self.name):
            try:
                for index in range(len(batch)):
                    request = self._next(running, answers)
                    running.append((request, index))
                    request.start_async({0: batch[index : index + 1]}, share_inputs=True)
                while running:
                    self._idle.put(_finished(running, answers))
            finally:
                for request, _ in running:  # one of them failed
                    with suppress(Exception):
                        request.wait()
                    self._idle.put(request)
        return answers

    def close(self) -> None:
        """See Engine.close."""
        for _ in range(self.lanes):
            if self._idle.get() is None:
                break
        self._idle.put(None)

    def _next(self, running: deque[tuple[Any, int]], answers: Tensor) -> Any:
        """A request that nobody uses, else the first of our own once it has ended."""
        try:
            request = self._idle.get(block=not running)
        except queue.Empty:
            return _finished(running, answers)
        if request is None:
            self._idle.put(None)
            raise EngineClosed(self.name)
        return request


def _finished(running: deque[tuple[Any, int]], answers: Tensor) -> Any:
    """Waits for the first request, keeps its answer, and gives the request back."""
    request, index = running[0]
    request.wait()
    answers[index] = request.get_output_tensor(0).data[0]
    running.popleft()
    return request


def _compiled(openvino: Any, path: Path, item_shape: tuple[int, int, int], threads: int) -> Any:
    core = openvino.Core()
    graph = core.read_model(path)
    graph.reshape([1, *item_shape])
    # We speak float32, whatever the graph was cast to.
    spoken = openvino.preprocess.PrePostProcessor(graph)
    spoken.input(0).tensor().set_element_type(openvino.Type.f32)
    spoken.output(0).tensor().set_element_type(openvino.Type.f32)
    # Some CPUs would choose bfloat16 by themselves, and the pixels would depend on the machine.
    hints: dict[str, Any] = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
    if threads:
        hints["INFERENCE_NUM_THREADS"] = threads
    return core.compile_model(spoken.build(), "CPU", hints)
