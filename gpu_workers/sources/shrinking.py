"""Large pictures at the size that is needed of them: made smaller as they are read, so that they are never whole.

JPEG's own transform gives a half, a quarter or an eighth for less than the whole; Lanczos does the rest, in strips.
"""

from typing import Any

_JPEG_SHRINKS = (8, 4, 2, 1)


def scale_for(width_px: int, height_px: int, pixels_max: int | None) -> float:
    """By how much the sides of a picture are to be shorter for it to have `pixels_max` pixels; 1 for one that fits."""
    return 1.0 if pixels_max is None else min(1.0, (pixels_max / (width_px * height_px)) ** 0.5)


def load_shrink(media_type: str, scale: float) -> dict[str, int]:
    """What a loader is told, so that it gives no less than `scale` of the sides and less than the whole if it can."""
    if media_type != "image/jpeg":
        return {}
    return {"shrink": next(shrink for shrink in _JPEG_SHRINKS if shrink * scale <= 1)}


def shrunk(image: Any, scale: float) -> Any:
    """The vips `image` with sides `scale` times as long, in its own samples; what is clear does not bleed."""
    across, down = (max(1, round(side * scale)) / side for side in (image.width, image.height))
    if not image.hasalpha():
        return image.resize(across, vscale=down)
    kept = image.interpretation
    smaller = image.premultiply().resize(across, vscale=down).unpremultiply()
    return smaller.rint().cast(image.format).copy(interpretation=kept)
