"""The blocks that a picture file carries beside its pixels, whatever its format calls and keeps them."""

import zlib
from dataclasses import dataclass
from typing import NamedTuple

from gpu_workers.imaging.icc import Primaries, Xy

BYTES_MAX = 8_000_000  # of a block that was packed: none that is honest comes near, and a bomb ends here


class CodePoints(NamedTuple):
    """Colours by the numbers of ITU-T H.273: primaries, transfer, matrix; and whether samples use their full range."""

    primaries: int
    transfer: int
    matrix: int
    full_range: bool


@dataclass(frozen=True)
class Blocks:
    """Raw blocks, as they lie in the file; what it has not is empty, None or False.

    `cicp` is PNG's chunk and `nclx` the box of HEIF and AVIF. `srgb` is PNG's chunk or BMP's mark. `gamma` is the power
    that makes light of samples (2.2 where PNG's gAMA says 0.45455), `primaries` and `white` x and y; `curve` a table of
    light, 0..1, at equal steps. `exif` begins with its TIFF header. `xmp` are all packets, those in parts put together;
    `iptc` are IIM's data sets.
    """

    icc: bytes = b""
    cicp: CodePoints | None = None
    nclx: CodePoints | None = None
    srgb: bool = False
    gamma: float | None = None
    primaries: Primaries | None = None
    white: Xy | None = None
    curve: tuple[float, ...] = ()
    exif: bytes = b""
    xmp: tuple[bytes, ...] = ()
    iptc: bytes = b""
    c2pa: bytes = b""


def number(data: bytes, at: int, size: int, *, little: bool = False) -> int:
    """The whole number of `size` bytes at `at`; what lies beyond the end is left out."""
    return int.from_bytes(data[at : at + size], "little" if little else "big")


def inflated(data: bytes) -> bytes:
    """What zlib packed, up to BYTES_MAX; as much as can be read of what is damaged."""
    unpacking = zlib.decompressobj()
    try:
        return unpacking.decompress(data, BYTES_MAX)
    except zlib.error:
        return b""


def iptc_in(resources: bytes) -> bytes:
    """IIM's data sets in Photoshop's image resources."""
    at = 0
    while resources[at : at + 4] == b"8BIM":
        name = 1 + number(resources, at + 6, 1)
        start = at + 6 + name + name % 2 + 4
        size = number(resources, start - 4, 4)
        if number(resources, at + 4, 2) == 0x0404:
            return resources[start : start + size]
        at = start + size + size % 2
    return b""


def exif_in(data: bytes) -> bytes:
    """An EXIF block from its TIFF header on."""
    return data.removeprefix(b"Exif\0\0")
