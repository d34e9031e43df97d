"""Pictures a second by engine, model and batch size, and how good the masks are.

Every model that ships, on every engine that can run here. The contenders take turns in short rounds, for others use
this machine too, and a ratio is the median of those of the rounds: to OpenVINO with the FP32 model, one picture a call.
The calls come one after another, so that what a batch is for is spreading over the processor's streams.

Quality does not depend on the batch: intersection over union of a mask, at one prediction, with the rendered truth and
with the mask of the FP32 model on ONNX Runtime, and how far off a finished cutout's alpha is at its edge.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

import cv2
import numpy as np
import structlog
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from gpu_workers.engines import Engine, EngineUnavailable, Preference, open_engine
from gpu_workers.models.contract import tensor_of
from gpu_workers.models.manifest import Model, load_manifest, shipped_for
from gpu_workers.operations.cutout import cutout
from gpu_workers.quality import mattes
from gpu_workers.sources.decoding import decode
from loadtest.benchmarks import quality

WEIGHTS = Path(__file__).parents[2] / ".cache" / "weights"
ENGINES: tuple[Preference, ...] = ("onnxruntime", "openvino", "tensorrt")
EXACT = load_manifest("u2netp@1")
BATCHES = (1, 2, 4, 8, 16)
ROUNDS = 5
FASTER = ("ge", 2.0)
AS_THE_EXACT = ("ge", 0.99)
EDGES_AS_GOOD = ("le", 1.05)

Picture = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Contender:
    """A model on an engine."""

    model: Model
    engine: Engine

    @property
    def name(self) -> str:
        """In figures."""
        parts = (self.engine.name, self.model.name, self.model.version, self.model.precision)
        return "_".join(parts).replace("-", "_").replace(".", "_")


@dataclass(frozen=True)
class Quality:
    """Means over the sample catalogue."""

    iou_truth: float
    iou_exact: float
    band_error: float


def main() -> None:
    """Prints a table, and the figures as JSON in its last line."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    pictures = [np.asarray(decode(file.read_bytes()).pixels, np.uint8) for file in quality.PHOTOGRAPHS]
    with opened() as (contenders, reasons):
        speeds = measured(contenders, pictures)
        qualities = judged(contenders, pictures)
    ratios = relative(speeds)
    show(ratios, qualities, reasons)
    print(json.dumps({"figures": figures(speeds, ratios, qualities), "targets": targets(contenders)}))


@contextmanager
def opened() -> Iterator[tuple[list[Contender], dict[str, str]]]:
    """Every model on every engine, and why an engine cannot run here."""
    contenders: list[Contender] = []
    reasons: dict[str, str] = {}
    for name in ENGINES:
        try:
            contenders += [
                Contender(model, open_engine(model, WEIGHTS, name)) for model in shipped_for("cutout").values()
            ]
        except EngineUnavailable as error:
            reasons[name] = error.reason
    try:
        yield contenders, reasons
    finally:
        for contender in contenders:
            contender.engine.close()


def measured(contenders: Sequence[Contender], pictures: Sequence[Picture]) -> dict[Contender, dict[int, list[float]]]:
    """Pictures a second by batch size, round by round."""
    speeds: dict[Contender, dict[int, list[float]]] = {
        each: {batch: [] for batch in BATCHES if batch <= each.engine.max_batch} for each in contenders
    }
    for number in range(-1, ROUNDS):  # the first one warms up
        for contender, by_batch in speeds.items():
            tensors = np.stack([tensor_of(picture, contender.model.input) for picture in pictures[: max(BATCHES)]])
            for batch, per_s in by_batch.items():
                began_s = time.monotonic()
                for start in range(0, len(tensors), batch):
                    contender.engine.infer(tensors[start : start + batch])
                if number >= 0:
                    per_s.append(len(tensors) / (time.monotonic() - began_s))
    return speeds


def judged(contenders: Sequence[Contender], pictures: Sequence[Picture]) -> dict[Contender, Quality]:
    """How good each one's masks and cutouts are."""
    truths = [quality.truth(file.stem) for file in quality.PHOTOGRAPHS]
    exact = next(each for each in contenders if each.engine.name == "onnxruntime" and each.model is EXACT)
    exact_masks = masks(exact, pictures)
    return {each: _judged(each, pictures, truths, exact_masks) for each in contenders}


def masks(contender: Contender, pictures: Sequence[Picture]) -> list[quality.Alpha]:
    """The mask of each picture at one prediction, at its size."""
    predict = quality.predict(contender.model, contender.engine.infer)
    sizes = [(picture.shape[1], picture.shape[0]) for picture in pictures]
    found = [cv2.resize(predict(picture), size) for picture, size in zip(pictures, sizes, strict=True)]
    return [np.asarray(mask, np.float64) for mask in found]


def _judged(
    contender: Contender,
    pictures: Sequence[Picture],
    truths: Sequence[quality.Alpha],
    exact_masks: Sequence[quality.Alpha],
) -> Quality:
    found = masks(contender, pictures)
    predict = quality.predict(contender.model, contender.engine.infer)
    alphas = [quality.alpha(cutout.cutout(picture, predict).rgba[..., 3]) for picture in pictures]
    return Quality(
        iou_truth=mean(map(mattes.iou, found, truths)),
        iou_exact=mean(map(mattes.iou, found, exact_masks)),
        band_error=mean(map(mattes.band_error, alphas, truths)),
    )


def relative(speeds: Mapping[Contender, Mapping[int, Sequence[float]]]) -> dict[Contender, dict[int, float]]:
    """The median of the rounds' ratios to OpenVINO with the FP32 model, one picture a call."""
    basis = next(by for each, by in speeds.items() if each.engine.name == "openvino" and each.model is EXACT)[1]
    return {
        contender: {
            batch: median(own / other for own, other in zip(per_s, basis, strict=True))
            for batch, per_s in by_batch.items()
        }
        for contender, by_batch in speeds.items()
    }


def figures(
    speeds: Mapping[Contender, Mapping[int, Sequence[float]]],
    ratios: Mapping[Contender, Mapping[int, float]],
    qualities: Mapping[Contender, Quality],
) -> dict[str, float]:
    """Everything by name."""
    edges = next(found.band_error for each, found in qualities.items() if each.model is EXACT)
    found: dict[str, float] = {}
    for contender, by_batch in ratios.items():
        name, good = contender.name, qualities[contender]
        found[f"{name}_per_s"] = round(median(speeds[contender][1]), 2)
        found |= {f"{name}_ratio_{batch}": round(ratio, 2) for batch, ratio in by_batch.items()}
        found |= {f"{name}_iou_truth": round(good.iou_truth, 4), f"{name}_iou_exact": round(good.iou_exact, 4)}
        found |= {f"{name}_band_error": round(good.band_error, 4)}
        found |= {f"{name}_band_error_ratio": round(good.band_error / edges, 3)}
    return found


def targets(contenders: Sequence[Contender]) -> dict[str, tuple[str, float]]:
    """What a model that is not the exact one is for: twice as fast on OpenVINO, and as good."""
    found: dict[str, tuple[str, float]] = {}
    for each in contenders:
        if each.model is not EXACT and each.engine.name == "openvino":
            found[f"{each.name}_ratio_1"] = FASTER
            found[f"{each.name}_iou_exact"] = AS_THE_EXACT
            found[f"{each.name}_band_error_ratio"] = EDGES_AS_GOOD
    return found


def show(
    ratios: Mapping[Contender, Mapping[int, float]], qualities: Mapping[Contender, Quality], reasons: Mapping[str, str]
) -> None:
    """Prints what was found."""
    table = Table("engine", "model", *(f"×{batch}" for batch in BATCHES), "IoU truth", "IoU exact", "edge error")
    for contender, by_batch in ratios.items():
        speed = [f"{by_batch[batch]:.2f}" if batch in by_batch else "" for batch in BATCHES]
        good = qualities[contender]
        quality = [f"{good.iou_truth:.3f}", f"{good.iou_exact:.3f}", f"{good.band_error:.4f}"]
        table.add_row(contender.engine.name, f"{contender.model.ref} {contender.model.precision}", *speed, *quality)
    for engine, reason in reasons.items():
        table.add_row(engine, f"cannot run here: {reason}")
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
