"""What is drawn over a picture lies where the doubt is, and nowhere else is any colour."""

import cv2
import numpy as np
import pytest

from gpu_workers.imaging.types import Code
from gpu_workers.imaging.writing import Line, Writing
from gpu_workers.local.overlays import OVERLAYS, Shown, colour_map, edge_band, shadow_map, text_boxes

WIDE, HIGH = 240, 180
SHIFT = np.array([[1.0, 0, 20], [0, 1, 10], [0, 0, 1]])
PRODUCT = (slice(50, 130), slice(60, 180))  # on the canvas


def label(*words: str) -> Code:
    """A product with lines of text, as the photograph has it."""
    drawn = np.full((HIGH, WIDE, 3), 180, np.uint8)
    for number, word in enumerate(words):
        cv2.putText(drawn, word, (50, 66 + 30 * number), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (20, 20, 60), 2, cv2.LINE_AA)
    return drawn


def line(text: str, top: float) -> Line:
    quad = (48.0, top, 150.0, top, 150.0, top + 20, 48.0, top + 20)
    return Line(text=text, confidence=0.99, quad=quad, x_height_px=9.0, inside=1.0)


@pytest.fixture
def shown() -> Shown:
    """A product on white; its second line reads otherwise, its left half is off in colour, and it has a shadow."""
    source = label("OLIVE OIL", "500 ML")
    there = cv2.warpPerspective(label("OLIVE OIL", "SO0 NT"), SHIFT, (WIDE, HIGH))
    mask = np.zeros((HIGH, WIDE), np.uint8)
    mask[PRODUCT] = 255
    canvas = np.full((HIGH, WIDE, 3), 255, np.uint8)
    canvas[135:150, 60:180] = 205
    canvas[PRODUCT] = there[PRODUCT]
    return Shown(canvas, mask, source, SHIFT, Writing(lines=(line("OLIVE OIL", 50), line("500 ML", 80))))


def coloured(drawn: Code) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.asarray(drawn.max(axis=2).astype(int) - drawn.min(axis=2) > 12)


def test_the_edge_is_drawn_where_the_product_is_mixed(shown: Shown) -> None:
    soft = cv2.GaussianBlur(shown.mask, (0, 0), 2)
    drawn = coloured(edge_band(Shown(shown.canvas, soft, shown.source, SHIFT, None)))
    assert drawn[90, 58:63].any()
    assert not drawn[90, 80:160].any()
    assert not drawn[:30].any()


def test_a_colour_that_is_off_is_red_and_one_that_is_not_is_blue(shown: Shown) -> None:
    canvas = shown.canvas.copy()
    canvas[50:130, 60:120] = (200, 150, 150)
    drawn = colour_map(Shown(canvas, shown.mask, shown.source, SHIFT, None)).astype(int)
    off, same = drawn[120, 80], drawn[120, 150]
    assert off[0] > off[2]
    assert same[2] > same[0]
    assert not coloured(drawn.astype(np.uint8))[:40].any(), "nothing is said of what is no product"


def test_a_shadow_is_drawn_beside_the_product_only(shown: Shown) -> None:
    drawn = coloured(shadow_map(shown))
    assert drawn[142, 100]
    assert not drawn[90, 100]
    assert not drawn[20, 20]


def test_a_line_that_reads_otherwise_is_red(shown: Shown) -> None:
    drawn = text_boxes(shown).astype(int)
    same, other = drawn[60, 68:171].mean(axis=0), drawn[90, 68:171].mean(axis=0)
    assert same[2] > same[0]
    assert other[0] > other[2]


def test_every_overlay_is_as_large_as_the_picture_and_the_same_again(shown: Shown) -> None:
    for draw in OVERLAYS.values():
        assert draw(shown).shape == shown.canvas.shape
        np.testing.assert_array_equal(draw(shown), draw(shown))
