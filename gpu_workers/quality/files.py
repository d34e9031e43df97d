"""What every picture's file is measured by, whatever made it.

| measure | says |
|---|---|
| `width_px`, `height_px`, `size_bytes` | the file |
| `format_allowed` | 1 when its content is a format of the channel |
| `has_srgb_profile`, `has_source_type` | 1 when it holds a profile whose numbers are sRGB's, and says how it was made |
| `jpeg_quality` | what its quantisation tables say, 1..100; 100 for other formats |
| `look_…` | how it looks beside others: `gpu_workers.quality.looks` |
"""

from gpu_workers.quality.found import jpeg_quality
from gpu_workers.quality.looks import look_measures
from gpu_workers.sources.decoding import DecodeLimits, Picture, decode
from schemas.channels import Channel


def read(file: bytes) -> Picture:
    """A written file decoded afresh, however small. Raises a SourceError for no picture."""
    return decode(file, DecodeLimits(side_px_min=1))


def file_facts(file: bytes, picture: Picture, channel: Channel) -> dict[str, float]:
    """The measures of a `file`, which was read as `picture`, written for `channel`."""
    height_px, width_px = picture.pixels.shape[:2]
    return {
        "width_px": float(width_px),
        "height_px": float(height_px),
        "size_bytes": float(len(file)),
        "format_allowed": float(picture.media_type.removeprefix("image/") in channel.formats),
        "has_srgb_profile": float(picture.colours.signal == "icc" and picture.colours.is_srgb),
        "has_source_type": float(picture.metadata.source_type != ""),
        "jpeg_quality": jpeg_quality(file),
        **look_measures(picture.pixels),
    }
