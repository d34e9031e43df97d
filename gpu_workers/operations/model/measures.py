"""What can be measured of a worn garment, on the written file decoded afresh where it is of the picture.

| measure | says |
|---|---|
| `landmark_asymmetry` | the largest distance between a landmark and its mirrored fellow, of the chest's width |
| `neck_contrast` | how much the picture changes along the front's neckline, beside an ordinary place |
| `drape_stretch_p99` | how much the cloth's edges are stretched, the 99th percentile; 1: not at all |
| `seam_off_shoulder_cm` | how far the shoulders' seams are from the body's shoulders, at most |
| `print_stretch_p5`, `print_stretch_p95` | how large the front's middle hangs beside its photograph, along and across |
| `let_out` | how much wider its sides are cut than photographed, for a larger size; 1: not at all |
| `through_body_mm` | how deep a body's skin lies before the cloth, at most; 0 where nowhere |
| `bare_share` | share of the garment's pixels in which the body lies before it by less than a hand's depth |
| `light_divided_delta_e` | ΔE00 between the file, its light divided out, and the cutout's own pixels, their mean |
| `in_frame` | 1 when neither hem nor sleeves leave the picture |
| `garment_width_cm`, `garment_length_cm` | as it was cut |

The light is divided out as the picture was lit: by the light that was computed, not by one that is guessed.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.colour_difference import ciede2000, srgb_to_lab
from gpu_workers.imaging.linear_light import to_linear, to_srgb
from gpu_workers.imaging.types import Code
from gpu_workers.operations.model import drape
from gpu_workers.operations.model.drape import Points
from gpu_workers.operations.model.dressing import Worn

# Set by hand, none is fitted.
_RIM_PX = 4  # of the garment's edge, where a file's blocks mix it with what is beside it
_DARKEST = 0.12  # of the light: what is darker has too few codes to be divided by it
_SAMPLES = 40_000


def cloth_measures(worn: Worn) -> dict[str, float]:
    """Those of the cloth and its landmarks."""
    return {
        "landmark_asymmetry": worn.found.asymmetry,
        "neck_contrast": worn.found.neck_contrast,
        "drape_stretch_p99": float(np.percentile(worn.cloth.stretch, 99)),
        "seam_off_shoulder_cm": seam_off_shoulder_cm(worn),
        "through_body_mm": through_body_mm(worn),
        "bare_share": worn.bare_share,
        **print_stretch(worn),
        "let_out": worn.cut.let_out,
        "garment_width_cm": worn.cut.width_cm,
        "garment_length_cm": worn.cut.length_cm,
    }


def seam_off_shoulder_cm(worn: Worn) -> float:
    """The largest over both sides of the least distance between the shoulder's seam and the top of the joint."""
    joints, mesh = worn.model.joints, worn.model.arrays
    off = []
    for side, sign in (("shoulder_right", -1.0), ("shoulder_left", 1.0)):
        top = _above(mesh["stands"], joints[side])
        seam = worn.cloth.points[worn.cut.shoulders]
        own = seam[worn.cut.rest[worn.cut.shoulders, 0] * sign > 0]
        off.append(float(np.linalg.norm(own - top, axis=1).min()))
    return max(off) * 100


def _above(body: Points, joint: NDArray[np.float64]) -> NDArray[np.float64]:
    """The skin's highest point over a joint."""
    near = body[np.hypot(body[:, 0] - joint[0], body[:, 1] - joint[1]) < 0.03]
    return np.asarray(near[near[:, 2].argmax()])


def through_body_mm(worn: Worn) -> float:
    """How deep cloth lies in the part of the body that it covers, at most."""
    points, cut = worn.cloth.points, worn.cut
    normals = drape.outwards(points, cut.triangles)
    under = drape.skin_under(points, normals, cut.parts(cut.flat, drape.ARMHOLE_CM), drape.wearer(worn.model))
    return float(max(0.0, -under.far_m[under.near].min(initial=0.0))) * 1000


def print_stretch(worn: Worn) -> dict[str, float]:
    """The singular values of the map from the front's middle as it was photographed to the cloth as it hangs."""
    triangles = worn.cut.triangles[worn.cut.is_print]
    flat = worn.cut.flat[triangles]
    a, b = flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]
    p, q = (worn.cloth.points[triangles[:, k]] - worn.cloth.points[triangles[:, 0]] for k in (1, 2))
    area = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    inverse = np.array([[b[:, 1], -b[:, 0]], [-a[:, 1], a[:, 0]]]).transpose(2, 0, 1) / area[:, None, None]
    moved = np.stack([p, q], axis=-1) * 100 @ inverse
    values = np.linalg.svd(moved, compute_uv=False)
    return {
        "print_stretch_p5": float(np.percentile(values[:, 1], 5)),
        "print_stretch_p95": float(np.percentile(values[:, 0], 95)),
    }


def picture_measures(written: Code, worn: Worn) -> dict[str, float]:
    """Those of the picture, of its file decoded, (h, w, 3)."""
    size = 2 * _RIM_PX + 1
    inner = cv2.erode(worn.front.astype(np.uint8), np.ones((size, size), np.uint8)) > 0
    inner &= worn.light > _DARKEST
    rows, columns = np.nonzero(inner)
    few = slice(None, None, max(len(rows) // _SAMPLES, 1))
    at = rows[few], columns[few]
    if not len(rows):
        return {}
    flat = to_linear(written[at]) / worn.light[at][:, None]
    apart = ciede2000(srgb_to_lab(to_srgb(flat.astype(np.float32))), srgb_to_lab(to_srgb(worn.source[at])))
    return {"light_divided_delta_e": float(np.mean(apart)), "in_frame": in_frame(worn)}


def in_frame(worn: Worn) -> float:
    """1 when the garment touches no edge of the picture."""
    mask = worn.mask
    return float(not (mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any()))
