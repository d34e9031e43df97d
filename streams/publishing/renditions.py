"""Renditions: one asset in the sizes and formats that a shop's pages ask for.

Each size is made from the source itself, with the decoder shrinking where it can; nothing is ever enlarged. The same
file gives the same bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pyvips

WIDTHS_PX = (320, 640, 1080, 1600)
OPAQUE_FORMATS = ("image/jpeg", "image/webp", "image/avif")
ALPHA_FORMATS = ("image/png", "image/webp", "image/avif")
EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/avif": "avif"}

_LOADERS = {"image/jpeg": "jpegload", "image/png": "pngload", "image/webp": "webpload", "image/avif": "heifload"}
_HEIGHT_MAX_PX = 10_000_000  # only the width decides
_WHOLE = "[fail_on=truncated]"  # thumbnail_buffer does not heed its own argument of that name
_KEPT = "icc:xmp"  # the colours, and the XMP that says how the picture was made

pyvips.concurrency_set(1)  # AVIF is tiled by the number of threads: with another number come other bytes


class NotAPicture(Exception):
    """The bytes are no picture of the media type that they are said to be, or are cut off."""


@dataclass(frozen=True)
class Encoded:
    """A picture as a file."""

    media_type: str
    width_px: int
    height_px: int
    data: bytes


def render(
    file: bytes, media_type: str, *, widths_px: Sequence[int] = WIDTHS_PX, formats: Sequence[str] | None = None
) -> list[Encoded]:
    """Renditions of an sRGB picture, by width and then by format.

    A width that the source does not have is replaced by the source's own. `formats` are those for opaque or for
    transparent pictures unless given. Raises NotAPicture.
    """
    try:
        source_width_px, has_alpha = _look(file, media_type)
        wanted = formats or (ALPHA_FORMATS if has_alpha else OPAQUE_FORMATS)
        widths = sorted({min(width_px, source_width_px) for width_px in widths_px})
        return [_encode(image, format_) for image in (_shrunk(file, width) for width in widths) for format_ in wanted]
    except pyvips.Error as error:
        raise NotAPicture(f"not a whole {media_type}: {_first_line(error)}") from error


def _look(file: bytes, media_type: str) -> tuple[int, bool]:
    image = pyvips.Image.new_from_buffer(file, "")
    loader = str(image.get("vips-loader"))
    if not loader.startswith(_LOADERS.get(media_type, "?")):
        raise NotAPicture(f"said to be {media_type}, but it is read by {loader.removesuffix('_buffer')}")
    return int(image.width), bool(image.hasalpha())


def _shrunk(file: bytes, width_px: int) -> pyvips.Image:
    image = pyvips.Image.thumbnail_buffer(
        file, width_px, height=_HEIGHT_MAX_PX, size="down", no_rotate=True, option_string=_WHOLE
    )
    return image.colourspace("srgb").copy_memory()  # in memory: every format reads it anew


def _encode(image: pyvips.Image, media_type: str) -> Encoded:
    profile = {} if image.get_typeof("icc-profile-data") else {"profile": "srgb"}
    match media_type:
        case "image/jpeg":
            data = image.jpegsave_buffer(
                Q=82, interlace=True, optimize_coding=True, subsample_mode="on", keep=_KEPT, **profile
            )
        case "image/png":
            data = image.pngsave_buffer(compression=6, filter="sub", keep=_KEPT, **profile)
        case "image/webp":
            data = image.webpsave_buffer(Q=82, effort=2, keep=_KEPT, **profile)
        case "image/avif":
            data = image.heifsave_buffer(compression="av1", Q=60, effort=0, keep=_KEPT, **profile)
        case _:
            raise ValueError(f"no rendition can be {media_type!r}; known are {', '.join(EXTENSIONS)}")
    return Encoded(media_type, image.width, image.height, data)


def _first_line(error: pyvips.Error) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else "unreadable"
