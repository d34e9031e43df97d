"""Damaged files: bits turned, pieces cut, spliced and repeated, one for each seed; and a course that decodes them.

`python -m tests.gpu_workers.mangled_pictures KIND FIRST_SEED COUNT` prints each seed before it is tried.
"""

import io
import logging
import signal
import sys
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from gpu_workers.imaging.metadata import Metadata, written_into
from gpu_workers.sources.decoding import DecodeLimits, decode
from gpu_workers.sources.errors import NotAnImage, PictureError
from tests.gpu_workers import colour_files as files
from tests.gpu_workers.tiff_files import Page, tiff

KINDS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BigTIFF", "AVIF", "BMP", "BMP RLE", "BMP V5")
COUNT = 300
SECONDS_MAX = 60  # for one of these small files on a busy machine
LIMITS = DecodeLimits(pixels_max=1_000_000, side_px_min=16)


@cache
def whole(kind: str) -> bytes:
    """A small file with all that its format can hold beside pixels."""
    pixels = files.colours(files.P3, 24)
    profile, exif = files.matrix(files.P3), b"Exif\0\0" + files.exif(0xFFFF, "R03")
    match kind:
        case "PNG":
            data = files.png(pixels, files.gama_chrm(files.P3), files.iccp(profile))
            return written_into(data, Metadata("digitalCapture", (0.5, 0.5, 0.5)))
        case "TIFF" | "BigTIFF":
            thumbnail = Page(pixels[::2, ::2], {254: [1]})
            return tiff(thumbnail, Page(np.dstack([pixels, pixels[..., :1]]), {338: [1]}), big=kind == "BigTIFF")
        case "BMP":
            return _saved(Image.fromarray(pixels).convert("P"), "BMP")
        case "BMP RLE":
            bitmap = bytearray(_saved(Image.fromarray(pixels).convert("P"), "BMP"))
            bitmap[30] = 1
            start = int.from_bytes(bitmap[10:14], "little")
            return bytes(bitmap[:start]) + b"".join(bytes([24, row, 0, 0]) for row in range(24)) + b"\0\1"
        case "BMP V5":
            return files.bmp_v5(pixels, icc=profile)
        case "GIF":
            frames = [Image.fromarray(pixels), Image.fromarray(pixels[::-1])]
            return _saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
        case _:
            return files.written(pixels, kind, icc_profile=profile, exif=exif, xmp=b"<x:xmpmeta/>")


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def mangled(kind: str, seed: int) -> bytes:
    """The file of `kind` as this seed damages it. Its first bytes stay, so that it is taken for what it was."""
    random = np.random.default_rng([seed, KINDS.index(kind)])
    data = bytearray(whole(kind))
    for _ in range(int(random.integers(1, 5))):
        at = int(random.integers(4, max(len(data), 5)))
        size = int(random.integers(1, 40))
        match random.integers(0, 6):
            case 0 | 1:
                for each in random.integers(4, max(len(data), 5), size=int(random.integers(1, 9))):
                    data[min(each, len(data) - 1)] ^= 1 << int(random.integers(0, 8))
            case 2:
                data[at : at + 4] = bytes(random.choice([0, 1, 127, 128, 255], 4).astype(np.uint8))
            case 3:
                del data[at : at + size]
            case 4:
                source = int(random.integers(0, len(data)))
                data[at:at] = data[source : source + size]
            case _:
                del data[max(at, len(data) // 3) :]
    return bytes(data)


def main(kind: str, first: int, count: int) -> None:
    logging.disable()
    read = 0
    for seed in range(first, first + count):
        print(kind, seed, flush=True)
        signal.alarm(SECONDS_MAX)
        try:
            decode(mangled(kind, seed), LIMITS)
            read += 1
        except (PictureError, NotAnImage):
            pass
    print(f"{read} of {count} were read")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
