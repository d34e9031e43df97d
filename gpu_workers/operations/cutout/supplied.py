"""What its supplier cut out: a picture whose own alpha is a cutout already."""

from dataclasses import dataclass

import cv2
import numpy as np

from gpu_workers.imaging.types import Codes
from gpu_workers.operations.cutout.samples import Rgba, full


@dataclass(frozen=True)
class OwnAlpha:
    """When alpha is a cutout, as shares of the rim and of the picture. Set by hand, none is fitted."""

    clear_rim_min: float = 0.25
    clear_min: float = 0.02
    solid_min: float = 0.005
    solid_alpha: float = 0.98


OWN_ALPHA = OwnAlpha()


def has_clean_alpha(picture: Codes) -> bool:
    """Whether uint8 or uint16 RGBA is a cutout already: some of it solid, much of its rim and some of it clear."""
    if picture.shape[2] != 4:
        return False
    alpha = picture[..., 3]
    rim = np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]])
    solid = alpha > OWN_ALPHA.solid_alpha * full(picture)
    return bool(
        (rim == 0).mean() > OWN_ALPHA.clear_rim_min
        and (alpha == 0).mean() > OWN_ALPHA.clear_min
        and solid.mean() > OWN_ALPHA.solid_min
    )


def own_shadow_share(picture: Rgba) -> float:
    """Share of what is visible that is dark, see-through and away from anything solid: the supplier's shadow."""
    alpha = picture[..., 3]
    near_solid = cv2.dilate((alpha > 230).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    shadow = (alpha > 0) & (alpha <= 230) & ~near_solid & (picture[..., :3].max(axis=2) < 90)
    return float(shadow.sum() / max(1, np.count_nonzero(alpha)))
