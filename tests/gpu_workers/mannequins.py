"""Mannequins in underwear and swimwear, drawn: to see whom the gates take for a person."""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
BODIES: dict[str, Colour] = {
    "white": (238, 236, 233),
    "grey": (150, 150, 152),
    "black": (38, 38, 40),
    "blue": (120, 150, 190),
    "chrome": (186, 190, 196),
    "skin": (214, 168, 142),
}
GARMENTS: dict[str, Colour] = {
    "black": (24, 24, 28),
    "red": (180, 28, 40),
    "navy": (28, 40, 92),
    "mint": (150, 214, 190),
}


def mannequins() -> Iterator[tuple[str, NDArray[np.uint8], NDArray[np.uint8]]]:
    """Each body in each garment: its name, the photograph (h, w, 3) and the alpha (h, w) of body and garment."""
    for body, colour in BODIES.items():
        for garment, cloth in GARMENTS.items():
            alpha = np.zeros((640, 420), np.uint8)
            drawn(alpha, 255)
            rgb = np.full((640, 420, 3), 250, np.uint8)
            rgb[alpha > 0] = _shaded(alpha, colour)[alpha > 0]
            worn = np.zeros_like(alpha)
            cv2.ellipse(worn, (172, 220), (42, 36), 0, 0, 360, 255, cv2.FILLED)
            cv2.ellipse(worn, (248, 220), (42, 36), 0, 0, 360, 255, cv2.FILLED)
            cv2.fillPoly(worn, [np.array([[130, 408], [290, 408], [222, 490], [198, 490]])], 255)
            worn &= alpha
            rgb[worn > 0] = _shaded(alpha, cloth)[worn > 0]
            yield f"{body} in {garment}", cv2.GaussianBlur(rgb, (0, 0), 1.2).astype(np.uint8), alpha


def drawn(alpha: NDArray[np.uint8], value: int) -> None:
    """A headless torso on a short neck, cut at the thighs, as shops have it."""
    outline = [
        (192, 92), (228, 92), (232, 132), (300, 156), (312, 250), (280, 330), (300, 420), (302, 560), (222, 560),
        (214, 500), (206, 500), (198, 560), (118, 560), (120, 420), (140, 330), (108, 250), (120, 156), (188, 132),
    ]  # fmt: skip
    cv2.fillPoly(alpha, [np.array(outline)], value)


def _shaded(alpha: NDArray[np.uint8], colour: Colour) -> NDArray[np.uint8]:
    """Round from left to right, as a body is under a window."""
    x = np.linspace(-1, 1, alpha.shape[1], dtype=np.float32)
    light = 0.72 + 0.28 * np.sqrt(np.clip(1 - (x + 0.15) ** 2, 0, 1))
    row = np.clip(light[None, :, None] * np.array(colour, np.float32), 0, 255)
    return np.asarray(row.repeat(alpha.shape[0], 0), np.uint8)
