"""The cutout network behind LitServe and behind mosec, on the worker's engine; raw tensors in, raw masks out.

Run as `python -m loadtest.benchmarks.worker_servers NAME PORT` in the environment of `make bench-worker`.
"""

import sys
from pathlib import Path
from typing import Annotated

import litserve
import mosec
import numpy as np
from fastapi import Body, Response

from gpu_workers.engines import Engine, Tensor, open_engine
from gpu_workers.models.manifest import load_manifest

WEIGHTS = Path(__file__).parents[2] / ".cache" / "weights"
MODEL = load_manifest("u2netp@1")
BATCH_MAX = 8
BATCH_WAIT_MS = 5  # a tenth of what a prediction takes
BINARY = "application/octet-stream"


def engine() -> Engine:
    """The worker's engine."""
    return open_engine(MODEL, WEIGHTS, "openvino")


class Api(litserve.LitAPI):
    """See litserve.LitAPI."""

    def setup(self, device: object) -> None:  # noqa: ARG002  (it is given by name)
        self.engine = engine()

    def decode_request(self, request: Annotated[bytes, Body(media_type=BINARY)]) -> Tensor:
        return np.frombuffer(request, np.float32).reshape(MODEL.input.shape)

    def batch(self, inputs: list[Tensor]) -> Tensor:
        return np.stack(inputs)

    def predict(self, x: Tensor) -> Tensor:
        return self.engine.infer(x)

    def unbatch(self, output: Tensor) -> list[Tensor]:
        return list(output)

    def encode_response(self, output: Tensor) -> Response:
        return Response(output.tobytes(), media_type=BINARY)


class Worker(mosec.Worker):
    """See mosec.Worker."""

    resp_mime_type = BINARY

    def __init__(self) -> None:
        super().__init__()
        self.engine = engine()

    def deserialize(self, data: bytes) -> Tensor:
        return np.frombuffer(data, np.float32).reshape(MODEL.input.shape)

    def forward(self, data: list[Tensor]) -> list[Tensor]:
        return list(self.engine.infer(np.stack(data)))

    def serialize(self, data: Tensor) -> bytes:
        return data.tobytes()


def serve_litserve(port: int) -> None:
    """LitServe, with the faster of its queues."""
    api = Api(max_batch_size=BATCH_MAX, batch_timeout=BATCH_WAIT_MS / 1000)
    server = litserve.LitServer(api, accelerator="cpu", fast_queue=True)
    server.run(host="127.0.0.1", port=port, generate_client_file=False, log_level="warning", num_api_servers=1)


def serve_mosec() -> None:
    """mosec; it takes its address from the environment."""
    server = mosec.Server()
    server.append_worker(Worker, max_batch_size=BATCH_MAX, max_wait_time=BATCH_WAIT_MS)
    server.run()


if __name__ == "__main__":
    if sys.argv[1] == "litserve":
        serve_litserve(int(sys.argv[2]))
    else:
        serve_mosec()
