"""What a test key is given: the picture, with a word across it that nobody takes for the product's."""

import io

from PIL import Image, ImageDraw, ImageFont

WORD = "PACKSHOT TEST"
OPACITY = 112  # of 255: what is below can be judged, and the word cannot be overlooked
ROWS = 3  # of the word over a picture's height
TURNED_DEGREES = 30


def watermarked(data: bytes) -> bytes:
    """A picture's file with the word over all of it, in the same format, at the same size and with its profile."""
    with Image.open(io.BytesIO(data)) as picture:
        kept = {name: picture.info[name] for name in ("icc_profile", "dpi") if name in picture.info}
        marked = picture.convert("RGBA")
        marked.alpha_composite(_words(picture.size))
        file = io.BytesIO()
        (marked if picture.mode == "RGBA" else marked.convert("RGB")).save(file, picture.format, **kept)
    return file.getvalue()


def _words(size: tuple[int, int]) -> Image.Image:
    """The word in rows, dark in light, on nothing: it is seen on every ground."""
    side = max(size)
    font = ImageFont.load_default(max(side / (2 * ROWS * len(WORD) ** 0.5), 8.0))
    square = Image.new("RGBA", (2 * side, 2 * side), (0, 0, 0, 0))
    draw = ImageDraw.Draw(square)
    step = side // ROWS
    for row in range(0, 2 * side, step):
        for column in range(0, 2 * side, round(font.getlength(WORD)) + step // 2):
            fill, edge = (255, 255, 255, OPACITY), (0, 0, 0, OPACITY)
            draw.text((column, row), WORD, fill, font, stroke_width=max(side // 500, 1), stroke_fill=edge)
    turned = square.rotate(TURNED_DEGREES, Image.Resampling.BILINEAR)
    left, top = side - size[0] // 2, side - size[1] // 2
    return turned.crop((left, top, left + size[0], top + size[1]))
