"""How near a picture is taken, and where in its frame the products are.

A hero is a product that the picture is about: half of its height, give or take. Room for words is kept free on the side
that is asked for. Every frame is a part of the plate: what the plate does not hold is not invented.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gpu_workers.operations.mockup.scene_variation import Box, Variation, View, view_of
from schemas.channels import Size
from schemas.operations.base import BadParameters
from schemas.operations.mockup import CopySpace, Framing

# Set by hand, none is fitted, but where a line says so.
_HEIGHT_SHARE = {"hero": 0.55, "detail": 0.8}  # of the frame's, that products take
_HEIGHT_VARIES = 0.16  # of the frame's height, from the least to the most that a seed makes of a hero: 0.47 to 0.63
_UNDER_WORDS_SHARE = 0.46  # of the frame's height, for a hero with words above it
_WIDTH_SHARE = {"hero": 0.72, "detail": 0.86}  # of the frame's, that products take at most
_WORDS_SHARE, _WORDS_MIN = 0.4, 0.3  # of the frame, that is kept free for words, and with less it is refused
_SIDE_MARGIN = 0.06  # of the frame's width, beside products that have moved aside
_BELOW_SHARE, _BELOW_UNDER_WORDS = 0.42, 0.18  # of the height that is free, below the products
_CLOSEST_SHARE = 0.22  # of the plate's width, that a frame shows at least: nearer, a plate of 2 MP is all blur
_WIDE = 1.25  # width by height, from which a frame has thirds to stand on


@dataclass(frozen=True)
class Frame:
    """What is asked of the frame. `azimuth_deg` is the main light's: shadows fall away from it, and need room."""

    framing: Framing
    copy_space: CopySpace
    azimuth_deg: float


def framed(
    plate: tuple[int, int], canvas: Size, boxes: Sequence[Box], variation: Variation, fill: float, frame: Frame
) -> View:
    """The part of a `plate` (height, width) that shows `boxes` as `frame` asks; for `fill` see `view_of`.

    Where the plate ends, the products stand nearer to the frame's middle than they should. Raises BadParameters when
    there is no such part, or no room for words.
    """
    around = view_of(plate, canvas, boxes, variation, fill)
    if frame.framing == "context" and frame.copy_space == "none":
        return around
    box = _around(boxes)
    wide = around.width if frame.framing == "context" else _width(plate, canvas, box, variation, frame)
    width, height = round(wide), round(wide * canvas.height_px / canvas.width_px)
    across, down = _corner(box, (wide, wide * canvas.height_px / canvas.width_px), frame)
    left = round(min(max(across, 0), plate[1] - width))
    top = round(min(max(down, 0), plate[0] - height))
    view = View(max(left, 0), max(top, 0), min(width, plate[1]), min(height, plate[0]), canvas)
    _hold_room(view, box, frame.copy_space)
    return view


def _around(boxes: Sequence[Box]) -> Box:
    left, top = (min(box[side] for box in boxes) for side in (0, 1))
    right, bottom = (max(box[side] for box in boxes) for side in (2, 3))
    return left, top, right, bottom


def _width(plate: tuple[int, int], canvas: Size, box: Box, variation: Variation, frame: Frame) -> float:
    """How wide the frame is in the plate, so that the products take what they should of its height, or of its width."""
    shape = canvas.width_px / canvas.height_px
    widest = min(plate[1], plate[0] * shape)
    share, room = _HEIGHT_SHARE[frame.framing], _WIDTH_SHARE[frame.framing]
    if frame.framing == "hero":
        share += _HEIGHT_VARIES * (variation.crop[1] - 0.5)
    if frame.copy_space == "top":
        share = min(share, _UNDER_WORDS_SHARE)
    elif frame.copy_space != "none":
        room = 1 - _WORDS_SHARE - _SIDE_MARGIN
    needed = max((box[3] - box[1]) / share * shape, (box[2] - box[0]) / room)
    return min(max(needed, _CLOSEST_SHARE * widest), widest)


def _corner(box: Box, size: tuple[float, float], frame: Frame) -> tuple[float, float]:
    """Where in the plate the frame's upper left corner should be."""
    share = (box[2] - box[0]) / size[0]
    low = _WORDS_SHARE + share / 2 if frame.copy_space == "left" else _SIDE_MARGIN + share / 2
    high = 1 - (_WORDS_SHARE if frame.copy_space == "right" else _SIDE_MARGIN) - share / 2
    middle = max(min(_third(size, frame), high), low) if low <= high else (low + high) / 2
    edge = min((share + _SIDE_MARGIN) / 2, 1 / 2)  # what is too wide for all that is asked stays in the frame
    middle = min(max(middle, edge), 1 - edge)
    below = _BELOW_UNDER_WORDS if frame.copy_space == "top" else _BELOW_SHARE
    free = size[1] - (box[3] - box[1])
    return (box[0] + box[2]) / 2 - middle * size[0], box[1] - (1 - below) * free


def _third(size: tuple[float, float], frame: Frame) -> float:
    """Where across the frame the products' middle should be, as a share. A frame that is wide has its shadow's room."""
    if frame.copy_space in ("left", "right"):
        return 2 / 3 if frame.copy_space == "left" else 1 / 3
    if frame.copy_space == "top" or size[0] < _WIDE * size[1]:
        return 1 / 2
    return 1 / 3 if frame.azimuth_deg <= 0 else 2 / 3


def _hold_room(view: View, box: Box, copy_space: CopySpace) -> None:
    """Raises BadParameters where words would have too little room."""
    free = {
        "left": (box[0] - view.left) / view.width,
        "right": (view.left + view.width - box[2]) / view.width,
        "top": (box[1] - view.top) / view.height,
        "none": 1.0,
    }[copy_space]
    if free < _WORDS_MIN:
        least = f"a share of {max(free, 0):.2f} is free there, and {_WORDS_MIN:g} is needed"
        raise BadParameters(f"`copySpace`: the scene has no room for words at the {copy_space}: {least}", "copySpace")
