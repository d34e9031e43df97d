"""Pictures to files: a finished canvas to a channel's, deterministic bytes, no heavier than allowed; any other to PNG.

In it are sRGB's profile, how the picture was made and whose it is.
"""

import io
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyvips
from PIL import Image, ImageCms

from gpu_workers.imaging import metadata, wide_gamut
from gpu_workers.imaging.ai_marks import NO_MARKS, Marks
from gpu_workers.imaging.credits import NO_CREDITS, Credits
from gpu_workers.imaging.linear_light import eight_bit
from gpu_workers.imaging.metadata import NO_METADATA, Metadata, written_into
from gpu_workers.imaging.types import Codes
from schemas.channels import Channel
from schemas.errors import InputError

_QUALITY_BEST, _QUALITY_LEAST = 95, 70
# What a signature adds when the file is published: 4 kB were measured, 13 kB where a KMS signs; a stamp of the time and
# a customer's longer chain have room besides. Of a channel that takes next to nothing, an eighth.
_SIGNATURE_BYTES = 32_768


class TooHeavy(InputError, ValueError):
    """A picture that the channel's weight limit cannot hold at a quality worth having."""

    code = "too_heavy"
    field = "file_bytes_max"


@dataclass(frozen=True)
class Encoded:
    """A picture file. `quality` is JPEG's, 70 to 95, or 100 for a lossless one."""

    data: bytes
    media_type: str
    quality: int


def encode(
    canvas: Codes,
    channel: Channel,
    *,
    source_type: str = metadata.CAPTURED,
    credits: Credits = NO_CREDITS,
    marks: Marks = NO_MARKS,
    dpi: int | None = None,
) -> Encoded:
    """`canvas` (h, w, 3), or (h, w, 4) with straight alpha, in the channel's first format. Raises TooHeavy.

    Here is the last step: uint8 is sRGB already, and uint16 of WIDE is brought into it.
    `source_type` is how it was made, as `gpu_workers.imaging.metadata` has it, `credits` whose it is, `marks` which AI
    systems made pixels of it; `dpi` what the file says of its size in print.
    """
    embedded = Metadata(source_type, credits=credits, marks=marks)
    most = channel.file_bytes_max - min(_SIGNATURE_BYTES, channel.file_bytes_max // 8)
    image = Image.fromarray(eight_bit(canvas))
    if channel.formats[0] == "png":
        encoded = Encoded(_png(image, embedded, dpi), "image/png", 100)
    elif channel.formats[0] == "jpeg":
        encoded = _best_jpeg(image, most, embedded, dpi)
    else:
        raise ValueError(f"{channel.rule_version}: formats[0] is {channel.formats[0]!r}; we write jpeg and png")
    if len(encoded.data) > most:
        raise TooHeavy(
            f"{len(encoded.data):,} bytes at quality {encoded.quality}, "
            f"{channel.rule_version} allows {channel.file_bytes_max:,}, {channel.file_bytes_max - most:,} of them for "
            "a signature"
        )
    return encoded


def lossless(pixels: Codes, metadata: Metadata = NO_METADATA) -> bytes:
    """A picture as PNG, of its own depth, written fast rather than small; 16 bits come with their profile."""
    if pixels.dtype == np.uint8:
        image = pyvips.Image.new_from_array(pixels).copy(interpretation="b-w" if pixels.ndim == 2 else "srgb")
        return written_into(image.pngsave_buffer(compression=1, filter="up", keep="none"), metadata)
    image = pyvips.Image.new_from_array(pixels).copy(interpretation="rgb16")
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", wide_gamut.profile())
    return written_into(image.pngsave_buffer(compression=1, filter="sub", keep="icc"), metadata)


def _best_jpeg(image: Image.Image, bytes_max: int, embedded: Metadata, dpi: int | None) -> Encoded:
    """The best quality that is light enough, by bisection; the least when none is."""
    low, high = _QUALITY_LEAST, _QUALITY_BEST
    data = _jpeg(image, high, embedded, dpi)
    if len(data) <= bytes_max:
        return Encoded(data, "image/jpeg", high)
    while low < high - 1:
        middle = (low + high) // 2
        light = len(_jpeg(image, middle, embedded, dpi)) <= bytes_max
        low, high = (middle, high) if light else (low, middle)
    return Encoded(_jpeg(image, low, embedded, dpi), "image/jpeg", low)


def _jpeg(image: Image.Image, quality: int, embedded: Metadata, dpi: int | None) -> bytes:
    stream = io.BytesIO()
    # Subsampled chroma would bleed the product's colour into the white round it.
    image.save(
        stream,
        "JPEG",
        quality=quality,
        subsampling="4:4:4",
        icc_profile=srgb_profile(),
        xmp=metadata.xmp(embedded.source_type, embedded.credits, embedded.marks),
        dpi=(dpi or 0, dpi or 0),
    )
    return stream.getvalue()


def _png(image: Image.Image, embedded: Metadata, dpi: int | None) -> bytes:
    stream = io.BytesIO()
    density = {} if dpi is None else {"dpi": (dpi, dpi)}
    image.save(stream, "PNG", compress_level=6, icc_profile=srgb_profile(), **density)
    return written_into(stream.getvalue(), embedded)


@cache
def srgb_profile() -> bytes:
    """An ICC profile of sRGB, the same bytes every time: its date of making is blanked."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile[:24] + bytes(12) + profile[36:]
