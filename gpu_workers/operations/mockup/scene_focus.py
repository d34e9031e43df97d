"""Depth of field of a frame that is nearer than the scene's plate: what is out of focus becomes more so.

A plate has the blur of the lens that it was rendered with. Who takes a smaller part of it with the same lens from
nearer, or with a longer one, gets more: a disc that grows with the aperture, which grows with the focal length. The
lens is stopped down by half of that, as photographers do, so that all of the product stays sharp.
"""

import math

import cv2
import numpy as np

from gpu_workers.imaging.types import Plane
from gpu_workers.library.scenes import Scene
from gpu_workers.operations.mockup.scene_light import Lit
from gpu_workers.operations.mockup.scene_placing import Drawn
from gpu_workers.operations.mockup.scene_variation import SENSOR_CM, View

# Set by hand, none is fitted, but where a line says so.
_COARSE = 4  # px of the canvas a cell of what tells the blur
_FIRST_PX = 1.5  # the smallest blur that is laid on; each next one is twice as wide
_OPENS_BY = 0.5  # the power of how much nearer the frame is, with which the aperture grows
_SIGMA_OF_DISC = 0.25  # a disc's standard deviation along a line, of its diameter
_EDGE_CELLS = 1.0  # of the steps in what tells the blur


def blur_px(scene: Scene, plate_px: int, view: View, light: Lit, main: Drawn) -> Plane | None:
    """How much more each point is blurred than on the plate (standard deviation in px of the canvas; a cell for every
    four by four px). `plate_px` is how wide the plate is. None where the scene does not know its distances or its lens.
    The equation of a thin lens."""
    lens = scene.camera
    if light.depth_cm is None or lens.focus_cm is None or lens.f_number is None:
        return None
    size = tuple(math.ceil(side / _COARSE) for side in light.depth_cm.shape[1::-1])
    depth_cm = np.maximum(cv2.resize(light.depth_cm, size, interpolation=cv2.INTER_NEAREST), 1.0)
    focal_px = lens.focal_px * view.scale
    disc_px = focal_px * (lens.focal_px / plate_px * SENSOR_CM / lens.f_number)
    at_cm = focal_px / main.ground.px_per_cm
    # Nothing of what is as far as a part of the product is blurred: half of its width to and fro.
    deep_cm = (main.box[1].stop - main.box[1].start) / main.ground.px_per_cm / 2
    off_cm = np.sign(depth_cm - at_cm) * np.maximum(np.abs(depth_cm - at_cm) - deep_cm, 0)
    nearer = (plate_px / view.width) ** _OPENS_BY
    wanted = nearer * disc_px * np.abs(1 / at_cm - 1 / np.maximum(at_cm + off_cm, 1.0))
    there = disc_px * np.abs(1 / lens.focus_cm - 1 / depth_cm)
    sigma = _SIGMA_OF_DISC * np.sqrt(np.maximum(wanted**2 - there**2, 0))
    return np.asarray(cv2.GaussianBlur(sigma.astype(np.float32), (0, 0), _EDGE_CELLS), np.float32)


def defocused(picture: Plane, sigma_px: Plane) -> Plane:
    """The `picture` (h, w, 3; linear) blurred by `sigma_px` (a cell for every four by four px), between a few blurs.

    What is sharper than a blur gives nothing to it, so that a table's edge does not glow into the wall behind it.
    """
    size = picture.shape[1::-1]
    each_px = np.asarray(cv2.resize(sigma_px, size, interpolation=cv2.INTER_LINEAR), np.float32)
    out, level_px = picture.copy(), _FIRST_PX
    while level_px / 2 < float(sigma_px.max()):
        blurred = _blurred(picture, sigma_px, level_px)
        blurred -= out
        blurred *= np.clip(each_px / level_px * 2 - 1, 0, 1)[..., None]
        out += blurred
        level_px *= 2
    return out


def _blurred(picture: Plane, sigma_px: Plane, level_px: float) -> Plane:
    """All that is at least half as blurred as this level, blurred by it, on as few pixels as it needs."""
    shrink = max(1, round(level_px / _FIRST_PX))
    size = tuple(math.ceil(side / shrink) for side in picture.shape[1::-1])
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    given = np.clip(cv2.resize(sigma_px, size, interpolation=cv2.INTER_LINEAR) / level_px * 4 - 1, 1e-3, 1)[..., None]
    blurs = [cv2.GaussianBlur(part, (0, 0), level_px / shrink) for part in (small * given, given)]
    full = cv2.resize(blurs[0] / blurs[1][..., None], picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(full, np.float32)
