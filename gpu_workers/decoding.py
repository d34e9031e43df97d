"""A picture file's bytes to pixels in sRGB, or in WIDE, upright; the errors are PictureErrors of source_errors.

What has eight bits and no colours that sRGB has not stays in sRGB, as it was sent. All else is kept in sixteen bits of
`gpu_workers.wide_gamut`, and leaves it only when a file is written for a channel.
"""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray
from PIL import BmpImagePlugin, ImageCms

from gpu_workers import notes, shrinking, wide_gamut
from gpu_workers.notes import NO_NOTES, Notes
from gpu_workers.source_errors import (
    CorruptPicture,
    NotAnImage,
    TooFewPixels,
    TooManyPixels,
    TruncatedPicture,
)
from gpu_workers.sources import sniff

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
_COLOURS = {"b-w": "GRAY", "grey16": "GRAY", "cmyk": "CMYK"}
_PROFILE = "icc-profile-data"

_CUT_OFF = ("truncated", "premature", "end of", "read error", "outside of file")

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


@dataclass(frozen=True, kw_only=True)
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
    orientation (1 to 8), and what else it says of itself. `source_scale` is how long the sides of `pixels` are beside
    the file's own: 1, or less for a large picture that was read smaller.
    """

    pixels: Pixels
    media_type: str
    bits: int
    had_alpha: bool
    icc: str
    frames: int
    orientation: int
    notes: Notes = NO_NOTES
    source_scale: float = 1.0


def header(data: bytes, limits: DecodeLimits | None = None, uri: str = "") -> Header:
    """What `data` says of its picture, limits checked. Raises NotAnImage or PictureError."""
    media_type = sniff(data, uri)
    try:
        image = _open(data, media_type, limits or DecodeLimits(), uri)
    except pyvips.Error as error:
        raise _failure(error, uri) from error
    return Header(
        media_type=media_type,
        width_px=image.width,
        height_px=image.height,
        bands=image.bands,
        bits=_TYPES[image.format],
        is_progressive=bool(_field(image, "interlaced", 0)),
    )


def decode(data: bytes, limits: DecodeLimits | None = None, uri: str = "") -> Picture:
    """The picture in `data`, limits checked before any pixel is decoded. Raises NotAnImage or PictureError."""
    limits = limits or DecodeLimits()
    media_type = sniff(data, uri)
    try:
        image = _open(data, media_type, limits, uri)
        icc, more_vivid = _profile(image, uri)
        scale = shrinking.scale_for(image.width, image.height, limits.kept_pixels_max)
        upright = (image if scale == 1 else _smaller(data, image, media_type, scale)).autorot()
        coloured = _to_wide(upright) if more_vivid else _to_srgb(upright, icc)
        pixels = _without_opaque_alpha(coloured.numpy())
    except pyvips.Error as error:
        raise _failure(error, uri) from error
    return Picture(
        pixels=np.ascontiguousarray(pixels),
        media_type=media_type,
        bits=_TYPES[image.format],
        had_alpha=pixels.shape[2] == 4,
        icc=icc,
        frames=image.get_n_pages(),
        orientation=_field(image, "orientation", 1),
        notes=_notes(image),
        source_scale=scale,
    )


def _smaller(data: bytes, image: Any, media_type: str, scale: float) -> Any:
    """`image`, which is in `data`, read anew with sides `scale` times as long."""
    if media_type in _LOADERS:
        width_px = image.width
        options = {"fail_on": _strictness(media_type), "access": "sequential"}
        image = _LOADERS[media_type](data, **options, **shrinking.load_shrink(media_type, scale))
        scale *= width_px / image.width
    # In memory: what turns it needs its pixels in another order than they are read.
    return shrinking.shrunk(image, scale).copy_memory()


def _strictness(media_type: str) -> str:
    # A JPEG that was cut and ended anew only draws a warning, and a grey lower half.
    return "warning" if media_type == "image/jpeg" else "error"


def _open(data: bytes, media_type: str, limits: DecodeLimits, uri: str) -> Any:
    if media_type == "image/bmp":
        return _open_bmp(data, limits, uri)
    image = _LOADERS[media_type](data, fail_on=_strictness(media_type))
    _check_size(image.width, image.height, limits, uri)
    if image.format not in _TYPES:
        raise CorruptPicture(uri, f"samples of the kind {image.format} are not read, only 8 and 16 bits are")
    return image


def _open_bmp(data: bytes, limits: DecodeLimits, uri: str) -> Any:
    try:
        bitmap = BmpImagePlugin.BmpImageFile(io.BytesIO(data))
        _check_size(*bitmap.size, limits, uri)
        bitmap.load()
    except OSError as error:
        raise (TruncatedPicture if "truncated" in str(error) else CorruptPicture)(uri, str(error)) from error
    image = pyvips.Image.new_from_array(np.asarray(bitmap.convert("RGB")))
    return image.copy(interpretation="srgb")


def _check_size(width_px: int, height_px: int, limits: DecodeLimits, uri: str) -> None:
    size = f"{width_px:,} x {height_px:,} px"
    if width_px * height_px > limits.pixels_max:
        raise TooManyPixels(uri, f"{size} are more than {limits.pixels_max:,} pixels")
    if min(width_px, height_px) < limits.side_px_min:
        raise TooFewPixels(uri, f"{size}; each side must have {limits.side_px_min} px at least")


def _field(image: Any, name: str, default: Any) -> Any:
    return image.get(name) if image.get_typeof(name) else default


def _notes(image: Any) -> Notes:
    comments = [name for name in image.get_fields() if name.endswith(f"-{notes.BACKGROUND}")]
    return Notes(
        source_type=notes.source_type_in(_field(image, "xmp-data", b"")),
        background=notes.background_in(image.get(comments[0])) if comments else None,
    )


def _profile(image: Any, uri: str) -> tuple[str, bool]:
    """The name of the file's profile, "" for none, and whether it has colours that sRGB has not."""
    data = _field(image, _PROFILE, b"")
    if not data:
        return "", False
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        name = ImageCms.getProfileDescription(profile).strip()
    except (OSError, ImageCms.PyCMSError) as error:
        raise CorruptPicture(uri, "its colour profile cannot be read") from error
    space = profile.profile.xcolor_space.strip()
    colours = _COLOURS.get(image.interpretation, "RGB")
    if space != colours:
        raise CorruptPicture(uri, f"its colour profile is for {space} and not for {colours}")
    return name or "unnamed", space == "RGB" and _is_more_vivid(profile.profile)


def _is_more_vivid(profile: Any) -> bool:
    colorants = (profile.red_colorant, profile.green_colorant, profile.blue_colorant)
    if None in colorants:
        return True  # a table of colours: whether sRGB has them all is not to be seen from outside
    return wide_gamut.holds_more(np.array([xyz for xyz, _ in colorants]))


def _to_srgb(image: Any, icc: str) -> Any:
    """`image` in sRGB: 3 bands, or 4 with alpha; sRGB of 8 bits is not touched, and what has 16 ends in WIDE."""
    deep = image.format == "ushort"
    if image.interpretation == "cmyk" or (icc and not icc.startswith("sRGB")):
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
    if embedded and image.format == "ushort" and _field(image, _PROFILE, b"") == wide_gamut.profile():
        return image
    colours = image.icc_import(embedded=embedded, intent="relative", black_point_compensation=True, **source)
    colours.set_type(pyvips.GValue.blob_type, _PROFILE, wide_gamut.profile())
    return colours.icc_export(depth=16, intent="relative")


def _without_opaque_alpha(pixels: Any) -> Any:
    opaque = pixels.shape[2] == 4 and (pixels[..., 3] == np.iinfo(pixels.dtype).max).all()
    return pixels[..., :3] if opaque else pixels


def _failure(error: pyvips.Error, uri: str) -> NotAnImage | CorruptPicture | TruncatedPicture:
    message = " ".join(str(error.detail or error.message).split())
    ended = any(word in message.lower() for word in _CUT_OFF)
    return (TruncatedPicture if ended else CorruptPicture)(uri, message)
