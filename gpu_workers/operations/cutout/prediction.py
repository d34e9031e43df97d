"""What the network says of a photograph: where the subject is, and its mask there."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.types import Plane
from gpu_workers.operations.cutout.errors import NoSubject
from gpu_workers.operations.cutout.samples import Rgba

MaskPredictor = Callable[[Rgba], Plane]
PREDICTIONS = 2  # of the network for a cutout: the whole picture, then the subject's box or its mirror image

_Picture = TypeVar("_Picture", bound=NDArray[Any])


@dataclass(frozen=True)
class Prediction:
    """How a network's masks are read. Shares are of the picture, masks 0..1. Set by hand, none is fitted."""

    subject_min: float = 0.5
    island_share_min: float = 0.0005
    margin_share: float = 0.12  # of the box's longer side
    margin_px_min: int = 8
    crop_share_max: float = 0.8  # a box that leaves less out is predicted mirrored
    at_odds: float = 0.8  # intersection over union of the two masks
    sure: float = 0.9


PREDICTION = Prediction()


@dataclass(frozen=True)
class Box:
    left: int
    top: int
    right: int
    bottom: int

    def of(self, picture: _Picture) -> _Picture:
        part: Any = picture[self.top : self.bottom, self.left : self.right]
        return cast(_Picture, part)

    def between(self, reduced: tuple[int, ...], whole: tuple[int, ...]) -> "Box":
        """The same of a picture of the shape `whole` as this is of one of the shape `reduced`."""
        down, across = whole[0] / reduced[0], whole[1] / reduced[1]
        left, top = math.floor(self.left * across), math.floor(self.top * down)
        right, bottom = math.ceil(self.right * across), math.ceil(self.bottom * down)
        return Box(left, top, min(whole[1], right), min(whole[0], bottom))


def subject_box(mask: Plane) -> Box:
    """The box about everything the mask is fairly sure of, with a margin. Raises NoSubject."""
    sure = (mask > PREDICTION.subject_min).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(sure, connectivity=8)
    kept = stats[:, cv2.CC_STAT_AREA] > PREDICTION.island_share_min * mask.size
    kept[0] = False
    if not kept.any():
        raise NoSubject(f"nothing stands out: the mask's highest value is {float(mask.max()):.2f}")
    lefts, tops, widths, heights = stats[kept, :4].T
    left, right, top, bottom = (
        int(lefts.min()),
        int((lefts + widths).max()),
        int(tops.min()),
        int((tops + heights).max()),
    )
    pad = max(round(PREDICTION.margin_share * max(right - left, bottom - top)), PREDICTION.margin_px_min)
    height, width = mask.shape
    return Box(max(0, left - pad), max(0, top - pad), min(width, right + pad), min(height, bottom + pad))


def enlarged(mask: Plane, shape: tuple[int, ...]) -> Plane:
    """The network's mask at the size of a picture of this `shape`."""
    enlarged = np.asarray(cv2.resize(mask, shape[1::-1], interpolation=cv2.INTER_CUBIC), np.float32)
    return np.clip(enlarged, 0, 1, out=enlarged)


def resized(plane: Plane, shape: tuple[int, ...]) -> Plane:
    """`plane` at the size of a picture of this `shape`; itself when it has it."""
    if plane.shape == shape[:2]:
        return plane
    return np.asarray(cv2.resize(plane, shape[1::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def refined_mask(crop: Rgba, first: Plane, share: float, predict: MaskPredictor) -> tuple[Plane, float]:
    """The mask within the subject's box by a second prediction, and how far the two agree there.

    `crop` (h, w, 3) is what lies in the box, `first` (h, w) what the first predicted there, `share` how much of the
    picture it is. When the box leaves little out, flipping it (test-time augmentation) says more than the same picture
    again. A refinement of so close a crop may lose whole parts of a product, the band between two ear cups: where the
    two are at odds, what the first was sure of stays.
    """
    if share < PREDICTION.crop_share_max:
        second = enlarged(predict(crop), crop.shape)
        agreement = agreement_of(first, second)
        if agreement < PREDICTION.at_odds:
            second = np.where(first > PREDICTION.sure, np.maximum(first, second), second)
        return np.asarray(second, np.float32), agreement
    mirrored = enlarged(predict(np.ascontiguousarray(crop[:, ::-1])), crop.shape)[:, ::-1]
    return np.asarray((first + mirrored) / 2, np.float32), agreement_of(first, mirrored)


def agreement_of(first: Plane, second: Plane) -> float:
    """Intersection over union of two masks."""
    either = np.maximum(first, second).sum()
    return float(np.minimum(first, second).sum() / either) if either > 0 else 0.0
