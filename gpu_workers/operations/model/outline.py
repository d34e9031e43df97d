"""The landmarks of a top that was photographed lying flat: its outline cut where a tailor would cut it.

The outline is walked from the middle of the hem. Armpits are the deepest hollows of its convex hull, one a side; hem
corners, shoulder points and sleeve ends are where a polyline of a few chords fits it best, in the least squares (found
over all of them by dynamic programming, as Perez and Vidal 1994). The front's neckline is no part of the outline: it is
searched as the half ellipse along which the picture changes most.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.types import Code, Mask
from schemas.errors import InputError

Line = NDArray[np.float64]
"""(n, 2): points x, y."""

# Set by hand on the garments of the gallery, none is fitted.
_WORK_PX = 640  # the longer side of the outline's picture: finer than any landmark needs
_LEAST_SHARE = 0.02  # of the picture: smaller is no garment
_SAMPLES = 140  # points between two landmarks
_HOLLOW_SHARE = 0.03  # of the height: a hollow that is less deep is no armpit
_HOLLOW_TOP = 0.15  # of the height from the top: hollows above are the neck's
_NECK_TRIES = (0.25, 0.95)  # depths of the neckline, of the neck's width
_NECK_USUAL, _NECK_SPREAD = 0.5, 0.35  # a crew neck's depth, and how much another one costs
_NECK_INNER_DEG = 18.0  # of the half ellipse at either end, where shoulder seams and ribs cross it
_SLEEVE_LONG = 0.85  # of the chest's width: longer sleeves reach below the elbow
_CHEST_SHARE = (0.35, 0.9)  # of the outline's width
_BACK_DEEP = 0.12  # of the neck's width: how deep a back is cut that cannot be seen
_DIP = 0.3  # of the neck's width: an outline that is hollow by more between the shoulders is cut along the front


class UnsupportedGarment(InputError, ValueError):
    """A garment that cannot be worn by a virtual model; the message says what was found and what is taken."""

    code = "unsupported_garment"
    field = "category"


@dataclass(frozen=True)
class Side:
    """One half of a top, lines in pixels from the neck outwards: shoulder and sleeve's top in `top`, its end in `cuff`,
    its lower edge in `under`, from armpit to hem in `side`. `shoulder` is where the sleeve begins on `top`."""

    top: Line
    cuff: Line
    under: Line
    side: Line
    shoulder: NDArray[np.float64]

    @property
    def neck(self) -> NDArray[np.float64]:
        """Where the shoulder meets the neck."""
        return np.asarray(self.top[0])

    @property
    def armpit(self) -> NDArray[np.float64]:
        """Where sleeve and side meet."""
        return np.asarray(self.side[0])


@dataclass(frozen=True)
class Outline:
    """A top's landmarks in pixels of its cutout. `left` and `right` are the viewer's. `back_neck` and `front_neck` run
    from the left to the right, `hem` from the right to the left. `asymmetry` is the largest distance between a landmark
    and its mirrored fellow, as a share of the chest's width."""

    left: Side
    right: Side
    hem: Line
    back_neck: Line
    front_neck: Line
    asymmetry: float
    neck_contrast: float

    @property
    def chest_px(self) -> float:
        """From armpit to armpit."""
        return float(np.hypot(*(self.right.armpit - self.left.armpit)))


def outline(rgb: Code, alpha: Mask) -> Outline:
    """The landmarks of a cutout, uint8 RGB (h, w, 3) and its alpha (h, w). Raises UnsupportedGarment."""
    scale = min(1.0, _WORK_PX / max(alpha.shape))
    small = cv2.resize(alpha, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    contour = _contour(small)
    armpits = _armpits(contour)
    middle_x = float(contour[armpits, 0].mean())
    left, right, neck_line, hem = _sides(contour, armpits, middle_x)
    for side in (left, right):
        _refuse_others(side, left, right, contour)
    picture = cv2.resize(rgb, small.shape[::-1], interpolation=cv2.INTER_AREA)
    front, back, contrast = _necks(picture, neck_line, left.neck, right.neck)
    asymmetry = _asymmetry(left, right, hem)
    return _scaled(Outline(left, right, hem, back, front, asymmetry, contrast), 1 / scale)


def _contour(alpha: Mask) -> Line:
    opened = cv2.morphologyEx((alpha > 127).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    found, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not found:
        raise UnsupportedGarment("nothing is cut out of the picture")
    largest = max(found, key=cv2.contourArea)
    if cv2.contourArea(largest) < _LEAST_SHARE * alpha.size:
        raise UnsupportedGarment("what is cut out of the picture is too small to be a garment")
    longest = largest[:, 0, :].astype(np.float64) + 0.5
    wrapped = np.vstack([longest[-3:], longest, longest[:3]])  # a pixel's steps are no outline: a mean over seven
    kernel = np.ones(7) / 7
    return np.column_stack([np.convolve(wrapped[:, axis], kernel, "valid") for axis in (0, 1)])


def _armpits(contour: Line) -> list[int]:
    """Indices of the left and the right one."""
    whole = np.round(contour * 8).astype(np.int32)
    low, high = contour.min(0), contour.max(0)
    height, middle = high[1] - low[1], (low[0] + high[0]) / 2
    hollows = _hollows(whole)
    armpits = []
    for sign in (-1, 1):
        on_side = [
            (depth, at)
            for at, depth in hollows
            if sign * (contour[at, 0] - middle) > 0 and contour[at, 1] > low[1] + _HOLLOW_TOP * height
        ]
        depth, at = max(on_side, default=(0.0, 0))
        if depth < _HOLLOW_SHARE * height:
            raise UnsupportedGarment(
                "no sleeves were found: only tops with short sleeves apart from the body are supported, not trousers, "
                "skirts, dresses or tops without sleeves"
            )
        armpits.append(at)
    return armpits


def _hollows(whole: NDArray[np.int32]) -> list[tuple[int, float]]:
    """Where the outline (n, 2), in eighths of pixels, is hollow the most within each gap of its hull, and how deep."""
    try:
        defects = cv2.convexityDefects(whole, cv2.convexHull(whole, returnPoints=False))
    except cv2.error as error:  # an outline that crosses itself has no hull of its own points in their order
        raise UnsupportedGarment("its outline crosses itself: only tops lying flat are supported") from error
    return [] if defects is None else [(int(each[2]), each[3] / 256 / 8) for each in defects.reshape(-1, 4)]


def _sides(contour: Line, armpits: Sequence[int], middle_x: float) -> tuple[Side, Side, Line, Line]:
    """Both halves, the outline between the necks' ends from left to right, and the hem from right to left."""
    near = np.flatnonzero(np.abs(contour[:, 0] - middle_x) < 2.0)
    top, bottom = int(near[contour[near, 1].argmin()]), int(near[contour[near, 1].argmax()])
    halves, necks, hems = [], [], []
    for at in armpits:
        upper, lower = _walk(contour, top, at, bottom), _walk(contour, at, bottom, top)
        side, neck, hem = _half(_resampled(upper, 2 * _SAMPLES), _resampled(lower, _SAMPLES))
        halves.append(side)
        necks.append(neck)
        hems.append(hem)
    neck_line = np.vstack([necks[0][::-1], necks[1][1:]])
    return halves[0], halves[1], neck_line, np.vstack([hems[1], hems[0][::-1][1:]])


def _walk(contour: Line, start: int, end: int, without: int) -> Line:
    """The way from `start` to `end` that does not pass `without`."""
    count = len(contour)
    ahead = (start + np.arange((end - start) % count + 1)) % count
    back = (start - np.arange((start - end) % count + 1)) % count
    return contour[back if without in ahead else ahead]


def _half(upper: Line, lower: Line) -> tuple[Side, Line, Line]:
    third = len(upper) // 3
    neck_at = int(upper[2:third, 1].argmin()) + 2
    beyond = _resampled(upper[neck_at:], _SAMPLES)
    shoulder, outer, inner = corners(beyond, 3)
    (hem_at,) = corners(lower, 1)
    side = Side(beyond[: outer + 1], beyond[outer : inner + 1], beyond[inner:], lower[: hem_at + 1], beyond[shoulder])
    return side, upper[: neck_at + 1], lower[hem_at:]


def _resampled(line: Line, count: int) -> Line:
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    at = np.linspace(0.0, along[-1], count)
    return np.column_stack([np.interp(at, along, line[:, axis]) for axis in (0, 1)])


def corners(line: Line, count: int) -> list[int]:
    """Which `count` points of `line` (n, 2) make the polyline from its first to its last point that fits it best."""
    cost = _chord_costs(line)
    best, backs = cost[0], []
    for _ in range(count):
        through = best[:, None] + cost
        backs.append(through.argmin(0))
        best = through.min(0)
    found, at = [], len(line) - 1
    for back in reversed(backs):
        at = int(back[at])
        found.append(at)
    return found[::-1]


def _chord_costs(line: Line) -> NDArray[np.float64]:
    """The sum of squared distances from the points between two of `line` to their chord, (n, n); infinite for two that
    are less than four points apart."""
    x, y = (line - line[0]).T
    sums = [np.concatenate([[0.0], np.cumsum(each)]) for each in (np.ones_like(x), x, y, x * x, x * y, y * y)]
    ones, sx, sy, sxx, sxy, syy = (each[None, 1:] - each[:-1, None] for each in sums)
    ax, ay = x[:, None], y[:, None]
    dx, dy = x[None] - ax, y[None] - ay
    cxx, cyy = sxx - 2 * ax * sx + ax * ax * ones, syy - 2 * ay * sy + ay * ay * ones
    cxy = sxy - ax * sy - ay * sx + ax * ay * ones
    squares = dx * dx * cyy - 2 * dx * dy * cxy + dy * dy * cxx
    apart = np.arange(len(line))[None] - np.arange(len(line))[:, None]
    return np.where(apart >= 4, squares / np.maximum(dx * dx + dy * dy, 1e-9), np.inf)


def _refuse_others(side: Side, left: Side, right: Side, contour: Line) -> None:
    chest = float(np.hypot(*(right.armpit - left.armpit)))
    share = chest / float(np.ptp(contour[:, 0]))
    sleeve = float(np.hypot(*(side.cuff.mean(0) - (side.shoulder + side.armpit) / 2)))
    if sleeve > _SLEEVE_LONG * chest:
        raise UnsupportedGarment(f"its sleeves are {sleeve / chest:.2f} of its width: long sleeves are not supported")
    if not _CHEST_SHARE[0] <= share <= _CHEST_SHARE[1]:
        raise UnsupportedGarment(
            f"its body is {share:.2f} of its outline's width: only tops with short sleeves lying flat are supported"
        )


def _necks(picture: Code, line: Line, left: Line, right: Line) -> tuple[Line, Line, float]:
    """The front's and the back's neckline from left to right, and how much the picture changes along the front's beside
    an ordinary place. An outline that is hollow there already is the front's own."""
    middle, half = (left + right) / 2, (right - left) / 2
    width = 2 * float(np.hypot(*half))
    down = np.array([-half[1], half[0]]) / (width / 2)
    if float(((line - middle) @ down).max()) > _DIP * width:
        return line, _ellipse(middle, half, down * _BACK_DEEP * width), 1.0
    depths = np.linspace(*_NECK_TRIES, 57)
    found = _changes(_change(picture), middle, half, down * width * depths[:, None])
    usual = np.exp(-0.5 * ((depths - _NECK_USUAL) / _NECK_SPREAD) ** 2)
    best = int((found * usual).argmax())
    contrast = float(found[best] / max(float(np.median(found)), 1e-6))
    return _ellipse(middle, half, down * width * depths[best]), line, contrast


def _changes(change: NDArray[np.float32], middle: Line, half: Line, deep: Line) -> NDArray[np.float32]:
    """How much the picture changes along half ellipses of these depths (n, 2), their medians (n,)."""
    inner = np.deg2rad(np.linspace(_NECK_INNER_DEG, 180 - _NECK_INNER_DEG, 90))
    at = middle + np.cos(inner)[None, :, None] * half + np.sin(inner)[None, :, None] * deep[:, None]
    last = np.array(change.shape[::-1]) - 1
    column, row = np.clip(np.rint(at).astype(int), 0, last).transpose(2, 0, 1)
    return np.asarray(np.median(change[row, column], axis=1))


def _ellipse(middle: Line, half: Line, down: Line) -> Line:
    turned = np.linspace(np.pi, 0.0, 49)[:, None]
    return middle + np.cos(turned) * half + np.sin(turned) * down


def _change(picture: Code) -> NDArray[np.float32]:
    lab = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2LAB).astype(np.float32), (0, 0), 1.2)
    return np.asarray(np.abs(cv2.Sobel(lab, cv2.CV_32F, 0, 1)).sum(2))


def _asymmetry(left: Side, right: Side, hem: Line) -> float:
    pairs = [(left.armpit, right.armpit), (left.neck, right.neck), (hem[-1], hem[0])]
    pairs += [(left.cuff[0], right.cuff[0]), (left.cuff[-1], right.cuff[-1])]
    lefts, rights = np.array([one for one, _ in pairs]), np.array([other for _, other in pairs])
    middle = (lefts[:3, 0] + rights[:3, 0]).mean() / 2
    mirrored = np.column_stack([2 * middle - rights[:, 0], rights[:, 1]])
    return float(np.hypot(*(lefts - mirrored).T).max() / (rights[0, 0] - lefts[0, 0]))


def _scaled(found: Outline, by: float) -> Outline:
    def side(one: Side) -> Side:
        return Side(one.top * by, one.cuff * by, one.under * by, one.side * by, one.shoulder * by)

    lines = (found.hem * by, found.back_neck * by, found.front_neck * by)
    return Outline(side(found.left), side(found.right), *lines, found.asymmetry, found.neck_contrast)
