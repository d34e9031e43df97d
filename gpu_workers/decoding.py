"""A picture file's bytes to pixels in sRGB, upright; the errors are PictureErrors of gpu_workers.source_errors."""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray
from PIL import BmpImagePlugin, ImageCms

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
    """How large a picture may be by its header, and how small."""

    pixels_max: int = 100_000_000
    side_px_min: int = 64


@dataclass(frozen=True)
class Picture:
    """An upright picture in sRGB: (h, w, 3), or (h, w, 4) with straight alpha; uint8, or uint16 where it has 16 bits.

    The facts are the file's own: its media type, bits a sample, whether it had alpha (one that is opaque everywhere
    is none), its ICC profile's name ("" for none), its number of frames, of which `pixels` is the first, and its
    EXIF orientation (1 to 8).
    """

    pixels: Pixels
    media_type: str
    bits: int
    had_alpha: bool
    icc: str
    frames: int
    orientation: int


def decode(data: bytes, limits: DecodeLimits | None = None, uri: str = "") -> Picture:
    """The picture in `data`, limits checked before any pixel is decoded. Raises NotAnImage or PictureError."""
    limits = limits or DecodeLimits()
    media_type = sniff(data, uri)
    try:
        image = _open(data, media_type, limits, uri)
        icc = _profile_name(image, uri)
        upright = image.autorot()
        pixels = _without_opaque_alpha(_to_srgb(upright, icc).numpy())
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
    )


def _open(data: bytes, media_type: str, limits: DecodeLimits, uri: str) -> Any:
    if media_type == "image/bmp":
        return _open_bmp(data, limits, uri)
    # A JPEG that was cut and ended anew only draws a warning, and a grey lower half.
    strictness = "warning" if media_type == "image/jpeg" else "error"
    image = _LOADERS[media_type](data, fail_on=strictness)
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


def _profile_name(image: Any, uri: str) -> str:
    data = _field(image, _PROFILE, b"")
    if not data:
        return ""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        name = ImageCms.getProfileDescription(profile).strip()
    except (OSError, ImageCms.PyCMSError) as error:
        raise CorruptPicture(uri, "its colour profile cannot be read") from error
    colours = _COLOURS.get(image.interpretation, "RGB")
    if profile.profile.xcolor_space.strip() != colours:
        raise CorruptPicture(
            uri, f"its colour profile is for {profile.profile.xcolor_space.strip()} and not for {colours}"
        )
    return name or "unnamed"


def _to_srgb(image: Any, icc: str) -> Any:
    """`image` in sRGB of its own depth: 3 bands, or 4 with alpha; sRGB itself is not touched."""
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
    return image[: 4 if image.hasalpha() else 3]


def _without_opaque_alpha(pixels: Any) -> Any:
    opaque = pixels.shape[2] == 4 and (pixels[..., 3] == np.iinfo(pixels.dtype).max).all()
    return pixels[..., :3] if opaque else pixels


def _failure(error: pyvips.Error, uri: str) -> NotAnImage | CorruptPicture | TruncatedPicture:
    message = " ".join(str(error.detail or error.message).split())
    ended = any(word in message.lower() for word in _CUT_OFF)
    return (TruncatedPicture if ended else CorruptPicture)(uri, message)
