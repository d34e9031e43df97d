"""ONNX Runtime on the CPU: runs everywhere, and the reference for the numbers of the others."""

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
        import onnxruntime  # noqa: F401
    except ImportError as error:
        return f"not importable: {error}"
    return None


class OnnxRuntimeEngine:
    """One ONNX Runtime session. Raises EngineUnavailable, WeightsMissing, WeightsCorrupt."""

    name = "onnxruntime"
    lanes = 1

    def __init__(self, model: Model, folder: Path, threads: int = 0) -> None:
        if reason := unavailable_reason():
            raise EngineUnavailable(self.name, reason)
        import onnxruntime

        self.fingerprint = engine_fingerprint(model, self.name, onnxruntime.__version__)
        self.input_shape = model.input.shape
        self.max_batch = model.max_batch
        self._output_shape = model.output.shape
        path = model_path(model, folder)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        taken = self._session.get_inputs()[0]
        self._input_name = taken.name
        self._input_type = np.float16 if taken.type == "tensor(float16)" else np.float32

    def infer(self, batch: Tensor) -> Tensor:
        """See Engine.infer."""
        session = self._session
        if session is None:
            raise EngineClosed(self.name)
        check_batch(batch, self.input_shape, self.max_batch)
        with out_of_memory_raised(self.name):
            answers = session.run(None, {self._input_name: batch.astype(self._input_type, copy=False)})[0]
            return np.asarray(answers, np.float32).reshape(len(batch), *self._output_shape)

    def close(self) -> None:
        """See Engine.close."""
        self._session = None
