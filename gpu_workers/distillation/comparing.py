"""Quality against speed: how near a faster network's masks and cutouts come to the teacher's, and how fast it is."""

import hashlib
import statistics
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress
from rich.table import Table

from gpu_workers.distillation.training_pictures import HELD_OUT, TEACHER, Photograph, composite_of, load_photographs
from gpu_workers.models.contract import mask_of, tensor_of
from gpu_workers.models.manifest import load_manifest
from gpu_workers.operations.cutout.cutout import MaskPredictor, NoSubject, cutout, subject_box
from gpu_workers.quality import mattes

_LONG_SIDE_PX = 1140
_BATCH = 8


@dataclass(frozen=True)
class Quality:
    """How a network did on one picture, 0..1; a band error is that of mattes."""

    picture: str
    held_out: bool
    overlap: float
    soft_overlap: float
    band_error: float
    teacher_band_error: float


@dataclass(frozen=True)
class Compared:
    """One network beside the teacher.

    speed: the teacher's time over this network's, the median of rounds in turns; time_ms is a picture's.
    """

    name: str
    sha256: str
    size_bytes: int
    time_ms: float
    speed: float
    speed_min: float
    speed_max: float
    pictures: list[Quality] = field(default_factory=list)

    def mean(self, measure: str, kind: str = "", held_out: bool | None = None) -> float:
        """The mean of a measure over the pictures whose name starts with `kind`."""
        taken = [each for each in self.pictures if each.picture.startswith(kind)]
        taken = [each for each in taken if held_out is None or each.held_out == held_out]
        return statistics.fmean(getattr(each, measure) for each in taken)

    def summary(self) -> dict[str, float]:
        """Overlaps and band errors by kind of picture, and the least overlap."""
        kinds = ("photograph", "composite")
        figures = {f"{kind}_{name}": self.mean(name, kind) for kind in kinds for name in _MEASURES}
        figures |= {f"held_out_{name}": self.mean(name, held_out=True) for name in _MEASURES}
        worst = min(each.overlap for each in self.pictures)
        ratio = self.mean("band_error") / self.mean("teacher_band_error")
        return figures | {"overlap_min": worst, "band_error_ratio": ratio}


_MEASURES = ("overlap", "soft_overlap", "band_error", "teacher_band_error")


def report(
    teacher: Path, networks: dict[str, Path], photographs: Path, rounds: int = 9, limit: int | None = None
) -> list[Compared]:
    """Compare `networks` (name → ONNX file) with the teacher, on OpenVINO as the engine runs it.

    Over the photographs of a folder as loadtest/rendering/catalogue, whole and cut to the product's box, and over their
    products on other backgrounds; `limit` takes only the first of them. Raises NoPictures.
    """
    queues = {"teacher": _queue(teacher)} | {name: _queue(path) for name, path in networks.items()}
    times = _times(queues, rounds)
    taken = load_photographs(photographs, long_side_px=_LONG_SIDE_PX)[:limit]
    found: dict[str, list[Quality]] = {name: [] for name in networks}
    with Progress() as progress:
        for picture, rgb, alpha in progress.track(list(_pictures(taken)), description="comparing cutouts"):
            whole = _predictions(_seen_by(queues["teacher"]), rgb, alpha)
            teacher_error = band_error(rgb, alpha, _seen_by(queues["teacher"]))
            for name in networks:
                predict = _seen_by(queues[name])
                pairs = list(zip(_predictions(predict, rgb, alpha), whole, strict=True))
                found[name].append(
                    Quality(
                        picture=picture,
                        held_out=picture.split(" ")[1].startswith(HELD_OUT),
                        overlap=statistics.fmean(overlap(mine > 0.5, theirs > 0.5) for mine, theirs in pairs),
                        soft_overlap=statistics.fmean(overlap(mine, theirs) for mine, theirs in pairs),
                        band_error=band_error(rgb, alpha, predict),
                        teacher_band_error=teacher_error,
                    )
                )
    return [_compared(name, path, times, found[name]) for name, path in networks.items()]


def overlap(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Intersection over union of two masks of the same shape, 0..1 or bool; 1 when both are empty."""
    either = float(np.maximum(one, other).sum(dtype=np.float64))
    return float(np.minimum(one, other).sum(dtype=np.float64)) / either if either else 1.0


def band_error(rgb: NDArray[np.uint8], truth: NDArray[np.float32], predict: MaskPredictor) -> float:
    """Mean |Δalpha| of the whole pipeline's cutout near the true edge; no subject counts as no alpha."""
    try:
        alpha = cutout(rgb, predict).rgba[..., 3].astype(np.float32) / 255
    except NoSubject:
        alpha = np.zeros_like(truth)
    return mattes.band_error(alpha, truth)


def as_json(compared: list[Compared]) -> bytes:
    """The report as indented JSON, every picture included."""
    whole = [{**asdict(each), "summary": each.summary()} for each in compared]
    return msgspec.json.format(msgspec.json.encode(whole), indent=2)


def as_table(compared: list[Compared]) -> Table:
    """The report as a table, a network a line."""
    table = Table(
        "network", "MB", "ms", "speed", "IoU photographs", "IoU composites", "IoU least", "held out", "band error"
    )
    for each in compared:
        figures = each.summary()
        table.add_row(
            each.name,
            f"{each.size_bytes / 1e6:.2f}",
            f"{each.time_ms:.1f}",
            f"{each.speed:.2f} × ({each.speed_min:.2f}–{each.speed_max:.2f})",
            f"{figures['photograph_overlap']:.4f} / {figures['photograph_soft_overlap']:.4f}",
            f"{figures['composite_overlap']:.4f} / {figures['composite_soft_overlap']:.4f}",
            f"{figures['overlap_min']:.4f}",
            f"{figures['held_out_overlap']:.4f} / {figures['held_out_soft_overlap']:.4f}",
            f"{figures['band_error_ratio']:.3f} × teacher's",
        )
    return table


def _compared(name: str, path: Path, times: dict[str, list[float]], pictures: list[Quality]) -> Compared:
    data = path.read_bytes()
    ratios = [slow / fast for slow, fast in zip(times["teacher"], times[name], strict=True)]
    return Compared(
        name=name,
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        time_ms=statistics.median(times[name]) * 1000,
        speed=statistics.median(ratios),
        speed_min=min(ratios),
        speed_max=max(ratios),
        pictures=pictures,
    )


def _pictures(photographs: list[Photograph]) -> Iterator[tuple[str, NDArray[np.uint8], NDArray[np.float32]]]:
    for taken in photographs:
        yield f"photograph {taken.name}", taken.rgb, taken.alpha
    for index, taken in enumerate(photographs):
        yield f"composite {taken.name}", *composite_of(np.random.default_rng((7, index)), taken, photographs)


def _predictions(
    predict: MaskPredictor, rgb: NDArray[np.uint8], alpha: NDArray[np.float32]
) -> list[NDArray[np.float32]]:
    """The masks of the whole picture and of the product's box."""
    box = subject_box(alpha).of(rgb)
    return [predict(np.ascontiguousarray(part)) for part in (rgb, box)]


def _queue(path: Path) -> Any:
    """The network as engines/openvino.py runs it."""
    import openvino

    core = openvino.Core()
    graph = core.read_model(path)
    graph.reshape([1, *load_manifest(TEACHER).input.shape])
    hints = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
    return openvino.AsyncInferQueue(core.compile_model(graph, "CPU", hints))


def _seen_by(queue: Any) -> MaskPredictor:
    model = load_manifest(TEACHER)

    def predict(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        answers: list[NDArray[np.float32]] = []
        queue.set_callback(lambda request, _: answers.append(request.get_output_tensor(0).data[0].copy()))
        queue.start_async({0: tensor_of(picture, model.input)[None]}, None)
        queue.wait_all()
        return mask_of(answers[0], model.output)

    return predict


def _times(queues: dict[str, Any], rounds: int) -> dict[str, list[float]]:
    """Seconds a picture takes each network, a list of rounds; they take turns, to share a busy moment."""
    pictures = np.random.default_rng(0).normal(size=(_BATCH, 1, *load_manifest(TEACHER).input.shape)).astype(np.float32)
    times: dict[str, list[float]] = {name: [] for name in queues}
    for turn in range(rounds + 1):
        for name, queue in queues.items():
            queue.set_callback(lambda *_: None)
            started = time.perf_counter()
            for picture in pictures:
                queue.start_async({0: picture}, None)
            queue.wait_all()
            if turn:
                times[name].append((time.perf_counter() - started) / _BATCH)
    return times
