"""Is what was printed what was sent? The picture laid flat again, freed of its light, beside the artwork itself."""

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.colour_difference import ciede2000, srgb_to_lab
from gpu_workers.imaging.linear_light import eight_bit, resampled_light, to_linear, to_srgb
from gpu_workers.imaging.resampling import resample
from gpu_workers.imaging.types import Codes, Flags, Plane
from gpu_workers.operations.artwork.artwork import Printed
from gpu_workers.operations.artwork.printing import continued, footprint, premultiplied, slopes

# Set by hand, none is fitted, but where a line says so.
_WHOLE = 0.995  # of coverage: all of a pixel is print
_LIGHT_MIN = 0.12  # of full light: in less a print's colours are not told
_COARSE = 8  # times that the search for where each pixel of the print came out begins smaller
_ROUNDS = 5  # of Newton's method, after which nothing moves
_MISS_MAX = 0.1  # of a cell, by which a place may be missed
_FLAT_RANGE = 2.0  # of L*a*b*: what differs less within a window is flat, and its structure noise
_WINDOW_SIGMA, _WINDOW = 1.5, 11  # px, as in Z. Wang et al., Image Quality Assessment, 2004
_C1, _C2 = (0.01 * 100) ** 2, (0.03 * 100) ** 2  # as there, of a range of 100


def print_fidelity(printed: Printed, art: Codes) -> dict[str, float]:
    """How well the print agrees with `art` (h, w, 4; as it was given to `artwork`), where the picture shows it.

    The print is warped back onto a flat sheet with about the picture's own pixels, and its light divided out.
    `print_checked`: the share of the sheet that could be compared: seen, neither too dark nor too bright; where it is
    0 the rest is missing. `print_ssim`: mean SSIM of L* (Z. Wang et al., 2004). `print_de00_median`,
    `print_de00_p95`: ΔE00 where the artwork is flat, missing where it nowhere is.
    """
    view = printed.view
    sure = (view.coverage > _WHOLE) & (view.mask > _WHOLE) & (view.light.mean(axis=2) > _LIGHT_MIN)
    slope = slopes(view.places, view.coverage > _WHOLE)
    if not sure.any():
        return {"print_checked": 0.0}
    cell = float(np.median(footprint(slope[sure])))
    x, y, met = _inverse(printed, slope, cell)
    canvas = eight_bit(printed.canvas)
    sure &= (canvas.max(axis=2) < 255) & (canvas.min(axis=2) > 0)
    seen = met & (cv2.remap(sure.astype(np.float32), x, y, cv2.INTER_LINEAR) > _WHOLE)
    albedo = (to_linear(canvas) - view.rest) / np.maximum(view.light, _LIGHT_MIN / 4)
    found = to_srgb(cv2.remap(albedo, x, y, cv2.INTER_CUBIC))
    wanted, alpha = _sheet(printed, art, cell, (x.shape[1], x.shape[0]))
    return {"print_checked": float(seen.mean())} | _compared(srgb_to_lab(found), srgb_to_lab(wanted), alpha, seen)


def _inverse(printed: Printed, slope: Plane, cell: float) -> tuple[Plane, Plane, Flags]:
    """Where in the picture each cell of the flat print lies: x, y (rows, columns) and whether it does; by Newton's
    method from the mean of the pixels near it."""
    left, top, width, height = printed.placement.box
    columns, rows = max(1, round(width / cell)), max(1, round(height / cell))
    goal = np.dstack(np.meshgrid((np.arange(columns) + 0.5) * cell + left, (np.arange(rows) + 0.5) * cell + top))
    at = cv2.resize(_near(printed, cell), (columns, rows), interpolation=cv2.INTER_LINEAR)
    known = (printed.view.coverage > _WHOLE).astype(np.float32)
    for _ in range(_ROUNDS):
        x, y = np.ascontiguousarray(at[..., 0]), np.ascontiguousarray(at[..., 1])
        miss = goal - cv2.remap(printed.view.places, x, y, cv2.INTER_LINEAR)
        a, b, c, d = np.moveaxis(cv2.remap(slope, x, y, cv2.INTER_LINEAR), -1, 0)
        determinant = a * d - b * c
        determinant = np.where(np.abs(determinant) < 1e-12, 1e-12, determinant)
        step = np.dstack([d * miss[..., 0] - b * miss[..., 1], a * miss[..., 1] - c * miss[..., 0]])
        at = at + np.clip(step / determinant[..., None], -_COARSE, _COARSE).astype(np.float32)
    met = (np.abs(miss).max(axis=2) < _MISS_MAX * cell) & (cv2.remap(known, x, y, cv2.INTER_LINEAR) > _WHOLE)
    return x, y, met


def _near(printed: Printed, cell: float) -> Plane:
    """The mean place in the picture of what is seen in each coarse cell of the print, (rows, columns, 2)."""
    left, top, width, height = printed.placement.box
    size = [max(1, -(-round(side / cell) // _COARSE)) for side in (width, height)]
    rows, columns = np.nonzero(printed.view.coverage > _WHOLE)
    across, down = ((printed.view.places[rows, columns] - (left, top)) / (width, height) * size).T
    inside = (across >= 0) & (across < size[0]) & (down >= 0) & (down < size[1])
    where = (down.astype(int) * size[0] + across.astype(int))[inside]
    count = np.bincount(where, minlength=size[0] * size[1])
    sums = [np.bincount(where, part[inside], minlength=size[0] * size[1]) for part in (columns, rows)]
    mean = np.stack(sums, axis=-1) / np.maximum(count, 1)[:, None]
    return continued(mean.reshape(size[1], size[0], 2).astype(np.float32), (count > 0).reshape(size[1], size[0]))


def _sheet(printed: Printed, art: Codes, cell: float, size: tuple[int, int]) -> tuple[NDArray[np.uint8], Plane]:
    """The artwork over the product's colour with the cells' pixels, (h, w, 3) sRGB, and its alpha (h, w)."""
    shown = art[printed.placement.crop]
    scale = printed.placement.width_cm / cell / shown.shape[1]
    shrink = max(1, int(0.5 / scale))
    light = np.pad(premultiplied(shown, shrink), ((4, 4), (4, 4), (0, 0)), mode="edge")
    offset = -4 * scale * shrink
    light = resample(light, scale * shrink, (offset, offset), size)
    alpha = np.clip(light[..., 3:], 0, 1)
    colours = resampled_light(light[..., :3], alpha, art)
    return to_srgb(colours + (1 - alpha) * to_linear(printed.product)), alpha[..., 0]


def _compared(found: Plane, wanted: Plane, alpha: Plane, seen: Flags) -> dict[str, float]:
    inner = cv2.erode(seen.astype(np.uint8), np.ones((_WINDOW, _WINDOW), np.uint8), borderValue=0).astype(bool)
    out = {}
    if inner.any():
        out["print_ssim"] = float(_ssim(found[..., 0], wanted[..., 0])[inner].mean(dtype=np.float64))
    around = np.ones((5, 5), np.uint8)
    flat = (cv2.dilate(wanted, around) - cv2.erode(wanted, around)).max(axis=2) < _FLAT_RANGE
    flat &= inner & (alpha > 0.5)
    if flat.any():
        apart = ciede2000(found[flat], wanted[flat])
        out |= {"print_de00_median": float(np.median(apart)), "print_de00_p95": float(np.percentile(apart, 95))}
    return out


def _ssim(one: Plane, other: Plane) -> Plane:
    def blurred(plane: Plane) -> Plane:
        return np.asarray(cv2.GaussianBlur(plane, (_WINDOW, _WINDOW), _WINDOW_SIGMA), np.float32)

    mean1, mean2 = blurred(one), blurred(other)
    var1, var2 = blurred(one * one) - mean1**2, blurred(other * other) - mean2**2
    both = blurred(one * other) - mean1 * mean2
    found = (2 * mean1 * mean2 + _C1) * (2 * both + _C2) / ((mean1**2 + mean2**2 + _C1) * (var1 + var2 + _C2))
    return np.asarray(found, np.float32)
