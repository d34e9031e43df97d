"""A product's own photograph as people see it: fetched anew from where it lies, upright, small enough for a page."""

import io

from PIL import Image

from gpu_workers.imaging.linear_light import eight_bit
from gpu_workers.pools.limits import fetch_limits
from gpu_workers.sources.decoding import DecodeLimits, decode
from gpu_workers.sources.fetch import fetch
from schemas.errors import InputError
from schemas.records import Source
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.operating.roles import s3_client

MEDIA_TYPE = "image/webp"
_QUALITY = 90


def shown(settings: Settings, source: Source, longest_px: int) -> bytes:
    """The photograph as a WebP file, its longer side `longest_px` at most. Raises Refused."""
    try:
        fetched = fetch(source.uri, fetch_limits(settings), sha256=source.sha256, s3=s3_client(settings))
        pixels = decode(fetched.data, DecodeLimits(pixels_max=settings.source_max_pixels), source.uri).pixels
    except InputError as error:
        raise Refused.because(error) from error
    image = Image.fromarray(eight_bit(pixels))
    image.thumbnail((longest_px, longest_px), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=_QUALITY)
    return stream.getvalue()
