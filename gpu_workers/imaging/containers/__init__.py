"""What picture files carry beside their pixels, one format a file.

All of it comes from strangers: whatever the bytes are, reading them ends, needs little memory and raises nothing; what
is damaged counts as not there.
"""

from gpu_workers.imaging.containers import bmff, bmp, gif, jpeg, png, riff, tiff
from gpu_workers.imaging.containers.blocks import Blocks, CodePoints
from gpu_workers.imaging.containers.tiff import Directory

__all__ = ["Blocks", "CodePoints", "blocks"]

_READERS = {
    "image/jpeg": jpeg.blocks,
    "image/png": png.blocks,
    "image/webp": riff.blocks,
    "image/gif": gif.blocks,
    "image/bmp": bmp.blocks,
    "image/avif": bmff.blocks,
    "image/heif": bmff.blocks,
}


def blocks(data: bytes, media_type: str, page: Directory | None = None) -> Blocks:
    """The blocks in a file of this type; of a TIFF, those of `page`."""
    if page is not None:
        return tiff.blocks(data, page)
    return _READERS[media_type](data)
