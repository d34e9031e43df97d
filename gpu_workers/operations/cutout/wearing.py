"""Wearing: who wears a product, and whether the frame cuts what is worn off or only the wearer."""

import cv2
import numpy as np

from gpu_workers.imaging.types import Code, Flags, Plane
from gpu_workers.operations.cutout import uncertainty
from gpu_workers.operations.packshot.placement import CUT_SHARE, cut_lines

PERSON_SHARE_MAX = 0.01  # of what was cut out: less skin than a thumb is wood, leather or the light
_CELLS = 256  # a side, of the network that finds people
_UNSURE_CELLS = 2.5  # how far its outlines may be off
_GARMENT_LAB = 25.0  # a dye in light and in folds; skin, hair and another garment are further off
_LIGHT_WEIGHT = 0.5  # folds change the light more than the dye


def wearers(rgb: Code, people: Plane, mask: Plane) -> Plane | None:
    """Those of `people` (h, w) that the product of `mask` (h, w) is on; None where nobody's skin shows.

    Along the mask's own outline theirs, far coarser, adds nothing: what is too thin to be more than its error is left
    out.
    """
    _, labels = cv2.connectedComponents((people > 0.5).astype(np.uint8), connectivity=8)
    touched = np.unique(labels[mask > 0.5])
    region = np.isin(labels, touched[touched > 0])
    if (uncertainty.skin(rgb) & region).sum() <= PERSON_SHARE_MAX * region.sum():
        return None
    product = mask > 0.5
    disc = _disc(unsure_px(mask.shape))
    thick = cv2.morphologyEx((region & ~product).astype(np.uint8), cv2.MORPH_OPEN, disc)
    whole = cv2.morphologyEx(product.astype(np.uint8) | thick, cv2.MORPH_CLOSE, disc) > 0  # no seam between the two
    return np.where(whole & region, people, 0).astype(np.float32)


def unsure_px(shape: tuple[int, ...]) -> int:
    """How far the outlines of people in a picture (h, w) may be off."""
    return max(1, round(_UNSURE_CELLS * max(shape) / _CELLS))


def cropped_edges(rgb: Code, alpha: Code) -> int:
    """How many edges of the frame cut off the garment that the cutout `alpha` (h, w) of uint8 RGB (h, w, 3) shows.

    The garment is what has the colours of the cutout's middle half that are no skin; a wearer may be cut off.
    """
    solid = alpha > 127
    garment = (_garment(rgb, solid) * 255).astype(np.uint8)
    least = CUT_SHARE * np.sqrt(solid.sum())
    return sum(int(line.sum() > least) for line in cut_lines(alpha, garment))


def _garment(rgb: Code, solid: Flags) -> Flags:
    lab = cv2.cvtColor(cv2.GaussianBlur(rgb, (0, 0), 2).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    middle = _middle(solid) & solid & ~uncertainty.skin(rgb)
    if not middle.any():
        return solid  # nothing else is seen: what is cut off may be it
    away = lab - np.median(lab[middle], axis=0)
    away[..., 0] *= _LIGHT_WEIGHT
    return np.asarray(solid & ~uncertainty.skin(rgb) & (np.linalg.norm(away, axis=2) < _GARMENT_LAB))


def _disc(radius_px: int) -> Code:
    side = 2 * radius_px + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)


def _middle(solid: Flags) -> Flags:
    """The middle half of the box about `solid` (h, w), both ways."""
    rows, columns = (np.flatnonzero(solid.any(axis=axis)) for axis in (1, 0))
    middle = np.zeros(solid.shape, np.bool_)
    inner = [slice(*np.quantile(each, (0.25, 0.75)).astype(int)) for each in (rows, columns)]
    middle[inner[0], inner[1]] = True
    return middle
