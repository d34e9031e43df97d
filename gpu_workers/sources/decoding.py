"""A picture file's bytes to pixels in sRGB, or in WIDE, upright; the errors are PictureErrors of source_errors.

What has eight bits and no colours that sRGB has not stays in sRGB, as it was sent. All else is kept in sixteen bits of
`gpu_workers.imaging.wide_gamut`, and leaves it only when a file is written for a channel.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray
from PIL import BmpImagePlugin, TiffImagePlugin

from gpu_workers.imaging import containers, metadata, wide_gamut
from gpu_workers.imaging.containers import Blocks, jpeg
from gpu_workers.imaging.metadata import NO_METADATA, Metadata
from gpu_workers.imaging.writing import WRITING, writing_in
from gpu_workers.sources import shrinking
from gpu_workers.sources.colour_signalling import PROFILE, SRGB, Colours, Model, colours_of
from gpu_workers.sources.errors import (
    CorruptPicture,
    PictureError,
    TooFewPixels,
    TooManyPixels,
    TruncatedPicture,
    UnreadPicture,
)
from gpu_workers.sources.media_types import sniff
from gpu_workers.sources.tiff_pages import Page, page_of

Pixels = NDArray[np.uint8] | NDArray[np.uint16]

_LOADERS = {
    "image/jpeg": pyvips.Image.jpegload_buffer,
    "image/png": pyvips.Image.pngload_buffer,
    "image/webp": pyvips.Image.webpload_buffer,
    "image/gif": pyvips.Image.gifload_buffer,
    "image/tiff": pyvips.Image.tiffload_buffer,
    "image/avif": pyvips.Image.heifload_buffer,
    "image/heif": pyvips.Image.heifload_buffer,
}
_TYPES = {"uchar": 8, "ushort": 16}
_BANDS = {"b-w": 1, "grey16": 1, "cmyk": 4}
_MODELS: dict[str, Model] = {
    "b-w": "GRAY",
    "grey16": "GRAY",
    "cmyk": "CMYK",
    "lab": "LAB",
    "labs": "LAB",
    "labq": "LAB",
    "srgb": "RGB",
    "rgb16": "RGB",
    "rgb": "RGB",
}

_CUT_OFF = ("truncated", "premature", "end of", "read error", "outside of file")
_HEVC, _HEVC_WITHIN = b"hvc1", 1 << 16  # how HEIF names such an item, among its first boxes
_NOT_READ = ("unsupported", "no decoding plugin", "not supported", "not configured", "not implemented")

# Every picture comes once: vips' cache of past operations would only hold their memory.
pyvips.cache_set_max(0)


@dataclass(frozen=True, kw_only=True)
class DecodeLimits:
    """How large a picture may be by its header, and how small; with more than `kept_pixels_max` it is read smaller.

    None keeps every pixel.
    """

    pixels_max: int = 100_000_000
    side_px_min: int = 64
    kept_pixels_max: int | None = None


@dataclass(frozen=True)
class Header:
    """What a file says of its picture before any pixel is decoded. `is_progressive`: it cannot be read in strips."""

    media_type: str
    width_px: int
    height_px: int
    bands: int
    bits: int
    is_progressive: bool

    @property
    def pixels(self) -> int:
        """How many there are."""
        return self.width_px * self.height_px


@dataclass(frozen=True)
class Picture:
    """An upright picture: (h, w, 3), or (h, w, 4) with straight alpha; uint8 in sRGB, or uint16 in WIDE.

    The facts are the file's own: its media type, bits a sample, whether it had alpha (one that is opaque everywhere
    is none), its ICC profile's name ("" for none), its number of frames, of which `pixels` is the first, its EXIF
    orientation (1 to 8), what else it says of itself, and how it says what its samples mean. `source_scale` is how long
    the sides of `pixels` are beside the file's own: 1, or less for a large picture that was read smaller.
    """

    pixels: Pixels
    media_type: str
    bits: int
    had_alpha: bool
    icc: str
    frames: int
    orientation: int
    metadata: Metadata = NO_METADATA
    colours: Colours = SRGB
    source_scale: float = 1.0

    @property
    def measures(self) -> dict[str, float]:
        """What is measured of a source: its bits, how many of its ways to say its colours said nothing usable, C2PA, at
        which scale it was read."""
        return {
            "source_bits": float(self.bits),
            "source_colours_ignored": float(len(self.colours.ignored)),
            "source_has_c2pa": float(self.metadata.c2pa),
            "source_scale": round(self.source_scale, 4),
        }


def header(data: bytes, limits: DecodeLimits | None = None, uri: str = "") -> Header:
    """What `data` says of its picture, limits checked. Raises NotAnImage or PictureError."""
    limits, media_type = limits or DecodeLimits(), sniff(data, uri)
    if media_type == "image/bmp":
        with _pillows_errors(uri):
            width_px, height_px = BmpImagePlugin.BmpImageFile(io.BytesIO(data)).size
        _check_size(width_px, height_px, limits, uri)
        return Header(media_type, width_px, height_px, bands=4, bits=8, is_progressive=True)
    page = page_of(data, uri) if media_type == "image/tiff" else None
    if page is not None and _is_packed_lab(page):
        with _pillows_errors(uri):
            width_px, height_px = _lab_page(data, page, limits, uri).size
        return Header(media_type, width_px, height_px, bands=3, bits=32, is_progressive=True)
    try:
        image = _open(data, media_type, limits, uri, page)
    except pyvips.Error as error:
        raise _failure(error, data, uri) from error
    bits, progressive = _TYPES.get(image.format, 32), bool(_field(image, "interlaced", 0))
    return Header(media_type, image.width, image.height, image.bands, bits, progressive)


def decode(data: bytes, limits: DecodeLimits | None = None, uri: str = "") -> Picture:
    """The picture in `data`, limits checked before any pixel is decoded. Raises NotAnImage or PictureError."""
    limits = limits or DecodeLimits()
    media_type = sniff(data, uri)
    page = page_of(data, uri) if media_type == "image/tiff" else None
    blocks = containers.blocks(data, media_type, None if page is None else page.directory)
    try:
        image = _without_extras(_open(data, media_type, limits, uri, page), page)
        model = _MODELS.get(image.interpretation)
        if model is None:
            raise UnreadPicture(uri, f"a picture of {image.bands} samples a pixel, {image.interpretation}")
        colours = colours_of(blocks, model, uri)
        scale = shrinking.scale_for(image.width, image.height, limits.kept_pixels_max)
        kept = image if scale == 1 else _smaller(image, data, media_type, limits, uri, page, scale)
        upright = _prepared(kept, colours).autorot()
        wide = colours.more_vivid or model == "LAB"
        pixels = _without_opaque_alpha((_to_wide(upright) if wide else _to_srgb(upright, colours)).numpy())
    except pyvips.Error as error:
        raise _failure(error, data, uri) from error
    return Picture(
        pixels=np.ascontiguousarray(pixels),
        media_type=media_type,
        bits=_TYPES.get(image.format, 16),
        had_alpha=pixels.shape[2] == 4,
        icc=colours.name,
        frames=image.get_n_pages(),
        orientation=_field(image, "orientation", 1),
        metadata=_metadata(image, blocks),
        colours=colours,
        source_scale=scale,
    )


def _smaller(
    image: Any, data: bytes, media_type: str, limits: DecodeLimits, uri: str, page: Page | None, scale: float
) -> Any:
    """`image`, which is in `data`, read anew with sides `scale` times as long."""
    width_px = image.width
    if media_type != "image/bmp":
        image = _without_extras(_open(data, media_type, limits, uri, page, scale), page)
    # In memory: what turns it needs its pixels in another order than they are read.
    return shrinking.shrunk(image, scale * width_px / image.width).copy_memory()


def _open(data: bytes, media_type: str, limits: DecodeLimits, uri: str, page: Page | None, scale: float = 1) -> Any:
    """What reads the picture; below a `scale` of 1 from top to bottom only, and smaller where the format allows it."""
    if media_type == "image/bmp":
        return _open_bmp(data, limits, uri)
    if page is not None and _is_packed_lab(page):
        return _open_lab(data, page, limits, uri)
    # A JPEG that was cut and ended anew only draws a warning, and a grey lower half.
    options: dict[str, Any] = {"fail_on": "warning" if media_type == "image/jpeg" else "error"}
    if page is not None and (page.index, page.sub_ifd) != (0, -1):
        options |= {"page": page.index, "subifd": page.sub_ifd}
    if scale < 1:
        options |= {"access": "sequential", **shrinking.load_shrink(media_type, scale)}
    image = _LOADERS[media_type](jpeg.without_strays(data) if media_type == "image/jpeg" else data, **options)
    if scale == 1:
        _check_size(image.width, image.height, limits, uri)
    if image.interpretation in ("labq", "labs"):
        return image.colourspace("lab")
    if image.format not in _TYPES and image.interpretation != "lab":
        raise UnreadPicture(uri, f"samples of the kind {image.format} are not read, only 8 and 16 bits are")
    return image


def _without_extras(image: Any, page: Page | None) -> Any:
    """`image` with its colours and, where a TIFF's extra samples have one, straight alpha, not selections."""
    colours = _BANDS.get(image.interpretation, 3)
    if page is None or not page.extras or image.bands <= colours:
        return image
    if page.alpha is None or image.interpretation == "lab":
        return image[:colours]
    return image[:colours].bandjoin(image[colours + page.alpha])  # libvips has undone what was multiplied by it


def _prepared(image: Any, colours: Colours) -> Any:
    """`image` with the profile that counts, and no other."""
    if colours.as_rgb:
        deep = image.format == "ushort"
        image = image[0].bandjoin([image[0], *image[:].bandsplit()]).copy(interpretation="rgb16" if deep else "srgb")
    image = image.copy()
    if image.get_typeof(PROFILE):
        image.remove(PROFILE)
    if colours.profile:
        image.set_type(pyvips.GValue.blob_type, PROFILE, colours.profile)
    return image


def _open_bmp(data: bytes, limits: DecodeLimits, uri: str) -> Any:
    with _pillows_errors(uri):
        bitmap = BmpImagePlugin.BmpImageFile(io.BytesIO(data))
        _check_size(*bitmap.size, limits, uri)
        bitmap.load()
        pixels = np.asarray(bitmap.convert("RGB"))
    return pyvips.Image.new_from_array(pixels).copy(interpretation="srgb")


def _open_lab(data: bytes, page: Page, limits: DecodeLimits, uri: str) -> Any:
    with _pillows_errors(uri):
        samples = np.asarray(_lab_page(data, page, limits, uri))
    lab = np.dstack([samples[..., 0] / np.float32(2.55), samples[..., 1:].astype(np.int8).astype(np.float32)])
    return pyvips.Image.new_from_array(lab).copy(interpretation="lab")


def _is_packed_lab(page: Page) -> bool:
    """Whether it is one of those that Pillow reads and libvips does not."""
    return page.is_packed_lab and page.sub_ifd < 0


def _lab_page(data: bytes, page: Page, limits: DecodeLimits, uri: str) -> TiffImagePlugin.TiffImageFile:
    """The page, none of its pixels read yet."""
    picture = TiffImagePlugin.TiffImageFile(io.BytesIO(data))
    picture.seek(page.index)
    _check_size(*picture.size, limits, uri)
    return picture


@contextmanager
def _pillows_errors(uri: str) -> Iterator[None]:
    try:
        yield
    except PictureError:
        raise
    except Exception as error:  # its readers say what is wrong with a file by whatever they stumble over
        raise (TruncatedPicture if "truncated" in str(error) else CorruptPicture)(uri, str(error)) from error


def _check_size(width_px: int, height_px: int, limits: DecodeLimits, uri: str) -> None:
    size = f"{width_px:,} x {height_px:,} px"
    if width_px * height_px > limits.pixels_max:
        raise TooManyPixels(uri, f"{size} are more than {limits.pixels_max:,} pixels")
    if min(width_px, height_px) < limits.side_px_min:
        raise TooFewPixels(uri, f"{size}; each side must have {limits.side_px_min} px at least")


def _field(image: Any, name: str, default: Any) -> Any:
    return image.get(name) if image.get_typeof(name) else default


def _metadata(image: Any, blocks: Blocks) -> Metadata:
    texts = _png_texts(image, metadata.BACKGROUND)
    background = metadata.background_in(texts[0]) if texts else None
    return replace(
        metadata.metadata_in(blocks),
        background=background,
        writing=writing_in(_png_texts(image, WRITING)),
        worn=bool(_png_texts(image, metadata.WORN)),
    )


def _png_texts(image: Any, name: str) -> list[str]:
    """The texts of this name in a PNG."""
    return [image.get(each) for each in image.get_fields() if each.endswith(f"-{name}")]


def _to_srgb(image: Any, colours: Colours) -> Any:
    """`image` in sRGB: 3 bands, or 4 with alpha; sRGB of 8 bits is not touched, and what has 16 ends in WIDE."""
    deep = image.format == "ushort"
    if image.interpretation == "cmyk" or colours.profile:
        fallback = {"input_profile": "cmyk"} if image.interpretation == "cmyk" else {}
        image = image.icc_transform(
            "srgb",
            embedded=True,
            intent="relative",
            black_point_compensation=True,
            depth=16 if deep else 8,
            **fallback,
        )
    image = image.colourspace("rgb16" if deep else "srgb")
    image = image[: 4 if image.hasalpha() else 3]
    return _to_wide(image, input_profile="srgb", embedded=False) if deep else image


def _to_wide(image: Any, *, embedded: bool = True, **source: str) -> Any:
    """`image` in WIDE, 16 bits; what is in it already is not touched."""
    if embedded and image.format == "ushort" and _field(image, PROFILE, b"") == wide_gamut.profile():
        return image
    colours = image
    if image.interpretation != "lab":
        colours = image.icc_import(embedded=embedded, intent="relative", black_point_compensation=True, **source)
    colours.set_type(pyvips.GValue.blob_type, PROFILE, wide_gamut.profile())
    return colours.icc_export(depth=16, intent="relative")


def _without_opaque_alpha(pixels: Any) -> Any:
    opaque = pixels.shape[2] == 4 and (pixels[..., 3] == np.iinfo(pixels.dtype).max).all()
    return pixels[..., :3] if opaque else pixels


def _failure(error: pyvips.Error, data: bytes, uri: str) -> CorruptPicture | TruncatedPicture | UnreadPicture:
    message = " ".join(str(error.detail or error.message).split())
    if _HEVC in data[:_HEVC_WITHIN]:
        return UnreadPicture(uri, f"HEIC, whose pixels are packed by HEVC, is not read here: {message}")
    ended = any(word in message.lower() for word in _CUT_OFF)
    if any(word in message.lower() for word in _NOT_READ):
        return UnreadPicture(uri, message)
    return (TruncatedPicture if ended else CorruptPicture)(uri, message)
