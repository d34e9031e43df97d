"""A T-shirt lying flat, drawn: its landmarks are known."""

import cv2
import numpy as np

from gpu_workers.imaging.types import Code

NECK, SHOULDER, CUFF_TOP, CUFF_LOW, ARMPIT, HEM = (
    (9.0, 70.0),
    (22.5, 66.0),
    (40.0, 52.0),
    (33.0, 44.0),
    (26.0, 47.0),
    (26.0, 0.0),
)
NECK_DEEP_CM, BACK_DEEP_CM = 9.0, 2.0
PX_PER_CM = 9.0
_SHIFT = 4  # bits of a pixel's fraction, as OpenCV draws


def tee(sleeve_cm: float = 0.0, *, printed: bool = True, colour: tuple[int, int, int] = (200, 204, 210)) -> Code:
    """uint8 (h, w, 4) with straight alpha. `sleeve_cm`: how much longer than short its sleeves are."""
    along = np.array([CUFF_TOP[0] - SHOULDER[0], CUFF_TOP[1] - SHOULDER[1]])
    longer = along / np.hypot(*along) * sleeve_cm
    top, low = np.array(CUFF_TOP) + longer, np.array(CUFF_LOW) + longer
    half = [NECK, SHOULDER, top, low, ARMPIT, HEM]
    turn = np.linspace(np.pi, 0, 41)
    neck = [(NECK[0] * np.cos(a), NECK[1] - BACK_DEEP_CM * np.sin(a)) for a in turn]
    outline = [*neck, *half[1:], *[(-x, y) for x, y in half[::-1]]]
    reach = float(top[0]) + 3
    picture = np.zeros((int(76 * PX_PER_CM), int(2 * reach * PX_PER_CM), 4), np.uint8)
    _filled(picture, outline, (*colour, 255), reach)
    front = [(NECK[0] * np.cos(a), NECK[1] - NECK_DEEP_CM * np.sin(a)) for a in turn]
    inside = tuple(int(value * 0.55) for value in colour)
    _filled(picture, [*front, *neck[::-1]], (*inside, 255), reach)
    if printed:
        _filled(
            picture,
            [(9 * np.cos(a), 42 + 9 * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 90)],
            (190, 40, 36, 255),
            reach,
        )
    return picture


def trousers() -> Code:
    """The same for what is no top."""
    picture = np.zeros((700, 420, 4), np.uint8)
    cv2.fillPoly(
        picture,
        [np.array([(90, 20), (330, 20), (360, 680), (240, 680), (210, 220), (180, 680), (60, 680)])],
        (60, 70, 120, 255),
    )
    return picture


def _filled(picture: Code, outline: list, colour: tuple[int, ...], reach: float) -> None:  # type: ignore[type-arg]
    points = np.array([((x + reach) * PX_PER_CM, (73 - y) * PX_PER_CM) for x, y in outline])
    cv2.fillPoly(picture, [np.round(points * 2**_SHIFT).astype(np.int32)], colour, cv2.LINE_AA, _SHIFT)
