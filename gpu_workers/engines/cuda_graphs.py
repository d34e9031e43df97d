"""CUDA graphs: what a stream was given to do, captured once and replayed with one call.

pycuda has no graphs, so this takes NVIDIA's own bindings; they work on the streams and the context of pycuda.
Never run on hardware; its names are checked against the published package.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import structlog

from gpu_workers.engines.base import EngineError


class CudaGraph:
    """Captured work. Shapes and addresses are those of the capture."""

    def __init__(self, driver: Any, executable: Any) -> None:
        self._driver = driver
        self._executable = executable

    def launch(self, stream: int) -> None:
        """Enqueue it on the stream with this handle. Raises EngineError."""
        _checked(self._driver, self._driver.cuGraphLaunch(self._executable, self._driver.CUstream(stream)))

    def close(self) -> None:
        """Give its memory back; nothing of it may be running."""
        self._driver.cuGraphExecDestroy(self._executable)


class GraphCapture:
    """Captures graphs until one fails; from then on there are none, and the log says why once."""

    def __init__(self) -> None:
        self._given_up = False

    def capture(self, stream: int, enqueue: Callable[[], None]) -> CudaGraph | None:
        """What `enqueue` puts on the stream with this handle, without running it; None where that does not work.

        The same must have run on the stream before, and the stream must be idle.
        """
        if self._given_up:
            return None
        try:
            return _capture(import_module("cuda.bindings.driver"), stream, enqueue)
        # RuntimeError: the bindings find no driver, or the driver has no such call.
        except (ImportError, RuntimeError, EngineError) as error:
            self._given_up = True
            structlog.get_logger(__name__).warning("cuda_graphs_not_used", reason=str(error))
            return None


def _capture(driver: Any, stream: int, enqueue: Callable[[], None]) -> CudaGraph:
    handle = driver.CUstream(stream)
    # Of this thread only: others (torch, another stream) may allocate meanwhile.
    mode = driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
    _checked(driver, driver.cuStreamBeginCapture(handle, mode))
    try:
        enqueue()
    finally:
        # A stream stays in capture, and useless, until this is called.
        ended = driver.cuStreamEndCapture(handle)
    graph = _checked(driver, ended)
    try:
        return CudaGraph(driver, _checked(driver, driver.cuGraphInstantiate(graph, 0)))
    finally:
        driver.cuGraphDestroy(graph)


def _checked(driver: Any, answer: tuple[Any, ...]) -> Any:
    """The value in a driver call's (result, value) or (result,). Raises EngineError."""
    result, *values = answer
    if result != driver.CUresult.CUDA_SUCCESS:
        raise EngineError(f"CUDA graph: {result.name}")
    return values[0] if values else None
