"""A picture as a shop shows it today, looked at: its file, its measures, and what of people and words shows in it."""

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.linear_light import eight_bit
from gpu_workers.imaging.types import Plane
from gpu_workers.local.studio import Studio
from gpu_workers.operations.cutout.prediction import enlarged
from gpu_workers.operations.cutout.sweep import find_sweep
from gpu_workers.operations.cutout.uncertainty import person_share
from gpu_workers.quality.found import found_measures, picture_hash
from gpu_workers.reading.photograph import words_over
from gpu_workers.sources.decoding import Picture
from schemas.decoding import prepare

KEPT_PIXELS = 4_000_000  # of a larger picture: more than any channel shows


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A picture's file and its measures. `looks_like` is its perceptual hash, `colour` its mean, 0..255."""

    sha256: str
    media_type: str
    width_px: int
    height_px: int
    size_bytes: int
    is_srgb: bool  # also where it says nothing, as everybody takes it then
    looks_like: int
    colour: tuple[int, int, int]
    measures: dict[str, float]


def look(studio: Studio, data: bytes, sha256: str, name: str) -> Seen:
    """What is seen in the file of a picture called `name`. Raises Refused."""
    picture = studio.photograph(data, name, KEPT_PIXELS)
    rgb, alpha = _on_white(picture)
    mask = enlarged(studio.predict(rgb), rgb.shape) if alpha is None else alpha
    product = np.asarray(mask * 255, np.uint8)
    persons = person_share(rgb, studio.people(rgb), product)
    measures = {**found_measures(rgb, mask, data), "person_share": persons}
    is_plain = alpha is not None or find_sweep(rgb, mask) is not None
    measures["words_over"] = float(words_over(rgb, product, studio.reader(), plain_ground=is_plain))
    height_px, width_px = (round(side / picture.source_scale) for side in rgb.shape[:2])
    return Seen(
        sha256=sha256,
        media_type=picture.media_type,
        width_px=width_px,
        height_px=height_px,
        size_bytes=len(data),
        is_srgb=picture.colours.signal == "" or picture.colours.is_srgb,
        looks_like=picture_hash(rgb),
        colour=_mean(rgb),
        measures={name: round(value, 5) for name, value in measures.items()},
    )


def _mean(rgb: NDArray[np.uint8]) -> tuple[int, int, int]:
    red, green, blue = (round(value) for value in cv2.mean(rgb)[:3])
    return red, green, blue


def _on_white(picture: Picture) -> tuple[NDArray[np.uint8], Plane | None]:
    """A picture (h, w, 3) as a page shows it, and its alpha, 0..1, where it has any."""
    pixels = eight_bit(picture.pixels)
    if pixels.shape[2] == 3:
        return pixels, None
    alpha = np.asarray(pixels[..., 3] / np.float32(255), np.float32)
    shown, mixed = pixels[..., :3].copy(), (pixels[..., 3] > 0) & (pixels[..., 3] < 255)  # the rest is one or the other
    shown[pixels[..., 3] == 0] = 255
    share = alpha[mixed][:, None]
    shown[mixed] = np.rint(shown[mixed] * share + 255 * (1 - share))
    return shown, alpha


prepare(Seen)
