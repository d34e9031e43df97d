"""Engines: one protocol, one file each."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import structlog

from gpu_workers.engines import onnxruntime, openvino, tensorrt
from gpu_workers.engines.base import (
    BadShape,
    Engine,
    EngineClosed,
    EngineError,
    EngineOutOfMemory,
    EngineUnavailable,
    Tensor,
)
from gpu_workers.models.manifest import Model

__all__ = [
    "BadShape",
    "Choice",
    "Engine",
    "EngineClosed",
    "EngineError",
    "EngineOutOfMemory",
    "EngineUnavailable",
    "Preference",
    "Tensor",
    "choose_engine",
    "open_engine",
    "usable_engines",
]

Preference = Literal["auto", "tensorrt", "openvino", "onnxruntime"]

# Fastest first.
_REASONS: dict[str, Callable[[], str | None]] = {
    "tensorrt": tensorrt.unavailable_reason,
    "openvino": openvino.unavailable_reason,
    "onnxruntime": onnxruntime.unavailable_reason,
}
_ENGINES: dict[str, Callable[[Model, Path, int], Engine]] = {
    "tensorrt": lambda model, folder, _threads: tensorrt.TensorRtEngine(model, folder),
    "openvino": openvino.OpenVinoEngine,
    "onnxruntime": onnxruntime.OnnxRuntimeEngine,
}


@dataclass(frozen=True)
class Choice:
    """Which engine was chosen, and why each faster one was not."""

    name: str
    rejected: dict[str, str] = field(default_factory=dict)


def choose_engine(preference: Preference = "auto") -> Choice:
    """The engine that `open_engine` would open. Raises EngineUnavailable with every reason when none can run."""
    names = list(_REASONS) if preference == "auto" else [preference]
    rejected: dict[str, str] = {}
    for name in names:
        if (reason := _REASONS[name]()) is None:
            return Choice(name, rejected)
        rejected[name] = reason
    raise EngineUnavailable(preference, "; ".join(f"{name}: {why}" for name, why in rejected.items()))


def usable_engines() -> list[Preference]:
    """The engines that can run here, fastest first."""
    names: tuple[Preference, ...] = ("tensorrt", "openvino", "onnxruntime")
    return [name for name in names if _REASONS[name]() is None]


def open_engine(model: Model, folder: Path, preference: Preference = "auto", threads: int = 0) -> Engine:
    """`model`, its weights in `folder`, on the preferred engine; `auto` takes the fastest that can run here.

    `threads` is how many of the CPU it may use; 0: one for each core of the machine, whatever a container may use.
    The choice and why faster engines were not chosen are logged.
    Raises EngineUnavailable, WeightsMissing, WeightsCorrupt.
    """
    choice = choose_engine(preference)
    engine = _ENGINES[choice.name](model, folder, threads)
    structlog.get_logger(__name__).info(
        "engine_opened",
        model=model.ref,
        engine=choice.name,
        fingerprint=engine.fingerprint,
        not_chosen=choice.rejected,
    )
    return engine
