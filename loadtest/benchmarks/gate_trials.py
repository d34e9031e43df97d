"""A product, a packshot of it, a fault planted in it, and what is measured of that: all that `calibrate_gates` counts.

A product is cut out by its rendered truth, or by the alpha that its supplier's file has. What a network's cutout says
of itself is measured of the photograph, and what shows in the matte anew for a faulty one.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.engines import open_engine
from gpu_workers.imaging import encoding
from gpu_workers.imaging.linear_light import eight_bit
from gpu_workers.imaging.metadata import CAPTURED
from gpu_workers.imaging.types import HALF
from gpu_workers.imaging.writing import Writing
from gpu_workers.models.manifest import load_manifest
from gpu_workers.operations.cutout import cutout, matting, measuring, uncertainty
from gpu_workers.operations.packshot.measures import measure
from gpu_workers.operations.packshot.packshot import Rendered, packshot
from gpu_workers.quality.files import read
from gpu_workers.quality.found import detail_scale
from gpu_workers.quality.left import left_measures
from gpu_workers.reading import lettering
from gpu_workers.reading.opening import open_reader
from gpu_workers.reading.photograph import measures_of, read_photograph
from gpu_workers.reading.reader import Reader
from gpu_workers.sources.decoding import Picture, decode
from loadtest.benchmarks import quality
from loadtest.benchmarks.gate_faults import Fault, Planting
from schemas import channels
from schemas.channels import Channel
from schemas.operations.packshot import PackshotParameters

WEIGHTS = Path(__file__).parents[2] / ".cache" / "weights"
CHANNEL, SIDE_PX = "amazon", 640
PICTURES = (".webp", ".png")
Measures = dict[str, float]
_OPEN = ExitStack()  # for as long as the process lasts


@dataclass(frozen=True, order=True)
class Sample:
    """A picture's file, the product that it is of, and the file with its alpha; the same for one that has its own."""

    product: str
    name: str
    file: str
    truth: str

    @property
    def is_rendered(self) -> bool:
        """Whether its truth was rendered."""
        return self.file != self.truth


@dataclass(frozen=True, eq=False)
class Taken:
    """A sample's photograph (h, w, 3), its product cut out (h, w, 4), what is written in it, and what its cutout says
    of itself; `mask` (h, w; 0..1) is the network's, None for a supplier's own alpha."""

    rgb: NDArray[np.uint8]
    rgba: NDArray[np.uint8]
    writing: Writing
    measures: Measures
    mask: NDArray[np.float32] | None


@dataclass(frozen=True, eq=False)
class Shot:
    """A packshot, its file and what that shows."""

    rendered: Rendered
    file: bytes
    pixels: NDArray[np.uint8]


def rendered_samples(kinds: Sequence[str]) -> Iterator[Sample]:
    """The sample catalogue's photographs of some kinds, studio or busy."""
    for file in quality.PHOTOGRAPHS:
        product, kind = file.stem.rsplit("-", 1)
        if kind in kinds:
            truth = quality.CATALOGUE / "truth" / f"{file.stem}.png"
            yield Sample(product, file.stem, str(file), str(truth))


def real_samples(folder: Path) -> Iterator[Sample]:
    """A folder's pictures that have an alpha of their own, several views of a product being one product's."""
    for file in sorted(each for each in folder.iterdir() if each.suffix in PICTURES):
        if decode(file.read_bytes()).pixels.shape[2] == 4:
            yield Sample(file.stem.rstrip("0123456789").rstrip("-"), file.stem, str(file), str(file))


def unfaulted(sample: Sample, stage: str) -> Measures:
    """The measures of a good picture of a sample, as faults of a stage are planted in."""
    taken, shot = _taken(sample), _shot(sample, _is_shaded(stage))
    return {**_prefixed(taken.measures), **_measured(shot.file, shot.rendered, taken)}


def faulted(sample: Sample, other: Sample, fault: Fault, strength: float) -> Measures | None:
    """The measures of a picture with a fault in it; None where it changes nothing: where there is no hole to fill."""
    return _STAGES[fault.stage](sample, other, fault, strength)


def _in_photograph(sample: Sample, _other: Sample, fault: Fault, strength: float) -> Measures | None:
    taken, shot = _taken(sample), _shot(sample, False)
    rgb = fault.plant(Planting(taken.rgb, taken.rgba[..., 3], taken.rgb), strength)
    if not _differ(rgb, taken.rgb):
        return None
    writing = read_photograph(rgb, taken.rgba, _reader())
    detail = {"detail_scale": detail_scale(rgb, taken.rgba[..., 3] >= HALF)}
    measures = measures_of(writing, plain_ground=_is_plain(taken.measures)) | detail
    return {**_prefixed(taken.measures | measures), **_measured(shot.file, shot.rendered, taken)}


def _in_cutout(sample: Sample, _other: Sample, fault: Fault, strength: float) -> Measures | None:
    taken = _taken(sample)
    rgba = fault.plant(Planting(taken.rgba, taken.rgba[..., 3], taken.rgb), strength)
    if rgba.shape == taken.rgba.shape and not _differ(rgba[..., 3:], taken.rgba[..., 3:]):
        return None
    rendered = packshot(rgba, _channel(), _parameters(False))
    wrong = replace(taken, rgba=rgba, measures=_seen_again(taken, rgba))
    return {**_prefixed(wrong.measures), **_measured(_written(eight_bit(rendered.canvas)), rendered, wrong)}


def _in_picture(sample: Sample, other: Sample, fault: Fault, strength: float) -> Measures | None:
    shaded = _is_shaded(fault.stage)
    taken, shot = _taken(sample), _shot(sample, shaded)
    planting = _planting(shot, other)
    pixels = fault.plant(planting, strength)
    if not _differ(pixels, planting.pixels):  # and not the file's: what JPEG does to one is no fault
        return None
    return {**_prefixed(taken.measures), **_measured(_written(pixels), shot.rendered, taken)}


def _in_file(sample: Sample, other: Sample, fault: Fault, strength: float) -> Measures | None:
    taken, shot = _taken(sample), _shot(sample, False)
    data = fault.plant(_planting(shot, other), strength)
    return {**_prefixed(taken.measures), **_measured(data, shot.rendered, taken)}


_STAGES: dict[str, Callable[[Sample, Sample, Fault, float], Measures | None]] = {
    "photograph": _in_photograph,
    "cutout": _in_cutout,
    "picture": _in_picture,
    "shadow": _in_picture,
    "file": _in_file,
}


def _planting(shot: Shot, other: Sample) -> Planting:
    return Planting(eight_bit(shot.rendered.canvas), shot.rendered.mask, _shot(other, False).pixels, shot.file)


def _differ(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    """Whether a person could see it: more than 4 of 255 in one pixel of 5,000."""
    return bool((cv2.absdiff(one, other).reshape(one.shape[0], -1) > 4).mean() > 0.0002)


def _is_shaded(stage: str) -> bool:
    return stage == "shadow"


@lru_cache(6)
def _taken(sample: Sample) -> Taken:
    pixels = eight_bit(decode(Path(sample.file).read_bytes()).pixels)
    if not sample.is_rendered:
        made = cutout.cutout(pixels, _predict)
        rgb = _on_white(pixels)
        writing = read_photograph(pixels, made.rgba, _reader())
        measures = made.measures | measures_of(writing, plain_ground=True)
        taken = Taken(rgb, eight_bit(made.rgba), writing, measures, None)
        return replace(taken, measures=_seen_again(taken, taken.rgba))
    alpha = quality.truth(sample.name).astype(np.float32)
    colours = matting.foreground_colours(pixels.astype(np.float32) / np.float32(255), alpha)
    rgba = np.dstack([np.rint(np.clip(colours, 0, 1) * 255), np.rint(alpha * 255)]).astype(np.uint8)
    writing = read_photograph(pixels, rgba, _reader())
    measures = cutout.cutout(pixels, _predict).measures
    written_on = measures_of(writing, plain_ground=_is_plain(measures))
    taken = Taken(pixels, rgba, writing, measures | written_on, _predict(pixels))
    return replace(taken, measures=_seen_again(taken, rgba))


def _seen_again(taken: Taken, rgba: NDArray[np.uint8]) -> Measures:
    """The measures of a matte that is another than the network's, as far as they show in it."""
    detail = {"detail_scale": detail_scale(taken.rgb, taken.rgba[..., 3] >= HALF)}
    measures = taken.measures | _left(taken, rgba) | detail
    if taken.mask is None or rgba.shape != taken.rgba.shape:
        return measures
    height, width = rgba.shape[:2]
    mask = cv2.resize(taken.mask, (width, height), interpolation=cv2.INTER_LINEAR)
    alpha = rgba[..., 3].astype(np.float32) / np.float32(255)
    seen = measures | uncertainty.seen(taken.rgb.astype(np.float32) / np.float32(255), mask, alpha)
    return seen | {"uncertainty": measuring.uncertainty_by(seen)}


def _left(taken: Taken, rgba: NDArray[np.uint8]) -> Measures:
    """What shows in a matte beside its photograph; a wider one has more of the ground beside it."""
    wider = rgba.shape[1] - taken.rgb.shape[1]
    photograph = np.pad(taken.rgb, ((0, 0), (0, wider), (0, 0)), mode="edge")
    return left_measures(photograph if taken.mask is not None else rgba, rgba)


@lru_cache(8)
def _shot(sample: Sample, shaded: bool) -> Shot:
    rendered = packshot(_taken(sample).rgba, _channel(), _parameters(shaded))
    file = _written(eight_bit(rendered.canvas))
    return Shot(rendered, file, eight_bit(read(file).pixels))


def _measured(file: bytes, rendered: Rendered, taken: Taken) -> Measures:
    source = _as_picture(taken)
    found = measure(file, rendered, _channel())
    matrix = rendered.placement.matrix
    return {**found, **lettering.measures(file, source, rendered.mask, matrix, _channel(), _reader(), False)}


@lru_cache(6)
def _as_picture(taken: Taken) -> Picture:
    """A cutout as the compose pool reads it."""
    picture = decode(encoding.lossless(taken.rgba))
    return replace(picture, metadata=replace(picture.metadata, writing=taken.writing))


def _prefixed(measures: Measures) -> Measures:
    return {f"cutout.{name}": value for name, value in measures.items()}


def _is_plain(measures: Measures) -> bool:
    return measures["plain_background"] == 1 or measures["has_own_alpha"] == 1


def _on_white(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    alpha = pixels[..., 3:].astype(np.float32) / 255
    return np.asarray(np.rint(pixels[..., :3] * alpha + 255 * (1 - alpha)), np.uint8)


def _written(pixels: NDArray[np.uint8]) -> bytes:
    return encoding.encode(pixels, _channel(), source_type=CAPTURED).data


def _channel() -> Channel:
    return channels.load(CHANNEL)


def _parameters(shaded: bool) -> PackshotParameters:
    shadow = {"shadow.mode": "hard"} if shaded else {}
    return PackshotParameters.parse({"outputSize": f"{SIDE_PX}x{SIDE_PX}", **shadow})


def _predict(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    return _predictor()(rgb)


@lru_cache(1)
def _predictor() -> cutout.MaskPredictor:
    model = load_manifest("u2netp@1")
    return quality.predict(model, open_engine(model, WEIGHTS, "auto").infer)


@lru_cache(1)
def _reader() -> Reader:
    return _OPEN.enter_context(open_reader(WEIGHTS))
