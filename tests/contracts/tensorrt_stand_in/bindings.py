# ruff: noqa: ARG001, N802, N803  (parameters and names are the published ones)
"""`cuda.bindings.driver`."""

from enum import Enum

from tests.contracts.tensorrt_stand_in.pycuda import (
    Captured,
    RuleBroken,
    Stream,
    _streams,
    _thread,
    need,
    need_context,
)


class CUresult(Enum):
    CUDA_SUCCESS = 0
    CUDA_ERROR_STREAM_CAPTURE_INVALIDATED = 901


class CUstreamCaptureMode(Enum):
    CU_STREAM_CAPTURE_MODE_GLOBAL = 0
    CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1
    CU_STREAM_CAPTURE_MODE_RELAXED = 2


class CUstream(int):
    pass


class CUgraph:
    def __init__(self, work: list[Captured]) -> None:
        self._work = work


class CUgraphExec:
    def __init__(self, work: list[Captured]) -> None:
        self._work: list[Captured] | None = work


def cuStreamBeginCapture(hStream: CUstream, mode: CUstreamCaptureMode) -> tuple[CUresult]:
    need_context()
    stream = _stream_of(hStream)
    need(not stream._work, "the stream is busy: synchronise before capturing")
    need(
        mode is CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL,
        "a capture must not be spoilt by other threads' allocations, nor miss its own thread's",
    )
    stream._captured = []
    _thread.captures = getattr(_thread, "captures", 0) + 1
    return (CUresult.CUDA_SUCCESS,)


def cuStreamEndCapture(hStream: CUstream) -> tuple[CUresult, CUgraph]:
    need_context()
    need(getattr(_thread, "captures", 0), "this thread began no capture")
    stream = _stream_of(hStream)
    _thread.captures -= 1
    work, stream._captured = stream._captured, None
    if work is None:
        raise RuleBroken("the stream does not capture")
    return CUresult.CUDA_SUCCESS, CUgraph(work)


def cuGraphInstantiate(hGraph: CUgraph, flags: int) -> tuple[CUresult, CUgraphExec]:
    need_context()
    return CUresult.CUDA_SUCCESS, CUgraphExec(hGraph._work)


def cuGraphDestroy(hGraph: CUgraph) -> tuple[CUresult]:
    return (CUresult.CUDA_SUCCESS,)


def cuGraphLaunch(hGraphExec: CUgraphExec, hStream: CUstream) -> tuple[CUresult]:
    need_context()
    stream = _stream_of(hStream)
    if hGraphExec._work is None:
        raise RuleBroken("the graph was destroyed")
    for work, addresses in hGraphExec._work:
        stream._put(work, *addresses)
    return (CUresult.CUDA_SUCCESS,)


def cuGraphExecDestroy(hGraphExec: CUgraphExec) -> tuple[CUresult]:
    need_context()
    hGraphExec._work = None
    return (CUresult.CUDA_SUCCESS,)


def _stream_of(handle: int) -> Stream:
    need(handle in _streams, "not a stream of ours; 0 is the default stream")
    return _streams[handle]
