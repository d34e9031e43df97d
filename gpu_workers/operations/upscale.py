"""Upscale: a picture up to twice as wide and high that says nothing its source does not say.

Lanczos, a sharpening of edges, then back-projection (M. Irani and S. Peleg, "Improving resolution by image
registration", 1991) in linear light: what comes out, averaged back down, is the source, and no point is brighter or
darker than the source is near it, so that nothing rings. A network may take the place of Lanczos; back-projection
holds it to the source too, and text is pasted from the classical way, for networks invent glyphs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.linear_light import to_deep_srgb, to_linear, to_srgb
from schemas.channels import Channel
from schemas.parameters.upscale import UpscaleParameters

Image = NDArray[np.uint8] | NDArray[np.uint16]
Light = NDArray[np.float32]
Look = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]

_SHARPENING, _SHARPENING_PX = 0.6, 0.7
_EDGE_LEAST, _EDGE_FULL = 0.03, 0.12
_ROUNDS = 2
_TILE_PX, _OVERLAP_PX = 256, 16
_STROKE_PX, _STROKE_CONTRAST = 7, 0.2
_BINS, _RESOLVED_POWER = 64, 0.02
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


class UpscaleError(ValueError):
    """A picture that is not enlarged.

    UpscaleError
    ├── BadImage             not an 8- or 16-bit RGB or RGBA picture
    ├── UpscalingForbidden   the channel takes no enlarged pictures
    └── BadLook              the network's tiles are not what they must be
    """

    code = "upscale_error"
    transient = False


class BadImage(UpscaleError):
    """The array is not a picture this operation takes."""

    code = "bad_image"
    field = "inputs"


class UpscalingForbidden(UpscaleError):
    """The channel takes no pictures that were enlarged."""

    code = "upscaling_forbidden"
    field = "channel"


class BadLook(UpscaleError):
    """The network answers with tiles of another type or size."""

    code = "bad_look"
    field = "model"


@dataclass(frozen=True)
class Upscaled:
    """The enlarged picture: shape (round(h * scale), round(w * scale), bands), the source's depth and bands.

    Measures: scale; effective_resolution_before_px and effective_resolution_px, how many pixels the longer side would
    need for the detail that is there; text_share 0..1, of the picture; back_projection_max, the most that any band
    (premultiplied) of it, averaged back down, is off the source, in 8-bit code values.
    """

    image: Image
    measures: dict[str, float]


def upscale(
    image: Image,
    parameters: UpscaleParameters | None = None,
    look: Look | None = None,
    channel: Channel | None = None,
) -> Upscaled:
    """`image` (h, w, 3 or 4; uint8 or uint16 sRGB, straight alpha) enlarged by `scale`.

    `look` is a network: for uint8 RGB (h, w, 3) of 256 px a side at most, the same k times as large, k being 2 or more;
    it is given overlapping tiles. Equal inputs give equal bytes. Raises BadImage, BadLook, and UpscalingForbidden where
    `channel` takes no enlarged pictures.
    """
    parameters = parameters or UpscaleParameters()
    _check(image)
    if channel is not None and not channel.allows_upscaling:
        raise UpscalingForbidden(f"{channel.rule_version} takes no scaled-up images")
    source = _premultiplied(to_linear(image[..., :3]), image)
    size = (round(image.shape[1] * parameters.scale), round(image.shape[0] * parameters.scale))
    text = text_mask(image)
    share = cv2.resize(text, size, interpolation=cv2.INTER_LINEAR)[..., None]
    large = _back_projected(_lanczos(image, size, share), source)
    if look is not None:
        seen = _back_projected(_looked(image, look, large), source)
        large = seen + share * (large - seen)
    enlarged = _straight(large, image.dtype)
    return Upscaled(enlarged, _measures(image, enlarged, text, source))


def text_mask(image: Image) -> Light:
    """Where there may be text, (h, w) 0..1: bright or dark strokes narrower than seven pixels that stand out from what
    is round them by a fifth of the code values, and two pixels about them. Wires and seams count as well."""
    luma = _luma(image)
    kernel = np.ones((_STROKE_PX, _STROKE_PX), np.uint8)
    bright = luma - cv2.morphologyEx(luma, cv2.MORPH_OPEN, kernel)
    dark = cv2.morphologyEx(luma, cv2.MORPH_CLOSE, kernel) - luma
    strokes = (np.maximum(bright, dark) > _STROKE_CONTRAST).astype(np.float32)
    return np.asarray(cv2.blur(cv2.dilate(strokes, np.ones((5, 5), np.uint8)), (3, 3)), np.float32)


def effective_resolution_px(image: Image) -> float:
    """How many pixels the longer side would need for the detail that is there, from the spectrum.

    Steps along rows and columns (a picture's slope is as strong at every frequency that its edges hold) are Fourier
    transformed; the highest frequency at which they have a fiftieth of the power of low ones is what is resolved.
    """
    luma = _luma(image)
    resolved = [_resolved(luma), _resolved(np.ascontiguousarray(luma.T))]
    return float(np.mean(resolved) * max(luma.shape))


def _check(image: Image) -> None:
    if image.ndim != 3 or image.shape[2] not in (3, 4) or not image.size:
        raise BadImage(f"the picture has shape {image.shape}, not (height, width, 3 or 4)")
    if image.dtype not in (np.uint8, np.uint16):
        raise BadImage(f"the picture is {image.dtype}, not uint8 or uint16")


def _white(image: Image) -> np.float32:
    return np.float32(np.iinfo(image.dtype).max)


def _luma(image: Image) -> Light:
    """Code values 0..1 of the picture's lightness, on mid-grey where it is clear."""
    code = image[..., :3].astype(np.float32) @ (_LUMA / _white(image))
    if image.shape[2] == 3:
        return code
    alpha = image[..., 3] / _white(image)
    return np.asarray(code * alpha + (1 - alpha) / 2, np.float32)


def _premultiplied(colours: Light, image: Image) -> Light:
    """`colours` (h, w, 3) times the picture's alpha where it has one, which is then the fourth band."""
    if image.shape[2] == 3:
        return colours
    alpha = image[..., 3:] / _white(image)
    return np.concatenate([colours * alpha, alpha], axis=2)


def _straight(light: Light, kind: np.dtype) -> Image:
    encode = to_srgb if kind == np.uint8 else to_deep_srgb
    if light.shape[2] == 3:
        return encode(light)
    alpha = np.clip(light[..., 3:], 0, 1)
    code = (alpha * np.iinfo(kind).max + 0.5).astype(kind)
    colours = encode(light[..., :3] / np.maximum(alpha, 1e-6))
    return np.concatenate([colours * (code > 0), code], axis=2)


def _lanczos(image: Image, size: tuple[int, int], text: Light) -> Light:
    """Enlarged and sharpened as code values, whose steps are as even as they look; premultiplied linear light."""
    code = _premultiplied(image[..., :3] / _white(image), image)
    large = cv2.resize(code, size, interpolation=cv2.INTER_LANCZOS4)
    large[..., :3] += _SHARPENING * (1 - text) * _detail(large[..., :3], size[0] / image.shape[1])
    if large.shape[2] == 3:
        return _light(large)
    alpha = np.clip(large[..., 3:], 0, 1)
    return np.concatenate([_light(large[..., :3] / np.maximum(alpha, 1e-6)) * alpha, alpha], axis=2)


def _light(code: Light) -> Light:
    return to_linear((np.clip(code, 0, 1) * 65535 + 0.5).astype(np.uint16))


def _detail(code: Light, scale: float) -> Light:
    """What a blur takes from edges; flat parts have none, for their grain is not detail."""
    slope = cv2.morphologyEx(code @ _LUMA, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))[..., None]
    edge = np.clip((slope - _EDGE_LEAST) / (_EDGE_FULL - _EDGE_LEAST), 0, 1)
    return np.asarray(edge * (code - cv2.GaussianBlur(code, (0, 0), scale * _SHARPENING_PX)), np.float32)


def _back_projected(light: Light, source: Light) -> Light:
    """`light` corrected by what its average lacks of the source, within the range the source has near each point.

    The last correction moves every pixel by the same share of the room it has left in that range: where whole pixels
    make one of the source's, the average is then exact.
    """
    size, kernel = (light.shape[1], light.shape[0]), np.ones((3, 3), np.uint8)
    low, high = (
        cv2.resize(near(source, kernel), size, interpolation=cv2.INTER_NEAREST) for near in (cv2.erode, cv2.dilate)
    )
    for _ in range(_ROUNDS):
        light = np.clip(light, low, high)
        light += cv2.resize(source - _reduced(light, source), size, interpolation=cv2.INTER_LINEAR)
    light = np.clip(light, low, high)
    lacking = source - _reduced(light, source)
    above, below = high - light, light - low
    room = np.where(lacking > 0, _reduced(above, source), _reduced(below, source))
    share = cv2.resize(np.clip(lacking / (room + 1e-6), -1, 1), size, interpolation=cv2.INTER_NEAREST)
    return np.asarray(light + share * np.where(share > 0, above, below), np.float32)


def _reduced(light: Light, like: Light) -> Light:
    """Averaged down to the size of `like`."""
    size = (like.shape[1], like.shape[0])
    return np.asarray(cv2.resize(light, size, interpolation=cv2.INTER_AREA), np.float32)


def _looked(image: Image, look: Look, large: Light) -> Light:
    """What the network makes of the picture, tile by tile, at the size and with the alpha of `large`."""
    eight = image if image.dtype == np.uint8 else ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)
    seen = _tiled(np.ascontiguousarray(eight[..., :3]), look)
    size = (large.shape[1], large.shape[0])
    shrinks = seen.shape[0] > size[1]
    light = cv2.resize(to_linear(seen), size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LANCZOS4)
    return light if large.shape[2] == 3 else np.concatenate([light * large[..., 3:], large[..., 3:]], axis=2)


def _tiled(rgb: NDArray[np.uint8], look: Look) -> NDArray[np.uint8]:
    """The whole picture from tiles that overlap; of each only what is away from its cut edges is kept."""
    inner, (height, width) = _TILE_PX - 2 * _OVERLAP_PX, rgb.shape[:2]
    rows = []
    for y in range(0, height, inner):
        row = []
        for x in range(0, width, inner):
            top, left = max(0, y - _OVERLAP_PX), max(0, x - _OVERLAP_PX)
            tile = rgb[top : y + inner + _OVERLAP_PX, left : x + inner + _OVERLAP_PX]
            large, times = _enlarged(np.ascontiguousarray(tile), look)
            kept = (slice((y - top) * times, (y - top + inner) * times), slice((x - left) * times, None))
            row.append(large[kept][:, : min(inner, width - x) * times])
        rows.append(np.concatenate(row, axis=1))
    return np.concatenate(rows)


def _enlarged(tile: NDArray[np.uint8], look: Look) -> tuple[NDArray[np.uint8], int]:
    """What `look` makes of the tile, and how many times as large it is. Raises BadLook."""
    large = look(tile)
    times = large.shape[0] // tile.shape[0] if large.ndim == 3 else 0
    if large.dtype != np.uint8 or times < 2 or large.shape != (tile.shape[0] * times, tile.shape[1] * times, 3):
        raise BadLook(f"for a tile {tile.shape} it answers {large.shape} of {large.dtype}, not uint8 k times as large")
    return large, times


def _measures(image: Image, enlarged: Image, text: Light, source: Light) -> dict[str, float]:
    back = _reduced(_premultiplied(to_linear(enlarged[..., :3]), enlarged), source)
    off = np.abs(to_srgb(back).astype(np.int16) - to_srgb(source))
    return {
        "scale": enlarged.shape[1] / image.shape[1],
        "effective_resolution_before_px": effective_resolution_px(image),
        "effective_resolution_px": effective_resolution_px(enlarged),
        "text_share": float(text.mean()),
        "back_projection_max": float(off.max()),
    }


def _resolved(luma: Light) -> float:
    """The share of the frequencies along rows, 0..1, that hold detail."""
    steps = np.diff(luma, axis=1)
    window = np.hanning(steps.shape[1]).astype(np.float32)
    power = (np.abs(np.fft.rfft(steps * window, axis=1)) ** 2).mean(axis=0)
    bins = np.array([part.mean() for part in np.array_split(power[1:], min(_BINS, len(power) - 1))])
    low = float(np.median(bins[_BINS // 32 : _BINS // 6]))
    above = np.flatnonzero(bins > _RESOLVED_POWER * low)
    return float((above[-1] + 1) / len(bins)) if len(above) else 0.0
