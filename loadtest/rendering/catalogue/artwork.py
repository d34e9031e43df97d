"""Printed artwork, drawn with Pillow at render time and handed to Blender as images.

Sizes are in pixels; each function says how many pixels stand for a centimetre.
Fonts: Debian's fonts-lato and fonts-ebgaramond, else DejaVu.
"""

from __future__ import annotations

import math
import random
from pathlib import Path

import bpy
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

FONT_ROOT = Path("/usr/share/fonts")
FALLBACK = FONT_ROOT / "truetype/dejavu/DejaVuSans.ttf"
FACES = {
    "black": "truetype/lato/Lato-Black.ttf",
    "bold": "truetype/lato/Lato-Bold.ttf",
    "text": "truetype/lato/Lato-Medium.ttf",
    "light": "truetype/lato/Lato-Light.ttf",
    "serif": "opentype/ebgaramond/EBGaramond12-Regular.otf",
    "italic": "opentype/ebgaramond/EBGaramond12-Italic.otf",
    "serifbold": "opentype/ebgaramond/EBGaramond12-Bold.otf",
}


def font(face: str, size: int) -> ImageFont.FreeTypeFont:
    """A typeface at `size` pixels."""
    path = FONT_ROOT / FACES[face]
    return ImageFont.truetype(str(path if path.exists() else FALLBACK), size)


def spaced(draw, centre, y, text, face, size, fill, tracking=0) -> None:
    """Centred line of letter-spaced text; y is the top in pixels."""
    type_ = font(face, size)
    widths = [draw.textlength(c, font=type_) + tracking for c in text]
    x = centre - (sum(widths) - tracking) / 2
    for char, width in zip(text, widths, strict=False):
        draw.text((x, y), char, font=type_, fill=fill)
        x += width


def to_blender(picture: Image.Image, name: str) -> bpy.types.Image:
    """Copy a Pillow image into Blender as sRGB pixels."""
    rgba = np.asarray(picture.convert("RGBA"), dtype=np.float32)[::-1] / 255.0
    image = bpy.data.images.new(name, picture.width, picture.height, alpha=False)
    image.colorspace_settings.name = "sRGB"
    image.pixels.foreach_set(rgba.ravel())
    image.pack()
    return image


def leaf(draw, x, y, length, angle, fill, width=0.3) -> None:
    """One pointed leaf, angle in degrees."""
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    outline = []
    for side in (1, -1):
        steps = range(13) if side > 0 else range(12, -1, -1)
        for k in steps:
            t = k / 12
            across = side * width * length * math.sin(math.pi * t**0.8) * 0.5
            along = t * length
            outline.append((x + along * c - across * s, y + along * s + across * c))
    draw.polygon(outline, fill=fill)


def sprig(draw, x, y, size, fill, berries=None, lean=0) -> None:
    """Upright sprig of leaves with an optional berry colour; x, y is its foot."""
    draw.line([(x, y), (x + lean, y - size)], fill=fill, width=max(2, int(size / 60)))
    for k in range(7):
        t = 0.12 + k * 0.13
        px, py = x + lean * t, y - size * t
        reach = size * (0.36 - 0.025 * k)
        leaf(draw, px, py, reach, -35 - 4 * k, fill)
        leaf(draw, px, py, reach, -145 + 4 * k, fill)
    leaf(draw, x + lean, y - size, size * 0.22, -90, fill)
    if berries:
        for dx, dy in ((0.10, 0.30), (-0.12, 0.47), (0.09, 0.62)):
            r = size * 0.055
            px, py = x + dx * size, y - dy * size
            draw.ellipse([px - r, py - r * 1.2, px + r, py + r * 1.2], fill=berries)


def bottle_label() -> bpy.types.Image:
    """Front label, 8.4 x 10 cm at 150 px/cm."""
    w, h = 1260, 1500
    im = Image.new("RGB", (w, h), "#efe8d6")
    d = ImageDraw.Draw(im)
    ink, gold = "#26301d", "#9a7a34"
    d.rectangle([36, 36, w - 36, h - 36], outline=gold, width=7)
    d.rectangle([56, 56, w - 56, h - 56], outline=gold, width=2)
    sprig(d, w / 2, 480, 330, "#5d6b34", "#3b2c3a", lean=18)
    spaced(d, w / 2, 540, "OLIVARA", "serifbold", 225, ink, 22)
    d.line([(330, 812), (w - 330, 812)], fill=gold, width=5)
    spaced(d, w / 2, 845, "Extra Virgin Olive Oil", "italic", 108, ink)
    spaced(d, w / 2, 1010, "COLD PRESSED  ·  FIRST HARVEST", "bold", 46, gold, 7)
    d.rectangle([0, 1130, w, 1300], fill="#3c4a24")
    spaced(d, w / 2, 1168, "SINGLE ESTATE", "bold", 74, "#efe8d6", 20)
    spaced(d, w / 2, 1340, "500 ml  e", "serif", 86, ink, 3)
    return to_blender(im, "bottle_label")


def box_sheet() -> bpy.types.Image:
    """Tea carton: front, side and top side by side (9, 6, 9 x 16 cm) at 100 px/cm."""
    im = Image.new("RGB", (2400, 1600), "#c9d8cf")
    front, side, top = (0, 900), (900, 1500), (1500, 2400)
    _box_front(im, *front)
    _box_side(im, *side)
    d = ImageDraw.Draw(im)
    d.rectangle([top[0], 0, top[1], 1600], fill="#1f4a43")
    spaced(d, (top[0] + top[1]) / 2, 230, "HOLLEN", "serifbold", 120, "#f3ead2", 22)
    return to_blender(im, "box_sheet")


def _box_front(im: Image.Image, x0: int, x1: int) -> None:
    """Front panel of the tea carton."""
    d = ImageDraw.Draw(im)
    mid = (x0 + x1) / 2
    d.rectangle([x0, 0, x1, 1600], fill="#1f4a43")
    d.rectangle([x0 + 40, 40, x1 - 40, 1560], outline="#d8b765", width=5)
    d.ellipse([mid - 330, 600, mid + 330, 1260], fill="#e9dcc0")
    sprig(d, mid - 20, 1210, 470, "#3d7a5c", lean=30)
    sprig(d, mid - 165, 1190, 300, "#7fa06b", "#d9823b", lean=-70)
    sprig(d, mid + 170, 1190, 310, "#7fa06b", "#d9823b", lean=80)
    spaced(d, mid, 190, "HOLLEN", "serifbold", 150, "#f3ead2", 20)
    spaced(d, mid, 372, "Mint & Verbena", "italic", 104, "#d8b765")
    spaced(d, mid, 506, "ORGANIC HERBAL TEA", "bold", 48, "#f3ead2", 9)
    spaced(d, mid, 1330, "20 PYRAMID BAGS", "bold", 58, "#f3ead2", 9)
    spaced(d, mid, 1430, "40 g  e", "text", 52, "#d8b765", 2)


def _box_side(im: Image.Image, x0: int, x1: int) -> None:
    """Side panel of the tea carton: brewing text and a bar code."""
    d = ImageDraw.Draw(im)
    mid = (x0 + x1) / 2
    d.rectangle([x0, 0, x1, 1600], fill="#1a3f39")
    spaced(d, mid, 196, "HOW TO BREW", "bold", 50, "#d8b765", 7)
    for i, line in enumerate(["Fresh water, 95 °C", "One bag per cup", "Steep 5–7 minutes"]):
        spaced(d, mid, 300 + 88 * i, line, "text", 46, "#f3ead2", 1)
    d.line([(x0 + 150, 600), (x1 - 150, 600)], fill="#d8b765", width=4)
    for i, line in enumerate(["Peppermint 70 %", "Lemon verbena 25 %", "Orange peel 5 %"]):
        spaced(d, mid, 660 + 74 * i, line, "text", 42, "#f3ead2", 1)
    d.rectangle([mid - 190, 1180, mid + 190, 1440], fill="#f7f4ec")
    rng, x = random.Random(50), mid - 160
    while x < mid + 155:
        width = rng.choice((4, 4, 8, 12))
        d.rectangle([x, 1205, x + width - 1, 1385], fill="#111111")
        x += width + rng.choice((4, 8, 8))
    spaced(d, mid, 1392, "2 000050 000504", "text", 32, "#111111", 2)


def stamp(text: str, ink: str, paper: str, size=(600, 200), face="bold", points=110, tracking=18) -> bpy.types.Image:
    """A word centred on a plain ground, softened as printing is."""
    im = Image.new("RGB", size, paper)
    d = ImageDraw.Draw(im)
    top = (size[1] - points * 1.25) / 2
    spaced(d, size[0] / 2, top, text, face, points, ink, tracking)
    return to_blender(im.filter(ImageFilter.GaussianBlur(0.7)), "stamp_" + text.lower())
