"""Labelled products drawn for the tests: Pillow's own font on plain shapes."""

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Rgb = NDArray[np.uint8]

WORDS = ("OLIVARA", "Extra Virgin", "SINGLE ESTATE")
BOX = (300, 150, 900, 1050)  # of the product in a photograph of 1,200 px: left, top, right, bottom


def box_with(lines: tuple[str, ...] = WORDS, ink: tuple[int, int, int] = (30, 40, 60)) -> Rgb:
    """A photograph (1200, 1200, 3) of a cardboard box with lines of text, on a plain light ground."""
    picture = Image.new("RGB", (1200, 1200), (235, 235, 238))
    draw = ImageDraw.Draw(picture)
    draw.rectangle(BOX, fill=(212, 196, 160))
    for number, line in enumerate(lines):
        write(picture, line, (350, 240 + number * 160), 64, ink)
    return np.asarray(picture, np.uint8)


def write(picture: Image.Image, text: str, at: tuple[int, int], size_px: int, ink: tuple[int, int, int]) -> None:
    """A line in Pillow's own font."""
    ImageDraw.Draw(picture).text(at, text, fill=ink, font=ImageFont.load_default(size_px))


def cut_out(photograph: Rgb) -> NDArray[np.uint8]:
    """The box of a photograph as its cutout (1200, 1200, 4)."""
    alpha = np.zeros(photograph.shape[:2], np.uint8)
    left, top, right, bottom = BOX
    alpha[top : bottom + 1, left : right + 1] = 255
    rgba = np.dstack([photograph, alpha])
    rgba[alpha == 0] = 0
    return rgba


def warped(picture: Rgb, share: float) -> Rgb:
    """A picture whose rows are pushed sideways in a wave, by a share of its width at most."""
    height, width = picture.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    moved = x + np.float32(share * width) * np.sin(y / np.float32(14))
    return np.asarray(cv2.remap(picture, moved, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
