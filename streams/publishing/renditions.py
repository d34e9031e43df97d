"""Renditions: one asset in the sizes and formats that a shop's pages ask for.

The source is decoded once; each size is made from it, or from a size made before that is at least twice as wide, in
sRGB's own values. Nothing is ever enlarged. The same file gives the same bytes.

Colour is stored at half the resolution (4:2:0) where that is not seen. Where it is, at vivid edges, JPEG and AVIF keep
all of it (4:4:4), and WebP, which cannot, fits its brightness to what the coarse colour leaves (sharp YUV).
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyvips

WIDTHS_PX = (320, 640, 1080, 1600)
OPAQUE_FORMATS = ("image/jpeg", "image/webp", "image/avif")
ALPHA_FORMATS = ("image/png", "image/webp", "image/avif")
EXTENSIONS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "image/avif": "avif",
    "video/mp4": "mp4",
}

_LOADERS = {"image/jpeg": "jpegload", "image/png": "pngload", "image/webp": "webpload", "image/avif": "heifload"}
_REDUCTION_LEAST = 2  # by Lanczos alone, so that it is not seen that the decoder or an earlier size shrank before it
_WHOLE_PIXELS_MAX = 25_000_000  # 100 MB, and as much again with alpha: beyond, a level of accuracy is given for memory
# What a worker takes as a source by default; a PNG of so many, with alpha, took 0.43 GB here.
PIXELS_MAX = 100_000_000
_HEIGHT_ANY = 10_000_000  # the library's own bound
_CHROMA_OF_RGB = [[-0.1687, -0.3313, 0.5], [0.5, -0.4187, -0.0813]]  # JFIF's Cb and Cr
_JUDGED_PX = 640  # the width nearest to it tells for all
_SMEARED = 24  # levels of Cb or Cr that coarse colour is off by: at ΔE00 5 and more, as red on white; brown is at 14
_SMEARED_SHARE = 0.0005  # of the pixels: a line of text, and not a speck
_KEPT = "icc:xmp"  # the colours, and the XMP that says how the picture was made

pyvips.concurrency_set(1)  # AVIF is tiled by the number of threads: with another number come other bytes
pyvips.cache_set_max(0)  # every picture comes once: what was done before would only be held in memory


_VIPS = f"{pyvips.version(0)}.{pyvips.version(1)}.{pyvips.version(2)}"
ENCODING = hashlib.sha256(Path(__file__).read_bytes() + _VIPS.encode()).hexdigest()[:16]
"""Names what makes renditions, code and library: with another the same file may give other bytes."""


class NotAPicture(Exception):
    """The bytes are no picture of the media type that they are said to be, or are cut off."""


class TooManyPixels(NotAPicture):
    """The picture has more than PIXELS_MAX."""


@dataclass(frozen=True)
class Encoded:
    """A picture as a file; `unsigned` is the digest of what it was before it was signed, None where it is not. `role`
    is "" but for what moves, see `Rendition`."""

    media_type: str
    width_px: int
    height_px: int
    data: bytes
    unsigned: str | None = None
    role: str = ""


def render(
    file: bytes, media_type: str, *, widths_px: Sequence[int] = WIDTHS_PX, formats: Sequence[str] | None = None
) -> list[Encoded]:
    """Renditions of an sRGB picture, by width and then by format.

    A width that the source does not have is replaced by the source's own. `formats` are those for opaque or for
    transparent pictures unless given. Raises NotAPicture, TooManyPixels.
    """
    try:
        header = _look(file, media_type)
        wanted = formats or (ALPHA_FORMATS if header.hasalpha() else OPAQUE_FORMATS)
        widths = sorted({min(width_px, header.width) for width_px in widths_px})
        sizes = list(_sizes(_decode(file, header, widths[-1]), widths))
        fine = _has_vivid_edges(min(sizes, key=lambda size: abs(size.width - _JUDGED_PX)))
        return [_encode(size, one, fine) for size in reversed(sizes) for one in wanted]
    except pyvips.Error as error:
        raise NotAPicture(f"not a whole {media_type}: {_first_line(error)}") from error


def _look(file: bytes, media_type: str) -> pyvips.Image:
    header = pyvips.Image.new_from_buffer(file, "")
    loader = str(header.get("vips-loader"))
    if not loader.startswith(_LOADERS.get(media_type, "?")):
        raise NotAPicture(f"said to be {media_type}, but it is read by {loader.removesuffix('_buffer')}")
    if header.width * header.height > PIXELS_MAX:
        raise TooManyPixels(f"{header.width} × {header.height} pixels; at most {PIXELS_MAX:,} are rendered")
    return header


def _decode(file: bytes, header: pyvips.Image, width_px: int) -> pyvips.Image:
    """All of it in memory; what is far wider than `width_px` already smaller, so that it never is there as a whole."""
    is_large = header.width * header.height > _WHOLE_PIXELS_MAX and header.width >= 2 * _REDUCTION_LEAST * width_px
    if is_large and not _is_jpeg(header):
        return _shrunk_on_the_way(file, _REDUCTION_LEAST * width_px)
    options: dict[str, object] = {"fail_on": "truncated", "access": "sequential"}
    if _is_jpeg(header):
        reduction = header.width / (_REDUCTION_LEAST * width_px)
        options["shrink"] = next(shrink for shrink in (8, 4, 2, 1) if shrink <= max(reduction, 1))
    return pyvips.Image.new_from_buffer(file, "", **options).colourspace("srgb").copy_memory()


def _shrunk_on_the_way(file: bytes, width_px: int) -> pyvips.Image:
    """The picture `width_px` wide, shrunk line by line as it is decoded where its format allows."""
    options = {"height": _HEIGHT_ANY, "size": "down", "no_rotate": True, "fail_on": "truncated"}
    return pyvips.Image.thumbnail_buffer(file, width_px, **options).colourspace("srgb").copy_memory()


def _is_jpeg(header: pyvips.Image) -> bool:
    return str(header.get("vips-loader")).startswith("jpegload")


def _sizes(image: pyvips.Image, widths_px: Sequence[int]) -> Iterator[pyvips.Image]:
    """The picture in each width, the widest first; in memory, for every format reads it anew."""
    has_alpha = image.hasalpha()
    sources = [image.premultiply().rint().cast("uchar").copy_memory() if has_alpha else image]
    for width_px in sorted(widths_px, reverse=True):
        if width_px == image.width:
            yield image
            continue
        source = next((each for each in reversed(sources) if each.width >= _REDUCTION_LEAST * width_px), sources[0])
        sources.append(_shrunk(source, width_px, max(1, round(image.height * width_px / image.width))))
        yield sources[-1].unpremultiply().rint().cast("uchar").copy_memory() if has_alpha else sources[-1]


def _shrunk(source: pyvips.Image, width_px: int, height_px: int) -> pyvips.Image:
    return source.resize(width_px / source.width, vscale=height_px / source.height).copy_memory()


def _has_vivid_edges(image: pyvips.Image) -> bool:
    """Whether colour at half the resolution would be seen: how far it is off, where it is furthest."""
    opaque = image.flatten(background=255) if image.hasalpha() else image
    if opaque.bands < 3:
        return False
    chroma = opaque.recomb(pyvips.Image.new_from_array(_CHROMA_OF_RGB))
    width, height = chroma.width // 2 * 2, chroma.height // 2 * 2
    if not width or not height:
        return False
    even = chroma.crop(0, 0, width, height).copy_memory()
    off = (even - even.shrink(2, 2).zoom(2, 2)).abs()
    return bool(((off[0] > _SMEARED) | (off[1] > _SMEARED)).avg() / 255 > _SMEARED_SHARE)


def _encode(image: pyvips.Image, media_type: str, fine: bool) -> Encoded:
    """`image` as a file; `fine` colour is kept at all of its resolution."""
    profile = {} if image.get_typeof("icc-profile-data") else {"profile": "srgb"}
    match media_type:
        case "image/jpeg":
            data = image.jpegsave_buffer(
                Q=82,
                interlace=True,
                optimize_coding=True,
                subsample_mode="off" if fine else "on",
                keep=_KEPT,
                **profile,
            )
        case "image/png":
            data = image.pngsave_buffer(compression=3, filter="up", keep=_KEPT, **profile)
        case "image/webp":
            data = image.webpsave_buffer(Q=82, effort=2, alpha_q=90, smart_subsample=fine, keep=_KEPT, **profile)
        case "image/avif":
            data = image.heifsave_buffer(
                compression="av1",
                Q=64,
                effort=1,
                tune="ssim",
                subsample_mode="off" if fine else "auto",
                keep=_KEPT,
                **profile,
            )
        case _:
            raise ValueError(f"no rendition can be {media_type!r}; known are {', '.join(_LOADERS)}")
    return Encoded(media_type, image.width, image.height, data)


def _first_line(error: pyvips.Error) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else "unreadable"
