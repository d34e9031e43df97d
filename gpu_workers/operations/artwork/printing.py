"""Printing: a picture laid on a surface that a map says the place of, each pixel a weighted sum of all it covers.

The filter is elliptical, P. Heckbert, Fundamentals of Texture Mapping and Image Warping, 1989, after a prefilter to
about two samples a pixel; its weights are Robidoux' cubic (N. Robidoux et al., 2012), as sharp as does not ring.
"""

import cv2
import numpy as np

from gpu_workers.imaging.compiled import compiled
from gpu_workers.imaging.linear_light import premultiplied_light, resampled_light
from gpu_workers.imaging.resampling import resample
from gpu_workers.imaging.types import Codes, Flags, Plane

# Set by hand, none is fitted, but where a line says so.
_SAMPLES_PER_PX = 1.75  # of the print, before the warp samples it: less would soften, more costs time
_MARGIN = 4  # samples beyond the frame, for the filter's reach
_STRIP_PX = 2_000_000  # at a time, so that a large print does not stand in memory twice


def slopes(places: Plane, known: Flags) -> Plane:
    """How `places` (h, w, 2) change from pixel to pixel: (h, w, 4), du/dx, du/dy, dv/dx, dv/dy.

    Where `known` (h, w) says that a place or its neighbours are not, the nearest that are say it.
    """
    out = np.zeros((*places.shape[:2], 4), np.float32)
    certain = np.ones(places.shape[:2], bool)
    for axis in (1, 0):
        change, certain_here = _change(places, known, axis)
        out[..., 1 - axis :: 2] = change
        certain &= certain_here
    return continued(out, certain)


def _change(places: Plane, known: Flags, axis: int) -> tuple[Plane, Flags]:
    """Half the difference of the neighbours on both sides, else the difference to the one there is."""
    ahead, behind = np.roll(places, -1, axis), np.roll(places, 1, axis)
    is_ahead, is_behind = np.roll(known, -1, axis) & known, np.roll(known, 1, axis) & known
    last, first = ((slice(None), end) if axis else (end, slice(None)) for end in (-1, 0))
    is_ahead[last] = is_behind[first] = False
    step = np.where(is_ahead[..., None], ahead, places) - np.where(is_behind[..., None], behind, places)
    sides = is_ahead.astype(np.float32) + is_behind
    return np.asarray(step / np.maximum(sides, 1)[..., None], np.float32), sides > 0


def continued(values: Plane, certain: Flags) -> Plane:
    """`values` (h, w, n) where certain, elsewhere the mean of the certain ones near, else of all."""
    weight = certain.astype(np.float32)
    if not certain.any():
        return values
    out = np.where(certain[..., None], values, values[certain].mean(axis=0, dtype=np.float64)).astype(np.float32)
    total = cv2.boxFilter(weight, -1, (7, 7), normalize=False, borderType=cv2.BORDER_CONSTANT)
    near = cv2.boxFilter(values * weight[..., None], -1, (7, 7), normalize=False, borderType=cv2.BORDER_CONSTANT)
    fill = ~certain & (total > 0.5)
    out[fill] = near[fill] / total[fill, None]
    return out


def footprint(slope: Plane) -> Plane:
    """(…): how far the place moves in a pixel in the direction in which it moves least, of slopes (…, 4)."""
    a, b, c, d = np.moveaxis(slope, -1, 0)
    p, q = a * a + b * b + c * c + d * d, a * d - b * c
    root = np.sqrt(np.maximum(p * p - 4 * q * q, 0))
    return np.asarray(np.sqrt(np.maximum((p - root) / 2, 0)), np.float32)


def printed(
    art: Codes,
    box: tuple[float, float, float, float],
    size: tuple[float, float],
    places: Plane,
    known: Flags,
) -> Plane:
    """`art` (h, w, 4; straight alpha) printed at `box` (left, top, width, height) of a surface of `size` (width,
    height), all in one unit, as seen where `places` (h, w, 2; in that unit) are `known`.

    Returns linear light with premultiplied alpha, (h, w, 4), 0..1 or beyond for what sRGB does not hold. At the
    surface's own edges the art goes on.
    """
    slope = slopes(places, known)
    density = _SAMPLES_PER_PX / float(np.percentile(footprint(slope[known]), 20))
    reach = 2 * float(np.abs(slope[known]).max())
    seen = [(float(places[known, i].min()) - reach, float(places[known, i].max()) + reach) for i in (0, 1)]
    frame = [(max(low, 0.0, box[i]), min(high, size[i], box[i] + box[2 + i])) for i, (low, high) in enumerate(seen)]
    sheet, origin = _sheet(art, box, size, frame, density)
    at = places * np.float32(density) - np.array(origin, np.float32) - np.float32(0.5)
    out = np.zeros((*known.shape, 4), np.float32)
    _sample(sheet, np.ascontiguousarray(at), slope * np.float32(density), known, out)
    alpha = np.clip(out[..., 3:], 0, 1)
    return np.concatenate([resampled_light(out[..., :3], alpha, art), alpha], axis=2)


def _sheet(
    art: Codes,
    box: tuple[float, float, float, float],
    size: tuple[float, float],
    frame: list[tuple[float, float]],
    density: float,
) -> tuple[Plane, tuple[int, int]]:
    """The part of the surface in `frame` (from and to, across and down) with `density` samples a unit, and the sample
    it begins with. Beyond the artwork it is empty, but at the surface's own edge the artwork goes on."""
    scale = box[2] * density / art.shape[1]
    shrink = max(1, int(0.5 / scale))
    source, scale = premultiplied(art, shrink), scale * shrink
    start = [max(int(low * density) - _MARGIN, 0) for low, _ in frame]
    end = [
        min(int(np.ceil(high * density)) + _MARGIN, int(np.ceil(size[i] * density)))
        for i, (_, high) in enumerate(frame)
    ]
    pad, near = int(np.ceil(4 / min(scale, 1))) + 1, 0.5 / density
    pads = [(pad * (box[i] < near), pad * (box[i] + box[2 + i] > size[i] - near)) for i in (0, 1)]
    source = np.pad(source, (pads[1], pads[0], (0, 0)), mode="edge")
    offset = [box[i] * density - start[i] - pads[i][0] * scale for i in (0, 1)]
    sheet = resample(source, scale, (offset[0], offset[1]), (max(end[0] - start[0], 1), max(end[1] - start[1], 1)))
    return np.ascontiguousarray(sheet), (start[0], start[1])


def premultiplied(art: Codes, shrink: int = 1) -> Plane:
    """`art` (h, w, 4) as linear light of its own primaries times alpha, each `shrink` by `shrink` pixels averaged, the
    last ones going on where they end; done in strips, as print files are large."""
    height, width = -(-art.shape[0] // shrink), -(-art.shape[1] // shrink)
    out = np.empty((height, width, 4), np.float32)
    rows = max(1, _STRIP_PX // (art.shape[1] * shrink))
    for start in range(0, height, rows):
        strip = art[start * shrink : (start + rows) * shrink]
        light = premultiplied_light(strip)
        if shrink > 1:
            lines = -(-strip.shape[0] // shrink)
            over = ((0, lines * shrink - light.shape[0]), (0, width * shrink - light.shape[1]), (0, 0))
            light = np.pad(light, over, mode="edge")
            light = cv2.resize(light, (width, lines), interpolation=cv2.INTER_AREA)
        out[start : start + rows] = light
    return out


@compiled("f4(f4)")
def _weight(r):  # type: ignore[no-untyped-def]
    """Robidoux' cubic, B = 0.3782 and C = 0.3109, at the distance `r` in pixels; zero from 2 on."""
    if r < 1.0:
        return np.float32(0.8739281 + r * r * (-1.9326764 + r * 1.1217842))
    return np.float32(1.7478562 + r * (-3.2435685 + r * (1.9326764 - r * 0.3739281)))


@compiled("void(f4[:,:,::1], f4[:,:,::1], f4[:,:,::1], b1[:,:], f4[:,:,::1])")
def _sample(sheet, at, slope, known, out):  # type: ignore[no-untyped-def]
    """Fill `out` where known: around `at` (samples of `sheet`) the ellipse that `slope` makes of a pixel's circle."""
    height, width, _ = sheet.shape
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            if not known[y, x]:
                continue
            ux, uy, vx, vy = slope[y, x, 0], slope[y, x, 1], slope[y, x, 2], slope[y, x, 3]
            a, b, c = ux * ux + uy * uy + 0.25, ux * vx + uy * vy, vx * vx + vy * vy + 0.25
            determinant = a * c - b * b
            reach_u, reach_v = 2 * np.sqrt(a), 2 * np.sqrt(c)
            u, v = at[y, x, 0], at[y, x, 1]
            total = np.float32(0)
            for j in range(int(np.ceil(v - reach_v)), int(np.floor(v + reach_v)) + 1):
                row = min(max(j, 0), height - 1)
                dv = j - v
                for i in range(int(np.ceil(u - reach_u)), int(np.floor(u + reach_u)) + 1):
                    du = i - u
                    square = (c * du * du - 2 * b * du * dv + a * dv * dv) / determinant
                    if square < 4:
                        weight = _weight(np.float32(np.sqrt(square)))
                        column = min(max(i, 0), width - 1)
                        total += weight
                        for band in range(4):
                            out[y, x, band] += weight * sheet[row, column, band]
            for band in range(4):
                out[y, x, band] /= total
