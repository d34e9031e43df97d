"""Teaching the student's head: it learns to draw the edges that the teacher draws.

The head sees only what is near (a few pixels), so it is taught on small parts of what the teacher makes of a picture,
most of them at an edge; the teacher works out the features anew for each, which costs less than to keep them.
"""

import copy
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from numpy.typing import NDArray
from rich.progress import Progress

from gpu_workers.distillation.quantizing import quantize_int8
from gpu_workers.distillation.student import COARSE, FINE, HEAD, SAFE_IN_INT8, SIDE, Tensor, build_student, side_share
from gpu_workers.distillation.training_pictures import load_photographs, training_tensor

if TYPE_CHECKING:
    import torch

MASK = "1958"  # the logits that the mask is made of
SIZE_PX = 320
CALIBRATION_PICTURES = 24
PART_PX = 128
_MARGIN_PX = 16  # of a part, where the head sees its end
_PARTS = 4  # of each picture
_AT_EDGE = 0.85
_EDGE_WEIGHT = 8
_EDGE_PX = 5
_AVERAGED = 0.995

Parts = tuple["torch.Tensor", "torch.Tensor", "torch.Tensor", "torch.Tensor"]


class NoTorch(Exception):
    """PyTorch is not installed; `pip install packshot[distill]` brings it."""


@dataclass(frozen=True)
class TrainingConfig:
    """How long and how boldly the student learns: `steps` of `batch` out of as many `pictures`; `rate` is Adam's."""

    seed: int = 20
    pictures: int = 2400
    steps: int = 1100
    batch: int = 4
    rate: float = 3e-3


def distill(teacher: Path, photographs: Path, student: Path, config: TrainingConfig | None = None) -> None:
    """Write to `student` an ONNX graph that has learnt the masks of `teacher` (U²-Netp with a free batch).

    The layers in SAFE_IN_INT8 are in 8-bit integers, explicit in the graph. `photographs` is a folder as
    loadtest/rendering/catalogue; the products in HELD_OUT are not shown. The same course on the same kind of processor
    with the same number of threads gives the same file. Raises NoTorch, NoPictures, BadGraph.
    """
    _torch()
    config = config or TrainingConfig()
    graph = onnx.load(teacher)
    taken = load_photographs(photographs, held_out=False)
    with Progress() as progress:
        indices = progress.track(range(config.pictures), description="making pictures")
        pictures = np.stack([training_tensor(taken, config.seed, index).astype(np.float16) for index in indices])
        weights = teach(Teacher(graph), pictures, config, progress)
    shown = [training_tensor(taken, 0, index) for index in range(CALIBRATION_PICTURES)]
    _write_in_integers(build_student(graph, weights), shown, student)


def _write_in_integers(taught: onnx.ModelProto, shown: list[Tensor], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    convolutions = [node.name for node in taught.graph.node if node.op_type == "Conv"]
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole.onnx"
        whole.write_bytes(taught.SerializeToString(deterministic=True))
        quantize_int8(whole, target, shown, tuple(name for name in convolutions if name not in SAFE_IN_INT8))


class Teacher:
    """The teacher on OpenVINO, telling what it thinks on the way."""

    def __init__(self, graph: onnx.ModelProto) -> None:
        import openvino

        probe = onnx.ModelProto()
        probe.CopyFrom(graph)
        outputs = (FINE, COARSE, SIDE, MASK)
        probe.graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
        core = openvino.Core()
        read = core.read_model(probe.SerializeToString(), openvino.Tensor(np.zeros(0, np.uint8)))
        read.reshape([1, 3, SIZE_PX, SIZE_PX])
        hints = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
        compiled = core.compile_model(read, "CPU", hints)
        self.side_share = side_share(graph)
        self._ports = [next(port for port in compiled.outputs if name in port.get_names()) for name in outputs]
        self._queue: Any = openvino.AsyncInferQueue(compiled)

    def ask(self, pictures: Tensor) -> list[Tensor]:
        """Of pictures (n, 3, 320, 320): the fine and the coarse features, the mask's logits, and others' part in those.

        They are (n, 64, 320, 320), (n, 64, 160, 160) and twice (n, 1, 320, 320); the others are the stages that stay.
        """
        found: list[list[Tensor]] = [[] for _ in pictures]

        def keep(request: Any, index: int) -> None:
            found[index] = [np.array(request.get_tensor(port).data[0]) for port in self._ports]

        self._queue.set_callback(keep)
        for index, picture in enumerate(pictures):
            self._queue.start_async({0: picture[None]}, index)
        self._queue.wait_all()
        fine, coarse, side, logits = (np.stack(each) for each in zip(*found, strict=True))
        return [fine, coarse, logits, logits - self.side_share * side]


def teach(
    teacher: Teacher, pictures: NDArray[np.float16], config: TrainingConfig, progress: Progress
) -> dict[str, Tensor]:
    """The head's weights after the course over `pictures` (n, 3, 320, 320). Raises NoTorch."""
    torch = _torch()
    torch.manual_seed(config.seed)
    random = np.random.default_rng(config.seed)
    head = make_head()
    averaged = copy.deepcopy(head)
    optimiser = torch.optim.Adam(head.parameters(), config.rate)
    bar = progress.add_task("teaching", total=config.steps)
    for step in range(config.steps):
        chosen = random.integers(len(pictures), size=config.batch)
        shown = pictures[chosen, ..., :: int(random.choice((-1, 1)))].astype(np.float32)
        fine, coarse, logits, others = _parts(teacher.ask(np.ascontiguousarray(shown)), random)
        for group in optimiser.param_groups:
            group["lr"] = config.rate * _rate_share(step, config.steps)
        answer = teacher.side_share * run_head(head, fine, coarse) + others
        loss = difference(_inner(answer), _inner(logits))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        optimiser.step()
        _average(averaged, head, min(_AVERAGED, (1 + step) / (10 + step)))
        progress.update(bar, advance=1, description=f"teaching, difference {loss.item():.3f}")
    return {name: value.detach().numpy() for name, value in averaged.state_dict().items()}


def make_head() -> Any:
    """The head's layers by name, untaught."""
    torch = _torch()
    layers = torch.nn.ModuleDict()
    for each in HEAD:
        sizes = (each.channels_in, each.channels_out, each.kernel_px, each.stride)
        layers[each.name] = torch.nn.Conv2d(*sizes, padding=each.padding_px, dilation=each.dilation)
        torch.nn.init.kaiming_normal_(layers[each.name].weight, nonlinearity="relu")
        torch.nn.init.zeros_(layers[each.name].bias)
    return layers.to(memory_format=torch.channels_last)


def run_head(head: Any, fine: Any, coarse: Any) -> Any:
    """The side logits (n, 1, h, w) for fine (n, 64, h, w) and coarse (n, 64, h / 2, w / 2) features."""
    torch = _torch()
    both = torch.cat([head["head_fine"](fine).relu(), head["head_coarse"](coarse).relu()], 1)
    edge = both
    for name in ("head_join", "head_near", "head_far"):
        edge = head[name](edge).relu()
    return torch.nn.functional.pixel_shuffle(head["head_mask"](edge), 2)


def difference(answer: Any, teachers: Any) -> Any:
    """How far logits (n, 1, h, w) are from the teacher's: in value and in slope, at the edge above all."""
    functional = _torch().nn.functional
    truth, guess = teachers.sigmoid(), answer.sigmoid()
    edge = functional.max_pool2d(4 * truth * (1 - truth), _EDGE_PX, 1, _EDGE_PX // 2)
    weight = 1 + _EDGE_WEIGHT * edge
    least = functional.binary_cross_entropy(truth, truth, reduction="none")
    cross = (functional.binary_cross_entropy_with_logits(answer, truth, reduction="none") - least) * weight
    apart = (guess - truth).abs() * weight
    slope = sum((guess.diff(dim=axis) - truth.diff(dim=axis)).abs().mean() for axis in (2, 3))
    return cross.mean() + 2 * apart.mean() + 5 * slope


def _parts(answered: Sequence[Tensor], random: np.random.Generator) -> Parts:
    """Small parts of what the teacher said of some pictures, most of them about a point of an edge."""
    torch = _torch()
    fine, coarse, logits, others = answered
    cut: list[tuple[Tensor, ...]] = []
    for index, seen in enumerate(logits[:, 0]):
        edge = np.argwhere(np.abs(seen) < math.log(4))
        for _ in range(_PARTS):
            at_edge = len(edge) and random.random() < _AT_EDGE
            middle = edge[random.integers(len(edge))] if at_edge else random.integers(SIZE_PX, size=2)
            top, left = (int(np.clip(place - PART_PX // 2, 0, SIZE_PX - PART_PX)) // 2 * 2 for place in middle)
            part = np.s_[index, :, top : top + PART_PX, left : left + PART_PX]
            half = np.s_[index, :, top // 2 : (top + PART_PX) // 2, left // 2 : (left + PART_PX) // 2]
            cut.append((fine[part], coarse[half], logits[part], others[part]))
    stacked = [torch.from_numpy(np.stack(each)) for each in zip(*cut, strict=True)]
    features = [each.contiguous(memory_format=torch.channels_last) for each in stacked[:2]]
    return features[0], features[1], stacked[2], stacked[3]


def _inner(values: Any) -> Any:
    return values[..., _MARGIN_PX:-_MARGIN_PX, _MARGIN_PX:-_MARGIN_PX]


def _average(averaged: Any, head: Any, kept: float) -> None:
    with _torch().no_grad():
        for mean, value in zip(averaged.parameters(), head.parameters(), strict=True):
            mean.mul_(kept).add_(value, alpha=1 - kept)


def _rate_share(step: int, steps: int) -> float:
    """The share of the first step size: it rises over the first steps, then falls as half a cosine does."""
    return min(1.0, (step + 1) / 30) * 0.5 * (1 + math.cos(math.pi * step / steps))


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise NoTorch("PyTorch is not installed; `pip install packshot[distill]` brings it") from error
    return torch
