"""`tensorrt`, `pycuda.driver` and `cuda.bindings.driver` as far as the engine uses them, strict about their rules.

Device work happens when a stream synchronises, not when it is enqueued, so that whoever reads a buffer too early
gets NaN. Kernels are ONNX Runtime's. What breaks a rule raises RuleBroken, where the real libraries crash, give wrong
numbers or corrupt memory. Public names and parameters are those of the published packages (test_published_api.py);
what has no counterpart there starts with an underscore.
"""

import sys
from types import ModuleType
from typing import Any

import pytest

from tests.contracts.tensorrt_stand_in.bindings import (
    CUgraph,
    CUgraphExec,
    CUresult,
    CUstream,
    CUstreamCaptureMode,
    cuGraphDestroy,
    cuGraphExecDestroy,
    cuGraphInstantiate,
    cuGraphLaunch,
    cuStreamBeginCapture,
    cuStreamEndCapture,
)
from tests.contracts.tensorrt_stand_in.pycuda import (
    Context,
    Device,
    DeviceAllocation,
    Error,
    MemoryError,
    RuleBroken,
    Stream,
    _allocations,
    current_context,
    get_driver_version,
    get_version,
    init,
    mem_alloc,
    mem_get_info,
    memcpy_dtoh_async,
    memcpy_htod_async,
    pagelocked_empty,
)
from tests.contracts.tensorrt_stand_in.tensorrt import (
    Builder,
    BuilderFlag,
    DataType,
    ExecutionContextAllocationStrategy,
    IBuilderConfig,
    ICudaEngine,
    IExecutionContext,
    IHostMemory,
    ILogger,
    INetworkDefinition,
    IOptimizationProfile,
    ITensor,
    ITimingCache,
    MemoryPoolType,
    OnnxParser,
    ParserError,
    Runtime,
    TensorIOMode,
)

TENSORRT: tuple[Any, ...] = (BuilderFlag, Builder, DataType, ExecutionContextAllocationStrategy, IBuilderConfig)
TENSORRT += (ICudaEngine, IExecutionContext, IHostMemory, ILogger, INetworkDefinition, IOptimizationProfile, ITensor)
TENSORRT += (ITimingCache, MemoryPoolType, OnnxParser, ParserError, Runtime, TensorIOMode)
PYCUDA: tuple[Any, ...] = (Error, MemoryError, Context, Device, DeviceAllocation, Stream, init, get_driver_version)
PYCUDA += (get_version, mem_get_info, mem_alloc, pagelocked_empty, memcpy_htod_async, memcpy_dtoh_async)
BINDINGS: tuple[Any, ...] = (CUresult, CUstreamCaptureMode, CUstream, CUgraph, CUgraphExec, cuStreamBeginCapture)
BINDINGS += (cuStreamEndCapture, cuGraphInstantiate, cuGraphDestroy, cuGraphLaunch, cuGraphExecDestroy)
MODULES = {"tensorrt": TENSORRT, "pycuda.driver": PYCUDA, "cuda.bindings.driver": BINDINGS}


__all__ = [
    "BINDINGS",
    "MODULES",
    "PYCUDA",
    "TENSORRT",
    "Builder",
    "BuilderFlag",
    "CUgraph",
    "CUgraphExec",
    "CUresult",
    "CUstream",
    "CUstreamCaptureMode",
    "Context",
    "DataType",
    "Device",
    "DeviceAllocation",
    "Error",
    "ExecutionContextAllocationStrategy",
    "IBuilderConfig",
    "ICudaEngine",
    "IExecutionContext",
    "IHostMemory",
    "ILogger",
    "INetworkDefinition",
    "IOptimizationProfile",
    "ITensor",
    "ITimingCache",
    "MemoryError",
    "MemoryPoolType",
    "OnnxParser",
    "ParserError",
    "RuleBroken",
    "Runtime",
    "Stream",
    "TensorIOMode",
    "_allocations",
    "cuGraphDestroy",
    "cuGraphExecDestroy",
    "cuGraphInstantiate",
    "cuGraphLaunch",
    "cuStreamBeginCapture",
    "cuStreamEndCapture",
    "current_context",
    "get_driver_version",
    "get_version",
    "init",
    "install",
    "mem_alloc",
    "mem_get_info",
    "memcpy_dtoh_async",
    "memcpy_htod_async",
    "pagelocked_empty",
]


def install(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Make imports of the three packages find this file's; returns the `tensorrt` module."""
    for name in ("pycuda", "cuda", "cuda.bindings"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    for name, things in MODULES.items():
        module = ModuleType(name)
        for thing in things:
            setattr(module, thing.__name__, thing)
        monkeypatch.setitem(sys.modules, name, module)
    tensorrt = sys.modules["tensorrt"]
    monkeypatch.setattr(tensorrt, "__version__", "11.4.0.106", raising=False)
    return tensorrt
