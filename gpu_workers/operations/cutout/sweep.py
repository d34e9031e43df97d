"""A plain studio background, and what it gives away: what is surely background, what is surely product."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.types import Flags, Plane
from gpu_workers.operations.cutout.contrast import largest_difference, light_and_tint, mean_channel, steepness
from gpu_workers.operations.cutout.regions import disc, edged_share, joined


@dataclass(frozen=True)
class Fit:
    """How a sweep is fitted: at which size, of which degree, and how plain it has to be. Set by hand, none is fitted.

    Distances of colours are of code values 0..1.
    """

    size_px: int = 192  # the longer side
    degree: int = 4  # a paper sweep's bend and the falloff of its lights need the fourth power
    outside_mask_max: float = 0.05  # what the mask says there at most
    outside_share_min: float = 0.05  # of the picture, or nothing tells what is behind the product
    rounds: int = 3
    noise_of_median: float = 1.5
    inlier_noises: float = 2.5
    inlier_least: float = 0.01
    noise_max: float = 0.025
    inlier_share_min: float = 0.6


@dataclass(frozen=True)
class Reading:
    """What tells a sweep, its shadow and a product apart. Set by hand, none is fitted.

    `light` is a share of the sweep's own, `tint` and slopes are of code values 0..1; where a limit is so many noises of
    the sweep, the other number is the least.
    """

    shadow_light_min: float = 0.4
    lit_over: tuple[float, float] = (2, 0.012)
    lit_tint: tuple[float, float] = (3, 0.025)
    shaded: tuple[float, float] = (4, 0.06)
    unsure_mask_max: float = 0.5
    unsure_mask_max_shaded: float = 0.8
    smooth_slope_max: float = 0.01
    surely_outside: float = 0.05
    other_light: tuple[float, float] = (4, 0.03)
    other_tint: tuple[float, float] = (6, 0.08)
    beyond_mask_min: float = 0.2
    front_px: int = 5
    front_slope_min: float = 0.05
    overlooked_light: tuple[float, float] = (5, 0.04)
    overlooked_tint: tuple[float, float] = (7, 0.08)
    lit_min: float = 0.2  # of a sweep, below which a dark product is not told from its shadow
    rim_px: int = 5
    edged_share_min: float = 0.6
    shade_px: int = 25
    bare: tuple[float, float] = (3, 0.03)  # as far from the sweep as the gaps that show it
    bare_beside_min: float = 0.2  # of the contrast within `front_px`: a strong edge
    unexplained_size_px: int = 400
    unexplained_difference_max: float = 0.03


FIT = Fit()
READING = Reading()
_POWERS = np.array([(i, j) for i in range(FIT.degree + 1) for j in range(FIT.degree + 1 - i)])


@dataclass(frozen=True)
class Sweep:
    """A plain studio background: each channel a quartic surface over x, y in 0..1, and the noise about it."""

    coefficients: NDArray[np.float64]
    noise: float

    def colours(self, height: int, width: int, box: tuple[float, float, float, float]) -> Plane:
        """The background (height, width, 3) in the part `box` (left, top, right, bottom, 0..1) of the picture."""
        xs = box[0] + (np.arange(width) + 0.5) / width * (box[2] - box[0])
        ys = box[1] + (np.arange(height) + 0.5) / height * (box[3] - box[1])
        along_x, along_y = _powers(xs), _powers(ys)
        surface = np.empty((height, width, 3), np.float32)
        for channel in range(3):
            grid = np.zeros((FIT.degree + 1, FIT.degree + 1))
            grid[_POWERS[:, 1], _POWERS[:, 0]] = self.coefficients[:, channel]
            surface[..., channel] = along_y @ (grid @ along_x.T)
        return surface


def find_sweep(rgb: NDArray[np.uint8], mask: Plane) -> Sweep | None:
    """The plain background of uint8 RGB (h, w, 3), given its rough mask; None when it is not plain."""
    scale = FIT.size_px / max(rgb.shape[:2])
    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.float64) / 255
    outside = cv2.dilate(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), np.ones((5, 5))) < FIT.outside_mask_max
    if outside.mean() < FIT.outside_share_min:
        return None
    ys, xs = np.nonzero(outside)
    x, y = (xs + 0.5) / size[0], (ys + 0.5) / size[1]
    along_x, along_y = _powers(x), _powers(y)
    return _fit(along_x[:, _POWERS[:, 0]] * along_y[:, _POWERS[:, 1]], small[outside])


def _powers(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.vander(values, FIT.degree + 1, increasing=True)


def _fit(terms: NDArray[np.float64], colours: NDArray[np.float64]) -> Sweep | None:
    """Least squares, three times, each without what the last one did not explain (shadows, props)."""
    inside = np.ones(len(terms), np.bool_)
    for _ in range(FIT.rounds):
        # Normal equations: a tenth of the time of a decomposition, and fifteen terms are well within their reach.
        chosen = terms[inside]
        coefficients = np.linalg.lstsq(chosen.T @ chosen, chosen.T @ colours[inside], rcond=None)[0]
        residual = np.abs(colours - terms @ coefficients).max(axis=1)
        noise = float(np.median(residual)) * FIT.noise_of_median
        inside = residual <= max(FIT.inlier_noises * noise, FIT.inlier_least)
    if noise > FIT.noise_max or inside.mean() < FIT.inlier_share_min:
        return None
    return Sweep(coefficients.astype(np.float64), noise)


def read_sweep(shown: tuple[Plane, Plane], slope: Plane, noise: float, mask: Plane) -> tuple[Flags, Flags]:
    """What a plain background gives away where the mask is unsure: surely sweep, and surely product.

    `shown` is the picture's light and tint beside it, `slope` how steep it is, (h, w) each.

    Sweep, or a soft shadow on it, is what can be reached from sure background without crossing an edge
    while the colour stays that of the background in equal or less light: a grey product on a grey sweep
    has an edge about it. Product is what is brighter or of another tint, or lies beyond a sharp edge of the sweep.
    """
    light, tint = shown
    swept = _reached(_lit_as_background(light, tint, noise, mask), mask < READING.surely_outside)
    other = ((light > 1 + noises(READING.other_light, noise)) | (tint > noises(READING.other_tint, noise))) & ~swept
    other &= mask > READING.surely_outside
    other = cv2.erode(other.astype(np.uint8), np.ones((5, 5))) > 0
    return swept, np.asarray(other | (_beyond_an_edge(swept, slope) & (mask > READING.beyond_mask_min)))


def bare(known: Plane, contrast: Plane, noise: float) -> Flags:
    """What of the unknown band of `known` (h, w) shows the sweep itself, right beside a product that is far from it.

    The picture is too steep there for `read_sweep`, and a matte may take it for product: crumbs beside the outline.
    `contrast` (h, w) is how far the picture is from the sweep. What does not hang together with surely sweep, or has
    nothing but the sweep's colours about it, is left to the mask: a white label, white before white.
    """
    alike = (known == 0.5) & (contrast < noises(READING.bare, noise))
    _, labels = cv2.connectedComponents((alike | (known == 0)).astype(np.uint8), connectivity=4)
    reached = np.zeros(int(labels.max()) + 1, np.bool_)
    reached[labels[known == 0]] = True
    beside = cv2.dilate(contrast, disc(READING.front_px)) > READING.bare_beside_min
    return np.asarray(alike & reached[labels] & beside)


def _lit_as_background(light: Plane, tint: Plane, noise: float, mask: Plane) -> Flags:
    """Where the picture is as even as the sweep, of its colour and of no more light, and the mask allows it."""
    as_lit = (light > READING.shadow_light_min) & (light < 1 + noises(READING.lit_over, noise))
    of_colour = tint < noises(READING.lit_tint, noise)
    shaded = light < 1 - noises(READING.shaded, noise)
    unsure = np.where(shaded, READING.unsure_mask_max_shaded, READING.unsure_mask_max)
    smooth = steepness(cv2.GaussianBlur(light, (0, 0), 1.0)) < READING.smooth_slope_max + noise
    return np.asarray(as_lit & of_colour & smooth & (mask < unsure))


def _reached(reachable: Flags, seeds: Flags) -> Flags:
    """What of `reachable` hangs together with a seed."""
    # Opened, so that it does not leak through a gap in an edge or into texture.
    reachable = cv2.morphologyEx(reachable.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)) > 0
    _, labels = cv2.connectedComponents(reachable.astype(np.uint8), connectivity=4)
    sure = np.zeros(int(labels.max()) + 1, np.bool_)
    sure[labels[reachable & seeds]] = True
    sure[0] = False
    return np.asarray(sure[labels])


def _beyond_an_edge(swept: Flags, slope: Plane) -> Flags:
    """What is further from the sweep than a soft edge is wide, where the sweep ends in a sharp one."""
    away, nearest = cv2.distanceTransformWithLabels(
        (~swept).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    sharp = np.zeros(int(nearest.max()) + 1, np.bool_)
    front = swept & (away == 0)
    sharp[nearest[front]] = (cv2.dilate(slope, disc(READING.front_px)) > READING.front_slope_min)[front]
    return np.asarray((away > READING.front_px) & sharp[nearest])


def overlooked(shown: tuple[Plane, Plane], slope: Plane, background: Plane, noise: float, mask: Plane) -> Flags:
    """What the mask (h, w) leaves out and cannot be sweep or its shadow, and hangs together with the product.

    On a plain ground that is more of the product: a fringe, a band between two cups, a cable. `shown` and `slope` are
    those of `read_sweep`.
    """
    light, tint = shown
    lit = mean_channel(background)
    brighter = (light - 1) * lit > noises(READING.overlooked_light, noise)
    other = (
        brighter
        | (tint > noises(READING.overlooked_tint, noise))
        | ((light < READING.shadow_light_min) & (lit > READING.lit_min))
    )
    other &= mask <= 0.5
    # A dark shadow at the product's foot and its colour on the sweep have no edge on the far side.
    count, labels = cv2.connectedComponents(other.astype(np.uint8), connectivity=8)
    beside = cv2.dilate((mask > 0.5).astype(np.uint8), disc(READING.rim_px)) > 0
    other &= (edged_share(labels, np.where(beside, 0, slope), count, ~beside) > READING.edged_share_min)[labels]
    reached = joined(mask > 0.5, other | (mask > 0.5), max(mask.shape))
    return np.asarray(reached & other)


def shade_of(light: Plane, swept: Flags, mask: Plane) -> float:
    """How little light the sweep gets near the product, in its own shadow: a share of that further off."""
    reach = cv2.dilate((mask > 0.5).astype(np.uint8), disc(READING.shade_px)) > 0
    near = swept & reach
    if not near.any():
        return 1.0
    return float(np.clip(np.percentile(light[near], 5), READING.shadow_light_min, 1))


def unexplained(rgb: NDArray[np.uint8], alpha: NDArray[np.uint8], sweep: Sweep) -> tuple[float, float]:
    """What of uint8 RGB (h, w, 3) a matte (h, w) does not explain: `look_through` and `left_out`, both >= 0.

    Areas over the product's: flat ground inside the matte that cannot be told from the sweep (glass, filled gaps,
    white on white), and what lies outside it and is neither sweep nor a shadow on it.
    """
    scale = READING.unexplained_size_px / max(rgb.shape[:2])
    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    matte = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)
    background, noise = sweep.colours(size[1], size[0], (0, 0, 1, 1)), sweep.noise
    flat = steepness(cv2.GaussianBlur(mean_channel(small), (0, 0), 0.8)) < READING.smooth_slope_max
    near = largest_difference(small, background) < READING.unexplained_difference_max
    alike = flat & near & (cv2.erode(matte, np.ones((3, 3))) > 242)
    light, tint = light_and_tint(small, background)
    brighter = (light - 1) * mean_channel(background) > noises(READING.other_light, noise)
    other = brighter | (tint > noises(READING.other_tint, noise))
    other |= (light < READING.shadow_light_min) & (mean_channel(background) > READING.lit_min)
    # Two pixels off, because the edge itself is mixed and resized.
    other &= cv2.dilate(matte, np.ones((7, 7))) < 13
    area = max(1.0, float(matte.sum()) / 255)
    return float(alike.sum()) / area, float(other.sum()) / area


def noises(limit: tuple[float, float], noise: float) -> float:
    """A limit that is so many noises of the sweep, and something at least."""
    return max(limit[0] * noise, limit[1])
