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

from gpu_workers.engines.base import Engine
from gpu_workers.imaging.linear_light import channels_light, to_deep, to_srgb
from gpu_workers.models.contract import tensor_of
from gpu_workers.models.manifest import Input
from schemas.channels import Channel
from schemas.errors import InputError
from schemas.operations.upscale import UpscaleParameters

Image = NDArray[np.uint8] | NDArray[np.uint16]
Light = NDArray[np.float32]
Enlarge = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]

_TIMES = 2
_SHARPENING, _SHARPENING_PX = 0.6, 1.4
_EDGE_LEAST, _EDGE_FULL = 0.03, 0.12
_ROUNDS = 2
TILE_PX, _OVERLAP_PX = 256, 16
_STRIP_PIXELS, _STRIP_LEAST_PX = 2**19, 64
_REACH_PX = 24  # what a strip needs above and below it; the filters reach 18 rows and the last averaging one more
_STROKE_PX, _STROKE_CONTRAST = 9, 0.2
_BESIDE_PX, _LITTLE = 2.0, 0.05
_CLEAR_EDGE, _SHARP_EDGE_PX, _EDGES_LEAST, _ROWS = 0.15, 1.4, 50, 512
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


class UpscaleError(InputError):
    """A picture that is not enlarged.

    UpscaleError
    ├── BadImage             not an 8- or 16-bit RGB or RGBA picture
    ├── UpscalingForbidden   the channel takes no enlarged pictures
    └── BadTiles              the network's tiles are not what they must be
    """

    code = "upscale_error"
    field = "inputs"


class BadImage(UpscaleError):
    """The array is not a picture this operation takes."""

    code = "bad_image"


class UpscalingForbidden(UpscaleError):
    """The channel takes no pictures that were enlarged."""

    code = "upscaling_forbidden"
    field = "channel"


class BadTiles(UpscaleError):
    """The network answers with tiles of another type or size."""

    code = "bad_look"
    field = "model"


@dataclass(frozen=True)
class Upscaled:
    """The enlarged picture: shape (round(h * scale), round(w * scale), bands), the source's depth and bands.

    Measures: scale; effective_resolution_before_px and effective_resolution_px, where the picture has edges; text_share
    0..1, of the picture; back_projection_max, the most that the doubled picture, averaged back down, is off
    the source, in 8-bit code values; on white where it has alpha.
    """

    image: Image
    measures: dict[str, float]


def upscale(
    image: Image,
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
        doubled = _straight(large[strip.inside(_TIMES)], image.dtype)
        rows = strip.scaled(height, len(enlarged))
        averaged = scale != _TIMES
        enlarged[rows] = _straight(_thinned(large, strip, enlarged, height), image.dtype) if averaged else doubled
        text_sum += float(text[strip.inside()].sum())
        off = max(off, _off(doubled, image[strip.first : strip.last]))
    return Upscaled(enlarged, _measures(image, enlarged, text_sum / (height * width), off))


def enlarge_with(engine: Engine, takes: Input) -> Enlarge:
    """The `enlarge` that is an engine's model: it `takes` tiles of TILE_PX, and answers RGB 0..1. Raises BadTiles."""
    if engine.input_shape != (3, TILE_PX, TILE_PX):
        raise BadTiles(f"{engine.name} takes {engine.input_shape}, not RGB tiles of {TILE_PX} px")

    def enlarge(tile: NDArray[np.uint8]) -> NDArray[np.uint8]:
        large = np.clip(engine.infer(tensor_of(tile, takes)[None])[0], 0, 1) * 255 + 0.5
        return np.ascontiguousarray(large.astype(np.uint8).transpose(1, 2, 0))

    return enlarge


def text_mask(image: Image) -> Light:
    """Where there may be text, (h, w) 0..1: bright or dark strokes narrower than nine pixels that stand out from what
    is round them by a fifth of the code values, and two pixels about them. Wires and seams count as well."""
    luma = _luma(image)
    kernel = np.ones((_STROKE_PX, _STROKE_PX), np.uint8)
    bright = luma - cv2.morphologyEx(luma, cv2.MORPH_OPEN, kernel)
    dark = cv2.morphologyEx(luma, cv2.MORPH_CLOSE, kernel) - luma
    strokes = (np.maximum(bright, dark) > _STROKE_CONTRAST).astype(np.float32)
    return np.asarray(cv2.blur(cv2.dilate(strokes, np.ones((5, 5), np.uint8)), (3, 3)), np.float32)


def effective_resolution_px(image: Image) -> float | None:
    """How many pixels the longer side would need for edges as sharp as the picture's; None with hardly any edge.

    An edge is as wide as its contrast is of its steepest step (P. Marziliano et al., "A no-reference perceptual blur
    metric", 2002, measure widths likewise); of those that are seen clearly the sharpest tenth counts, for what is out
    of focus on purpose is no loss. It says how sharp a picture looks, not that its details are true.
    """
    ways = (image, image.swapaxes(0, 1))
    widths = np.concatenate([_edge_widths_px(_luma(way[:: max(1, len(way) // _ROWS)])) for way in ways])
    if len(widths) < _EDGES_LEAST:
        return None
    return float(max(image.shape[:2]) * min(1.0, _SHARP_EDGE_PX / np.percentile(widths, 10)))


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


def _doubled(image: Image, seen: Light | None) -> tuple[Light, Light]:
    """A strip of the picture, doubled, in linear light, premultiplied; and where in the strip there may be text.

    `seen` is what the network made of it.
    """
    code = _code(image)
    source, text = _light(code), text_mask(image)
    share = cv2.resize(text, None, fx=_TIMES, fy=_TIMES, interpolation=cv2.INTER_LINEAR)[..., None]
    large = _held(_lanczos(code, share), source)
    if seen is not None:
        held = _held(seen, source)
        large = _evened(held + share * (large - held), source, *_limits(source))
    return large if image.shape[2] == 3 else _covered(large, image), text


def _thinned(light: Light, strip: _Strip, enlarged: Image, height: int) -> Light:
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


def _check(image: Image) -> None:
    if image.ndim != 3 or image.shape[2] not in (3, 4) or not image.size:
        raise BadImage(f"the picture has shape {image.shape}, not (height, width, 3 or 4)")
    if image.dtype not in (np.uint8, np.uint16):
        raise BadImage(f"the picture is {image.dtype}, not uint8 or uint16")


def _white(image: Image) -> float:
    return float(np.iinfo(image.dtype).max)


def _luma(image: Image) -> Light:
    """Code values 0..1 of the picture's lightness, on mid-grey where it is clear."""
    code = image[..., :3].astype(np.float32) @ (_LUMA / _white(image))
    if image.shape[2] == 3:
        return code
    alpha = image[..., 3].astype(np.float32) / _white(image)
    return np.asarray(code * alpha + (1 - alpha) / 2, np.float32)


def _code(image: Image) -> Light:
    """Code values 0..1 of the colours (h, w, 3); where there is little of the product, those of the product beside."""
    code = image[..., :3].astype(np.float32) / _white(image)
    if image.shape[2] == 3:
        return code
    alpha = image[..., 3:].astype(np.float32) / _white(image)
    near = cv2.GaussianBlur(np.concatenate([code * alpha, alpha], axis=2), (0, 0), _BESIDE_PX)
    little = _LITTLE * (1 - alpha)
    beside = near[..., :3] / np.maximum(near[..., 3:], 1e-6)
    return np.asarray((code * alpha + little * beside) / (alpha + little), np.float32)


def _premultiplied(image: Image) -> Light:
    """Linear light, times alpha where the picture has one, which is then the fourth band."""
    light = channels_light(image[..., :3])
    if image.shape[2] == 3:
        return light
    alpha = image[..., 3:].astype(np.float32) / _white(image)
    return np.concatenate([light * alpha, alpha], axis=2)


def _straight(light: Light, kind: np.dtype) -> Image:
    encode = to_srgb if kind == np.uint8 else to_deep
    if light.shape[2] == 3:
        return encode(light)
    alpha = np.clip(light[..., 3:], 0, 1)
    code = (alpha * np.iinfo(kind).max + 0.5).astype(kind)
    colours = encode(np.asarray(light[..., :3] / np.maximum(alpha, 1e-6), np.float32))
    return np.concatenate([colours * (code > 0), code], axis=2)


def _lanczos(code: Light, text: Light) -> Light:
    """Doubled and sharpened as code values, whose steps are as even as they look; linear light."""
    large = cv2.resize(code, None, fx=_TIMES, fy=_TIMES, interpolation=cv2.INTER_LANCZOS4)
    return _light(large + _SHARPENING * (1 - text) * _detail(large))


def _light(code: Light) -> Light:
    return channels_light((np.clip(code, 0, 1) * 65535 + 0.5).astype(np.uint16))


def _detail(code: Light) -> Light:
    """What a blur takes from edges; flat parts have none, for their grain is not detail."""
    slope = cv2.morphologyEx(code @ _LUMA, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))[..., None]
    edge = np.clip((slope - _EDGE_LEAST) / (_EDGE_FULL - _EDGE_LEAST), 0, 1)
    return np.asarray(edge * (code - cv2.GaussianBlur(code, (0, 0), _SHARPENING_PX)), np.float32)


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


def _covered(light: Light, image: Image) -> Light:
    """Doubled colours with the doubled alpha, premultiplied; brighter or darker by what their average is off."""
    source = _premultiplied(image)
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


def _eight_bit(image: Image) -> NDArray[np.uint8]:
    """The colours that the network sees of the picture."""
    strips = (_code(image[strip.about])[strip.inside()] for strip in _strips(*image.shape[:2]))
    return np.concatenate([(code * 255 + 0.5).astype(np.uint8) for code in strips])


def _enlarged(rgb: NDArray[np.uint8], enlarge: Enlarge) -> Callable[[_Strip], Light]:
    """What the network makes of a strip, doubled. Asked for strips in turn, it looks at every tile once."""
    inner, (height, width) = TILE_PX - 2 * _OVERLAP_PX, rgb.shape[:2]

    @lru_cache(maxsize=2)  # one that reaches into this strip from the one before, and the last of this one
    def row(index: int) -> Light:
        rows = min(inner, height - index * inner)
        return _averaged(channels_light(_tile_row(rgb, index, enlarge)), (width * _TIMES, rows * _TIMES))

    def seen(strip: _Strip) -> Light:
        indices = range(strip.above // inner, -(-strip.below // inner))
        start = indices.start * inner * _TIMES
        rows = np.concatenate([row(index) for index in indices])
        return rows[strip.above * _TIMES - start : strip.below * _TIMES - start]

    return seen


def _tile_row(rgb: NDArray[np.uint8], index: int, enlarge: Enlarge) -> NDArray[np.uint8]:
    """A row of the tiles that make the picture, mirrored beyond its edges; of each only the middle is kept."""
    inner = TILE_PX - 2 * _OVERLAP_PX
    pads = [(_OVERLAP_PX, -side % inner + _OVERLAP_PX) for side in rgb.shape[:2]]
    ys, xs = (np.pad(np.arange(side), pad, mode="symmetric") for side, pad in zip(rgb.shape, pads, strict=False))
    wider = rgb[ys[index * inner : index * inner + TILE_PX]][:, xs]
    tiles = [_middle(wider[:, x : x + TILE_PX], enlarge) for x in range(0, rgb.shape[1], inner)]
    times = len(tiles[0]) // inner
    kept = (min(inner, len(rgb) - index * inner) * times, rgb.shape[1] * times)
    return np.concatenate(tiles, axis=1)[: kept[0], : kept[1]]


def _middle(tile: NDArray[np.uint8], enlarge: Enlarge) -> NDArray[np.uint8]:
    large = enlarge(np.ascontiguousarray(tile))
    times = large.shape[0] // TILE_PX if large.ndim == 3 else 0
    if large.dtype != np.uint8 or times < 2 or large.shape != (TILE_PX * times, TILE_PX * times, 3):
        raise BadTiles(f"for a tile {tile.shape} it answers {large.shape} of {large.dtype}, not uint8 k times as large")
    kept = slice(_OVERLAP_PX * times, (TILE_PX - _OVERLAP_PX) * times)
    return large[kept, kept]


def _off(doubled: Image, image: Image) -> float:
    """The most that the doubled picture, averaged back down, is off the source, in 8-bit code values."""
    back, was = _averaged(_premultiplied(doubled), image.shape[1::-1]), _premultiplied(image)
    return float(np.abs(_on_white(back).astype(np.int16) - _on_white(was)).max())


def _measures(image: Image, enlarged: Image, text_share: float, off: float) -> dict[str, float]:
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


def _edge_widths_px(luma: Light) -> NDArray[np.float32]:
    """Widths of the clear edges along the rows: runs of steps up or down."""
    steps = np.diff(luma, axis=1)
    turns = np.ones(steps.shape, np.bool_)
    turns[:, 1:] = np.signbit(steps[:, 1:]) != np.signbit(steps[:, :-1])
    starts = np.flatnonzero(turns)
    if not len(starts):
        return np.zeros(0, np.float32)
    heights = np.abs(steps).ravel()
    contrasts, steepest = np.add.reduceat(heights, starts), np.maximum.reduceat(heights, starts)
    clear = contrasts > _CLEAR_EDGE
    return np.asarray(contrasts[clear] / steepest[clear], np.float32)
