"""Upscale: a picture up to twice as wide and high that says nothing its source does not say.

Lanczos, a sharpening of edges, then back-projection (M. Irani and S. Peleg, "Improving resolution by image
registration", 1991) in linear light: what comes out, averaged back down, is the source, and no point is brighter or
darker than the source is near it, so that nothing rings. A network may take the place of Lanczos; back-projection
holds it to the source too, and text is pasted from the classical way, for networks invent glyphs.

It is done strip by strip, so that little but the source and the result grows with the picture; how high the strips are
changes no byte.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.linear_light import channels_light, to_srgb
from gpu_workers.imaging.types import LUMINANCE, Codes
from gpu_workers.operations.upscale.codes import Light, code_of, light_of, premultiplied, straight
from gpu_workers.operations.upscale.errors import BadImage, UpscalingForbidden
from gpu_workers.operations.upscale.network import OVERLAP_PX, TILE_PX, Enlarge, tile_row
from gpu_workers.operations.upscale.sharpness import effective_resolution_px, text_mask
from schemas.channels import Channel
from schemas.operations.upscale import UpscaleParameters


@dataclass(frozen=True)
class Sharpening:
    """How edges are sharpened: by which share of what a blur takes from them. Set by hand, none is fitted.

    Slopes are of code values 0..1: below `slope_none` is grain, from `slope_full` on an edge.
    """

    share: float = 0.6
    blur_px: float = 1.4
    slope_none: float = 0.03
    slope_full: float = 0.12


SHARPENING = Sharpening()
_TIMES = 2
_ROUNDS = 2  # of back-projection, after which what is left is evened out exactly
_STRIP_PIXELS, _STRIP_LEAST_PX = 2**19, 64  # little beside a picture; set by hand
_REACH_PX = 24  # what a strip needs above and below it; the filters reach 18 rows and the last averaging one more


@dataclass(frozen=True)
class Upscaled:
    """The enlarged picture: shape (round(h * scale), round(w * scale), bands), the source's depth and bands.

    Measures: scale; effective_resolution_before_px and effective_resolution_px, where the picture has edges; text_share
    0..1, of the picture; back_projection_max, the most that the doubled picture, averaged back down, is off
    the source, in 8-bit code values; on white where it has alpha.
    """

    image: Codes
    measures: dict[str, float]


def upscale(
    image: Codes,
    parameters: UpscaleParameters | None = None,
    enlarge: Enlarge | None = None,
    channel: Channel | None = None,
) -> Upscaled:
    """`image` (h, w, 3 or 4; uint8 sRGB or uint16 WIDE, straight alpha) enlarged by `scale`: doubled, and for
    a scale below 2 averaged down from there.

    `enlarge` is a network: for uint8 RGB (TILE_PX, TILE_PX, 3) the same k times as large, k being 2 or more; it is
    given overlapping tiles. Equal inputs give equal bytes. Raises BadImage, BadTiles, and UpscalingForbidden where
    `channel` takes no enlarged pictures.
    """
    parameters = parameters or UpscaleParameters()
    _check(image)
    if channel is not None and not channel.allows_upscaling:
        raise UpscalingForbidden(f"{channel.rule_version} takes no scaled-up images")
    (height, width, bands), scale = image.shape, parameters.scale
    enlarged = np.empty((round(height * scale), round(width * scale), bands), image.dtype)
    seen = _enlarged(_eight_bit(image), enlarge) if enlarge is not None else None
    text_sum, off = 0.0, 0.0
    for strip in _strips(height, width):
        large, text = _doubled(image[strip.about], seen(strip) if seen is not None else None)
        doubled = straight(large[strip.inside(_TIMES)], image.dtype)
        rows = strip.scaled(height, len(enlarged))
        averaged = scale != _TIMES
        enlarged[rows] = straight(_thinned(large, strip, enlarged, height), image.dtype) if averaged else doubled
        text_sum += float(text[strip.inside()].sum())
        off = max(off, _off(doubled, image[strip.first : strip.last]))
    return Upscaled(enlarged, _measures(image, enlarged, text_sum / (height * width), off))


class _Strip(NamedTuple):
    """The rows `first` to `last` of the source, and those from `above` to `below`, on which they depend."""

    above: int
    first: int
    last: int
    below: int

    @property
    def about(self) -> slice:
        return slice(self.above, self.below)

    def inside(self, times: int = 1) -> slice:
        """The strip's own rows, of those about it, `times` as many."""
        return slice((self.first - self.above) * times, (self.last - self.above) * times)

    def scaled(self, height: int, scaled_height: int) -> slice:
        """The rows of a picture of another height that begin in the strip."""
        return slice(-(-self.first * scaled_height // height), -(-self.last * scaled_height // height))


def _strips(height: int, width: int) -> Iterator[_Strip]:
    rows = max(_STRIP_LEAST_PX, _STRIP_PIXELS // width)
    for first in range(0, height, rows):
        last = min(first + rows, height)
        yield _Strip(max(0, first - _REACH_PX), first, last, min(last + _REACH_PX, height))


def _doubled(image: Codes, seen: Light | None) -> tuple[Light, Light]:
    """A strip of the picture, doubled, in linear light, premultiplied; and where in the strip there may be text.

    `seen` is what the network made of it.
    """
    code = code_of(image)
    source, text = light_of(code), text_mask(image)
    share = cv2.resize(text, None, fx=_TIMES, fy=_TIMES, interpolation=cv2.INTER_LINEAR)[..., None]
    large = _held(_lanczos(code, share), source)
    if seen is not None:
        held = _held(seen, source)
        large = _evened(held + share * (large - held), source, *_limits(source))
    return large if image.shape[2] == 3 else _covered(large, image), text


def _thinned(light: Light, strip: _Strip, enlarged: Codes, height: int) -> Light:
    """The rows of `enlarged` that begin in the strip: the means of what they cover of the doubled picture's pixels."""
    light = _averaged(light, (enlarged.shape[1], len(light)))
    rows, step = strip.scaled(height, len(enlarged)), _TIMES * height / len(enlarged)
    starts = np.arange(rows.start, rows.stop) * step - _TIMES * strip.above
    total = np.zeros((len(starts), *light.shape[1:]), np.float32)
    for beyond in range(3):  # fewer than two rows long, it touches three at most
        row = np.floor(starts).astype(np.intp) + beyond
        covered = np.clip(np.minimum(starts + step, row + 1) - np.maximum(starts, row), 0, None) / step
        total += covered.astype(np.float32)[:, None, None] * light[np.minimum(row, len(light) - 1)]
    return total


def _check(image: Codes) -> None:
    if image.ndim != 3 or image.shape[2] not in (3, 4) or not image.size:
        raise BadImage(f"the picture has shape {image.shape}, not (height, width, 3 or 4)")
    if image.dtype not in (np.uint8, np.uint16):
        raise BadImage(f"the picture is {image.dtype}, not uint8 or uint16")


def _lanczos(code: Light, text: Light) -> Light:
    """Doubled and sharpened as code values, whose steps are as even as they look; linear light."""
    large = cv2.resize(code, None, fx=_TIMES, fy=_TIMES, interpolation=cv2.INTER_LANCZOS4)
    return light_of(large + SHARPENING.share * (1 - text) * _detail(large))


def _detail(code: Light) -> Light:
    """What a blur takes from edges; flat parts have none, for their grain is not detail."""
    slope = cv2.morphologyEx(code @ LUMINANCE, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))[..., None]
    edge = np.clip((slope - SHARPENING.slope_none) / (SHARPENING.slope_full - SHARPENING.slope_none), 0, 1)
    return np.asarray(edge * (code - cv2.GaussianBlur(code, (0, 0), SHARPENING.blur_px)), np.float32)


def _held(light: Light, source: Light) -> Light:
    """`light`, doubled, corrected by what its average lacks of the source, within the range the source has near."""
    low, high = _limits(source)
    for _ in range(_ROUNDS):
        light = np.clip(light, low, high)
        lacking = source - _averaged(light, source.shape[1::-1])
        light += cv2.resize(lacking, None, fx=_TIMES, fy=_TIMES, interpolation=cv2.INTER_LINEAR)
    return _evened(light, source, low, high)


def _limits(source: Light) -> tuple[Light, Light]:
    """The darkest and the brightest that the source is about each point of the doubled picture."""
    kernel = np.ones((3, 3), np.uint8)
    return _repeated(cv2.erode(source, kernel)), _repeated(cv2.dilate(source, kernel))


def _evened(light: Light, source: Light, low: Light, high: Light) -> Light:
    """`light` with exactly the source as its average: of the room that pixels have left, all take the same share."""
    light, size = np.clip(light, low, high), source.shape[1::-1]
    lacking = source - _averaged(light, size)
    above, below = high - light, light - low
    room = np.where(lacking > 0, _averaged(above, size), _averaged(below, size))
    share = _repeated(np.asarray(np.clip(lacking / (room + 1e-6), -1, 1), np.float32))
    np.copyto(above, below, where=share <= 0)
    return np.asarray(light + share * above, np.float32)


def _covered(light: Light, image: Codes) -> Light:
    """Doubled colours with the doubled alpha, premultiplied; brighter or darker by what their average is off."""
    source = premultiplied(image)
    alpha = cv2.resize(source[..., 3], None, fx=_TIMES, fy=_TIMES, interpolation=cv2.INTER_LANCZOS4)
    alpha = _held(alpha, np.ascontiguousarray(source[..., 3]))[..., None]
    colours = light * alpha
    off = source[..., :3] / np.maximum(_averaged(colours, image.shape[1::-1]), 1e-6)
    colours = np.minimum(colours * _repeated(np.asarray(np.clip(off, 0.5, 2), np.float32)), alpha)
    return np.concatenate([colours, alpha], axis=2)


def _averaged(light: Light, size: tuple[int, ...]) -> Light:
    return np.asarray(cv2.resize(light, size, interpolation=cv2.INTER_AREA), np.float32)


def _repeated(light: Light) -> Light:
    return np.asarray(cv2.resize(light, None, fx=_TIMES, fy=_TIMES, interpolation=cv2.INTER_NEAREST), np.float32)


def _eight_bit(image: Codes) -> NDArray[np.uint8]:
    """The colours that the network sees of the picture."""
    strips = (code_of(image[strip.about])[strip.inside()] for strip in _strips(*image.shape[:2]))
    return np.concatenate([(code * 255 + 0.5).astype(np.uint8) for code in strips])


def _enlarged(rgb: NDArray[np.uint8], enlarge: Enlarge) -> Callable[[_Strip], Light]:
    """What the network makes of a strip, doubled. Asked for strips in turn, it looks at every tile once."""
    inner, (height, width) = TILE_PX - 2 * OVERLAP_PX, rgb.shape[:2]

    @lru_cache(maxsize=2)  # one that reaches into this strip from the one before, and the last of this one
    def row(index: int) -> Light:
        rows = min(inner, height - index * inner)
        return _averaged(channels_light(tile_row(rgb, index, enlarge)), (width * _TIMES, rows * _TIMES))

    def seen(strip: _Strip) -> Light:
        indices = range(strip.above // inner, -(-strip.below // inner))
        start = indices.start * inner * _TIMES
        rows = np.concatenate([row(index) for index in indices])
        return rows[strip.above * _TIMES - start : strip.below * _TIMES - start]

    return seen


def _off(doubled: Codes, image: Codes) -> float:
    """The most that the doubled picture, averaged back down, is off the source, in 8-bit code values."""
    back, was = _averaged(premultiplied(doubled), image.shape[1::-1]), premultiplied(image)
    return float(np.abs(_on_white(back).astype(np.int16) - _on_white(was)).max())


def _measures(image: Codes, enlarged: Codes, text_share: float, off: float) -> dict[str, float]:
    resolutions = {
        "effective_resolution_before_px": effective_resolution_px(image),
        "effective_resolution_px": effective_resolution_px(enlarged),
    }
    return {
        "scale": enlarged.shape[1] / image.shape[1],
        **{name: resolution for name, resolution in resolutions.items() if resolution is not None},
        "text_share": text_share,
        "back_projection_max": off,
    }


def _on_white(light: Light) -> NDArray[np.uint8]:
    return to_srgb(light if light.shape[2] == 3 else light[..., :3] + 1 - light[..., 3:])
