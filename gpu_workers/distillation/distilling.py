"""Teaching the student: it learns to give the teacher's masks on pictures made for it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from rich.progress import Progress

from gpu_workers.distillation.student import KEPT, build_student
from gpu_workers.distillation.torch_graph import TorchGraph
from gpu_workers.distillation.training_pictures import load_photographs, training_tensor

MASK_LOGITS = "1958"
SIDE_LOGITS = ("1856", "1857", "1877", "1897", "1917", "1937")
FEATURES = ("2044", "1544")
_TOLD = (MASK_LOGITS, *SIDE_LOGITS, *FEATURES)
_SHAPE = (3, 320, 320)
_EDGE_WEIGHT = 8
_EDGE_PX = 5

Lessons = dict[str, NDArray[np.float16]]


class NoTorch(Exception):
    """PyTorch is not installed; `pip install packshot[distill]` brings it."""


@dataclass(frozen=True)
class Course:
    """How long and how boldly the student learns.

    rate: Adam's first step size for layers that are not the teacher's own; the others take `rate_kept`.
    precise_share: the last part of the course, computed in float32; what goes before is in bfloat16.
    """

    seed: int = 20
    pictures: int = 2400
    epochs: int = 1
    batch: int = 2
    rate: float = 7e-4
    rate_kept: float = 2e-4
    precise_share: float = 0.25


def distill(
    teacher: Path, photographs: Path, student: Path, course: Course | None = None, kept: dict[str, int] | None = None
) -> None:
    """Write to `student` an ONNX graph that has learnt the masks of `teacher` (U²-Netp with a free batch).

    `photographs` is a folder as loadtest/catalogue. The same course on the same kind of processor with the same
    number of threads gives the same file. Raises NoTorch, NoPictures, BadGraph.
    """
    _torch()
    course = course or Course()
    graph = onnx.load(teacher)
    taken = load_photographs(photographs, held_out=False)
    with Progress() as progress:
        lessons = ask_teacher(
            graph, lambda index: training_tensor(taken, course.seed, index), course.pictures, progress
        )
        samples = [training_tensor(taken, course.seed + 1, index) for index in range(32)]
        onnx.save(teach(build_student(graph, samples, kept or KEPT), graph, lessons, course, progress), student)


def ask_teacher(
    teacher: onnx.ModelProto, picture: Callable[[int], NDArray[np.float32]], count: int, progress: Progress
) -> Lessons:
    """`count` pictures and what the teacher sees in each: its logits, and features at every other pixel."""
    queue, ports = _telling(teacher)
    lessons: Lessons = {}

    def keep(request: Any, index: int) -> None:
        for name, port in ports.items():
            _put(lessons, name, _thinned(name, request.get_tensor(port).data[0]), index, count)

    queue.set_callback(keep)
    for index in progress.track(range(count), description="asking the teacher"):
        shown = picture(index).astype(np.float16)
        _put(lessons, "pictures", shown, index, count)
        queue.start_async({0: shown[None].astype(np.float32)}, index)
    queue.wait_all()
    return lessons


def teach(
    student: onnx.ModelProto, teacher: onnx.ModelProto, lessons: Lessons, course: Course, progress: Progress
) -> onnx.ModelProto:
    """The student after the course. Raises NoTorch."""
    torch = _torch()
    torch.manual_seed(course.seed)
    graph = TorchGraph(student)
    for weight in graph.weights.values():
        if weight.ndim == 4:
            weight.data = weight.data.to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(_rates(graph, teacher, course))
    order = np.random.default_rng(course.seed)
    count = len(lessons["pictures"])
    steps = course.epochs * (count // course.batch)
    plan = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate_share(step, steps))
    bar = progress.add_task("teaching", total=steps)
    for step in range(steps):
        if step % (count // course.batch) == 0:
            shuffled = order.permutation(count)
        chosen = shuffled[step % (count // course.batch) * course.batch :][: course.batch]
        told = {name: torch.from_numpy(values[chosen].astype(np.float32)) for name, values in lessons.items()}
        with torch.autocast("cpu", torch.bfloat16, enabled=step < (1 - course.precise_share) * steps):
            said = graph.run(told["pictures"].to(memory_format=torch.channels_last), list(_TOLD))
        loss = difference(dict(zip(_TOLD, (value.float() for value in said), strict=True)), told)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        plan.step()
        progress.update(bar, advance=1, description=f"teaching, difference {loss.item():.3f}")
    return graph.store()


def difference(said: dict[str, Any], told: dict[str, Any]) -> Any:
    """How far the student's answers are from the teacher's: the mask above all, its edge most, then what led to it."""
    from torch.nn import functional

    logits, truth = said[MASK_LOGITS], told[MASK_LOGITS].sigmoid()
    guess = logits.sigmoid()
    edge = functional.max_pool2d(4 * truth * (1 - truth), _EDGE_PX, 1, _EDGE_PX // 2)
    weight = 1 + _EDGE_WEIGHT * edge
    cross = (functional.binary_cross_entropy_with_logits(logits, truth, reduction="none") - _entropy(truth)) * weight
    apart = (guess - truth).abs() * weight
    overlap = guess.minimum(truth).sum((1, 2, 3)) / guess.maximum(truth).sum((1, 2, 3)).clamp(min=1)
    slope = sum((guess.diff(dim=axis) - truth.diff(dim=axis)).abs().mean() for axis in (2, 3))
    loss = cross.mean() + apart.mean() + (1 - overlap).mean() + 5 * slope
    for name in SIDE_LOGITS:
        target = told[name].sigmoid()
        cross = functional.binary_cross_entropy_with_logits(said[name], target, reduction="none") - _entropy(target)
        loss = loss + 0.2 * cross.mean()
    for name in FEATURES:
        apart = (said[name][:, :, ::2, ::2] - told[name]).square().mean()
        loss = loss + 0.2 * apart / told[name].var()
    return loss


def _telling(teacher: onnx.ModelProto) -> tuple[Any, dict[str, Any]]:
    """A queue of requests to the teacher, and the ports of what it tells."""
    import openvino

    probe = onnx.ModelProto()
    probe.CopyFrom(teacher)
    probe.graph.output.extend(onnx.ValueInfoProto(name=name) for name in _TOLD)
    core = openvino.Core()
    graph = core.read_model(probe.SerializeToString(), openvino.Tensor(np.zeros(0, np.uint8)))
    graph.reshape([1, *_SHAPE])
    hints = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(graph, "CPU", hints)
    ports = {name: next(port for port in compiled.outputs if name in port.get_names()) for name in _TOLD}
    return openvino.AsyncInferQueue(compiled), ports


def _put(lessons: Lessons, name: str, value: NDArray[np.float16], index: int, count: int) -> None:
    lessons.setdefault(name, np.empty((count, *value.shape), np.float16))[index] = value


def _thinned(name: str, value: NDArray[np.float32]) -> NDArray[np.float16]:
    return np.asarray(value[:, ::2, ::2] if name in FEATURES else value, np.float16)


def _entropy(chance: Any) -> Any:
    from torch.nn import functional

    return functional.binary_cross_entropy(chance, chance, reduction="none")


def _rates(graph: TorchGraph, teacher: onnx.ModelProto, course: Course) -> list[dict[str, Any]]:
    """Adam's groups: the layers that the student changed, and those that are the teacher's still."""
    shapes = {each.name: tuple(each.dims) for each in teacher.graph.initializer}
    kept = {name for name, weight in graph.weights.items() if shapes.get(name) == tuple(weight.shape)}
    return [
        {"params": [weight for name, weight in graph.weights.items() if name not in kept], "lr": course.rate},
        {"params": [weight for name, weight in graph.weights.items() if name in kept], "lr": course.rate_kept},
    ]


def _rate_share(step: int, steps: int) -> float:
    """The share of the first step size: it rises over the first twentieth, then falls as half a cosine does."""
    rise = min(1.0, (step + 1) / (0.05 * steps))
    return rise * 0.5 * (1 + math.cos(math.pi * step / steps))


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise NoTorch("PyTorch is not installed; `pip install packshot[distill]` brings it") from error
    return torch
