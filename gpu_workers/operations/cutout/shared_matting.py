"""Alpha by Shared Matting, compiled.

E. Gastal, M. Oliveira, Shared Sampling for Real-Time Alpha Matting, 2010. The steps and constants are those of the
reference implementation in pymatting, and so are the bits: a test compares them. In its place because this takes a
third of the time and, being serial, runs in any number of threads at once: a worker has a picture for every core. What
cannot change the answer is not looked at: pixels nearer than the next known one, and pairs that are dearer already than
the best.

Arithmetic mixes single and double precision as the reference does; each np.float32() below is one of its roundings.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.compiled import compiled
from gpu_workers.imaging.types import Plane
from gpu_workers.operations.cutout.expansion import expanded

_ANGLES, _STARTS = 4, 8
_REFINEMENT_PX, _REFINEMENT_SAMPLES = 5, 3
_SMOOTHING_PX = 5
_SEARCH_PX_MAX = 4096  # longer than any way through a picture of usual shape; a strip is not searched from end to end
_SMOOTHING_VARIANCE = (2 * _SMOOTHING_PX + 1) ** 2 / (9 * np.pi)
_CONFIDENCE_VARIANCE = 0.1


def estimate_alpha(rgb: Plane, known: Plane) -> tuple[Plane, Plane, Plane]:
    """Alpha (h, w) where `known` is neither 0 nor 1, and the colours (h, w, 3) that each pixel is mixed of.

    Needs some of each in `known`: product (1) and background (0).
    """
    rgb, known = np.ascontiguousarray(rgb, np.float32), np.ascontiguousarray(known, np.float32)
    known = expanded(known, rgb, _steps_to((known == 0) | (known == 1)))
    foreground, background = _gathered(rgb, known, _steps_to(known == 1), _steps_to(known == 0))
    foreground, background, alpha = _refine(foreground, background, rgb, known)
    foreground, background, alpha = _smooth(foreground, background, alpha, rgb, known)
    return alpha, foreground, background


def _steps_to(flags: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """How many steps, across, down or both at once, the nearest of `flags` (h, w) is away at least: 255 at most."""
    return np.asarray(cv2.convertScaleAbs(cv2.distanceTransform((~flags).view(np.uint8), cv2.DIST_C, 3)), np.uint8)


@compiled("f4(f4, f4, f4, f4, f4, f4, f4, f4, f4)")
def _share(p0, p1, p2, f0, f1, f2, b0, b1, b2):  # type: ignore[no-untyped-def]
    """How much of the foreground f is in the colour p, the rest being b."""
    d0, d1, d2 = f0 - b0, f1 - b1, f2 - b2
    share = ((p0 - b0) * d0 + (p1 - b1) * d1 + (p2 - b2) * d2) / (d0 * d0 + d1 * d1 + d2 * d2 + 1e-5)
    return max(0.0, min(1.0, share))


@compiled("f4(f4, f4, f4, f4, f4, f4, f4, f4, f4)")
def _misfit(p0, p1, p2, f0, f1, f2, b0, b1, b2):  # type: ignore[no-untyped-def]
    """Squared distance of p from the best mix of f and b."""
    a = _share(p0, p1, p2, f0, f1, f2, b0, b1, b2)
    d0 = a * f0 + (1.0 - a) * b0 - p0
    d1 = a * f1 + (1.0 - a) * b1 - p1
    d2 = a * f2 + (1.0 - a) * b2 - p2
    return d0 * d0 + d1 * d1 + d2 * d2


@compiled("f4(f4, f4, f4, f4, f4, f4)")
def _distance(f0, f1, f2, b0, b1, b2):  # type: ignore[no-untyped-def]
    d0, d1, d2 = f0 - b0, f1 - b1, f2 - b2
    return np.sqrt(0.0 + d0 * d0 + d1 * d1 + d2 * d2)


@compiled("f4(f4[:, :, ::1], i8, i8, i8, i8)")
def _roughness(rgb, x, y, to_x, to_y):  # type: ignore[no-untyped-def]
    """How much the colour changes on the way to another pixel."""
    away_x, away_y = to_x - x, to_y - y
    away = np.hypot(away_x, away_y)
    if away == 0.0:
        return 0.0
    h, w, _ = rgb.shape
    steps = max(1, min(10, int(np.ceil(away))))
    step_x, step_y = away_x / steps, away_y / steps
    total = 0.0
    for i in range(steps + 1):
        qx, qy = int(x + float(i) * step_x), int(y + float(i) * step_x)  # down as fast as across, as in the reference
        left, right = max(0, min(w - 1, qx - 1)), max(0, min(w - 1, qx + 1))
        below, above = max(0, min(h - 1, qy + 1)), max(0, min(h - 1, qy - 1))
        qx, qy = max(0, min(w - 1, qx)), max(0, min(h - 1, qy))
        v0 = step_x * (0.5 * (rgb[qy, right, 0] - rgb[qy, left, 0])) + step_y * (
            0.5 * (rgb[below, qx, 0] - rgb[above, qx, 0])
        )
        v1 = step_x * (0.5 * (rgb[qy, right, 1] - rgb[qy, left, 1])) + step_y * (
            0.5 * (rgb[below, qx, 1] - rgb[above, qx, 1])
        )
        v2 = step_x * (0.5 * (rgb[qy, right, 2] - rgb[qy, left, 2])) + step_y * (
            0.5 * (rgb[below, qx, 2] - rgb[above, qx, 2])
        )
        total += np.sqrt(v0 * v0 + v1 * v1 + v2 * v2)
    return total


@compiled("f8(f4[:, :, ::1], i8, i8, f4, f4, f4, f4, f4, f4, f8, f8, f8, f8)")
def _pair_cost(rgb, x, y, f0, f1, f2, b0, b1, b2, improbability, away_f, away_b, least):  # type: ignore[no-untyped-def]
    """What speaks against a pair: its misfit at a pixel and those about it, its `improbability`, and how far off it is.

    Once that is no less than `least`, what is known of it so far.
    """
    h, w, _ = rgb.shape
    total = cost = 0.0
    for y2 in range(y - 1, y + 2):
        row = max(0, min(h - 1, y2))
        for x2 in range(x - 1, x + 2):
            column = max(0, min(w - 1, x2))
            total += _misfit(rgb[row, column, 0], rgb[row, column, 1], rgb[row, column, 2], f0, f1, f2, b0, b1, b2)
        misfit = np.float32(total)
        cost = misfit * misfit * misfit * (improbability * improbability) * away_f * away_b**4
        if cost >= least:
            break
    return cost


@compiled("f4[::1](f4[:, :, ::1], f4[:, ::1], f4)")
def _mean_where(rgb, known, value):  # type: ignore[no-untyped-def]
    """The mean colour where `known` has this value."""
    h, w = known.shape
    mean = np.zeros(3, np.float32)
    count = 0
    for y in range(h):
        for x in range(w):
            if known[y, x] == value:
                for c in range(3):
                    mean[c] += rgb[y, x, c]
                count += 1
    mean /= np.float32(count)
    return mean


@compiled("void(u1[:, ::1], u1[:, ::1], i8, i8, f8[::1], f8[::1], i8[:, :, ::1], i8[::1])")
def _search(to_product, to_background, x, y, across, down, places, counts):  # type: ignore[no-untyped-def]
    """Where a pixel's directions first meet product (`places[0]`) and background (`places[1]`).

    The steps to the nearest of what is still looked for are gone at once: there is none of it on the way.
    """
    h, w = to_product.shape
    counts[:] = 0
    for i in range(_ANGLES):
        found_product = found_background = False
        step = 0
        while step < min(2 * max(w, h), _SEARCH_PX_MAX):
            x2, y2 = int(x + step * across[i]), int(y + step * down[i])
            if x2 < 0 or y2 < 0 or x2 >= w or y2 >= h:
                break
            if not found_product and to_product[y2, x2] == 0:
                places[0, counts[0], 0], places[0, counts[0], 1] = x2, y2
                counts[0] += 1
                found_product = True
            elif not found_background and to_background[y2, x2] == 0:
                places[1, counts[1], 0], places[1, counts[1], 1] = x2, y2
                counts[1] += 1
                found_background = True
            if found_product and found_background:
                break
            if found_product:
                step += max(1, to_background[y2, x2])
            elif found_background:
                step += max(1, to_product[y2, x2])
            else:
                step += max(1, min(to_product[y2, x2], to_background[y2, x2]))


@compiled("UniTuple(i8, 2)(f4[:, :, ::1], i8, i8, i8[:, :, ::1], f4[:, :, ::1], i8[::1])")
def _best_pair(rgb, x, y, places, colours, counts):  # type: ignore[no-untyped-def]
    """Which product and which background are near, smoothly reached, and explain the pixel and those about it."""
    smoothest_product = smoothest_background = np.inf
    for i in range(counts[0]):
        smoothest_product = min(smoothest_product, _roughness(rgb, x, y, places[0, i, 0], places[0, i, 1]))
    for j in range(counts[1]):
        smoothest_background = min(smoothest_background, _roughness(rgb, x, y, places[1, j, 0], places[1, j, 1]))
    likely = smoothest_background / (smoothest_product + smoothest_background + 1e-5)
    p0, p1, p2 = rgb[y, x, 0], rgb[y, x, 1], rgb[y, x, 2]
    least, best_i, best_j = np.inf, -1, -1
    for i in range(counts[0]):
        f0, f1, f2 = colours[0, i, 0], colours[0, i, 1], colours[0, i, 2]
        away_i = np.hypot(x - places[0, i, 0], y - places[0, i, 1])
        for j in range(counts[1]):
            b0, b1, b2 = colours[1, j, 0], colours[1, j, 1], colours[1, j, 2]
            away_j = np.hypot(x - places[1, j, 0], y - places[1, j, 1])
            improbability = likely + (1.0 - 2.0 * likely) * _share(p0, p1, p2, f0, f1, f2, b0, b1, b2)
            cost = _pair_cost(rgb, x, y, f0, f1, f2, b0, b1, b2, improbability, away_i, away_j, least)
            if least > cost:
                least, best_i, best_j = cost, i, j
    return best_i, best_j


@compiled("UniTuple(f4[:, :, ::1], 2)(f4[:, :, ::1], f4[:, ::1], u1[:, ::1], u1[:, ::1])")
def _gathered(rgb, known, to_product, to_background):  # type: ignore[no-untyped-def]
    """For each pixel the best of the pairs of product and background that are found first in a few directions.

    `to_product` and `to_background` are how many steps off the nearest of each is. The mean colour stands in for what a
    pixel has none of.
    """
    h, w = known.shape
    foreground, background = np.empty_like(rgb), np.empty_like(rgb)
    mean_product, mean_background = _mean_where(rgb, known, 1), _mean_where(rgb, known, 0)
    starts = _STARTS * _STARTS
    across, down = np.empty((starts, _ANGLES)), np.empty((starts, _ANGLES))
    for start in range(starts):
        for i in range(_ANGLES):
            angle = 2.0 * np.pi / _ANGLES * i + 2.0 * np.pi / starts * start
            across[start, i], down[start, i] = np.cos(angle), np.sin(angle)
    places, counts = np.empty((2, _ANGLES, 2), np.int64), np.empty(2, np.int64)
    colours = np.empty((2, _ANGLES, 3), np.float32)
    for y in range(h):
        for x in range(w):
            for c in range(3):
                foreground[y, x, c] = rgb[y, x, c] if known[y, x] == 1 else mean_product[c]
                background[y, x, c] = rgb[y, x, c] if known[y, x] == 0 else mean_background[c]
            if known[y, x] == 0 or known[y, x] == 1:
                continue
            start = ((x % _STARTS + y % _STARTS * _STARTS) * 99991) % starts  # a prime, to spread neighbours
            _search(to_product, to_background, x, y, across[start], down[start], places, counts)
            for side in range(2):
                for i in range(counts[side]):
                    colours[side, i] = rgb[places[side, i, 1], places[side, i, 0]]
                if counts[side] == 0:
                    places[side, 0, 0], places[side, 0, 1] = x, y
                    colours[side, 0] = mean_background if side else mean_product
                    counts[side] = 1
            i, j = _best_pair(rgb, x, y, places, colours, counts)
            if i >= 0:
                foreground[y, x] = colours[0, i]
                background[y, x] = colours[1, j]
    return foreground, background


@compiled("Tuple((f4[:, :, ::1], f4[:, :, ::1], f4[:, ::1]))(f4[:, :, ::1], f4[:, :, ::1], f4[:, :, ::1], f4[:, ::1])")
def _refine(foreground, background, rgb, known):  # type: ignore[no-untyped-def]
    """The mean of those pairs about a pixel that explain its colour best, and its alpha by that."""
    h, w = known.shape
    refined_f, refined_b, alpha = foreground.copy(), background.copy(), known.copy()
    costs = np.empty(_REFINEMENT_SAMPLES, np.float32)
    at = np.empty((_REFINEMENT_SAMPLES, 2), np.int64)
    mean = np.empty(6, np.float32)
    for y in range(h):
        for x in range(w):
            if known[y, x] == 0 or known[y, x] == 1:
                continue
            p0, p1, p2 = rgb[y, x, 0], rgb[y, x, 1], rgb[y, x, 2]
            costs[:] = np.inf
            at[:] = -1
            worst = 0
            for y2 in range(max(0, y - _REFINEMENT_PX), min(h, y + _REFINEMENT_PX + 1)):
                for x2 in range(max(0, x - _REFINEMENT_PX), min(w, x + _REFINEMENT_PX + 1)):
                    cost = _misfit(
                        p0, p1, p2,
                        foreground[y2, x2, 0], foreground[y2, x2, 1], foreground[y2, x2, 2],
                        background[y2, x2, 0], background[y2, x2, 1], background[y2, x2, 2],
                    )  # fmt: skip
                    if cost < costs[worst]:
                        costs[worst] = cost
                        at[worst, 0], at[worst, 1] = y2, x2
                        worst = int(np.argmax(costs))
            mean[:] = 0
            for k in range(_REFINEMENT_SAMPLES):
                if at[k, 0] >= 0:
                    for c in range(3):
                        mean[c] += foreground[at[k, 0], at[k, 1], c]
                        mean[3 + c] += background[at[k, 0], at[k, 1], c]
            mean /= np.float32(_REFINEMENT_SAMPLES)
            refined_f[y, x] = mean[:3]
            refined_b[y, x] = mean[3:]
            alpha[y, x] = _share(p0, p1, p2, mean[0], mean[1], mean[2], mean[3], mean[4], mean[5])
    return refined_f, refined_b, alpha


def _smooth(foreground: Plane, background: Plane, alpha: Plane, rgb: Plane, known: Plane) -> tuple[Plane, Plane, Plane]:
    """Colours averaged about each pixel, and alpha by them as far as they can be trusted."""
    near = _nearness()
    smooth_f, smooth_b = _averaged(foreground, background, alpha, known, near)
    mixed, spread = _spreads(smooth_f, smooth_b, alpha, known)
    return smooth_f, smooth_b, _trusted(smooth_f, smooth_b, alpha, rgb, known, near, mixed, spread)


@compiled("f8[:, ::1]()")
def _nearness():  # type: ignore[no-untyped-def]
    """How much a pixel of the window about another counts, by its distance."""
    side = 2 * _SMOOTHING_PX + 1
    near = np.empty((side, side))
    for dy in range(side):
        for dx in range(side):
            away = (dx - _SMOOTHING_PX) * (dx - _SMOOTHING_PX) + (dy - _SMOOTHING_PX) * (dy - _SMOOTHING_PX)
            near[dy, dx] = np.exp(-1.0 / np.float32(_SMOOTHING_VARIANCE) * away)
    return near


@compiled("UniTuple(f4[:, :, ::1], 2)(f4[:, :, ::1], f4[:, :, ::1], f4[:, ::1], f4[:, ::1], f8[:, ::1])")
def _averaged(foreground, background, alpha, known, near):  # type: ignore[no-untyped-def]
    """The colours of each unknown pixel as the mean of those about it, near ones of another alpha most."""
    h, w = known.shape
    reach = _SMOOTHING_PX
    smooth_f, smooth_b = foreground.copy(), background.copy()
    mean_f, mean_b = np.empty(3, np.float32), np.empty(3, np.float32)
    for y in range(h):
        for x in range(w):
            if known[y, x] == 0 or known[y, x] == 1:
                continue
            f0 = f1 = f2 = b0 = b1 = b2 = np.float32(0)
            sum_f = sum_b = 0.0
            own = alpha[y, x]
            for y2 in range(max(0, y - reach), min(h, y + reach + 1)):
                for x2 in range(max(0, x - reach), min(w, x + reach + 1)):
                    other = alpha[y2, x2]
                    weight = near[y2 - y + reach, x2 - x + reach]
                    if x != x2 or y != y2:
                        weight *= abs(own - other)
                    weight_f, weight_b = max(weight * other, 1e-5), max(weight * (1.0 - other), 1e-5)
                    sum_f += weight_f
                    sum_b += weight_b
                    f0 = np.float32(f0 + weight_f * foreground[y2, x2, 0])
                    f1 = np.float32(f1 + weight_f * foreground[y2, x2, 1])
                    f2 = np.float32(f2 + weight_f * foreground[y2, x2, 2])
                    b0 = np.float32(b0 + weight_b * background[y2, x2, 0])
                    b1 = np.float32(b1 + weight_b * background[y2, x2, 1])
                    b2 = np.float32(b2 + weight_b * background[y2, x2, 2])
            mean_f[0], mean_f[1], mean_f[2] = f0, f1, f2
            mean_b[0], mean_b[1], mean_b[2] = b0, b1, b2
            mean_f /= sum_f
            mean_b /= sum_b
            smooth_f[y, x] = mean_f
            smooth_b[y, x] = mean_b
    return smooth_f, smooth_b


@compiled("UniTuple(f4[:, ::1], 2)(f4[:, :, ::1], f4[:, :, ::1], f4[:, ::1], f4[:, ::1])")
def _spreads(foreground, background, alpha, known):  # type: ignore[no-untyped-def]
    """How mixed each unknown pixel is, and that times how far apart its two colours are."""
    h, w = known.shape
    mixed, spread = np.zeros((h, w), np.float32), np.zeros((h, w), np.float32)
    for y in range(h):
        for x in range(w):
            if known[y, x] == 0 or known[y, x] == 1:
                continue
            f0, f1, f2 = foreground[y, x, 0], foreground[y, x, 1], foreground[y, x, 2]
            b0, b1, b2 = background[y, x, 0], background[y, x, 1], background[y, x, 2]
            mixed[y, x] = alpha[y, x] * (1.0 - alpha[y, x])
            spread[y, x] = mixed[y, x] * _distance(f0, f1, f2, b0, b1, b2)
    return mixed, spread


@compiled(
    "f4[:, ::1]"
    "(f4[:, :, ::1], f4[:, :, ::1], f4[:, ::1], f4[:, :, ::1], f4[:, ::1], f8[:, ::1], f4[:, ::1], f4[:, ::1])"
)
def _trusted(foreground, background, alpha, rgb, known, near, mixed, spread):  # type: ignore[no-untyped-def]
    """Alpha by the two colours as far as they are apart and explain the pixel, else the mean of that about it."""
    h, w = known.shape
    reach = _SMOOTHING_PX
    smooth_alpha = known.copy()
    for y in range(h):
        for x in range(w):
            if known[y, x] == 0 or known[y, x] == 1:
                continue
            spread_sum = weight_sum = low_sum = low_weights = 0.0
            for y2 in range(max(0, y - reach), min(h, y + reach + 1)):
                for x2 in range(max(0, x - reach), min(w, x + reach + 1)):
                    weight_sum += mixed[y2, x2]
                    spread_sum += spread[y2, x2]
                    weight = near[y2 - y + reach, x2 - x + reach] + (known[y2, x2] == 0 or known[y2, x2] == 1)
                    low_sum += weight * alpha[y2, x2]
                    low_weights += weight
            spread_mean = spread_sum / (weight_sum + 1e-5) + 1e-5
            p0, p1, p2 = rgb[y, x, 0], rgb[y, x, 1], rgb[y, x, 2]
            f0, f1, f2 = foreground[y, x, 0], foreground[y, x, 1], foreground[y, x, 2]
            b0, b1, b2 = background[y, x, 0], background[y, x, 1], background[y, x, 2]
            own_spread = _distance(f0, f1, f2, b0, b1, b2)
            misfit = np.sqrt(_misfit(p0, p1, p2, f0, f1, f2, b0, b1, b2))
            trust = np.float32(
                min(1.0, own_spread / spread_mean) * np.exp(-1.0 / np.float32(_CONFIDENCE_VARIANCE) * misfit)
            )
            own = _share(p0, p1, p2, f0, f1, f2, b0, b1, b2)
            smooth_alpha[y, x] = trust * own + (1.0 - trust) * np.float32(low_sum / low_weights)
    return smooth_alpha
