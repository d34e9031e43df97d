"""How a product stands: where the lower edge of its silhouette touches the ground, and how tall it is above."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.types import HALF
from gpu_workers.operations.packshot.packshot import box_of

# Set by hand, none is fitted, but where a line says so.
# of the height, above the lowest point, in which a foot stands, and legs that are further off
_STRIP_SHARE, _LEGS_SHARE = 0.14, 0.26
_LEG_WIDTH_SHARE = 0.15  # of the product's width: what is wider is no leg
_STEEP = 0.8  # px a column: a contour that falls more steeply is a flank
_SLOPE_REACH_SHARE = 0.006  # of the product's width, over which a slope is read
_RISE_SHARE_MAX = 0.12  # of the height, that a foot's middle is seen above its nearest point
_LID_SHARE_MAX = 0.05  # and its lid
_ROUND = 0.9  # of its width, how deep a round foot is
_FLAT = 0.3  # and a flat one


@dataclass(frozen=True)
class Stance:
    """Rows and columns of the silhouette, in px, at the edges between pixels.

    `contact` (w,) is where each column meets the ground, or would if it came down to it; `stands` (w,) which do.
    `axis_px` is the row of the foot's middle: a camera that looks down sees the nearer half of the foot below it.
    `height_px` is the product's height as the camera sees it, its depth left out.
    """

    box: tuple[int, int, int, int]
    contact: NDArray[np.float32]
    stands: NDArray[np.bool_]
    axis_px: float
    height_px: float

    @property
    def rise_px(self) -> float:
        """How far the foot's middle is above its nearest point."""
        return self.box[3] - self.axis_px

    @property
    def foot_px(self) -> tuple[float, float]:
        """The columns between which it stands."""
        columns = np.flatnonzero(self.stands)
        return float(columns[0]), float(columns[-1]) + 1

    def depth_share(self, sine: float) -> float:
        """How deep the foot is for its width, seen from a camera that looks down at an angle of this sine."""
        left, right = self.foot_px
        return float(np.clip(2 * self.rise_px / max((right - left) * sine, 1.0), _FLAT, _ROUND))


def stance(alpha: NDArray[np.uint8]) -> Stance:
    """How the silhouette `alpha` (h, w) stands. Raises EmptyCutout.

    A column touches the ground where it ends near the lowest row and its neighbours end at much the same height: the
    nearer half of a round foot does, a handle or the flank of a bowl does not. Higher up, where a camera that looks
    down sees what is further away, only what is narrow and lower than both its sides does, as a chair's rear leg. The
    outermost of them show the foot's middle.
    """
    box = left, top, right, bottom = box_of(alpha)
    solid = alpha[:, left:right] >= HALF
    lowest = (len(solid) - np.argmax(solid[::-1], axis=0)).astype(np.float32)
    lowest[~solid.any(axis=0)] = 0
    contour = cv2.medianBlur(lowest[None], 5)[0]
    level = _slope(contour) < _STEEP
    stands = level & (bottom - contour < _STRIP_SHARE * (bottom - top))
    stands |= _far_legs(contour, level & (bottom - contour < _LEGS_SHARE * (bottom - top)))
    if not stands.any():
        stands = contour == contour.max()
    there = np.flatnonzero(stands)
    contact = np.interp(np.arange(alpha.shape[1]), there + left, contour[there]).astype(np.float32)
    rise = bottom - float(contour[there[0]] + contour[there[-1]]) / 2
    rise = float(np.clip(rise, 0, _RISE_SHARE_MAX * (bottom - top)))
    everywhere = np.zeros(alpha.shape[1], np.bool_)
    everywhere[left:right] = stands
    # The camera sees the top less steeply than the foot, all the less of a product as large as a chair.
    lid = min(rise, _LID_SHARE_MAX * (bottom - top))
    return Stance(box, contact, everywhere, bottom - rise, bottom - top - rise - lid)


def _far_legs(contour: NDArray[np.float32], level: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Those of the `level` stretches of the contour that are narrow and end lower than both their sides."""
    legs = np.zeros_like(level)
    beside = max(2, round(2 * _SLOPE_REACH_SHARE * len(contour)))
    around = np.pad(contour, beside)
    for start, stop in np.flatnonzero(np.diff(np.concatenate([[0], level, [0]]).astype(np.int8))).reshape(-1, 2):
        lower = contour[start:stop].min() > max(around[start], around[stop - 1 + 2 * beside])
        legs[start:stop] = lower and stop - start < _LEG_WIDTH_SHARE * len(contour)
    return legs


def _slope(contour: NDArray[np.float32]) -> NDArray[np.float32]:
    """How steep it is about each column, over a hundredth of its width."""
    reach = max(1, round(_SLOPE_REACH_SHARE * len(contour)))
    wider = np.pad(contour, reach, mode="edge")
    return np.asarray(np.abs(wider[2 * reach :] - wider[: -2 * reach]) / (2 * reach), np.float32)
