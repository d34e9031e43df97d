"""What the TensorRT engine calls, and what its stand-in offers, is what the published packages have.

published_api.json is written from the packages themselves (record_published_api.py).
"""

import ast
import fcntl
import functools
import hashlib
import inspect
import io
import json
import math
import os
import tempfile
import textwrap
import threading
import time
import traceback
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog

from gpu_workers.engines import cuda_graphs, tensorrt, tensorrt_batch, tensorrt_plan
from gpu_workers.models.manifest import Input, Model, Output
from tests.contracts import tensorrt_stand_in
from tests.contracts.record_published_api import FILE

PUBLISHED: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
SOURCES = [Path(str(module.__file__)) for module in (tensorrt, tensorrt_batch, tensorrt_plan, cuda_graphs)]

# What the engine's files call the libraries' modules and objects.
HANDLES = {
    "trt": ("tensorrt", ""),
    "cuda": ("pycuda.driver", ""),
    "driver": ("cuda.bindings.driver", ""),
    "builder": ("tensorrt", "Builder"),
    "config": ("tensorrt", "IBuilderConfig"),
    "context": ("tensorrt", "IExecutionContext"),
    "cuda_context": ("pycuda.driver", "Context"),
    "engine": ("tensorrt", "ICudaEngine"),
    "network": ("tensorrt", "INetworkDefinition"),
    "parser": ("tensorrt", "OnnxParser"),
    "profile": ("tensorrt", "IOptimizationProfile"),
    "runtime": ("tensorrt", "Runtime"),
    "severity": ("tensorrt", "ILogger.Severity"),
    "stream": ("pycuda.driver", "Stream"),
    "timings": ("tensorrt", "ITimingCache"),
    "result": ("cuda.bindings.driver", "CUresult"),
    "device": ("pycuda.driver", "Device"),
    # what a call returns
    "get_error": ("tensorrt", "ParserError"),
    "get_input": ("tensorrt", "ITensor"),
    "pop": ("pycuda.driver", "DeviceAllocation"),  # of what was allocated
}
PYTHONS: list[Any] = [Path, str, bytes, dict, np.ndarray, OrderedDict, ThreadPoolExecutor, Future, threading.Condition]
PYTHONS += [np, os, math, fcntl, functools, hashlib, hashlib.sha256(), tempfile, threading, time, structlog]
PYTHONS += [io.BufferedRandom, structlog.stdlib.BoundLogger, Model, Input, Output]
PYTHONS += [traceback, BaseException, fcntl, functools, hashlib.sha256(), int, io.BufferedWriter]


def owner(node: ast.expr) -> tuple[str, str] | None:
    """Module and class that `node` is, or is an instance of."""
    match node:
        case ast.Name(id=name):
            return HANDLES.get(name)
        case ast.Call(func=ast.Name(id="import_module"), args=[ast.Constant(value=str(module))]):
            return (module, "")
        case ast.Call(func=called):
            return owner(called)
        case ast.Attribute(value=value, attr=name):
            if found := owner(value):
                module, holder = found
                inner = f"{holder}.{name}".removeprefix(".")
                return (module, inner) if inner in PUBLISHED[module] else HANDLES.get(name)
            return HANDLES.get(name.removeprefix("_"))
    return None


def names_used(source: str) -> tuple[set[tuple[str, str, str]], set[str]]:
    """(module, class, name) of what is asked of the libraries; the other attributes that are asked for."""
    theirs, others = set(), set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            if found := owner(node.value):
                theirs.add((*found, node.attr))
            else:
                others.add(node.attr)
    return theirs, others


def missing(names: set[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
    """Those that the packages do not have."""
    return {
        (module, holder, name)
        for module, holder, name in names
        if name not in PUBLISHED[module][holder]
        and f"{holder}.{name}".removeprefix(".") not in PUBLISHED[module]
        and name != "__version__"
    }


def own_names() -> set[str]:
    """What the engine's files define themselves."""
    names = set()
    for node in (node for file in SOURCES for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
            case ast.Attribute(attr=name, ctx=ast.Store()):
                names.add(name)
    return names


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: file.stem)
def test_the_engine_asks_for_nothing_that_is_not_published(file: Path) -> None:
    theirs, others = names_used(file.read_text(encoding="utf-8"))
    assert missing(theirs) == set()
    pythons = {name for thing in PYTHONS for name in dir(thing)}
    assert others - own_names() - pythons == set(), "whose names are these? HANDLES must say so"


def test_it_is_the_libraries_that_are_looked_at() -> None:
    names = {name for file in SOURCES for *_, name in names_used(file.read_text(encoding="utf-8"))[0]}
    assert {"execute_async_v3", "set_timing_cache", "retain_primary_context", "cuStreamBeginCapture", "desc"} <= names
    assert len(names) > 50


@pytest.mark.parametrize(
    "source",
    ["config.set_flag_of_old(1)", "self._context.enqueue_v2()", "trt.BuilderFlag.FP16", "driver.cuGraphRun()"],
)
def test_a_name_that_is_not_published_is_found(source: str) -> None:
    assert missing(names_used(source)[0])


def offered() -> list[tuple[str, str, str, Any]]:
    """(module, class, name, what) of everything public in the stand-in."""
    return [entry for module, things in tensorrt_stand_in.MODULES.items() for entry in _offered(module, things)]


def _offered(module: str, things: tuple[Any, ...]) -> list[tuple[str, str, str, Any]]:
    entries: list[tuple[str, str, str, Any]] = []
    for thing in things:
        if not isinstance(thing, type):
            entries.append((module, "", thing.__name__, thing))
            continue
        holder = thing.__qualname__
        public = {name: what for name, what in vars(thing).items() if not name.startswith("_")}
        public |= dict.fromkeys(_instance_names(thing))
        entries += [(module, holder, name, what) for name, what in public.items() if not isinstance(what, type)]
        entries += _offered(module, tuple(what for what in public.values() if isinstance(what, type)))
    return entries


def _instance_names(holder: type) -> list[str]:
    """What it stores in itself."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(holder)))
    stored = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)]
    own = [node.attr for node in stored if isinstance(node.value, ast.Name) and node.value.id == "self"]
    return [name for name in own if not name.startswith("_")]


@pytest.mark.parametrize("entry", offered(), ids=lambda entry: ".".join(entry[:3]))
def test_the_stand_in_offers_what_is_published(entry: tuple[str, str, str, Any]) -> None:
    module, holder, name, what = entry
    assert name in PUBLISHED[module][holder]
    published = PUBLISHED[module][holder][name]
    if isinstance(what, Enum):
        assert what.value == published
    elif callable(what) and published is not None:
        assert any(agrees(parameters(what), overload) for overload in published)


def parameters(function: Any) -> list[str]:
    """Its parameters; "=" after one says that it has a default."""
    found = [parameter for name, parameter in inspect.signature(function).parameters.items() if name != "self"]
    return [each.name + ("" if each.default is each.empty else "=") for each in found]


def agrees(own: list[str], published: list[str]) -> bool:
    """Whether a caller of the one may call the other: the same, as far as the stand-in's go."""
    return own == published[: len(own)] and all(name.endswith("=") for name in published[len(own) :])
