"""How a clip moves. Each frame is the still seen from a little elsewhere, in other light, or through another lens.

The product is one layer that is moved and resampled, and nothing else: not lit, not blurred, not turned. The scene
about it moves by its distances, as a camera sees it: what is as far as the product moves with it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from gpu_workers.imaging.linear_light import to_linear, to_srgb
from gpu_workers.imaging.types import Code, Plane
from gpu_workers.operations.mockup.scene_focus import defocused
from gpu_workers.operations.mockup.scene_shadow import shift
from gpu_workers.operations.packshot.packshot import Placement
from gpu_workers.operations.showcase.stage import Stage
from schemas.operations.base import BadParameters
from schemas.operations.showcase import Motion, ShowcaseParameters

# Set by hand by looking at clips of the sample catalogue, none is fitted.
_SLIDE_CM = 4.0  # to either side at most: beyond, a product that does not turn looks like a board
_SLIDE_SHARE = 0.035  # of the frame's width that the farthest things move by
_SLIDE_SHARE_MIN = 0.008  # less is not seen
_PUSH = 0.107  # of the way to the product: it grows by 12 %
_DIM = 0.25  # of the main light, beside the band of a sweep
_BAND_SHARE = 0.5  # of what is seen from side to side, that the band's slopes take
_EDGE_PERCENT = 2  # of what is seen at either end of a sweep, so that what is far away does not make it slow
_BLUR_SHARE = 0.014  # of the frame's width: the standard deviation of what is farthest out of focus
_SHARP = 0.04  # of nearness, off the product's, that stays in focus
_STEPS = 3  # in which what lies at a pixel is looked for
# How much the product grows at most.
GROWTH: dict[Motion, float] = {"slide": 1.0, "push_in": 1 / (1 - _PUSH), "light_sweep": 1.0, "rack_focus": 1.0}


@dataclass(frozen=True)
class Frame:
    """A frame: `rgb` (h, w, 3) uint8 sRGB, where the product lies in it, and what is seen of its alpha (h, w; 0..1)."""

    rgb: Code
    placement: Placement
    alpha: Plane


Shot = Callable[[float], Frame]


def shot_of(stage: Stage, motion: Motion) -> Shot:
    """What makes the frame of a value of `phases`. Raises BadParameters where the scene has nothing to move."""
    return _SHOTS[motion](stage)


def phases(parameters: ShowcaseParameters) -> list[float]:
    """Where in its motion each frame is: -1..1 of a slide, else 0..1. A loop ends where it begins; it turns softly."""
    turns = [number / (parameters.frames - 1) for number in range(parameters.frames)]
    return [round(_phase(parameters, turn), 5) + 0.0 for turn in turns]


def _phase(parameters: ShowcaseParameters, turn: float) -> float:
    eased = (1 - math.cos(math.pi * turn)) / 2
    if parameters.motion == "slide":
        return math.sin(2 * math.pi * turn) if parameters.loop else 2 * eased - 1
    if parameters.motion == "light_sweep":
        return eased  # it passes: a loop begins and ends with the band out of sight
    return (1 - math.cos(2 * math.pi * turn)) / 2 if parameters.loop else eased


def _slide(stage: Stage) -> Shot:
    """The camera goes to the side and looks at the product; its distance stays."""
    far = float(np.abs(stage.nearness - 1).max())
    width = stage.size.width_px
    most_px = min(_SLIDE_SHARE * width, stage.room_px) if far > 0 else 0.0
    reach_px = min(most_px / max(far, 1e-6), _SLIDE_CM * stage.px_per_cm)
    if reach_px * far < _SLIDE_SHARE_MIN * width:
        message = "`motion`: the scene has too little room at its sides, or too little depth, to slide past"
        raise BadParameters(message, "motion")
    picture = to_srgb(stage.ground)

    def shot(value: float) -> Frame:
        def moved(x: Plane, y: Plane, near: Plane) -> tuple[Plane, Plane]:
            return x - np.float32(value * reach_px) * (1 - near), y

        return _composed(stage, picture if value == 0 else _seen(stage, picture, moved), 1.0)

    return shot


def _push_in(stage: Stage) -> Shot:
    """The camera comes nearer to the product's middle."""
    middle_x, middle_y = np.float32(stage.middle[0] + stage.left - 0.5), np.float32(stage.middle[1] - 0.5)
    picture = to_srgb(stage.ground)

    def shot(value: float) -> Frame:
        def moved(x: Plane, y: Plane, near: Plane) -> tuple[Plane, Plane]:
            share = 1 - np.float32(value * _PUSH) * near
            return middle_x + (x - middle_x) * share, middle_y + (y - middle_y) * share

        grown = 1 / (1 - value * _PUSH)
        return _composed(stage, picture if value == 0 else _seen(stage, picture, moved), grown)

    return shot


def _light_sweep(stage: Stage) -> Shot:
    """A bright band of the main light passes, along its rays, over what is seen; the rest of it is dimmed."""
    assert stage.key is not None, "the stage of a sweep has the main light's part"
    key = stage.key
    right, _, up = cv2.split(stage.points)
    along = right + up * np.float32(shift(*stage.light)[0])
    low, high = (float(np.percentile(along, share)) for share in (_EDGE_PERCENT, 100 - _EDGE_PERCENT))
    along = np.clip(along, low, high)
    slope = max((high - low) * _BAND_SHARE, 1e-3)
    start, stop = (high + slope, low - slope) if stage.light[0] > 0 else (low - slope, high + slope)

    def shot(value: float) -> Frame:
        at = start + (stop - start) * value
        band = np.clip(1 - np.abs(along - np.float32(at)) / np.float32(slope), 0, 1).astype(np.float32)
        lost = np.float32(1 - _DIM) * (1 - band * band * (3 - 2 * band))
        lost = cv2.resize(lost, key.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        return _composed(stage, to_srgb(stage.ground - key * lost[..., None]), 1.0)

    return shot


def _rack_focus(stage: Stage) -> Shot:
    """What is nearer or farther than the product goes out of focus."""
    off = np.maximum(np.abs(stage.nearness - 1) - np.float32(_SHARP), 0)
    if float(off.max()) <= 0:
        raise BadParameters(
            "`motion`: all of the scene is as far as the product; nothing can go out of focus", "motion"
        )
    sigma_px = off / off.max() * np.float32(_BLUR_SHARE * stage.size.width_px)
    coarse = cv2.resize(sigma_px, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)

    def shot(value: float) -> Frame:
        ground = stage.ground if value == 0 else defocused(stage.ground, coarse * np.float32(value))
        return _composed(stage, to_srgb(ground), 1.0)

    return shot


_SHOTS: dict[Motion, Callable[[Stage], Shot]] = {
    "slide": _slide,
    "push_in": _push_in,
    "light_sweep": _light_sweep,
    "rack_focus": _rack_focus,
}


def _seen(stage: Stage, picture: Code, moved: Callable[[Plane, Plane, Plane], tuple[Plane, Plane]]) -> Code:
    """The `picture` from elsewhere: `moved` says where what lies at (x, y) was, by how near that is.

    What lies at a pixel is not known before it is found: looked for in steps, each from where the one before led.
    """
    height, width = stage.nearness.shape
    y, x = np.mgrid[:height, :width].astype(np.float32) * 2 + np.float32(0.5)
    near = stage.nearness
    for _ in range(_STEPS):
        from_x, from_y = moved(x, y, near)
        near = cv2.remap(
            stage.nearness,
            from_x / 2 - np.float32(0.25),
            from_y / 2 - np.float32(0.25),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
    size = picture.shape[1::-1]
    whole = [cv2.resize(part, size, interpolation=cv2.INTER_LINEAR) for part in moved(x, y, near)]
    return np.asarray(cv2.remap(picture, whole[0], whole[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE))


def _composed(stage: Stage, ground: Code, grown: float) -> Frame:
    """The product, `grown` about its middle, over a `ground` (h, w, 3) of the canvas; of that the frame."""
    rgb = np.ascontiguousarray(ground[:, stage.left : stage.left + stage.size.width_px])
    placement = _grown(stage, grown)
    light, box = stage.laid if grown == 1 else stage.layer.laid(placement)
    if stage.hidden is not None:
        light = light * (1 - _hidden(stage, stage.hidden, grown)[box][..., None])
    rgb[box] = to_srgb(light[..., :3] + (1 - light[..., 3:]) * to_linear(rgb[box]))
    alpha = np.zeros(rgb.shape[:2], np.float32)
    alpha[box] = light[..., 3]
    if stage.front is not None:
        alpha *= 1 - _put_in_front(stage, rgb)
    return Frame(rgb, placement, alpha)


def _grown(stage: Stage, grown: float) -> Placement:
    old, (x, y) = stage.placement, stage.middle
    return replace(
        old,
        scale=old.scale * grown,
        x_px=x * (1 - grown) + old.x_px * grown,
        y_px=y * (1 - grown) + old.y_px * grown,
    )


def _hidden(stage: Stage, hidden: Plane, grown: float) -> Plane:
    """What hides the product grows as it does: it is about as near."""
    if grown == 1:
        return hidden
    # OpenCV's pixels have their middles at whole numbers.
    x, y = stage.middle[0] - 0.5, stage.middle[1] - 0.5
    matrix = np.array([[grown, 0, x * (1 - grown)], [0, grown, y * (1 - grown)]])
    return np.asarray(cv2.warpAffine(hidden, matrix, hidden.shape[1::-1], flags=cv2.INTER_LINEAR), np.float32)


def _put_in_front(stage: Stage, rgb: Code) -> Plane:
    """Puts what stands before the product over `rgb`, and returns its alpha (h, w). Nobody knows how near it is: it
    stays where it is."""
    assert stage.front is not None
    front = stage.front[:, stage.left : stage.left + stage.size.width_px]
    there = front[..., 3] > 0
    rgb[there] = to_srgb(front[there][:, :3] + (1 - front[there][:, 3:]) * to_linear(rgb[there]))
    return front[..., 3]
