"""Straightening: by how much a product that was photographed a little tilted is to be turned to stand upright.

Its own shape says so, in one of two ways: it is the same left and right of an axis, as bottles, vases and chairs are
from the front; or it has a straight edge on either side, as boxes have. A shape that says neither is left as it is.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.types import HALF, Mask
from gpu_workers.operations.packshot.placement import cut_off
from schemas.operations.base import BadParameters
from schemas.operations.packshot import PackshotParameters

# Set by hand, none is fitted, but where a line says so.
_MOST_DEG, _LEAST_DEG = 8.0, 0.3  # more is meant, less is not seen
_LOOKED_AT_PX = 256  # the side at which a shape is compared with its mirror image
_STEP_DEG = 0.5  # between turns that are tried; what is finer lies where two lines meet
# of the shape's area, by which a symmetric one differs, and must differ more when turned
_UNLIKE_MAX, _UNLIKE_GAIN = 0.07, 0.03
_GAIN_DEG = 3.0  # so far from the best turn it must be worse
_EDGE_SHARE = 0.3  # of the product's height: a straight edge is no shorter
_EDGES_APART_DEG = 5.0  # more, and the two sides taper: they say nothing of the tilt
_BEND = 0.008  # of the product's height, by which an edge may bend and still be straight


def requested_angle(alpha: Mask, parameters: PackshotParameters, *, worn: bool = False) -> float:
    """Degrees clockwise by which the product `alpha` (h, w) is to be turned by its parameters.

    Raises BadParameters where somebody wants a product turned that the photograph cut off: its edge must meet the
    canvas'.
    """
    if parameters.straighten_angle is None:
        return angle(alpha, worn=worn) if parameters.straighten == "auto" else 0.0
    if parameters.straighten_angle and cut_off(alpha, worn=worn):
        raise BadParameters("the photograph cut the product off: turned, its edge would show", "straighten.angle")
    return parameters.straighten_angle


def angle(alpha: Mask, *, worn: bool = False) -> float:
    """Degrees clockwise by which the product `alpha` (h, w) is to be turned: 0.3 to 8 either way, or 0.

    What the photograph cut off stays as it is, for its edge must meet the canvas'.
    """
    solid = (alpha >= HALF).astype(np.uint8)
    if not solid.any() or cut_off(alpha, worn=worn):
        return 0.0
    small = _small(solid)
    found = _of_symmetry(small)
    if found is None:
        found = _of_edges(small)
    if found is None or not _LEAST_DEG <= abs(found) <= _MOST_DEG:
        return 0.0
    return round(found, 2)


def _small(solid: Mask) -> NDArray[np.float32]:
    """The product, its centre of mass in the middle, with room to turn; 0..1."""
    y, x = np.nonzero(solid)
    centre = np.array([x.mean() + 0.5, y.mean() + 0.5])
    reach = float(np.hypot(x + 0.5 - centre[0], y + 0.5 - centre[1]).max()) + 1
    scale = min(1.0, _LOOKED_AT_PX / reach)
    side = 2 * int(np.ceil(reach * scale)) + 4
    shift = side / 2 - centre * scale + (scale - 1) / 2
    move = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    soft = cv2.GaussianBlur(solid.astype(np.float32), (0, 0), max(0.4 / scale, 0.4))
    return np.asarray(cv2.warpAffine(soft, move, (side, side), flags=cv2.INTER_LINEAR), np.float32)


def _of_symmetry(small: NDArray[np.float32]) -> float | None:
    """The turn after which the product is most alike left and right, if it is then, and much less so 3° away."""
    degrees = np.arange(-_MOST_DEG - _GAIN_DEG, _MOST_DEG + _GAIN_DEG + _STEP_DEG / 2, _STEP_DEG)
    unlike = np.array([_unlikeness(small, float(turn)) for turn in degrees])
    best, away = int(unlike.argmin()), round(_GAIN_DEG / _STEP_DEG)
    if unlike[best] > _UNLIKE_MAX or not away <= best < len(degrees) - away:
        return None
    if min(unlike[best - away], unlike[best + away]) < unlike[best] + _UNLIKE_GAIN:
        return None
    # Unlikeness grows in proportion to the turn on either side: where the two lines meet is finer than the step.
    near = max(away // 2, 1)
    left, right = unlike[best - near], unlike[best + near]
    slope = (max(left, right) - unlike[best]) / (near * _STEP_DEG)
    return float(degrees[best] + (left - right) / (2 * slope))


def _unlikeness(small: NDArray[np.float32], turn_deg: float) -> float:
    """What of the turned product has no counterpart on the other side, as a share of it."""
    middle = (small.shape[1] - 1) / 2
    turned = cv2.warpAffine(small, cv2.getRotationMatrix2D((middle, middle), -turn_deg, 1.0), small.shape[::-1])
    return float(np.abs(turned - turned[:, ::-1]).sum() / turned.sum() / 2)


def _of_edges(small: NDArray[np.float32]) -> float | None:
    """The mean turn that makes the straight edges at the left and right upright, if they nearly agree."""
    contours, _ = cv2.findContours((small > 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(contours, key=cv2.contourArea)[:, 0].astype(np.float32)
    left, right = outline[:, 0].min(), outline[:, 0].max()
    edges = _upright_edges(outline)
    at_left = [edge for edge in edges if edge[1] < left + (right - left) / 3]
    at_right = [edge for edge in edges if edge[1] > right - (right - left) / 3]
    if not at_left or not at_right:
        return None
    turns = [max(side)[2] for side in (at_left, at_right)]
    return None if abs(turns[0] - turns[1]) > _EDGES_APART_DEG else sum(turns) / 2


def _upright_edges(outline: NDArray[np.float32]) -> list[tuple[float, float, float]]:
    """Straight runs of the outline, nearly upright: length, x of their middle, and the turn to stand upright."""
    height = float(np.ptp(outline[:, 1]))
    corners = cv2.approxPolyDP(outline[:, None], _BEND * height, True)[:, 0]
    places = sorted(int(np.abs(outline - corner).sum(axis=1).argmin()) for corner in corners)
    found = []
    for start, end in zip(places, [*places[1:], places[0] + len(outline)], strict=True):
        run = outline[np.arange(start, end + 1) % len(outline)]
        length = float(np.hypot(*(run[-1] - run[0])))
        if length < _EDGE_SHARE * height:
            continue
        across, down = cv2.fitLine(run, cv2.DIST_HUBER, 0, 0.01, 0.01).ravel()[:2]
        turn = float(np.degrees(np.arctan2(across, down)))
        turn = turn - 180 if turn > 90 else turn + 180 if turn < -90 else turn
        if abs(turn) <= _MOST_DEG + _EDGES_APART_DEG:
            found.append((length, float(run[:, 0].mean()), turn))
    return found
