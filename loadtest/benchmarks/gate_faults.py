"""Faults that are planted to see which gates find them: one function a kind, one line a kind in FAULTS.

Each has five strengths; from SEEN_FROM on a person sees it on a shop's page. `stage` says what it is planted in: the
supplier's `photograph`, the `cutout`, the `picture` in its file after the canvas was measured, the one with a `shadow`,
or the `file` itself. So a gate finds it by what is delivered, not by the canvas that it was written from.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging import wide_gamut
from gpu_workers.operations.packshot import light as lights
from gpu_workers.operations.packshot import shadow
from gpu_workers.operations.packshot.light import Light
from loadtest.benchmarks.gate_files import jpeg
from schemas.channels import CheckedPoint

Picture = NDArray[np.uint8]
Stage = Literal["photograph", "cutout", "picture", "shadow", "file"]
SEEN_FROM = 3
_FONT = cv2.FONT_HERSHEY_DUPLEX


@dataclass(frozen=True, eq=False)
class Planting:
    """What a fault is planted in, sRGB (h, w, 3 or 4 for a cutout), with its product's alpha (h, w), another product's
    picture of the same size, and the file that it is written as."""

    pixels: Picture
    mask: Picture
    other: Picture
    file: bytes = b""


@dataclass(frozen=True)
class Fault:
    """A kind of fault: the point of the checklist that it breaks, and what its five strengths are in its unit."""

    name: str
    point: CheckedPoint
    stage: Stage
    unit: str
    strengths: tuple[float, float, float, float, float]
    plant: Callable[[Planting, float], Any]  # pixels, or bytes at stage file


def _box(mask: Picture) -> tuple[int, int, int, int]:
    """Left, top, width and height of what is more than half there."""
    left, top, width, height = cv2.boundingRect((mask > 127).astype(np.uint8))
    return left, top, max(width, 2), max(height, 2)


def _inside(given: Planting, changed: NDArray[Any]) -> Picture:
    """The product changed, the ground as it was."""
    alpha = given.mask[..., None].astype(np.float32) / 255
    return _bytes(changed * alpha + given.pixels * (1 - alpha))


def _bytes(pixels: NDArray[Any]) -> Picture:
    return np.asarray(np.clip(np.rint(pixels), 0, 255), np.uint8)


def _warped(given: Planting, matrix: list[list[float]]) -> Picture:
    return np.asarray(
        cv2.warpAffine(
            given.pixels,
            np.array(matrix),
            given.pixels.shape[1::-1],
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )
    )


# the photograph


def enlarged(given: Planting, times: float) -> Picture:
    """As one that was so many times smaller: without the detail that its pixels promise."""
    height, width = given.pixels.shape[:2]
    small = cv2.resize(given.pixels, (round(width / times), round(height / times)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


# the cutout


def halo(given: Planting, share: float) -> Picture:
    """A rim of the photograph's ground, so many thousandths of the longer side wide."""
    side = 2 * max(1, round(share / 1000 * max(given.mask.shape))) + 1
    alpha = cv2.dilate(given.mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    colours = np.where(given.mask[..., None] > 250, given.pixels[..., :3], given.other)
    return np.dstack([colours, alpha])


def cut_off(given: Planting, share: float) -> Picture:
    """The top of the product missing, so many hundredths of its height: a strap, a handle, a lid."""
    _, top, _, height = _box(given.mask)
    rgba = given.pixels.copy()
    rgba[: top + round(share / 100 * height), :, 3] = 0
    return rgba


def hole_filled(given: Planting, share: float) -> Picture:
    """Gaps so many thousandths of the longer side wide filled with the photograph's ground."""
    reach = 2 * max(1, round(share / 1000 * max(given.mask.shape))) + 1
    solid = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    alpha = cv2.morphologyEx(given.mask, cv2.MORPH_CLOSE, solid)
    return np.dstack([np.where(given.mask[..., None] > 127, given.pixels[..., :3], given.other), alpha])


def residue(given: Planting, share: float) -> Picture:
    """A piece of the ground left beside the product, so many hundredths of its width."""
    left, top, width, height = _box(given.mask)
    rgba, radius = (
        np.dstack([np.where(given.mask[..., None] > 127, given.pixels[..., :3], given.other), given.mask]),
        share / 100,
    )
    alpha = np.ascontiguousarray(rgba[..., 3])
    cv2.circle(alpha, (left + width, top + height // 2), max(1, round(radius * width)), 255, -1)
    return np.dstack([rgba[..., :3], alpha])


def second_product(given: Planting, share: float) -> Picture:
    """Another piece of goods beside it, so many hundredths of its size: the product's own picture made small."""
    left, top, width, height = _box(given.mask)
    scale = share / 100
    piece = cv2.resize(given.pixels[top : top + height, left : left + width], None, fx=scale, fy=scale)
    rgba = np.pad(given.pixels, ((0, 0), (0, piece.shape[1] + 4), (0, 0)))
    at = min(left + width + 2, rgba.shape[1] - piece.shape[1])
    part = rgba[top + height - piece.shape[0] : top + height, at : at + piece.shape[1]]
    part[:] = np.where(piece[..., 3:] > 0, piece, part)
    return rgba


# the picture


def mirrored(given: Planting, share: float) -> Picture:
    """So many hundredths of the product's height, from its middle on, mirrored about its axis."""
    left, top, width, height = _box(given.mask)
    high = max(2, round(share / 100 * height))
    rows = slice(top + (height - high) // 2, top + (height - high) // 2 + high)
    out = given.pixels.copy()
    out[rows, left : left + width] = given.pixels[rows, left : left + width][:, ::-1]
    return out


def other_product(given: Planting, share: float) -> Picture:
    """Another product in so many hundredths of its box."""
    left, top, width, height = _box(given.mask)
    out, high = given.pixels.copy(), max(2, round(share / 100 * height))
    out[top : top + high, left : left + width] = given.other[top : top + high, left : left + width]
    return out


def stretched(given: Planting, share: float) -> Picture:
    """So many hundredths wider than it is."""
    left, _, width, _ = _box(given.mask)
    middle, times = left + width / 2, 1 + share / 100
    return _warped(given, [[times, 0, middle * (1 - times)], [0, 1, 0]])


def off_centre(given: Planting, share: float) -> Picture:
    """So many thousandths of the canvas off its place."""
    return _warped(given, [[1, 0, share / 1000 * given.pixels.shape[1]], [0, 1, 0]])


def wrong_scale(given: Planting, share: float) -> Picture:
    """So many hundredths smaller than it should be."""
    times, (down, across) = 1 - share / 100, given.mask.shape
    return _warped(given, [[times, 0, across / 2 * (1 - times)], [0, times, down / 2 * (1 - times)]])


def hue(given: Planting, degrees: float) -> Picture:
    """Its hues turned in CIE Lab."""
    lab = cv2.cvtColor(given.pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    turned = (lab[..., 1] + 1j * lab[..., 2]) * np.exp(1j * np.radians(degrees))
    lab[..., 1], lab[..., 2] = turned.real, turned.imag
    return _inside(given, cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) * 255)


def crushed_blacks(given: Planting, level: float) -> Picture:
    """All below a code value black."""
    return _inside(given, np.clip(given.pixels.astype(np.float32) - level, 0, 255) * 255 / (255 - level))


def burnt_highlights(given: Planting, share: float) -> Picture:
    """So many hundredths brighter, cut off at white."""
    return _inside(given, given.pixels.astype(np.float32) * (1 + share / 100))


def _window(given: Planting, share: float) -> tuple[slice, slice]:
    """The window, that share of the product's longer side, with the most detail: a line of print, if there is any."""
    _, _, width, height = _box(given.mask)
    side = max(8, round(share * max(width, height)))
    grey = cv2.cvtColor(given.pixels, cv2.COLOR_RGB2GRAY)
    core = cv2.erode(given.mask, np.ones((9, 9), np.uint8)) > 250
    detail = cv2.boxFilter(
        np.abs(cv2.Laplacian(grey, cv2.CV_32F)) * core, -1, (side, side), borderType=cv2.BORDER_CONSTANT
    )
    y, x = np.unravel_index(int(detail.argmax()), detail.shape)
    y0 = int(np.clip(y - side // 2, 0, grey.shape[0] - side))
    x0 = int(np.clip(x - side // 2, 0, grey.shape[1] - side))
    return slice(y0, y0 + side), slice(x0, x0 + side)


def warped_glyphs(given: Planting, amplitude: float) -> Picture:
    """The most detailed part, a tenth of the product, in waves of so many thousandths of the product."""
    rows, columns = _window(given, 0.1)
    part = given.pixels[rows, columns]
    y, x = np.mgrid[: part.shape[0], : part.shape[1]].astype(np.float32)
    reach = amplitude / 1000 * max(_box(given.mask)[2:])
    out = given.pixels.copy()
    out[rows, columns] = cv2.remap(
        part, x + reach * np.sin(y / 5), y + reach * np.sin(x / 5), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    return out


def swapped_glyphs(given: Planting, share: float) -> Picture:
    """The halves of the most detailed part, so many thousandths of the product, swapped."""
    rows, columns = _window(given, share / 1000)
    out, part = given.pixels.copy(), given.pixels[rows, columns]
    out[rows, columns] = np.roll(part, part.shape[1] // 2, axis=1)
    return out


def blur(given: Planting, sigma: float) -> Picture:
    """By so many pixels."""
    return _inside(given, cv2.GaussianBlur(given.pixels, (0, 0), sigma))


def bands(given: Planting, steps: float) -> Picture:
    """So many steps of each channel."""
    width = 256 / steps
    return _inside(given, np.floor(given.pixels / width) * width + width / 2)


def noise(given: Planting, sigma: float) -> Picture:
    """Of so many code values."""
    return _inside(given, given.pixels + np.random.default_rng(7).normal(0, sigma, given.pixels.shape))


def moire(given: Planting, height: float) -> Picture:
    """What a weave of 14 threads in 15 pixels, a little aslant, leaves where it is made smaller without a filter: a
    wave each way, so many code values high and 15 px long."""
    rows, columns = np.mgrid[: given.mask.shape[0], : given.mask.shape[1]].astype(np.float32)
    threads = [
        np.cos(2 * np.pi * (14 / 15) * (one + 0.03 * other)) for one, other in ((rows, columns), (columns, rows))
    ]
    return _inside(given, given.pixels + height * (threads[0] + threads[1])[..., None])


def text_overlay(given: Planting, share: float) -> Picture:
    """A price beside the product, so many thousandths of the picture high."""
    out, high = given.pixels.copy(), share / 1000 * given.pixels.shape[0]
    at = (round(0.03 * out.shape[1]), max(round(high) + 4, round(0.06 * out.shape[0])))
    cv2.putText(out, "SALE -20%", at, _FONT, high / 22, (200, 20, 30), max(1, round(high / 11)), cv2.LINE_AA)
    return out


def watermark(given: Planting, opacity: float) -> Picture:
    """A name over the whole picture, so many hundredths opaque."""
    layer = np.zeros_like(given.pixels)
    step = max(40, given.pixels.shape[0] // 6)
    for number, y in enumerate(range(step // 2, layer.shape[0], step)):
        for x in range(-(number % 2) * step, layer.shape[1], 3 * step):
            cv2.putText(layer, "studioname", (x, y), _FONT, step / 60, (255, 255, 255), 2, cv2.LINE_AA)
    cover = layer.astype(np.float32) / 255 * opacity / 100
    return _bytes(given.pixels * (1 - cover) + 128 * cover)


def border(given: Planting, share: float) -> Picture:
    """A frame, so many thousandths of the picture wide."""
    out, wide = given.pixels.copy(), max(1, round(share / 1000 * max(given.mask.shape)))
    cv2.rectangle(out, (0, 0), (out.shape[1] - 1, out.shape[0] - 1), (90, 90, 90), 2 * wide - 1)
    return out


def jpeg_twice(given: Planting, quality: float) -> Picture:
    """Written at a low quality, read, and written again."""
    _, data = cv2.imencode(".jpg", given.pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded is not None
    out = np.ascontiguousarray(decoded[..., ::-1])
    out[given.mask == 0] = given.pixels[given.mask == 0]
    return out


# the picture's shadow: a hard one, whose light comes from the left


def _shaded(given: Planting, darkness: NDArray[Any]) -> Picture:
    """A white ground darkened so (h, w; 0..1), with the product on it."""
    white = np.float32(255) * (1 - np.clip(darkness, 0, 1)[..., None]) ** (1 / 2.2)
    alpha = given.mask[..., None].astype(np.float32) / 255
    return _bytes(given.pixels * alpha + white * (1 - alpha))


def _darkness(given: Planting) -> NDArray[np.float32]:
    dark = 1 - (given.pixels.min(axis=2).astype(np.float32) / 255) ** 2.2
    return np.asarray(dark * (given.mask == 0), np.float32)


def _lit_from(given: Planting, azimuth_deg: float) -> NDArray[np.float32]:
    small = shadow.reduced(given.mask, "hard")
    hard = shadow.LIGHTS["hard"]
    lit = Light(azimuth_deg, hard.elevation_deg, hard.softness_deg, hard.share)
    stance = lights.stand(small)
    dark = 1 - shadow.sky_left(small, stance, "hard") * (1 - shadow.taken_from(lit, small, stance, "hard"))
    return np.asarray(cv2.resize(dark, given.mask.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def wrong_side(given: Planting, degrees: float) -> Picture:
    """From a light that is so far off."""
    return _shaded(given, _lit_from(given, shadow.LIGHTS["hard"].azimuth_deg + degrees))


def double_shadow(given: Planting, share: float) -> Picture:
    """A second shadow, to the other side, so many hundredths as dark."""
    first, second = _darkness(given), _lit_from(given, -shadow.LIGHTS["hard"].azimuth_deg)
    return _shaded(given, 1 - (1 - first) * (1 - share / 100 * second))


def floating(given: Planting, share: float) -> Picture:
    """The shadow so many hundredths of the product's height below it."""
    down = round(share / 100 * _box(given.mask)[3])
    dark = np.roll(_darkness(given), down, axis=0)
    dark[:down] = 0
    return _shaded(given, dark)


def shadow_cut(given: Planting, share: float) -> Picture:
    """The shadow ending at a line, so many hundredths of the product's height above the ground."""
    _, top, _, height = _box(given.mask)
    dark = _darkness(given)
    dark[: round(top + height * (1 - share / 100))] = 0
    return _shaded(given, dark)


# the file


def saved(**otherwise: Any) -> Callable[[Planting, float], bytes]:
    """As a packshot's file is, but otherwise."""
    return lambda given, _: jpeg(given.pixels, **otherwise)


_BINARY = (1.0, 1.0, 1.0, 1.0, 1.0)
FAULTS = (
    Fault("halo", "edges", "cutout", "‰ of the side", (1, 2, 4, 7, 12), halo),
    Fault("cut-off strap", "edges", "cutout", "% of the height", (1, 3, 6, 12, 20), cut_off),
    Fault("hole filled", "edges", "cutout", "‰ of the side", (10, 20, 40, 80, 150), hole_filled),
    Fault("residue of the ground", "edges", "cutout", "% of the width", (1, 2, 4, 8, 15), residue),
    Fault("second product", "edges", "cutout", "% of its size", (5, 10, 20, 40, 80), second_product),
    Fault("mirrored", "product", "picture", "% of its height", (10, 25, 50, 75, 100), mirrored),
    Fault("another product", "product", "picture", "% of its height", (5, 10, 25, 50, 100), other_product),
    Fault("stretched", "product", "picture", "%", (0.5, 1, 3, 5, 8), stretched),
    Fault("off its place", "product", "picture", "‰ of the canvas", (1, 3, 10, 25, 60), off_centre),
    Fault("wrong scale", "product", "picture", "%", (0.5, 1, 3, 8, 15), wrong_scale),
    Fault("hue", "colour", "picture", "degrees", (3, 5, 7, 9, 12), hue),
    Fault("crushed blacks", "colour", "picture", "of 255", (5, 10, 20, 35, 60), crushed_blacks),
    Fault("burnt highlights", "colour", "picture", "%", (3, 6, 12, 20, 40), burnt_highlights),
    Fault("warped glyphs", "text", "picture", "‰ of the product", (0.5, 1, 3, 5, 8), warped_glyphs),
    Fault("swapped glyphs", "text", "picture", "‰ of the product", (10, 15, 25, 40, 60), swapped_glyphs),
    Fault("blur", "edges", "picture", "px", (0.4, 0.6, 1.0, 1.6, 2.5), blur),
    Fault("banding", "colour", "picture", "steps", (96, 48, 24, 12, 6), bands),
    Fault("noise", "edges", "picture", "of 255", (1, 2, 5, 9, 16), noise),
    Fault("moiré", "edges", "picture", "of 255", (1, 2, 4, 8, 16), moire),
    Fault("text overlay", "text", "picture", "‰ of the height", (6, 10, 18, 30, 50), text_overlay),
    Fault("watermark", "text", "picture", "% opaque", (3, 6, 12, 20, 35), watermark),
    Fault("border", "channel", "picture", "‰ of the side", (1, 2, 4, 8, 15), border),
    Fault("JPEG twice", "edges", "picture", "quality", (80, 60, 40, 25, 12), jpeg_twice),
    Fault("shadow on the wrong side", "light", "shadow", "degrees", (10, 25, 45, 90, 180), wrong_side),
    Fault("double shadow", "light", "shadow", "% as dark", (15, 30, 50, 75, 100), double_shadow),
    Fault("floating", "light", "shadow", "% of the height", (0.5, 1, 3, 6, 12), floating),
    Fault("shadow cut off", "light", "shadow", "% of the height", (30, 20, 12, 7, 3), shadow_cut),
    Fault("JPEG 40", "channel", "file", "quality", (80, 60, 40, 25, 12), lambda given, q: jpeg(given.pixels, int(q))),
    Fault("halved chroma", "colour", "file", "quality", (95, 90, 80, 65, 50),
          lambda given, at: jpeg(given.pixels, int(at), "4:2:0")),
    Fault("wrong profile", "channel", "file", "if any", _BINARY, saved(icc=wide_gamut.profile())),
    Fault("stripped profile", "channel", "file", "if any", _BINARY, saved(icc=b"")),
    Fault("no DigitalSourceType", "channel", "file", "if any", _BINARY, saved(xmp=False)),
    Fault("overlay in the photograph", "text", "photograph", "‰ of the height", (10, 16, 26, 40, 60), text_overlay),
    Fault("enlarged photograph", "edges", "photograph", "times", (1.25, 1.6, 2.5, 3, 4), enlarged),
    Fault("watermark in the photograph", "text", "photograph", "% opaque", (6, 12, 25, 45, 80), watermark),
)  # fmt: skip
