"""How unsure a cutout is: what can be seen of it without the truth, and what that was found to mean.

The uncertainty is the likelihood that a person would not take the cutout: a logistic sum of signs, each of which only
adds to it. `make calibrate-cutout` fits the weights on rendered pictures whose truth is known, and says how well.
"""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
Flags = NDArray[np.bool_]

# By `make calibrate-cutout`.
BIAS = -2.9
WEIGHTS = {
    "mask_doubt": 5.0,
    "disagreement": 5.0,
    "look_through": 6.0,
    "left_out": 5.0,
    "moved": 3.0,
    "alike_inside": 4.0,
    "faint_edge": 2.0,
    "ragged": 2.0,
    "outline": 2.0,
}

_SIZE_PX = 400
_ALIKE = 0.08
_SPREADS_PX = (64, 32, 16, 8, 4)
_RING_PX = 9
_PERSON_SHARE_MIN = 0.8


def uncertainty(signs: Mapping[str, float]) -> float:
    """The likelihood, 0..1, that what shows these signs, those of WEIGHTS, is no good."""
    return float(1 / (1 + np.exp(-BIAS - sum(weight * signs[name] for name, weight in WEIGHTS.items()))))


def signs(rgb: Plane, mask: Plane, alpha: Plane) -> dict[str, float]:
    """What speaks against the matte `alpha` (h, w) of the network's `mask` (h, w) and the picture (h, w, 3), in 0..1.

    Each is 0..1: how far the mask is neither in nor out and from the matte; how much of the product has the colours of
    the ground about it; along how much of the outline the two sides are alike; how rough and how long the outline is.
    """
    scale = min(1.0, _SIZE_PX / max(alpha.shape))
    size = (max(1, round(alpha.shape[1] * scale)), max(1, round(alpha.shape[0] * scale)))
    picture, seen, matte = (cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in (rgb, mask, alpha))
    solid = np.asarray(matte > 0.5)
    rim = solid & (cv2.erode(solid.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1) == 0)
    length = max(1, int(rim.sum()))
    return {
        "mask_doubt": float(min(1.0, (4 * seen * (1 - seen)).sum() / max(float(seen.sum()), 1.0))),
        "moved": 1 - _overlap(seen > 0.5, solid),
        "alike_inside": _alike_inside(picture, solid),
        "faint_edge": _faint(picture, solid, rim),
        "ragged": float(np.clip(length / max(1, _smooth_length(solid)) - 1, 0, 1)),
        "outline": float(min(1.0, length / (20 * np.sqrt(np.pi * max(1, int(solid.sum())))))),
    }


def _overlap(one: Flags, other: Flags) -> float:
    either = np.count_nonzero(one | other)
    return float(np.count_nonzero(one & other) / either) if either else 1.0


def _alike_inside(picture: Plane, solid: Flags) -> float:
    """Share of the product that looks like the ground would there, by the ground about it: holes, glass, wire."""
    core = cv2.erode(solid.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=1) > 0
    outside = cv2.dilate(solid.astype(np.uint8), np.ones((7, 7), np.uint8)) == 0
    if not core.any() or not outside.any():
        return 0.0
    ground = np.zeros_like(picture)
    for sigma_px in _SPREADS_PX:
        weight = cv2.GaussianBlur(outside.astype(np.float32), (0, 0), sigma_px)
        sums = cv2.GaussianBlur(picture * outside[..., None].astype(np.float32), (0, 0), sigma_px)
        near = np.clip(weight / 0.05, 0, 1)[..., None]
        ground = ground * (1 - near) + near * sums / np.maximum(weight, 1e-4)[..., None]
    return float((np.abs(picture - ground).max(axis=2)[core] < _ALIKE).mean())


def _faint(picture: Plane, solid: Flags, rim: Flags) -> float:
    """Share of the outline on both sides of which the colours are much the same."""
    if not rim.any():
        return 0.0
    means = []
    for side in (solid, ~solid):
        weight = cv2.blur(side.astype(np.float32), (_RING_PX, _RING_PX))
        sums = cv2.blur(picture * side[..., None].astype(np.float32), (_RING_PX, _RING_PX))
        means.append(sums / np.maximum(weight, 1e-3)[..., None])
    return float((np.abs(means[0] - means[1]).max(axis=2)[rim] < _ALIKE).mean())


def _smooth_length(solid: Flags) -> int:
    """How long the outline is without its hairs and dents."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    smooth = cv2.morphologyEx(solid.astype(np.uint8), cv2.MORPH_CLOSE, disc)
    smooth = cv2.morphologyEx(smooth, cv2.MORPH_OPEN, disc)
    return int((smooth > cv2.erode(smooth, np.ones((3, 3), np.uint8), borderValue=1)).sum())


def person_share(rgb: NDArray[np.uint8], people: Plane, alpha: NDArray[np.uint8]) -> float:
    """Share of the cutout `alpha` (h, w) of uint8 RGB (h, w, 3) that is a person's skin or hair, 0..1.

    `people` (h, w), 0..1, says where a person or what one wears is likely: an empty hoodie looks like a person too, and
    only what is of a colour that skin has tells them apart. The ranges are those of D. Chai and K. N. Ngan, Face
    Segmentation Using Skin-Color Map, 1999.
    """
    solid = alpha > 127
    within = solid & (people > 0.5)
    area = max(1, int(solid.sum()))
    if within.sum() < _PERSON_SHARE_MIN * area:
        return 0.0
    _, red, blue = cv2.split(cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb))
    skin = (red >= 133) & (red <= 173) & (blue >= 77) & (blue <= 127)
    return float((skin & within).sum() / area)
