"""From a rough mask to a matte: which pixels are unknown, how much of each is product, of what colour."""

from dataclasses import dataclass

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.linear_light import light_of
from gpu_workers.operations.cutout import shared_matting, watershed
from gpu_workers.operations.cutout.contrast import Plane, largest_difference, light_and_tint, mean_channel, steepness

Flags = NDArray[np.bool_]

_FIT_SIZE_PX = 192
# A paper sweep's bend and the falloff of its lights need the fourth power.
_DEGREE = 4
_POWERS = np.array([(i, j) for i in range(_DEGREE + 1) for j in range(_DEGREE + 1 - i)])
_PLAIN_NOISE_MAX = 0.025
_SHADOW_LIGHT_MIN = 0.4
_DOUBT_SIZE_PX = 400
_CLIPPED = 0.985
_GAP_AREA_MIN = 25
_GAP_OFF_MAX = 0.008
_GAP_TINT_MAX = 0.005
_GAP_EDGE_MIN = 0.03
_MESHES_MIN = 12
_MESH_OFF_MAX = 0.04
_GAP_RIM_PX = 5
_STRAND_PX = 4
_STRAND_SLOPE_MIN = 0.05
_STRAND_CONTRAST_MIN = 0.2
_STRAND_NEAR_MAX = 0.25
_STRAND_SHARES = (0.2, 0.9)
_FRAY_PX = 15
_FRAY_SHARE = 0.6
_SHADE_PX = 25
_SHADED = 0.97
_FRONT_PX = 5
_FRONT_SLOPE_MIN = 0.05
_EDGE_PX = 2
_CRISP_SHARE = 0.7
_FLAT_SLOPE = 0.004
_CRISP_WINDOW_PX = 31
# A band twice as large as those of fur and fringe in the sample pictures; 20 µs a pixel on a slow core, 6 s in all.
_BAND_PIXELS_MAX = 300_000
_DETAIL_CONTRAST = (0.05, 0.25)


@dataclass(frozen=True)
class Sweep:
    """A plain studio background: each channel a quartic surface over x, y in 0..1, and the noise about it."""

    coefficients: NDArray[np.float64]
    noise: float

    def colours(self, height: int, width: int, box: tuple[float, float, float, float]) -> Plane:
        """The background (height, width, 3) in the part `box` (left, top, right, bottom, 0..1) of the picture."""
        xs = box[0] + (np.arange(width) + 0.5) / width * (box[2] - box[0])
        ys = box[1] + (np.arange(height) + 0.5) / height * (box[3] - box[1])
        along_x, along_y = np.vander(xs, _DEGREE + 1, increasing=True), np.vander(ys, _DEGREE + 1, increasing=True)
        surface = np.empty((height, width, 3), np.float32)
        for channel in range(3):
            grid = np.zeros((_DEGREE + 1, _DEGREE + 1))
            grid[_POWERS[:, 1], _POWERS[:, 0]] = self.coefficients[:, channel]
            surface[..., channel] = along_y @ (grid @ along_x.T)
        return surface


def find_sweep(rgb: NDArray[np.uint8], mask: Plane) -> Sweep | None:
    """The plain background of uint8 RGB (h, w, 3), given its rough mask; None when it is not plain."""
    scale = _FIT_SIZE_PX / max(rgb.shape[:2])
    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.float64) / 255
    outside = cv2.dilate(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), np.ones((5, 5))) < 0.05
    if outside.mean() < 0.05:
        return None
    ys, xs = np.nonzero(outside)
    x, y = (xs + 0.5) / size[0], (ys + 0.5) / size[1]
    along_x, along_y = np.vander(x, _DEGREE + 1, increasing=True), np.vander(y, _DEGREE + 1, increasing=True)
    return _fit(along_x[:, _POWERS[:, 0]] * along_y[:, _POWERS[:, 1]], small[outside])


def _fit(terms: NDArray[np.float64], colours: NDArray[np.float64]) -> Sweep | None:
    """Least squares, three times, each without what the last one did not explain (shadows, props)."""
    inside = np.ones(len(terms), np.bool_)
    for _ in range(3):
        # Normal equations: a tenth of the time of a decomposition, and fifteen terms are well within their reach.
        chosen = terms[inside]
        coefficients = np.linalg.lstsq(chosen.T @ chosen, chosen.T @ colours[inside], rcond=None)[0]
        residual = np.abs(colours - terms @ coefficients).max(axis=1)
        noise = float(np.median(residual)) * 1.5
        inside = residual <= max(2.5 * noise, 0.01)
    if noise > _PLAIN_NOISE_MAX or inside.mean() < 0.6:
        return None
    return Sweep(coefficients.astype(np.float64), noise)


@dataclass(frozen=True)
class Solved:
    """Alpha (h, w) in 0..1, the colours (h, w, 3) behind the product where it is partial, and at what scale of the
    picture the unknown band was solved: 1, or less where there was too much of it."""

    alpha: Plane
    behind: Plane
    scale: float


def read_sweep(shown: tuple[Plane, Plane], slope: Plane, noise: float, mask: Plane) -> tuple[Flags, Flags]:
    """What a plain background gives away where the mask is unsure: surely sweep, and surely product.

    `shown` is the picture's light and tint beside it, `slope` how steep it is, (h, w) each.

    Sweep, or a soft shadow on it, is what can be reached from sure background without crossing an edge
    while the colour stays that of the background in equal or less light: a grey product on a grey sweep
    has an edge about it. Product is what is brighter or of another tint, or lies beyond a sharp edge of the sweep.
    """
    light, tint = shown
    lit_as_background = (
        (light > _SHADOW_LIGHT_MIN) & (light < 1 + max(2 * noise, 0.012)) & (tint < max(3 * noise, 0.025))
    )
    unsure = np.where(light < 1 - max(4 * noise, 0.06), 0.8, 0.5)
    reachable = lit_as_background & (steepness(cv2.GaussianBlur(light, (0, 0), 1.0)) < 0.01 + noise) & (mask < unsure)
    # Opened, so that it does not leak through a gap in an edge or into texture.
    reachable = cv2.morphologyEx(reachable.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)) > 0
    _, labels = cv2.connectedComponents(reachable.astype(np.uint8), connectivity=4)
    sure = np.zeros(int(labels.max()) + 1, np.bool_)
    sure[labels[reachable & (mask < 0.05)]] = True
    sure[0] = False
    swept = sure[labels]
    other = ((light > 1 + max(4 * noise, 0.03)) | (tint > max(6 * noise, 0.08))) & ~swept & (mask > 0.05)
    other = cv2.erode(other.astype(np.uint8), np.ones((5, 5))) > 0
    return np.asarray(swept), np.asarray(other | (_beyond_an_edge(swept, slope) & (mask > 0.2)))


def _beyond_an_edge(swept: Flags, slope: Plane) -> Flags:
    """What is further from the sweep than a soft edge is wide, where the sweep ends in a sharp one."""
    away, nearest = cv2.distanceTransformWithLabels(
        (~swept).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    sharp = np.zeros(int(nearest.max()) + 1, np.bool_)
    front = swept & (away == 0)
    sharp[nearest[front]] = (cv2.dilate(slope, disc(_FRONT_PX)) > _FRONT_SLOPE_MIN)[front]
    return np.asarray((away > _FRONT_PX) & sharp[nearest])


def overlooked(shown: tuple[Plane, Plane], slope: Plane, background: Plane, noise: float, mask: Plane) -> Flags:
    """What the mask (h, w) leaves out and cannot be sweep or its shadow, and hangs together with the product.

    On a plain ground that is more of the product: a fringe, a band between two cups, a cable. `shown` and `slope` are
    those of `read_sweep`.
    """
    light, tint = shown
    lit = mean_channel(background)
    brighter = (light - 1) * lit > max(5 * noise, 0.04)
    other = brighter | (tint > max(7 * noise, 0.08)) | ((light < _SHADOW_LIGHT_MIN) & (lit > 0.2))
    other &= mask <= 0.5
    # A dark shadow at the product's foot and its colour on the sweep have no edge on the far side.
    count, labels = cv2.connectedComponents(other.astype(np.uint8), connectivity=8)
    beside = cv2.dilate((mask > 0.5).astype(np.uint8), disc(_GAP_RIM_PX)) > 0
    other &= (_edged_share(labels, np.where(beside, 0, slope), count, ~beside) > 0.6)[labels]
    reached = _joined(mask > 0.5, other | (mask > 0.5), max(mask.shape))
    return np.asarray(reached & other)


def frayed(slope: Plane, contrast: Plane, mask: Plane) -> Flags:
    """Where a product (h, w) ends in strands, between which the sweep shows: fringe, fur, a loose weave.

    There are edges everywhere, and within some pixels of each the picture comes near the sweep and goes far from it.
    Lettering is of that kind too, but does not hang together with the ground beside the product. `slope` (h, w) is how
    steep the picture is, `contrast` (h, w) how far it is from the sweep.
    """
    near, far = cv2.erode(contrast, disc(_STRAND_PX)), cv2.dilate(contrast, disc(_STRAND_PX))
    edged = cv2.blur((slope > _STRAND_SLOPE_MIN).astype(np.float32), (_FRAY_PX, _FRAY_PX)) > _FRAY_SHARE
    mixed = edged & (far > _STRAND_CONTRAST_MIN) & (near < _STRAND_NEAR_MAX * far)
    whole = cv2.morphologyEx(mixed.astype(np.uint8), cv2.MORPH_CLOSE, disc(_FRAY_PX // 2)) > 0
    return _joined((mask < 0.5) & mixed, whole, max(mask.shape))


def part_strands(known: Plane, mask: Plane, strands: Flags, contrast: Plane) -> tuple[Plane, Plane]:
    """`known` and `mask` (h, w), anew within `strands`, where only what has the highest `contrast` with the sweep, or
    all but none, is known.
    """
    share = contrast / np.maximum(cv2.dilate(contrast, disc(_STRAND_PX)), _STRAND_CONTRAST_MIN)
    found = np.where(share > _STRAND_SHARES[1], 1, np.where(share < _STRAND_SHARES[0], 0, 0.5))
    return np.where(strands, found, known).astype(np.float32), np.where(strands, share, mask).astype(np.float32)


def shade_of(light: Plane, swept: Flags, mask: Plane) -> float:
    """How little light the sweep gets near the product, in its own shadow: a share of that further off."""
    reach = cv2.dilate((mask > 0.5).astype(np.uint8), disc(_SHADE_PX)) > 0
    near = swept & reach
    if not near.any():
        return 1.0
    return float(np.clip(np.percentile(light[near], 5), _SHADOW_LIGHT_MIN, 1))


def find_gaps(rgb: Plane, edge: Plane, background: Plane, noise: float, shade: float) -> Flags:
    """Gaps in a product (h, w), found from rgb and the sweep behind it, (h, w, 3) in 0..1, whatever a mask says.
    `edge` (h, w) is how steep the picture is.

    A gap is a flat region of the sweep's colour that does not reach the frame and has a strong edge all round; where
    the product shades the sweep, down to `shade` of its light, so it may in a gap. Single pixels of a product match
    the sweep too; over a region the mean is known well enough to tell white print and highlights apart.
    """
    soft = cv2.GaussianBlur(rgb, (0, 0), 0.8)
    off = soft - background
    slope = steepness(mean_channel(soft))
    light, tint = light_and_tint(soft, background)
    alike = (largest_difference(soft, background) < max(3 * noise, 0.03)) & (slope < 0.012)
    shaded = (light > shade) & (light < 1) & (tint < max(2 * noise, 0.015)) & (slope < 0.012)
    alike |= shaded & (shade < _SHADED)
    # Where the sweep is clipped white, so may be a label: the picture says nothing.
    alike &= cv2.min(cv2.min(*cv2.split(background)[:2]), cv2.extractChannel(background, 2)) < _CLIPPED
    alike = cv2.morphologyEx(alike.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(alike, connectivity=4)
    means = _means(off, labels, count)
    own_light = _means(light[..., None], labels, count)[:, 0]
    tints = np.ptp(_means(soft - light[..., None] * background, labels, count), axis=1)
    neutral = tints < max(2.5 * noise, _GAP_TINT_MAX)
    edged = _edged_share(labels, edge, count)
    inside = (stats[:, cv2.CC_STAT_AREA] >= _GAP_AREA_MIN) & ~_at_the_frame(stats, labels.shape)
    gap = (np.abs(means).max(axis=1) < _GAP_OFF_MAX) & (np.ptp(means, axis=1) < _GAP_TINT_MAX)
    if shade < _SHADED:
        gap |= (own_light > shade) & (own_light < 1) & neutral
    gap &= (edged > 0.7) & inside
    # Behind a net the sweep is known less well, but it is seen through every mesh of it.
    mesh = (edged > 0.9) & inside & neutral & (np.abs(own_light - 1) < _MESH_OFF_MAX)
    if mesh.sum() >= _MESHES_MIN:
        gap |= mesh
    gap[0] = False
    return np.asarray(gap[labels])


def open_gaps(known: Plane, mask: Plane, gaps: Flags, contrast: Plane, noise: float) -> tuple[Plane, Plane]:
    """`known` and `mask` (h, w) with the gaps open, their rims unknown, and the ridges between them product.

    `contrast` (h, w) is how far the picture is from the sweep. A wire is thinner than the rims on both sides of it:
    without its ridge, where the contrast is highest, the matte would have no sample of it.
    """
    if not gaps.any():
        return known, mask
    reach = disc(_GAP_RIM_PX)
    rim = cv2.dilate(gaps.astype(np.uint8), reach) > 0
    share = contrast / np.maximum(cv2.dilate(contrast, reach), 0.1)
    clear = gaps | _joined(gaps, contrast < max(3 * noise, 0.03), 3 * _GAP_RIM_PX)
    known, mask = known.copy(), mask.copy()
    known[rim & (known == 1)] = 0.5
    known[rim & (share > 0.85) & (mask > 0.5)] = 1
    known[clear] = 0
    mask[rim | clear] = np.minimum(mask, share)[rim | clear]
    return known, mask


def unexplained(rgb: NDArray[np.uint8], alpha: NDArray[np.uint8], sweep: Sweep) -> tuple[float, float]:
    """What of uint8 RGB (h, w, 3) a matte (h, w) does not explain: `look_through` and `left_out`, both >= 0.

    Areas over the product's: flat ground inside the matte that cannot be told from the sweep (glass, filled gaps,
    white on white), and what lies outside it and is neither sweep nor a shadow on it.
    """
    scale = _DOUBT_SIZE_PX / max(rgb.shape[:2])
    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    matte = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)
    background, noise = sweep.colours(size[1], size[0], (0, 0, 1, 1)), sweep.noise
    flat = steepness(cv2.GaussianBlur(mean_channel(small), (0, 0), 0.8)) < 0.01
    alike = flat & (largest_difference(small, background) < 0.03) & (cv2.erode(matte, np.ones((3, 3))) > 242)
    light, tint = light_and_tint(small, background)
    brighter = (light - 1) * mean_channel(background) > max(4 * noise, 0.03)
    other = brighter | (tint > max(6 * noise, 0.08)) | ((light < _SHADOW_LIGHT_MIN) & (mean_channel(background) > 0.2))
    # Two pixels off, because the edge itself is mixed and resized.
    other &= cv2.dilate(matte, np.ones((7, 7))) < 13
    area = max(1.0, float(matte.sum()) / 255)
    return float(alike.sum()) / area, float(other.sum()) / area


def _joined(seeds: Flags, inside: Flags, reach_px: int) -> Flags:
    """What of `inside` is connected to a seed, and no further from one than `reach_px`."""
    if reach_px < max(seeds.shape):  # else every seed reaches all of the picture
        inside = inside & (cv2.dilate(seeds.astype(np.uint8), np.ones((2 * reach_px + 1, 2 * reach_px + 1))) > 0)
    count, labels = cv2.connectedComponents(inside.astype(np.uint8), connectivity=8)
    reached = np.zeros(count, np.bool_)
    reached[labels[seeds]] = True
    reached[0] = False
    return np.asarray(reached[labels])


def _means(values: Plane, labels: NDArray[np.int32], count: int) -> NDArray[np.float64]:
    """Mean of each channel of `values` (h, w, c) in each label, (count, c); 0 for the label 0."""
    sums, areas = np.zeros((count, values.shape[2])), np.zeros(count, np.int64)
    _add_up(values, labels, sums, areas)
    return sums / np.maximum(areas, 1)[:, None]


@numba.njit("void(f4[:, :, :], i4[:, :], f8[:, ::1], i8[::1])", cache=True, nogil=True)
def _add_up(values, labels, sums, areas):  # type: ignore[no-untyped-def]
    for row in range(labels.shape[0]):
        for column in range(labels.shape[1]):
            label = labels[row, column]
            if label > 0:
                areas[label] += 1
                for channel in range(values.shape[2]):
                    sums[label, channel] += values[row, column, channel]


def _edged_share(
    labels: NDArray[np.int32], slope: Plane, count: int, within: Flags | None = None
) -> NDArray[np.float64]:
    """Share of each label's rim, up to three pixels out, that an edge runs along; of the rim `within`, if given."""
    grown = cv2.dilate(labels.astype(np.float32), np.ones((3, 3)))
    edge = cv2.dilate(slope, np.ones((5, 5))) > _GAP_EDGE_MIN
    rim = (grown > 0) & (labels == 0)
    if within is not None:
        rim &= within
    index = grown[rim].astype(np.int64)
    return np.bincount(index, edge[rim], count) / np.maximum(np.bincount(index, minlength=count), 1)


def _at_the_frame(stats: NDArray[np.int32], shape: tuple[int, ...]) -> Flags:
    left, top, width, height = stats[:, :4].T
    return np.asarray((left == 0) | (top == 0) | (left + width == shape[1]) | (top + height == shape[0]))


def disc(radius: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)), np.uint8)


def trimap(mask: Plane, reach_px: float) -> Plane:
    """1 surely product, 0 surely background, 0.5 unknown, from a mask whose edge is known to `reach_px`."""
    reach = max(1, round(reach_px))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    inside = cv2.erode((mask > 0.95).astype(np.uint8), kernel, borderValue=1)
    outside = cv2.erode((mask < 0.05).astype(np.uint8), kernel, borderValue=1)
    known = np.full(mask.shape, 0.5, np.float32)
    known[inside > 0] = 1
    known[outside > 0] = 0
    return known


def solve(rgb: Plane, slope: Plane, known: Plane, mask: Plane, strands: Flags | None = None) -> Solved:
    """Shared Matting of (h, w, 3) in the unknown band of `known`, the mask's edge where colours say nothing.

    `slope` (h, w) is how steep the picture is. Needs some of each kind of pixel in `known`; without, the mask itself is
    the answer. Among `strands` the band is not narrowed. A band of more pixels than can be solved in seconds is solved
    at a smaller size.
    """
    edge = sharpened(mask)
    if not _has_all(known):
        return Solved(np.where(known == 0.5, edge, known).astype(np.float32), rgb, 1.0)
    narrowed = _narrowed(slope, known, mask)
    known = narrowed if strands is None else np.where(strands, known, narrowed)
    scale = min(1.0, (_BAND_PIXELS_MAX / max(1, int(np.count_nonzero(known == 0.5)))) ** 0.5)
    alpha, foreground, background = (
        shared_matting.estimate_alpha(rgb, known) if scale == 1 else _coarsely(rgb, known, edge, scale)
    )
    contrast = cv2.GaussianBlur(largest_difference(foreground, background), (0, 0), 2.0)
    trust = np.clip((contrast - 0.05) / 0.12, 0, 1)
    mixed = trust * alpha + (1 - trust) * edge
    return Solved(np.where(known == 0.5, snapped(mixed), known).astype(np.float32), background, scale)


def _has_all(known: Plane) -> bool:
    return bool((known == 1).any() and (known == 0).any() and (known == 0.5).any())


def _coarsely(rgb: Plane, known: Plane, edge: Plane, scale: float) -> tuple[Plane, Plane, Plane]:
    """As `estimate_alpha`, solved at `scale` of the size. The colours that a pixel is mixed of change slowly and are
    enlarged; alpha follows from them and the pixel itself, where they are far enough apart, so that detail stays.
    `edge` (h, w) is the answer where nothing of the product or of the background is left to learn from.
    """
    size = (max(1, round(known.shape[1] * scale)), max(1, round(known.shape[0] * scale)))
    small = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.float32)
    sure = np.asarray(cv2.resize(known, size, interpolation=cv2.INTER_NEAREST), np.float32)
    if not _has_all(sure):
        return edge, rgb, rgb
    alpha, foreground, background = (
        np.asarray(cv2.resize(plane, known.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
        for plane in shared_matting.estimate_alpha(small, sure)
    )
    span = foreground - background
    share = ((rgb - background) * span).sum(axis=2) / ((span * span).sum(axis=2) + 1e-5)
    low, high = _DETAIL_CONTRAST
    detailed = np.clip((largest_difference(foreground, background) - low) / (high - low), 0, 1)
    return detailed * np.clip(share, 0, 1) + (1 - detailed) * alpha, foreground, background


def _narrowed(slope: Plane, known: Plane, mask: Plane) -> Plane:
    """`known` (h, w) with its band drawn about the edge that runs in it, where that is the only one.

    Colours at a product's rim are often not those further inside, and look like a mix to the matte. Hair and fringe
    have many edges outside the first: there the band stays as it is.
    """
    band = known == 0.5
    inside = watershed.flood(known, slope * (0.05 + np.exp(-(((mask - 0.5) / 0.25) ** 2))))
    solid = inside.astype(np.uint8)
    rim = cv2.dilate(solid, np.ones((3, 3))) > cv2.erode(solid, np.ones((3, 3)))
    near = cv2.dilate(rim.astype(np.uint8), disc(_EDGE_PX)) > 0
    window = (_CRISP_WINDOW_PX, _CRISP_WINDOW_PX)
    at_edge = cv2.blur(np.where(near & band, slope, 0), window)
    outside = cv2.blur(np.where(band & ~inside & ~near, np.maximum(slope - _FLAT_SLOPE, 0), 0), window)
    crisp = band & ~near & (at_edge > _CRISP_SHARE * (at_edge + outside))
    narrowed = known.copy()
    narrowed[crisp] = inside[crisp]
    return narrowed


def in_linear_light(alpha: Plane, foreground: Plane, background: Plane) -> Plane:
    """Alpha (h, w) by which two colours (h, w, 3) give in linear light, where lenses mix them, the mix that it says.

    All are in 0..1; `alpha` is of code values, in which colours are nearer to what is seen and better told apart.
    """
    partial = (alpha > 0) & (alpha < 1)
    share, product, ground = alpha[partial][:, None], foreground[partial], background[partial]
    mixed, dark = (light_of(code) for code in (share * product + (1 - share) * ground, ground))
    span = light_of(product) - dark
    length = (span * span).sum(axis=1)
    linear = alpha.copy()
    found = np.clip(((mixed - dark) * span).sum(axis=1) / np.maximum(length, 1e-6), 0, 1)
    linear[partial] = np.where(length > 1e-4, found, share[:, 0])
    return linear


def sharpened(mask: Plane) -> Plane:
    """The mask with its edge drawn about two pixels wide where it crosses one half."""
    soft = cv2.GaussianBlur(mask, (0, 0), 1.0)
    return np.asarray(np.clip((soft - 0.5) / np.maximum(2 * steepness(soft), 0.02) + 0.5, 0, 1), np.float32)


def snapped(alpha: Plane) -> Plane:
    """Alpha with the last few per cent at either end cut off: what solvers leave on flat ground."""
    return np.asarray(np.clip((alpha - 0.03) / 0.94, 0, 1), np.float32)


def without_speckle(alpha: Plane, mask: Plane, area_min: float) -> tuple[Plane, int]:
    """Alpha without islands smaller than `area_min` or not backed by the mask, holes of that kind closed.

    Also returns how many islands are left.
    """
    cleaned = alpha.copy()
    _, labels, stats, _ = cv2.connectedComponentsWithStats((alpha > 0.02).astype(np.uint8), connectivity=8)
    backing = _largest_in_each(mask, labels, len(stats))
    kept = (stats[:, cv2.CC_STAT_AREA] >= area_min) & (backing > 0.5)
    kept[0] = True
    cleaned[~kept[labels]] = 0
    _, labels, stats, _ = cv2.connectedComponentsWithStats((cleaned < 0.98).astype(np.uint8), connectivity=4)
    emptiness = _largest_in_each(1 - mask, labels, len(stats))
    pinholes = (stats[:, cv2.CC_STAT_AREA] < area_min) & (emptiness < 0.2)
    pinholes[0] = False
    cleaned[pinholes[labels]] = 1
    return cleaned, int(kept[1:].sum())


def without_false_holes(alpha: Plane, known: Plane) -> Plane:
    """Alpha (h, w) with those holes closed in which nothing is surely background.

    Print as bright as the ground looks to the matte like a hole; on a plain ground a real one shows the ground.
    """
    count, labels = cv2.connectedComponents((alpha < 0.98).astype(np.uint8), connectivity=4)
    shown = np.zeros(count, np.bool_)
    shown[labels[known == 0]] = True
    return np.where(shown[labels], alpha, 1).astype(np.float32)


def _largest_in_each(values: Plane, labels: NDArray[np.int32], count: int) -> Plane:
    largest = np.zeros(count, np.float32)
    np.maximum.at(largest, labels.ravel(), values.ravel())
    return largest


def foreground_colours(rgb: Plane, alpha: Plane) -> Plane:
    """The product's own colours (h, w, 3) where alpha is partial, the background's share taken out."""
    return shared_matting.estimate_foreground(rgb, alpha)
