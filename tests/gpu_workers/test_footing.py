"""Which shadow a channel's soft one becomes where an outline does not say how its product meets the ground."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_workers.operations.packshot import footing
from gpu_workers.operations.packshot.packshot import packshot
from schemas import channels
from schemas.operations.packshot import PackshotParameters
from tests.gpu_workers.products import block, mug

Alpha = NDArray[np.uint8]


def drawn(*outlines: list[tuple[int, int]], side: int = 400) -> Alpha:
    """The alpha (h, w) of filled outlines (x, y)."""
    alpha = np.zeros((side, side), np.uint8)
    for outline in outlines:
        cv2.fillPoly(alpha, [np.array(outline)], 255)
    return alpha


def ellipses(*parts: tuple[int, int, int, int], side: int = 400) -> Alpha:
    """The alpha (h, w) of filled ellipses: centre (x, y), half width, half height."""
    alpha = np.zeros((side, side), np.uint8)
    for x, y, wide, high in parts:
        cv2.ellipse(alpha, (x, y), (wide, high), 0, 0, 360, 255, -1)
    return alpha


def shoes_from_above() -> Alpha:
    """A pair side by side, its toes at the bottom."""
    return ellipses((130, 200, 55, 160), (250, 200, 55, 160))


def shoe_and_the_one_behind() -> list[list[tuple[int, int]]]:
    """A pair obliquely from above: the near sole runs back to the left, the far one stands higher to its right."""
    near = [(40, 170), (110, 120), (250, 230), (300, 250), (300, 300), (270, 310), (170, 310), (150, 300), (45, 225)]
    far = [(120, 110), (170, 90), (300, 170), (370, 190), (370, 235), (290, 245)]
    return [near, far]


def stool_from_high_above() -> Alpha:
    """A seat on three legs, the third so far behind that it ends a third of the height above the others."""
    alpha = np.zeros((400, 400), np.uint8)
    alpha[80:130, 60:340] = 255
    for left, end in ((70, 340), (200, 255), (320, 340)):
        alpha[130:end, left : left + 10] = 255
    return alpha


def sofa() -> Alpha:
    """A thick body on four low block feet that stand in from its ends."""
    alpha = np.zeros((400, 400), np.uint8)
    alpha[120:280, 20:380] = 255
    for left in (60, 150, 240, 320):
        alpha[280:300, left : left + 20] = 255
    return alpha


def bottle() -> Alpha:
    alpha = ellipses((200, 360, 50, 9))
    alpha[140:360, 150:251] = 255
    alpha[60:140, 180:221] = 255
    return alpha


def vase() -> Alpha:
    """A drop on a narrow flat foot."""
    alpha = ellipses((200, 260, 80, 110))
    alpha[60:260, 180:221] = 255
    alpha[366:] = 0
    return alpha


LIE = {
    "a pair of shoes seen from above": shoes_from_above(),
    "a spoon": ellipses((200, 90, 40, 60), (200, 240, 12, 140)) | ellipses((200, 240, 12, 140)),
    "a square on its corner": drawn([(200, 60), (330, 200), (200, 340), (70, 200)]),
}
OBLIQUE = {
    "a pair of shoes of which one is behind": drawn(*shoe_and_the_one_behind()),
    "a shoe whose sole runs back": drawn(shoe_and_the_one_behind()[0]),
    "a pair side by side, one further back": drawn(
        [(30, 300), (30, 220), (90, 200), (250, 260), (250, 300)], [(140, 240), (200, 150), (370, 210), (370, 260)]
    ),
    "a stool seen from high above": stool_from_high_above(),
}
STAND = {
    "a mug with a handle": mug()[..., 3],
    "a box": block(400, 400, (100, 60, 300, 340))[..., 3],
    "a ball": ellipses((200, 200, 140, 140)),
    "an egg": ellipses((200, 200, 105, 140)),
    "a bowl": drawn([(40, 160), (360, 160), (290, 270), (240, 300), (160, 300), (110, 270)]),
    "a bottle": bottle(),
    "a vase on a narrow foot": vase(),
    "a sofa on low feet": sofa(),
    "a pair of boots from the front": ellipses((130, 320, 60, 25), (270, 320, 60, 25))
    | drawn([(80, 60), (180, 60), (180, 320), (80, 320)], [(220, 60), (320, 60), (320, 320), (220, 320)]),
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *((name, "lies") for name in LIE),
        *((name, "oblique") for name in OBLIQUE),
        *((name, "stands") for name in STAND),
    ],
)
@pytest.mark.parametrize("turned_over", [False, True], ids=["", "mirrored"])
@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_an_outline_says_how_its_product_meets_the_ground(
    name: str, expected: str, turned_over: bool, scale: float
) -> None:
    alpha = (LIE | OBLIQUE | STAND)[name]
    seen = np.asarray(
        cv2.resize(np.ascontiguousarray(alpha[:, ::-1]) if turned_over else alpha, None, fx=scale, fy=scale), np.uint8
    )
    assert footing.footing(seen) == expected


@pytest.mark.parametrize(
    ("name", "mode", "made"),
    [
        ("a pair of shoes seen from above", "soft", "floating"),
        ("a pair of shoes of which one is behind", "soft", "contact"),
        ("a mug with a handle", "soft", "soft"),
        ("a pair of shoes seen from above", "none", "none"),
    ],
)
def test_a_channels_shadow_falls_to_what_its_outline_allows(name: str, mode: str, made: str) -> None:
    alpha = (LIE | OBLIQUE | STAND)[name]
    rgba = np.dstack([np.full((*alpha.shape, 3), 120, np.uint8), alpha])
    channel = channels.load("shopify" if mode == "soft" else "amazon")
    assert channel.shadow == mode
    assert packshot(rgba, channel).shadow_mode == made


def test_a_shadow_that_was_asked_for_is_made() -> None:
    alpha = shoes_from_above()
    rgba = np.dstack([np.full((*alpha.shape, 3), 120, np.uint8), alpha])
    picture = packshot(rgba, channels.load("shopify"), PackshotParameters.parse({"shadow.mode": "soft"}))
    assert picture.shadow_mode == "soft"
