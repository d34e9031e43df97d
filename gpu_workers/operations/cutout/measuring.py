"""What is measured of a cutout while it is made, and how far it can be trusted by that."""

import cv2
import numpy as np

from gpu_workers.imaging.types import Flags, Plane
from gpu_workers.operations.cutout import uncertainty, wearing
from gpu_workers.operations.cutout.samples import Rgba

# What people and frames in a cutout add; set by hand: more than the gates let pass.
UNCERTAINTY_OF_PEOPLE = 0.5
_FRAMED_SHARE_MAX, _UNCERTAINTY_OF_FRAMES = 0.5, 0.5  # of the frame within bars, along which a mask lies
_PARTIAL = (0.02, 0.98)  # of alpha, between which a pixel is mixed: solvers leave as much of nothing; set by hand
_ISLAND_SHARE_MIN = 0.001  # of what is solid: a smaller one is a speck; set by hand
MEASURES = (
    "uncertainty",
    "agreement",
    "coverage",
    "band_width_px",
    "islands",
    "plain_background",
    "look_through_share",
    "left_out_share",
    "see_through_share",
    "person_share",
    "band_scale",
    "has_own_alpha",
    "own_shadow_share",
    "framed_share",
    "worn",
    "garment_cropped_edges",
    *uncertainty.SEEN,
)


def uncertainty_by(measures: dict[str, float]) -> float:
    """How uncertain a cutout is by its measures, 0..1."""
    # What was solved at half the size is known half as well.
    unsure = max(uncertainty.uncertainty(measures), 1 - measures["band_scale"])
    unsure = max(unsure, UNCERTAINTY_OF_PEOPLE) if is_doubtful(measures) else unsure
    return max(unsure, _UNCERTAINTY_OF_FRAMES) if measures["framed_share"] > _FRAMED_SHARE_MAX else unsure


def is_doubtful(measures: dict[str, float]) -> bool:
    """Whether somebody is seen who is not known to wear the product and to be part of the cutout with it."""
    return measures["worn"] != 1 and measures["person_share"] > wearing.PERSON_SHARE_MAX


def of_people(rgb: Rgba, alpha: Rgba, people: Plane | None, with_wearer: bool) -> dict[str, float]:
    """What is to be said of `people` (h, w) in the cutout `alpha` (h, w) of uint8 RGB (h, w, 3)."""
    share = 0.0 if people is None else uncertainty.person_share(rgb, people, alpha)
    if not with_wearer or share <= wearing.PERSON_SHARE_MAX:
        return {"person_share": share}
    return {"person_share": share, "worn": 1.0, "garment_cropped_edges": float(wearing.cropped_edges(rgb, alpha))}


def island_count(solid: Flags) -> int:
    """How many pieces there are, without crumbs."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(solid.astype(np.uint8), connectivity=8)
    return int((stats[1:, cv2.CC_STAT_AREA] >= _ISLAND_SHARE_MIN * max(1, solid.sum())).sum())


def band_width_px(alpha: Plane) -> float:
    """Area of partial alpha over the length of the edge."""
    partial = int(np.count_nonzero((alpha > _PARTIAL[0]) & (alpha < _PARTIAL[1])))
    solid = (alpha > 0.5).astype(np.uint8)
    edge = solid - cv2.erode(solid, np.ones((3, 3), np.uint8), borderValue=1)
    return partial / max(1, int(np.count_nonzero(edge)))
