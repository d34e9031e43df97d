"""BMP's colours: those of the version 4 header, and the profile that version 5 takes in (BITMAPV5HEADER)."""

from gpu_workers.imaging.containers.blocks import Blocks, number
from gpu_workers.imaging.icc import Xy

_FILE_HEADER = 14
_V4_BYTES, _V5_BYTES = 108, 124
_CALIBRATED, _SRGB, _EMBEDDED = 0, 0x73524742, 0x4D424544  # bV5CSType: LCS_CALIBRATED_RGB, 'sRGB', 'MBED'


def blocks(data: bytes) -> Blocks:
    """What the header says."""
    size, kind = number(data, _FILE_HEADER, 4, little=True), number(data, _FILE_HEADER + 56, 4, little=True)
    if size >= _V5_BYTES and kind == _EMBEDDED:
        at, length = (number(data, _FILE_HEADER + field, 4, little=True) for field in (112, 116))
        return Blocks(icc=data[_FILE_HEADER + at : _FILE_HEADER + at + length])
    if size >= _V4_BYTES and kind == _CALIBRATED:
        return _calibrated(data)
    return Blocks(srgb=size >= _V4_BYTES and kind == _SRGB)


def _calibrated(data: bytes) -> Blocks:
    """By the ends of its primaries (XYZ, 2.30 bits), whose sum is the white, and its gammas (16.16 bits)."""
    xyz = [
        [number(data, _FILE_HEADER + 60 + 12 * row + 4 * column, 4, little=True) / 2**30 for column in range(3)]
        for row in range(3)
    ]
    gamma = number(data, _FILE_HEADER + 96, 4, little=True) / 65536
    red, green, blue = (_xy(each) for each in xyz)
    white = _xy([sum(column) for column in zip(*xyz, strict=True)])
    if not gamma or red is None or green is None or blue is None:
        return Blocks()  # most writers leave all of it empty
    return Blocks(gamma=gamma, primaries=(red, green, blue), white=white)


def _xy(xyz: list[float]) -> Xy | None:
    return (xyz[0] / sum(xyz), xyz[1] / sum(xyz)) if sum(xyz) else None
